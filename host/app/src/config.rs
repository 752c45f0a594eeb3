//! The configuration: defaults, then a file, then the command line. It is read completely, and refused
//! with every problem listed.

mod reader;

use anyhow::Context;
use reader::Reader;
use rowhouse_base::{Hostname, Limits};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything an operator can decide.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// `NAME.base-domain` leads to a tenant, the domain itself to the console.
    pub base_domain: Hostname,
    /// Further hosts that stand for the base domain.
    pub base_hosts: Vec<Hostname>,
    /// `http` or `https`, as visitors use it.
    pub scheme: String,
    /// The port in the URLs that are shown, where it isn't the listener's.
    pub public_port: Option<u16>,
    /// The folder of everything that is kept.
    pub data_dir: PathBuf,
    /// Connections of visitors at the same time.
    pub connections: usize,
    /// How long a visitor may take to send the header fields.
    pub header_timeout: Duration,
    /// How long requests in flight may take once the server stops.
    pub drain_timeout: Duration,
    /// How long the server still answers, as not ready, before it stops listening.
    pub drain_wait: Duration,
    /// Guests at the same time.
    pub instances: u32,
    /// The most memory a tenant's limit may allow, in bytes.
    pub max_memory_bytes: u64,
    /// How long a request waits for its turn.
    pub queue: Duration,
    /// Threads for SQL.
    pub sql_threads: usize,
    /// Open tenant databases, over all tenants.
    pub open_connections: usize,
    /// How long a deleted tenant is kept.
    pub trash_period: Duration,
    /// How often the control state is looked at.
    pub sync_interval: Duration,
    /// Limits of every tenant.
    pub limits: Limits,
    /// Logging.
    pub log: LogConfig,
}

/// Where and how to log.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// Such as `info,access=info`.
    pub filter: String,
    /// For people or for programs.
    pub format: LogFormat,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        let name = |text: &str| Hostname::parse(text).ok();
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            #[expect(clippy::expect_used, reason = "a constant that a test parses")]
            base_domain: name("localhost").expect("localhost is a host name"),
            base_hosts: ["127.0.0.1", "[::1]"].into_iter().filter_map(name).collect(),
            scheme: "http".into(),
            public_port: None,
            data_dir: PathBuf::from("rowhouse-data"),
            connections: 10_000,
            header_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            drain_wait: Duration::ZERO,
            instances: 256,
            max_memory_bytes: 256 << 20,
            queue: Duration::from_secs(5),
            sql_threads: threads.saturating_mul(4),
            open_connections: 256,
            trash_period: Duration::from_secs(7 * 24 * 3600),
            sync_interval: Duration::from_secs(2),
            limits: Limits::default(),
            log: LogConfig { filter: "info,access=warn".into(), format: LogFormat::Text },
        }
    }
}

impl Config {
    /// Reads the file over the defaults.
    ///
    /// # Errors
    /// One text with every problem: file, key, and what would be right.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("read the configuration file {}", file.display()))?;
        Self::parse(&text, &file.display().to_string())
    }

    fn parse(text: &str, file: &str) -> anyhow::Result<Self> {
        let mut config = Self::default();
        let mut reader = Reader::new(text, file)?;
        config.take_server(&mut reader);
        config.take_rooms(&mut reader);
        config.limits = reader.limits(config.limits.clone());
        reader.check(config.limits.memory_bytes <= config.max_memory_bytes, "limits.memory-bytes", || {
            format!("must not be more than guest.max-memory-bytes ({})", config.max_memory_bytes)
        });
        reader.finish()?;
        Ok(config)
    }

    fn take_server(&mut self, reader: &mut Reader) {
        reader.take("server", "listen", &mut self.listen, reader::address);
        reader.take("server", "base-domain", &mut self.base_domain, reader::hostname);
        reader.take("server", "base-hosts", &mut self.base_hosts, reader::hostnames);
        reader.take("server", "scheme", &mut self.scheme, reader::scheme);
        reader.take("server", "public-port", &mut self.public_port, reader::port);
        reader.take("server", "connections", &mut self.connections, reader::count);
        reader.take("server", "header-timeout-ms", &mut self.header_timeout, reader::millis);
        reader.take("server", "drain-timeout-ms", &mut self.drain_timeout, reader::millis);
        reader.take("server", "drain-wait-ms", &mut self.drain_wait, reader::millis_or_none);
        reader.take("log", "filter", &mut self.log.filter, reader::text);
        reader.take("log", "format", &mut self.log.format, reader::log_format);
    }

    fn take_rooms(&mut self, reader: &mut Reader) {
        reader.take("data", "dir", &mut self.data_dir, |value| reader::text(value).map(PathBuf::from));
        reader.take("data", "sql-threads", &mut self.sql_threads, reader::count);
        reader.take("data", "open-connections", &mut self.open_connections, reader::count);
        reader.take("guest", "instances", &mut self.instances, reader::count);
        reader.take("guest", "max-memory-bytes", &mut self.max_memory_bytes, reader::count);
        reader.take("guest", "queue-ms", &mut self.queue, reader::millis);
        reader.take("control", "trash-days", &mut self.trash_period, reader::days);
        reader.take("control", "sync-interval-ms", &mut self.sync_interval, reader::millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_listed_with_what_would_be_right() {
        let text = r#"
            [server]
            listen = "nowhere"
            base-domian = "example.org"
            connections = 0
            [guest]
            instances = "many"
            [limits]
            memory-bytes = 999999999999
            cpu = 5
            [extra]
            x = 1
        "#;
        let problems = Config::parse(text, "rowhouse.toml").unwrap_err().to_string();
        for expected in [
            "server.listen",
            "server.base-domian: there is no such setting; did you mean base-domain?",
            "server.connections",
            "guest.instances",
            "limits.memory-bytes",
            "limits.cpu: there is no such setting; did you mean",
            "extra",
        ] {
            assert!(problems.contains(expected), "{expected} is missing in:\n{problems}");
        }
    }

    #[test]
    fn settings_arrive() {
        let text =
            "[server]\nlisten = \"0.0.0.0:80\"\nbase-domain = \"Sites.Example\"\n[limits]\ncpu-ms = 50\n";
        let config = Config::parse(text, "x").unwrap();
        assert_eq!(config.listen.port(), 80);
        assert_eq!(config.base_domain.as_str(), "sites.example");
        assert_eq!(config.limits.cpu_ms, 50);
        assert_eq!(config.limits.rows, Limits::default().rows);
    }

    #[test]
    fn broken_toml_names_the_line() {
        let error = format!("{:#}", Config::parse("[server\nx", "rowhouse.toml").unwrap_err());
        assert!(error.contains("rowhouse.toml") && error.contains("line 1"), "{error}");
    }
}
