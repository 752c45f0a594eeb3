//! A stand-in for an S3 store, which a test of the harness starts: moto, from PyPI.
//!
//! It lies in the target folder in an environment of its own; a second run finds it there. Its own name for what is needed
//! of it, `moto[server]`, brings every service of AWS, so the two libraries that a server of S3 needs are named instead.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::packages::{PYTHON, install, provide};
use crate::process::{program, run, succeeds, target};

/// Pinned: what a store answers is what the test is about.
const VERSION: &str = "5.2.5";

/// What its server is made of.
const LIBRARIES: [&str; 2] = ["flask==3.1.3", "flask-cors==6.0.5"];

/// The program that is the store; installed where it isn't there.
pub(crate) fn prepare() -> Result<PathBuf> {
    let folder = target().join("toolchains").join(format!("moto-{VERSION}"));
    let (environment, complete) = (folder.join("venv"), folder.join("complete"));
    let server = environment.join("bin").join("moto_server");
    if complete.is_file() {
        return Ok(server);
    }
    println!("    installing moto {VERSION} into {}", environment.display());
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let [python] = provide([&PYTHON])?;
    let python = python.to_string_lossy().into_owned();
    // Debian's python3 comes without venv.
    if !succeeds(&mut program(&python, &["-c", "import venv, ensurepip"])) {
        install(&[&PYTHON])?;
    }
    run(&mut program(&python, &["-m", "venv", "--clear", &environment.to_string_lossy()]))?;
    let pip = environment.join("bin").join("pip");
    let requirement = format!("moto[s3]=={VERSION}");
    let arguments: Vec<&str> =
        ["install", "--quiet", requirement.as_str()].into_iter().chain(LIBRARIES).collect();
    run(program(&pip.to_string_lossy(), &arguments).env("PIP_DISABLE_PIP_VERSION_CHECK", "1"))?;
    // Written last: an installation that was stopped must not look finished.
    fs::write(&complete, "").with_context(|| format!("write {}", complete.display()))?;
    Ok(server)
}
