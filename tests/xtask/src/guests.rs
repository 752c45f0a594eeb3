//! `cargo xtask guests`: builds every guest and puts it where host, tests and benchmarks look.
//!
//! The guests are data below. They are built in a target folder of their own, because host and
//! guests differ in target and profile and would wait for each other's locks. A file is replaced
//! only where its bytes changed, so that what embeds it is not rebuilt for nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::foreign;
use crate::process::{cargo, find, program, run as start, target};

pub(crate) const HELP: &str = "\
Usage: cargo xtask guests [--foreign]

Builds the WebAssembly guests (shipped site, examples, test guests) into TARGET/guests.

Options:
  --foreign  Also the components that another toolchain builds (needs python3 and pip)
";

const TARGET: &str = "wasm32-wasip2";

/// What the host has inside it: package, and the name of the file it becomes.
const SHIPPED: &[(&str, &str)] = &[("rowhouse-site", "site")];

/// What examples, tests and benchmarks load.
const TESTED: &[(&str, &str)] = &[
    ("example-twenty-lines", "twenty-lines"),
    ("guest-calls", "calls"),
    ("guest-hello", "hello"),
    ("guest-hello-http02", "hello-http02"),
    ("guest-hello-http03", "hello-http03"),
    ("guest-kept", "kept"),
    ("guest-page", "page"),
    ("guest-page-http02", "page-http02"),
    ("guest-steps", "steps"),
    ("guest-fetch-http03", "fetch-http03"),
    ("guest-forward", "forward"),
    ("guest-hostile", "hostile"),
    ("guest-hostile-http02", "hostile-http02"),
];

/// Guests that a native program writes, because no compiler makes what they are made of.
const ASSEMBLED: &[(&str, &str)] = &[("guest-multi-memory", "multi-memory")];

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut foreign = false;
    for argument in arguments {
        match argument.as_str() {
            "--foreign" => foreign = true,
            other => bail!("no option `{other}`\n\n{HELP}"),
        }
    }
    build()?;
    if foreign {
        foreign::build()?;
    }
    Ok(())
}

/// Where the built guests are.
pub(crate) fn folder() -> PathBuf {
    target().join("guests")
}

/// Builds all guests but the foreign ones.
pub(crate) fn build() -> Result<()> {
    let all: Vec<_> = SHIPPED.iter().chain(TESTED).copied().collect();
    compile(&all)?;
    for (package, name) in ASSEMBLED {
        let build = build_folder();
        let made = build.join(format!("{name}.wasm"));
        // Its libraries run for a moment only: optimising them takes minutes.
        let plain = "profile.dev.package.\"*\".opt-level=0";
        let mut command = cargo(&["run", "--quiet", "--config", plain, "--package", package, "--"]);
        start(command.arg(&made).env("CARGO_TARGET_DIR", &build))?;
        keep(name, &read(&made)?)?;
    }
    println!("    guests are in {}", folder().display());
    Ok(())
}

/// Builds only what the host has inside it.
pub(crate) fn build_shipped() -> Result<()> {
    compile(SHIPPED)
}

/// Clippy over the guests, for the target they run on: they are empty for any other.
pub(crate) fn clippy() -> Result<()> {
    let mut arguments = vec!["clippy", "--profile", "guest", "--target", TARGET];
    for (package, _) in SHIPPED.iter().chain(TESTED) {
        arguments.extend(["--package", package]);
    }
    arguments.extend(["--", "-D", "warnings"]);
    start(cargo(&arguments).env("CARGO_TARGET_DIR", build_folder()))
}

/// Compiles packages in one run of cargo and puts the results in their places.
fn compile(guests: &[(&str, &str)]) -> Result<()> {
    provide_target()?;
    let build = build_folder();
    let mut arguments = vec!["build", "--profile", "guest", "--target", TARGET];
    for (package, _) in guests {
        arguments.extend(["--package", package]);
    }
    start(cargo(&arguments).env("CARGO_TARGET_DIR", &build))?;

    let output = build.join(TARGET).join("guest");
    for (package, name) in guests {
        keep(name, &read(&output.join(format!("{}.wasm", package.replace('-', "_"))))?)?;
    }
    Ok(())
}

fn build_folder() -> PathBuf {
    target().join("guests-build")
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("read {}", file.display()))
}

/// Puts a guest in its place, unless the same bytes are there.
pub(crate) fn keep(name: &str, bytes: &[u8]) -> Result<()> {
    let file = folder().join(format!("{name}.wasm"));
    if fs::read(&file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::create_dir_all(folder()).with_context(|| format!("make {}", folder().display()))?;
    // A rename: a server that maps the old file keeps it whole.
    let partial = file.with_extension("partial");
    fs::write(&partial, bytes).with_context(|| format!("write {}", partial.display()))?;
    fs::rename(&partial, &file).with_context(|| format!("rename to {}", file.display()))?;
    println!("    {name}: {} KB", bytes.len() / 1024);
    Ok(())
}

/// Sees that there is a standard library for guests. rustup installs it by rust-toolchain.toml, but not where a
/// person has switched that off or the toolchain was there before.
fn provide_target() -> Result<()> {
    if has_target()? {
        return Ok(());
    }
    if find("rustup").is_none() {
        bail!("this Rust has no standard library for {TARGET}: install Rust through https://rustup.rs");
    }
    start(&mut program("rustup", &["target", "add", TARGET]))?;
    ensure!(has_target()?, "`rustup target add {TARGET}` went well, but rustc doesn't look where it put it");
    Ok(())
}

fn has_target() -> Result<bool> {
    let output = program("rustc", &["--print", "sysroot"]).output().context("start rustc")?;
    let sysroot = String::from_utf8(output.stdout).context("read the path of the sysroot")?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::root;

    #[test]
    fn every_crate_among_the_test_guests_is_in_the_lists() {
        let folder = root().join("tests/guests");
        let entries: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().collect();
        assert!(!entries.is_empty(), "{} has guests", folder.display());
        for entry in entries.into_iter().filter(|entry| entry.path().join("Cargo.toml").exists()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let listed = TESTED.iter().chain(ASSEMBLED).any(|(_, file)| *file == name);
            assert!(listed, "tests/guests/{name} is built by no one");
        }
    }
}
