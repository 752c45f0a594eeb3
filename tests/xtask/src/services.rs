//! Servers that the tests use: PostgreSQL, MariaDB and Redis.
//!
//! Those that environment variables name, else those on their standard ports of this machine, else our own:
//! started in a temporary folder from installed programs, on free ports, and gone with the process. What is
//! not installed is, where root may on Debian and Ubuntu; else the error names package and variable. A test that
//! needs a server never passes by being skipped. A server that was here before is never stopped.

mod start;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::packages::{Package, REDIS, install, rootly};
use crate::process::find;
use start::Running;

pub(crate) const HELP: &str = "\
Usage: cargo xtask services [--own]

Provides the servers that `cargo xtask test` uses, prints the variables that name them, and keeps those that it
started until its input ends (Ctrl-D) or it is stopped (Ctrl-C).

Options:
  --own  Start all of them, whatever is named or on the standard ports
";

/// How a server is started and known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
    Redis,
}

/// A server that tests need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    kind: Kind,
    name: &'static str,
    /// Holds its URL, where it is named.
    variable: &'static str,
    /// Where it usually listens.
    port: u16,
    /// What its URL looks like, for who has to write one.
    url: &'static str,
    package: Package,
}

pub(crate) const SERVICES: [Service; 3] = [
    Service {
        kind: Kind::Postgres,
        name: "PostgreSQL",
        variable: "ROWHOUSE_TEST_POSTGRES",
        port: 5432,
        url: "postgres://SUPERUSER:PASSWORD@HOST:PORT/postgres",
        package: Package {
            programs: &["postgres"],
            package: "postgresql",
            purpose: "the tests on PostgreSQL",
        },
    },
    Service {
        kind: Kind::MariaDb,
        name: "MariaDB",
        variable: "ROWHOUSE_TEST_MARIADB",
        port: 3306,
        url: "mysql://root:PASSWORD@HOST:PORT/",
        package: Package {
            programs: &["mariadbd"],
            package: "mariadb-server",
            purpose: "the tests on MariaDB",
        },
    },
    Service {
        kind: Kind::Redis,
        name: "Redis",
        variable: "ROWHOUSE_TEST_REDIS",
        port: 6379,
        url: "redis://HOST:PORT/",
        package: REDIS,
    },
];

/// Servers that are there, as long as this is.
#[derive(Debug, Default)]
pub(crate) struct Services {
    /// What the tests are told: variable and URL.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Ours. Stopped when dropped.
    running: Vec<Running>,
}

/// `cargo xtask services`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut services = SERVICES;
    match arguments {
        [] => {}
        [own] if own == "--own" => services.iter_mut().for_each(|service| service.port = 0),
        [other, ..] => bail!("no option `{other}`\n\n{HELP}"),
    }
    let own = !arguments.is_empty();
    let named = |variable: &str| if own { None } else { std::env::var(variable).ok() };
    let provided = provide(&services, named)?;
    for (variable, url) in &provided.variables {
        println!("{variable}={url}");
    }
    println!("    {} started here; Ctrl-D ends", provided.running.len());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).context("wait for the end of the input")?;
    Ok(())
}

/// Finds or starts each of these. `named` is what the environment says.
pub(crate) fn provide(services: &[Service], named: impl Fn(&str) -> Option<String>) -> Result<Services> {
    let mut provided = Services::default();
    let mut missing = Vec::new();
    for service in services {
        if let Some(url) = named(service.variable) {
            // What a URL names, the tests themselves find or miss.
            provided.variables.push((service.variable, url));
        } else if listens(service.port) {
            provided.variables.push((service.variable, service.kind.url(service.port)));
        } else {
            missing.push(service);
        }
    }
    let absent: Vec<&Package> = missing
        .iter()
        .filter(|service| programs(service).is_none())
        .map(|service| &service.package)
        .collect();
    if !absent.is_empty() {
        let wishes = || missing.iter().map(|service| complaint(service)).collect::<Vec<_>>().join("\n");
        install(&absent).with_context(wishes)?;
    }
    for service in missing {
        let folder = programs(service).with_context(|| complaint(service))?;
        let running = start::start(service.kind, &folder)
            .with_context(|| format!("start {}: {}", service.name, complaint(service)))?;
        println!("    {} started on 127.0.0.1:{}, until the end", service.name, running.port);
        provided.variables.push((service.variable, service.kind.url(running.port)));
        provided.running.push(running);
    }
    Ok(provided)
}

impl Kind {
    /// The URL of a server that lets everybody on this machine in.
    fn url(self, port: u16) -> String {
        match self {
            Self::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            Self::MariaDb => format!("mysql://root@127.0.0.1:{port}/"),
            Self::Redis => format!("redis://127.0.0.1:{port}/"),
        }
    }
}

/// The server's program. Debian keeps PostgreSQL's outside of PATH, a folder for each version.
fn programs(service: &Service) -> Option<PathBuf> {
    let beside = match service.kind {
        // What PATH has may be a wrapper that chooses among versions: the server and its tools are one.
        Kind::Postgres => newest(Path::new("/usr/lib/postgresql")),
        Kind::MariaDb | Kind::Redis => None,
    };
    beside.or_else(|| service.package.programs.iter().find_map(|name| find(name)))
}

fn newest(folder: &Path) -> Option<PathBuf> {
    let versions = std::fs::read_dir(folder).ok()?.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let program = entry.path().join("bin/postgres");
        program.is_file().then_some((version, program))
    });
    versions.max().map(|(_, program)| program)
}

fn listens(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    port != 0 && TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok()
}

fn complaint(service: &Service) -> String {
    let Service { name, variable, port, url, package, .. } = service;
    let package = package.package;
    let hint = if rootly() { "" } else { " (as root it is installed by itself on Debian and Ubuntu)" };
    format!(
        "{name} is not on 127.0.0.1:{port}: install the package {package}{hint}, or set {variable} to {url}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_missing_is_named_with_what_to_do() {
        for service in &SERVICES {
            let text = complaint(service);
            assert!(text.contains(service.package.package) && text.contains(service.variable), "{text}");
        }
    }

    #[test]
    fn a_port_without_a_listener_is_seen() {
        let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(listens(port));
        drop(taken);
        assert!(!listens(port) && !listens(0));
    }

    #[test]
    fn what_is_named_or_listens_is_used_and_nothing_started() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let services = SERVICES.map(|service| Service { port, ..service });
        let named =
            |variable: &str| (variable == "ROWHOUSE_TEST_REDIS").then(|| "redis://elsewhere/".to_owned());
        let provided = provide(&services, named).unwrap();
        assert!(provided.running.is_empty());
        let expected = [
            ("ROWHOUSE_TEST_POSTGRES", format!("postgres://postgres@127.0.0.1:{port}/postgres")),
            ("ROWHOUSE_TEST_MARIADB", format!("mysql://root@127.0.0.1:{port}/")),
            ("ROWHOUSE_TEST_REDIS", "redis://elsewhere/".to_owned()),
        ];
        assert_eq!(provided.variables, expected);
    }
}
