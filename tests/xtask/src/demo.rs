//! `cargo xtask demo`: from a fresh clone to three running sites.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::guests;
use crate::process::{cargo, program, target};

pub(crate) const HELP: &str = "\
Usage: cargo xtask demo [OPTIONS OF rowhouse demo]

Builds the shipped site module and the host, then runs `rowhouse demo`, which starts with an empty data folder,
makes a Super User and three sites, and prints where they are. The first build takes some minutes.

All options are passed on; `cargo xtask demo -- --help` shows them.
";

fn run_host(arguments: &[String]) -> Result<()> {
    let binary = target().join("debug").join("rowhouse");
    let arguments = match arguments.split_first() {
        Some((first, rest)) if first == "--" => rest,
        _ => arguments,
    };
    let mut command = program(&binary.to_string_lossy(), &["demo"]);
    // Replaces this process, so that signals reach the server itself.
    let error = command.args(arguments).exec();
    Err(error).with_context(|| format!("start {}", binary.display()))
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    println!("1/3 the site module");
    guests::build_shipped()?;
    println!("2/3 host");
    // The whole workspace is selected so that shared dependencies get the same features everywhere.
    crate::process::run(&mut cargo(&["build", "--workspace", "--bin", "rowhouse"]))?;
    println!("3/3 rowhouse demo");
    run_host(arguments)
}
