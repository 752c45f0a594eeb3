//! `cargo xtask tidy`: prints what the crate `rowhouse-tidy` finds.

use anyhow::{Context as _, Result, bail};

use crate::process::root;

pub(crate) const HELP: &str = "\
Usage: cargo xtask tidy

Checks the rules of the house that the compiler can't: which crate may import which, where a library
or a call has its home, sizes of files and functions, names, and what lies at the top level.
";

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(argument) = arguments.first() {
        bail!("no option `{argument}`\n\n{HELP}");
    }
    check()
}

/// An error where the house and its rules differ; every fault has been printed then.
pub(crate) fn check() -> Result<()> {
    let faults = rowhouse_tidy::check(&root()).context("read the repository")?;
    for fault in &faults {
        println!("    {fault}");
    }
    match faults.len() {
        0 => Ok(()),
        count => bail!("{count} faults in the house"),
    }
}
