//! Programs and libraries that come from the system's packages: found, else installed, else named.
//!
//! A test that needs one never passes by being skipped: what can't be had is an error that says which
//! package to install. Only root on Debian or Ubuntu installs anything.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process::{find, program, run};

/// A program, or a library that is loaded before a program's own, and the Debian package that has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Package {
    /// Names it goes by; the first one found counts.
    pub(crate) programs: &'static [&'static str],
    pub(crate) package: &'static str,
    /// What it is for, to end the sentence "… is needed for".
    pub(crate) purpose: &'static str,
}

pub(crate) const CHROMEDRIVER: Package =
    Package { programs: &["chromedriver"], package: "chromium-driver", purpose: "the browser tests" };
pub(crate) const CHROMIUM: Package = Package {
    programs: &["chromium", "chromium-browser", "google-chrome"],
    package: "chromium",
    purpose: "the browser tests",
};
pub(crate) const WRK: Package =
    Package { programs: &["wrk"], package: "wrk", purpose: "the load of the benchmarks" };
pub(crate) const NGINX: Package =
    Package { programs: &["nginx"], package: "nginx-light", purpose: "a rival of the benchmarks" };
pub(crate) const H2LOAD: Package = Package {
    programs: &["h2load"],
    package: "nghttp2-client",
    purpose: "the HTTP/2 load of the benchmarks",
};
/// It compiles its configuration: the package brings a C compiler.
pub(crate) const VARNISH: Package =
    Package { programs: &["varnishd"], package: "varnish", purpose: "a rival of the benchmarks" };
pub(crate) const HAPROXY: Package =
    Package { programs: &["haproxy"], package: "haproxy", purpose: "the farm of the benchmarks" };
pub(crate) const FAKETIME: Package = Package {
    programs: &["libfaketime.so.1"],
    package: "libfaketime",
    purpose: "servers with a wrong clock in the farm of the benchmarks",
};
pub(crate) const REDIS: Package = Package {
    programs: &["redis-server", "valkey-server"],
    package: "redis-server",
    purpose: "the tests and benchmarks on Redis",
};
pub(crate) const PYTHON: Package = Package {
    programs: &["python3"],
    package: "python3-venv",
    purpose: "the guests that another toolchain builds and the test of files in a bucket",
};

pub(crate) const NODE: Package =
    Package { programs: &["node"], package: "nodejs", purpose: "the cache suite" };
pub(crate) const NPM: Package = Package { programs: &["npm"], package: "npm", purpose: "the cache suite" };

/// The paths of these, in order. Installs what is missing where it may.
pub(crate) fn provide<const N: usize>(packages: [&Package; N]) -> Result<[PathBuf; N]> {
    let missing: Vec<&Package> =
        packages.iter().copied().filter(|package| locate(package).is_none()).collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    let mut paths = [const { PathBuf::new() }; N];
    for (path, package) in paths.iter_mut().zip(packages) {
        match locate(package) {
            Some(found) => *path = found,
            None => bail!("{}", wish(package)),
        }
    }
    Ok(paths)
}

/// Installs packages by name, where this user may.
pub(crate) fn install(packages: &[&Package]) -> Result<()> {
    let debian = Path::new("/etc/debian_version").exists() && find("apt-get").is_some();
    if !debian || !rootly() {
        let wishes: Vec<String> = packages.iter().map(|package| wish(package)).collect();
        bail!("{}", wishes.join("\n"));
    }
    let names: Vec<&str> = packages.iter().map(|package| package.package).collect();
    println!("    installing {}", names.join(", "));
    run(program("apt-get", &["update", "-qq"]).env("DEBIAN_FRONTEND", "noninteractive"))?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(names);
    run(program("apt-get", &arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn locate(package: &Package) -> Option<PathBuf> {
    package.programs.iter().find_map(|name| find(name).or_else(|| library(name)))
}

/// The path of a library that is loaded by its path: Debian has a folder of its own for each, below an architecture's.
fn library(name: &str) -> Option<PathBuf> {
    let (folder, _version) = name.strip_prefix("lib")?.split_once(".so")?;
    let architecture = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    [architecture.as_str(), "/usr/lib64", "/usr/lib", "/usr/local/lib"]
        .into_iter()
        .map(|place| Path::new(place).join(folder).join(name))
        .find(|file| file.is_file())
}

fn wish(package: &Package) -> String {
    format!(
        "`{}` is needed for {}: install it (on Debian and Ubuntu the package {})",
        package.programs.first().unwrap_or(&package.package),
        package.purpose,
        package.package
    )
}

/// True where this process may do everything.
pub(crate) fn rootly() -> bool {
    // The owner of a process's own folder in /proc is its effective user.
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
    }
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const MISSING: Package =
        Package { programs: &["no-such-program-anywhere"], package: "no-such-package", purpose: "this test" };

    #[test]
    fn what_is_missing_is_named_with_its_package() {
        let text = wish(&MISSING);
        assert!(text.contains("no-such-program-anywhere") && text.contains("no-such-package"), "{text}");
        assert!(locate(&MISSING).is_none() && library("libno-such-library.so.1").is_none());
    }

    #[test]
    fn what_is_there_is_found_and_not_installed() {
        const SHELL: Package = Package { programs: &["sh"], package: "dash", purpose: "this test" };
        assert!(provide([&SHELL]).is_ok_and(|[path]| path.ends_with("sh")));
    }
}
