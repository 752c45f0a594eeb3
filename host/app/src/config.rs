//! The configuration: defaults, then a file, then the command line. It is read completely, and refused
//! with every problem listed.

mod farm;
mod files;
mod reader;
mod servers;

use anyhow::Context;
use farm::FarmConfig;
use files::FilesConfig;
use reader::Reader;
use rowhouse_base::{DataServerName, Hostname, Limits, Network};
use rowhouse_control::{ControlUrl, SingleWish};
use rowhouse_data::DataServer;
use rowhouse_redis::{RedisNamespace, RedisUrl};
use std::net::{AddrParseError, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything an operator can decide.
#[derive(Clone, Debug)]
pub struct Config {
    /// Whether the base domain leads to the console or to one site.
    pub mode: Mode,
    /// Which site that is, where it is one.
    pub single: SingleWish,
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
    /// Whether no other server shares the control database; by where it is, where nothing is said.
    pub alone: Option<bool>,
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
    /// Bytes of memory for pages that are kept.
    pub cache_bytes: u64,
    /// The largest part of it that one tenant may hold, in percent.
    pub cache_tenant_percent: u8,
    /// The longest page that is kept, in bytes.
    pub cache_page_bytes: u64,
    /// Threads for SQL.
    pub sql_threads: usize,
    /// Open tenant databases, over all tenants.
    pub open_connections: usize,
    /// Tenants' SQLite files are locked for the server.
    pub lock_databases: bool,
    /// Where tenants' databases can be, in the order of their names.
    pub data_servers: Vec<DataServer>,
    /// Where tenants are made where nothing is said.
    pub default_server: DataServerName,
    /// Holds the key of the passwords on data servers, where it isn't `data.key` in the data folder.
    pub key_file: Option<PathBuf>,
    /// Bytes of an archive that is taken in.
    pub max_archive_bytes: u64,
    /// Where the files of sites are.
    pub files: FilesConfig,
    /// Where the control database is, where it isn't `control.db` in the data folder.
    pub control_url: Option<ControlUrl>,
    /// Connections to the control database, where it is on a server.
    pub control_connections: u32,
    /// How long a deleted tenant is kept.
    pub trash_period: Duration,
    /// How often the control state is looked at.
    pub sync_interval: Duration,
    /// This server among others.
    pub farm: FarmConfig,
    /// Redis, through which the servers of a farm tell one another what they changed, and the cache's second level.
    pub redis_url: Option<RedisUrl>,
    /// What this farm's names in Redis begin with.
    pub redis_namespace: RedisNamespace,
    /// Networks that guests may reach though they are not public.
    pub outbound_networks: Vec<Network>,
    /// Limits of every tenant.
    pub limits: Limits,
    /// Logging.
    pub log: LogConfig,
}

/// What the base domain leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// To the console; each site has addresses of its own.
    Multi,
    /// To one site; the console is at `/-/console`.
    Single,
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
            mode: Mode::Multi,
            single: SingleWish::default(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            #[expect(clippy::expect_used, reason = "a constant that a test parses")]
            base_domain: name("localhost").expect("localhost is a host name"),
            base_hosts: ["127.0.0.1", "[::1]"].into_iter().filter_map(name).collect(),
            scheme: "http".into(),
            public_port: None,
            data_dir: PathBuf::from("rowhouse-data"),
            alone: None,
            connections: 10_000,
            header_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            drain_wait: Duration::ZERO,
            instances: 256,
            max_memory_bytes: 256 << 20,
            queue: Duration::from_secs(5),
            cache_bytes: 256 << 20,
            cache_tenant_percent: 25,
            cache_page_bytes: 4 << 20,
            sql_threads: threads.saturating_mul(4),
            open_connections: 1024,
            lock_databases: true,
            data_servers: vec![DataServer::embedded()],
            default_server: DataServerName::local(),
            key_file: None,
            // 16 GiB: a database and files at their limits are 2 GiB.
            max_archive_bytes: 16 << 30,
            files: FilesConfig::default(),
            control_url: None,
            // Two change and six read; what is asked often is remembered and asks nothing.
            control_connections: 8,
            trash_period: Duration::from_secs(7 * 24 * 3600),
            sync_interval: Duration::from_secs(5),
            farm: FarmConfig::default(),
            redis_url: None,
            redis_namespace: RedisNamespace::default(),
            outbound_networks: Vec::new(),
            limits: Limits::default(),
            log: LogConfig { filter: "info,access=warn,sqlx=warn".into(), format: LogFormat::Text },
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
        config.farm.take(&mut reader);
        config.files.take(&mut reader);
        config.data_servers = reader.data_servers();
        let default = config.default_server.clone();
        reader.check(
            config.data_servers.iter().any(|server| server.name == default),
            "data.default-server",
            || {
                let names: Vec<&str> =
                    config.data_servers.iter().map(|server| server.name.as_str()).collect();
                format!("one of the data servers ({}), not {default}", names.join(", "))
            },
        );
        config.limits = reader.limits(config.limits.clone());
        reader.check(config.limits.memory_bytes <= config.max_memory_bytes, "limits.memory-bytes", || {
            format!("must not be more than guest.max-memory-bytes ({})", config.max_memory_bytes)
        });
        reader.check(config.alone != Some(true) || config.redis_url.is_none(), "server.alone", || {
            "not together with redis.url: servers that share a Redis are not alone".to_owned()
        });
        reader.finish()?;
        Ok(config)
    }

    /// True where nobody else changes what this server knows: a control database in a file belongs to one server,
    /// one on a server may be shared.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.alone.unwrap_or(self.control_url.is_none())
    }

    fn take_server(&mut self, reader: &mut Reader) {
        reader.take("server", "mode", &mut self.mode, reader::mode);
        reader.take("single", "site", &mut self.single.name, reader::site);
        reader.take("single", "title", &mut self.single.title, reader::title);
        reader.take("server", "listen", &mut self.listen, reader::address);
        reader.take("server", "base-domain", &mut self.base_domain, reader::hostname);
        reader.take("server", "base-hosts", &mut self.base_hosts, reader::hostnames);
        reader.take("server", "scheme", &mut self.scheme, reader::scheme);
        reader.take("server", "public-port", &mut self.public_port, reader::port);
        reader.take("server", "alone", &mut self.alone, |value| reader::boolean(value).map(Some));
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
        reader.take("data", "lock-databases", &mut self.lock_databases, reader::boolean);
        reader.take("data", "default-server", &mut self.default_server, reader::data_server);
        reader.take("data", "key-file", &mut self.key_file, |value| {
            reader::text(value).map(|path| Some(PathBuf::from(path)))
        });
        reader.take("data", "max-archive-bytes", &mut self.max_archive_bytes, reader::count);
        reader.take("guest", "instances", &mut self.instances, reader::count);
        reader.take("guest", "max-memory-bytes", &mut self.max_memory_bytes, reader::count);
        reader.take("guest", "queue-ms", &mut self.queue, reader::millis);
        reader.take("cache", "memory-bytes", &mut self.cache_bytes, reader::count);
        reader.take("cache", "tenant-percent", &mut self.cache_tenant_percent, reader::percent);
        reader.take("cache", "page-bytes", &mut self.cache_page_bytes, reader::count);
        reader.take("outbound", "allow-networks", &mut self.outbound_networks, reader::networks);
        reader.take_secret("control", "url", &mut self.control_url, reader::control_url);
        reader.take("control", "connections", &mut self.control_connections, reader::connections);
        reader.take("control", "trash-days", &mut self.trash_period, reader::days);
        reader.take("control", "sync-interval-ms", &mut self.sync_interval, reader::millis);
        reader.take_secret("redis", "url", &mut self.redis_url, reader::redis_url);
        reader.take("redis", "namespace", &mut self.redis_namespace, reader::redis_namespace);
    }
}

