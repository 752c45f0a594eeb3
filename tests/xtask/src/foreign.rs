//! Components that nobody here wrote, built by a toolchain that is not Rust's.
//!
//! They are the examples that componentize-py's own source package ships, unchanged: an echo server
//! for plain wasi:http 0.2 and one for 0.3, in Python, with an interpreter inside. That they run proves
//! that a site module needs nothing of ours. The toolchain comes from PyPI and lies, with the results,
//! in the target folder; a second run finds them there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::guests;
use crate::packages::{PYTHON, install, provide};
use crate::process::{program, run, succeeds, target};

/// Pinned: the example's source, its WIT and the interpreter belong together.
const VERSION: &str = "0.25.1";

/// The world each example is for, its folder in the source package, and the guest's name.
const EXAMPLES: &[(&str, &str, &str)] =
    &[("wasi:http/proxy@0.2.0", "http", "py-http02"), ("wasi:http/service@0.3.0", "http-p3", "py-http03")];

/// Builds the foreign guests into the folder of the others.
pub(crate) fn build() -> Result<()> {
    let folder = target().join("toolchains").join(format!("componentize-py-{VERSION}"));
    let environment = folder.join("venv");
    let sources = folder.join(format!("componentize_py-{VERSION}"));
    if !environment.join("bin/componentize-py").is_file() {
        toolchain(&folder, &environment)?;
    }
    if !sources.join("wit").is_dir() {
        unpack_sources(&folder, &environment)?;
    }
    for (world, example, name) in EXAMPLES {
        let made = folder.join(format!("{name}.wasm"));
        if !made.is_file() {
            componentize(&environment, &sources, world, example, &made)?;
        }
        guests::keep(name, &fs::read(&made).with_context(|| format!("read {}", made.display()))?)?;
    }
    Ok(())
}

fn toolchain(folder: &Path, environment: &Path) -> Result<()> {
    println!("    installing componentize-py {VERSION} into {}", environment.display());
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let [python] = provide([&PYTHON])?;
    let python = python.to_string_lossy().into_owned();
    let venv = environment.to_string_lossy();
    // Debian's python3 comes without venv.
    if !succeeds(&mut program(&python, &["-c", "import venv, ensurepip"])) {
        install(&[&PYTHON])?;
    }
    run(&mut program(&python, &["-m", "venv", "--clear", &venv]))?;
    let pip = environment.join("bin/pip");
    run(program(&pip.to_string_lossy(), &["install", "--quiet", &requirement()])
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1"))
}

fn unpack_sources(folder: &Path, environment: &Path) -> Result<()> {
    let archive = folder.join(format!("componentize_py-{VERSION}.tar.gz"));
    if !archive.is_file() {
        let pip = environment.join("bin/pip");
        let folder = folder.to_string_lossy();
        // Sources of this package alone: pip would build its build tools from theirs as well.
        let only = ["--no-deps", "--no-binary", "componentize-py", "--dest", &folder];
        let mut arguments = vec!["download", "--quiet"];
        arguments.extend(only);
        let requirement = requirement();
        arguments.push(&requirement);
        run(program(&pip.to_string_lossy(), &arguments).env("PIP_DISABLE_PIP_VERSION_CHECK", "1"))?;
    }
    let python = environment.join("bin/python");
    let extract = ["-m", "tarfile", "--extract", &archive.to_string_lossy(), &folder.to_string_lossy()];
    run(&mut program(&python.to_string_lossy(), &extract))
}

fn componentize(
    environment: &Path,
    sources: &Path,
    world: &str,
    example: &str,
    made: &PathBuf,
) -> Result<()> {
    // Written under another name first: a build that was stopped must not look finished.
    let partial = made.with_extension("partial");
    let mut command = program(&environment.join("bin/componentize-py").to_string_lossy(), &["--quiet"]);
    command
        .arg("--wit-path")
        .arg(sources.join("wit"))
        .args(["--world", world, "componentize", "app", "--python-path"])
        .arg(sources.join("examples").join(example))
        .arg("--output")
        .arg(&partial)
        // Else it bundles whatever the caller's environment has installed.
        .env("VIRTUAL_ENV", environment);
    run(&mut command)?;
    fs::rename(&partial, made).with_context(|| format!("rename to {}", made.display()))
}

fn requirement() -> String {
    format!("componentize-py=={VERSION}")
}
