//! `cargo xtask`: everything a developer or a clean machine does with this repository, as commands.
//!
//! It starts cargo and other programs, shows what it starts, and does no work of the product itself.
//! It must compile in seconds from nothing, so it has next to no dependencies. The alias is in
//! `.cargo/config.toml`; `.ci/run` calls `cargo xtask test`.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod bench;
mod bucket;
mod cache_suite;
mod demo;
mod foreign;
mod guests;
mod house;
mod packages;
mod process;
mod services;
mod suite;
mod tools;

use anyhow::{Result, bail};

const HELP: &str = "\
Usage: cargo xtask COMMAND [OPTIONS]

Commands:
  demo         Build guests and host, then run `rowhouse demo`
  test         Run every check and every test
  guests       Build the WebAssembly guests
  services     Provide the servers that the tests use, and keep them
  cache-suite  Run the public tests of HTTP caches against a site
  tidy         Check the rules of the house that the compiler can't
  bench        Measure against native servers and `wasmtime serve`

`cargo xtask COMMAND --help` tells more. Everything is built in CARGO_TARGET_DIR, else in target/.
";

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() {
        print!("{HELP}");
        return Ok(());
    }
    let command = arguments.remove(0);
    let help = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--help" || word == "-h");
    match command.as_str() {
        // `rowhouse demo` has a help text of its own, which needs a build to be shown.
        "demo" if help => show(demo::HELP),
        "demo" => demo::run(&arguments),
        "test" if help => show(suite::HELP),
        "test" => suite::run(&arguments),
        "guests" if help => show(guests::HELP),
        "guests" => guests::run(&arguments),
        "services" if help => show(services::HELP),
        "services" => services::run(&arguments),
        "cache-suite" if help => show(cache_suite::HELP),
        "cache-suite" => cache_suite::run(&arguments),
        "tidy" if help => show(house::HELP),
        "tidy" => house::run(&arguments),
        "bench" if help => show(bench::HELP),
        "bench" => bench::run(&arguments),
        "help" | "--help" | "-h" => show(HELP),
        other => bail!("no command `{other}`\n\n{HELP}"),
    }
}

fn show(text: &str) -> Result<()> {
    print!("{text}");
    Ok(())
}
