//! `cargo xtask cache-suite`: the public tests of HTTP caches, run by `tests/harness/tests/cache_suite.rs`.
//!
//! The tests come from npm, as the lock file in `tests/cache-suite` has them, into the target folder.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use crate::packages::{NODE, NPM, provide};
use crate::process::{cargo, program, root, run as start, target};
use crate::{guests, tools};

pub(crate) const HELP: &str = "\
Usage: cargo xtask cache-suite [--write] [ID]...

Runs http-cache-tests (https://cache-tests.fyi) against a site and compares with what
tests/cache-suite/expectations.json lists; with ids these tests alone, showing requests and answers.
Node and npm are installed where that is possible, else named.

Options:
  --write  Write expectations.json anew; reasons of tests that are still not passed stay
";

/// What npm reads.
const MANIFESTS: [&str; 2] = ["package.json", "package-lock.json"];

/// What a test of the harness has to find.
pub(crate) struct Installed {
    /// Where the tests are.
    pub(crate) folder: PathBuf,
    /// What runs them.
    pub(crate) node: PathBuf,
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (options, ids): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let write = match options.as_slice() {
        [] => false,
        [option] if *option == "--write" && ids.is_empty() => true,
        _ => bail!("`{}` can't be asked for\n\n{HELP}", arguments.join(" ")),
    };
    let installed = prepare()?;
    guests::build()?;
    // The same selection as `cargo xtask test` has: anything less would compile the engine twice.
    start(&mut cargo(&["build", "--workspace", "--all-targets"]))?;
    let nextest = tools::cargo_command("nextest", "0.9.143")?;
    let arguments = ["nextest", "run", "--workspace", "--no-capture", "-E", "binary(cache_suite)"];
    let mut command = program(&nextest.to_string_lossy(), &arguments);
    command
        .env("ROWHOUSE_TEST_GUESTS", guests::folder())
        .env("ROWHOUSE_TEST_SERVER", target().join("debug").join("rowhouse"))
        .env("ROWHOUSE_TEST_CACHE_SUITE", installed.folder)
        .env("ROWHOUSE_TEST_NODE", installed.node)
        .env("ROWHOUSE_CACHE_SUITE_WRITE", if write { "1" } else { "" })
        .env("ROWHOUSE_CACHE_SUITE_IDS", ids.into_iter().cloned().collect::<Vec<_>>().join(" "));
    start(&mut command)
}

/// Installs the tests, unless those of this lock file are there.
pub(crate) fn prepare() -> Result<Installed> {
    let [node, npm] = provide([&NODE, &NPM])?;
    let (from, folder) = (root().join("tests").join("cache-suite"), target().join("cache-suite"));
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let mut same = folder.join("complete").is_file();
    for name in MANIFESTS {
        let (file, copy) = (from.join(name), folder.join(name));
        let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        if !fs::read(&copy).is_ok_and(|old| old == bytes) {
            same = false;
            fs::write(&copy, bytes).with_context(|| format!("write {}", copy.display()))?;
        }
    }
    if same {
        return Ok(Installed { folder, node });
    }
    let complete = folder.join("complete");
    if complete.is_file() {
        fs::remove_file(&complete).with_context(|| format!("remove {}", complete.display()))?;
    }
    let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    start(program(&npm.to_string_lossy(), &arguments).current_dir(&folder))?;
    // Written last: an installation that was stopped must not look finished.
    fs::write(&complete, "").with_context(|| format!("write {}", complete.display()))?;
    Ok(Installed { folder, node })
}
