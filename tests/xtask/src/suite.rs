//! `cargo xtask test`: every check and every test, in the order that fails soonest.
//!
//! All steps run, even after one has failed, except those that have nothing to run on: a clean machine
//! then shows all faults at once. Nothing is skipped in silence; what a short run leaves out is shown
//! in the table at its end. Clippy, documentation and tests share one profile and one target folder.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::packages::{CHROMEDRIVER, CHROMIUM, provide};
use crate::process::{cargo, program, run as start, target};
use crate::services::{SERVICES, Services};
use crate::{bucket, cache_suite, foreign, guests, house, services, tools};

pub(crate) const HELP: &str = "\
Usage: cargo xtask test [--quick] [-p PACKAGE]... [-- FILTERS OF cargo nextest run]

Runs everything a change must pass: guests, formatting, tidy, clippy, licences, documentation, tests.
What is missing (chromium, chromedriver, cargo-nextest, cargo-deny, componentize-py, moto) is installed where
that is possible, else named. PostgreSQL, MariaDB and Redis are those of ROWHOUSE_TEST_POSTGRES,
ROWHOUSE_TEST_MARIADB and ROWHOUSE_TEST_REDIS, else those on 127.0.0.1, ports 5432, 3306 and 6379, else
started in a temporary folder and stopped at the end, from programs that are installed where that is possible.

Options:
  --quick     Only guests of our own, clippy and tests; no browser, no Node and no moto is installed
  -p PACKAGE  Clippy and tests of this package only (may be repeated)
";

/// What the command line asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    quick: bool,
    packages: Vec<String>,
    filters: Vec<String>,
}

/// How a step ended.
enum Outcome {
    Passed(Duration),
    Failed(Duration, anyhow::Error),
    LeftOut,
}

/// The steps so far, for the table at the end.
#[derive(Default)]
struct Report(Vec<(&'static str, Outcome)>);

impl Report {
    /// Runs one step and notes how it ended; true where it passed.
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) -> bool {
        println!("\n==> {name}");
        let begin = Instant::now();
        let outcome = match work() {
            Ok(()) => Outcome::Passed(begin.elapsed()),
            Err(error) => {
                println!("    FAILED: {error:#}");
                Outcome::Failed(begin.elapsed(), error)
            }
        };
        let passed = matches!(outcome, Outcome::Passed(_));
        self.0.push((name, outcome));
        passed
    }

    fn leave_out(&mut self, name: &'static str) {
        self.0.push((name, Outcome::LeftOut));
    }

    /// Prints the table; an error where a step failed.
    fn finish(self) -> Result<()> {
        println!("\n  step             seconds");
        let mut failed = Vec::new();
        for (name, outcome) in &self.0 {
            match outcome {
                Outcome::Passed(time) => println!("  {name:<16} {:>7.1}", time.as_secs_f32()),
                Outcome::LeftOut => println!("  {name:<16}       - left out"),
                Outcome::Failed(time, error) => {
                    println!("  {name:<16} {:>7.1} FAILED: {error:#}", time.as_secs_f32());
                    failed.push(*name);
                }
            }
        }
        if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
    }
}

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = parse(arguments)?;
    let whole = !options.quick && options.packages.is_empty();
    let mut report = Report::default();

    let ready = report.step("guests", guests::build);
    if whole {
        // Without them only the tests that load them fail.
        report.step("foreign guests", foreign::build);
    } else {
        report.leave_out("foreign guests");
    }
    for (name, work) in [
        ("formatting", formatting as fn() -> Result<()>),
        ("tidy", house::check),
        ("licences", licences),
        ("documentation", documentation),
    ] {
        if whole {
            report.step(name, work);
        } else {
            report.leave_out(name);
        }
    }
    report.step("clippy", || clippy(&options));
    if ready {
        tests(&mut report, &options, whole);
    } else {
        println!("\n    the tests need the guests, which were not built");
        report.leave_out("tests");
    }
    report.finish()
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "-p" | "--package" => {
                options.packages.push(rest.next().context("-p needs the name of a package")?.clone());
            }
            "--" => options.filters.extend(rest.by_ref().cloned()),
            other => bail!("no option `{other}`\n\n{HELP}"),
        }
    }
    Ok(options)
}

