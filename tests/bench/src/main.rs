//! Measures the server against native servers, nginx, Varnish and `wasmtime serve`, and three of it as a farm; writes
//! tables.
//!
//! Everything runs on this machine, on loopback, with load and server on the same cores: the figures
//! compare within one run only. Answers are checked before they are counted. Nothing is asserted by
//! time. `cargo xtask bench` builds what is needed and names it in the environment.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod answer;
mod host;
mod load;
mod paced;
mod places;
mod rivals;
mod rounds;
mod sections;
mod server;
mod table;

use anyhow::{Context as _, Result, bail};

use places::Places;
use table::Report;

/// How long and how often.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// One short round, to show that it works.
    quick: bool,
    /// Counted rounds, after one warm-up.
    rounds: u32,
    /// Seconds of load in each.
    seconds: u32,
}

fn main() -> Result<()> {
    let mut wanted: Vec<String> = Vec::new();
    let mut quick = false;
    let mut rounds = 5;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--rounds" => {
                let number =
                    arguments.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                rounds = number.context("--rounds takes a number, such as --rounds 3")?;
            }
            _ if sections::wanted(std::slice::from_ref(&argument)).next().is_some() => wanted.push(argument),
            other => bail!("no section or option `{other}`"),
        }
    }
    let effort =
        if quick { Effort { quick, rounds: 1, seconds: 1 } } else { Effort { quick, rounds, seconds: 5 } };
    let places = Places::find()?;
    let mut report = Report::begin(effort);
    let mut failed = Vec::new();
    for section in sections::wanted(&wanted) {
        println!("==> {}", section.name);
        if let Err(error) = section.run(&places, effort, &mut report) {
            println!("    FAILED: {error:#}");
            report.note(&format!("Section `{}` failed: {error:#}", section.name));
            failed.push(section.name);
        }
    }
    let text = report.into_markdown();
    let file = places.work.join("RESULTS.md");
    std::fs::write(&file, &text).with_context(|| format!("write {}", file.display()))?;
    println!("\n{text}\nwritten to {}", file.display());
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}
