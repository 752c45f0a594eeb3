//! Database servers that the tests use: those named in the environment, else those on their standard ports.
//!
//! A test that needs one never passes by being skipped: a server that is not there is an error here, before
//! anything is run, that says what to install or which variable to set. None is started or stopped.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, bail};

/// A server.
struct Service {
    name: &'static str,
    /// Holds its URL, where it isn't the usual one.
    variable: &'static str,
    port: u16,
    package: &'static str,
    /// What its URL looks like.
    url: &'static str,
}

const SERVICES: [Service; 2] = [
    Service {
        name: "PostgreSQL",
        variable: "ROWHOUSE_TEST_POSTGRES",
        port: 5432,
        package: "postgresql",
        url: "postgres://SUPERUSER:PASSWORD@HOST:PORT/postgres",
    },
    Service {
        name: "MariaDB",
        variable: "ROWHOUSE_TEST_MARIADB",
        port: 3306,
        package: "mariadb-server",
        url: "mysql://root:PASSWORD@HOST:PORT/",
    },
];

/// Looks for all of them.
pub(crate) fn find() -> Result<()> {
    let missing: Vec<String> = SERVICES.iter().filter(|service| !service.is_there()).map(complaint).collect();
    if missing.is_empty() { Ok(()) } else { bail!("{}", missing.join("; ")) }
}

impl Service {
    fn is_there(&self) -> bool {
        // What a URL names, the tests themselves find or miss.
        std::env::var_os(self.variable).is_some() || listens(self.port)
    }
}

fn listens(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(2)).is_ok()
}

fn complaint(service: &Service) -> String {
    let Service { name, variable, port, package, url } = service;
    format!(
        "{name} is not on 127.0.0.1:{port}: install and start it (package {package}), or set {variable} to {url}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_missing_is_named_with_what_to_do() {
        for service in &SERVICES {
            let text = complaint(service);
            assert!(text.contains(service.package) && text.contains(service.variable), "{text}");
        }
    }

    #[test]
    fn a_port_without_a_listener_is_seen() {
        let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(listens(port));
        drop(taken);
        assert!(!listens(port));
    }
}