fn formatting() -> Result<()> {
    start(&mut cargo(&["fmt", "--all", "--check"]))
}

fn licences() -> Result<()> {
    // Advisories need a database from the network and change by themselves: they are not a test.
    let deny = tools::cargo_command("deny", "0.20.2")?;
    let arguments = ["--workspace", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"];
    start(&mut program(&deny.to_string_lossy(), &arguments))
}

fn documentation() -> Result<()> {
    start(cargo(&["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn clippy(options: &Options) -> Result<()> {
    let mut host = cargo(&["clippy", "--all-targets"]);
    start(select(&mut host, options).args(["--", "-D", "warnings"]))?;
    if !options.packages.is_empty() {
        return Ok(());
    }
    // The guests are empty for the native target: their code is checked where it runs.
    guests::clippy()
}

/// Builds what the tests start, then runs them.
fn tests(report: &mut Report, options: &Options, whole: bool) {
    let mut browser = None;
    let mut servers = Services::default();
    let (mut caches, mut store) = (None, None);
    let prepared = report.step("test programs", || {
        servers = services::provide(&SERVICES, |variable| std::env::var(variable).ok())?;
        if whole {
            caches = Some(cache_suite::prepare()?);
            store = Some(bucket::prepare()?);
            browser = Some(provide([&CHROMEDRIVER, &CHROMIUM])?);
        }
        if options.packages.is_empty() {
            // The tests start the server as a program of its own. All targets at once select the same features
            // as the tests below do; anything less would compile the engine twice.
            start(&mut cargo(&["build", "--workspace", "--all-targets"]))?;
        }
        tools::cargo_command("nextest", "0.9.143").map(drop)
    });
    if !prepared {
        return report.leave_out("tests");
    }
    report.step("tests", || {
        // By path: it may have been built into a folder that is not in PATH.
        let nextest = tools::cargo_command("nextest", "0.9.143")?;
        let mut command = program(&nextest.to_string_lossy(), &["nextest", "run", "--no-fail-fast"]);
        select(&mut command, options).args(&options.filters);
        if let Some(caches) = &caches {
            command.env("ROWHOUSE_TEST_CACHE_SUITE", &caches.folder).env("ROWHOUSE_TEST_NODE", &caches.node);
        }
        if let Some(store) = &store {
            command.env("ROWHOUSE_TEST_MOTO", store);
        }
        command.envs(servers.variables.iter().cloned());
        start(name_places(&mut command, browser.as_ref()))
    });
    if options.filters.is_empty() {
        report.step("examples in docs", || {
            let mut command = cargo(&["test", "--doc"]);
            start(select(&mut command, options))
        });
    } else {
        report.leave_out("examples in docs");
    }
}

fn select<'a>(command: &'a mut Command, options: &Options) -> &'a mut Command {
    if options.packages.is_empty() {
        return command.arg("--workspace");
    }
    for package in &options.packages {
        command.args(["--package", package]);
    }
    command
}

/// Tells the tests where the guests, the server and the browser are.
fn name_places<'a>(command: &'a mut Command, browser: Option<&[PathBuf; 2]>) -> &'a mut Command {
    command
        .env("ROWHOUSE_TEST_GUESTS", guests::folder())
        .env("ROWHOUSE_TEST_SERVER", target().join("debug").join("rowhouse"));
    if let Some([driver, browser]) = browser {
        command.env("ROWHOUSE_TEST_CHROMEDRIVER", driver).env("ROWHOUSE_TEST_CHROMIUM", browser);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read() {
        let options = parse(&words("--quick -p rowhouse-data -p rowhouse-base -- sqlite --nocapture"));
        let expected = Options {
            quick: true,
            packages: words("rowhouse-data rowhouse-base"),
            filters: words("sqlite --nocapture"),
        };
        assert_eq!(options.ok(), Some(expected));
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert!(parse(&words("--qick")).is_err());
        assert!(parse(&words("-p")).is_err());
    }

    #[test]
    fn a_failed_step_fails_the_run_and_the_next_one_still_runs() {
        let mut report = Report::default();
        let mut ran = false;
        report.step("first", || bail!("no"));
        report.step("second", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert!(report.finish().is_err_and(|error| error.to_string() == "failed: first"));
    }
}