/// An address and a port. The standard library's own words name no example, and a host name is what many try first.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|error: AddrParseError| {
        format!("{error}: give an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080")
    })
}

/// The title of a site, as the control plane takes it: what is wrong should be said before anything starts.
pub(crate) fn title(text: &str) -> Result<String, String> {
    let fits = !text.trim().is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a title of 1 to 200 bytes without control characters".into())
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
            [outbound]
            allow-networks = ["10.0.0.1/8"]
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
            "outbound.allow-networks: a list of networks",
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
    fn a_single_site_is_asked_for_with_its_name_and_title() {
        assert_eq!(Config::default().mode, Mode::Multi);
        let text = "[server]\nmode = \"single\"\n[single]\nsite = \"Club\"\ntitle = \"Harbour Club\"\n";
        let config = Config::parse(text, "x").unwrap();
        assert_eq!(config.mode, Mode::Single);
        assert_eq!(config.single.name.unwrap().as_str(), "club");
        assert_eq!(config.single.title.as_deref(), Some("Harbour Club"));
        let text = "[server]\nmode = \"one\"\n[single]\nsite = \"admin\"\ntitle = \" \"\nname = \"club\"\n";
        let problems = Config::parse(text, "x").unwrap_err().to_string();
        for expected in [
            "server.mode: \"multi\" or \"single\", not \"one\"",
            "single.site: `admin` is reserved for the server",
            "single.title: a title of 1 to 200 bytes without control characters",
            "single.name: there is no such setting; did you mean",
        ] {
            assert!(problems.contains(expected), "{expected} is missing in:\n{problems}");
        }
    }

    #[test]
    fn the_control_database_may_be_on_a_server_and_its_password_is_never_shown() {
        let text = "[control]\nurl = \"postgres://ada:hunter2@db.example/control\"\nconnections = 20\n";
        let config = Config::parse(text, "x").unwrap();
        assert_eq!(config.control_connections, 20);
        let shown = format!("{config:#?}");
        assert!(shown.contains("postgres://ada@db.example:5432/control"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        for (url, expected) in [
            ("\"postgres://ada:hunter2@db.example\"", "name of a database"),
            ("\"oracle://ada:hunter2@db.example/control\"", "begins with postgres:// or mysql://"),
            ("\"postgres://ada:hunter2@db.example/control?ssl=1\"", "no parameter `ssl`"),
            ("[\"hunter2\"]", "a text in quotes"),
        ] {
            let text = format!("[control]\nurl = {url}\nconnections = 1\n");
            let problems = Config::parse(&text, "x").unwrap_err().to_string();
            assert!(problems.contains("control.url") && problems.contains(expected), "{problems}");
            assert!(problems.contains("control.connections: a whole number of at least 2"), "{problems}");
            assert!(!problems.contains("hunter2"), "{problems}");
        }
    }

    #[test]
    fn redis_may_be_named_and_its_password_is_never_shown() {
        assert!(Config::parse("", "x").unwrap().redis_url.is_none());
        let text = "[redis]\nurl = \"rediss://ada:hunter2@r.example\"\nnamespace = \"farm-1\"\n";
        let config = Config::parse(text, "x").unwrap();
        assert_eq!(config.redis_namespace.as_str(), "farm-1");
        let shown = format!("{config:#?}");
        assert!(shown.contains("rediss://ada@r.example:6379/0") && !shown.contains("hunter2"), "{shown}");
        for (url, expected) in [
            ("\"http://ada:hunter2@r.example\"", "redis.url: a URL that begins with redis://"),
            ("\"redis://ada:hunter2@\"", "redis.url: a URL such as"),
            ("\"redis+sentinel://ada:hunter2@r.example\"", "redis.url: the name of the master at its end"),
            ("[\"hunter2\"]", "redis.url: a text in quotes"),
        ] {
            let text = format!("[redis]\nurl = {url}\nnamespace = \"A:B\"\nuri = 1\n");
            let problems = Config::parse(&text, "rowhouse.toml").unwrap_err().to_string();
            for expected in [
                expected,
                "redis.namespace: 1 to 32 lower-case letters, digits and hyphens, a letter first, not \"A:B\"",
                "redis.uri: there is no such setting; did you mean url?",
            ] {
                assert!(problems.contains(expected), "{expected} is missing in:\n{problems}");
            }
            assert!(!problems.contains("hunter2"), "{problems}");
        }
    }

    #[test]
    fn data_servers_arrive_and_their_passwords_are_never_shown() {
        let text = r#"
            [data]
            default-server = "pg"
            [data-servers.pg]
            engine = "postgresql"
            url = "postgres://ada:hunter2@db.example/"
            connections = 20
            [data-servers.shared]
            engine = "mysql"
            isolation = "prefix"
            url = "mysql://ada:hunter2@db.example/sites"
        "#;
        let config = Config::parse(text, "x").unwrap();
        let told: Vec<_> = config
            .data_servers
            .iter()
            .map(|one| (one.name.as_str(), one.engine.as_str(), one.isolation.as_str(), one.connections))
            .collect();
        let local = ("local", "sqlite", "database", 256);
        assert_eq!(told, [local, ("pg", "postgresql", "database", 20), ("shared", "mysql", "prefix", 64)]);
        assert_eq!(config.default_server.as_str(), "pg");
        assert!(!format!("{config:#?}").contains("hunter2"));
    }

    #[test]
    fn every_problem_of_data_servers_is_listed() {
        let text = r#"
            [data]
            default-server = "nowhere"
            [data-servers]
            g = 1
            [data-servers.a]
            engine = "oracle"
            url = "oracle://ada:hunter2@db"
            [data-servers.b]
            engine = "postgresql"
            isolation = "schema"
            [data-servers.c]
            engine = "sqlite"
            url = "file:///hunter2"
            conections = 1
            [data-servers.d]
            url = "mysql://ada:hunter2@db"
            connections = 0
            [data-servers.e]
            engine = "mysql"
            url = "postgres://ada:hunter2@db"
            [data-servers.f]
            engine = "mysql"
            isolation = "prefix"
            url = "mysql://ada:hunter2@db.example"
            [data-servers.Not_A_Name]
            engine = "sqlite"
        "#;
        let problems = Config::parse(text, "x").unwrap_err().to_string();
        for expected in [
            "data.default-server: one of the data servers (",
            "data-servers.a.engine: \"sqlite\", \"postgresql\" or \"mysql\"",
            "data-servers.b.isolation: \"database\" or \"prefix\"",
            "data-servers.b.url: a URL such as \"postgres://USER:PASSWORD@HOST:5432/DATABASE\"",
            "data-servers.c.url: none, for the embedded engine is in the data folder",
            "data-servers.c.conections: there is no such setting; did you mean connections?",
            "data-servers.d.engine: \"sqlite\", \"postgresql\" or \"mysql\"",
            "data-servers.d.connections: a whole number of at least 1",
            "data-servers.e.url: a URL such as \"mysql://USER:PASSWORD@HOST:3306/DATABASE\"",
            "data-servers.f.url: the name of a database at its end, for isolation \"prefix\"",
            "data-servers.Not_A_Name: `Not_A_Name` can't name a data server",
            "data-servers.g: a section, such as [data-servers.pg]",
        ] {
            assert!(problems.contains(expected), "{expected} is missing in:\n{problems}");
        }
        assert!(!problems.contains("hunter2"), "{problems}");
    }

    #[test]
    fn one_data_server_keeps_a_file_for_each_site() {
        let files = |name: &str| format!("[data-servers.{name}]\nengine = \"sqlite\"\n");
        let problems = Config::parse(&files("archive"), "x").unwrap_err().to_string();
        assert!(
            problems.contains("data-servers.archive.isolation: \"prefix\", for `local` keeps a file"),
            "{problems}"
        );
        let shared = "[data-servers.local]\nengine = \"sqlite\"\nisolation = \"prefix\"\n";
        Config::parse(&format!("{shared}{}", files("archive")), "x").unwrap();
        let text = format!("{shared}{}{}", files("archive"), files("big"));
        let problems = Config::parse(&text, "x").unwrap_err().to_string();
        assert!(
            problems.contains("data-servers.big.isolation") && problems.contains("`archive`"),
            "{problems}"
        );
        assert!(!problems.contains("data-servers.archive"), "{problems}");
    }

    #[test]
    fn broken_toml_names_the_line() {
        let error = format!("{:#}", Config::parse("[server\nx", "rowhouse.toml").unwrap_err());
        assert!(error.contains("rowhouse.toml") && error.contains("line 1"), "{error}");
    }
}
