//! The data servers of the configuration, `[data-servers.NAME]`. Each is read whole; what is wrong with any is
//! listed with the rest, without its URL, which holds a password.
//!
//! The embedded engine is there as `local` unless a section of that name says otherwise.

use super::reader::{self, Reader, nearest};
use rowhouse_base::{DataServerName, Secret};
use rowhouse_data::{DataServer, Dialect, Isolation};
use toml::{Table, Value};

/// Open files of the embedded engine; [`super::Config::open_connections`] is what counts for it.
const FILES: usize = 256;
/// Connections to one server. PostgreSQL takes 100 and MariaDB 151 as they come, and there may be others.
const CONNECTIONS: usize = 64;
/// Databases made ahead on PostgreSQL, where making one takes half a second.
const SPARES: usize = 4;
/// Every setting of a server.
const KEYS: [&str; 5] = ["engine", "isolation", "url", "connections", "spares"];

impl Reader {
    /// Takes every data server, in the order of their names.
    pub(super) fn data_servers(&mut self) -> Vec<DataServer> {
        let mut servers = Vec::new();
        match self.table.remove("data-servers") {
            None => {}
            Some(Value::Table(given)) => {
                for (name, value) in given {
                    servers.extend(self.data_server(&name, value));
                }
            }
            Some(_other) => self.problems.push("data-servers: sections such as [data-servers.pg]".to_owned()),
        }
        if !servers.iter().any(|server| server.name == DataServerName::local()) {
            servers.push(DataServer::embedded());
        }
        servers.sort_by(|one, other| one.name.cmp(&other.name));
        self.one_keeps_files(&servers);
        servers
    }

    /// Two servers with a file per site would have the same file for a site, and a move from one to the other
    /// would remove it. The start refuses that too; here it is said with all the rest.
    fn one_keeps_files(&mut self, servers: &[DataServer]) {
        let keeps = |server: &&DataServer| {
            server.engine == Dialect::Sqlite && server.isolation == Isolation::Database
        };
        // `local` is there where nothing is said, so what is wrong is the one that was named.
        let local = servers.iter().filter(keeps).find(|server| server.name == DataServerName::local());
        let Some(first) = local.or_else(|| servers.iter().find(keeps)) else { return };
        for server in servers.iter().filter(keeps).filter(|server| server.name != first.name) {
            self.problems.push(format!(
                "data-servers.{}.isolation: \"prefix\", for `{}` keeps a file for each site already, and one data \
                 server can",
                server.name, first.name
            ));
        }
    }

    fn data_server(&mut self, name: &str, value: Value) -> Option<DataServer> {
        let before = self.problems.len();
        let Value::Table(mut given) = value else {
            self.problems.push(format!("data-servers.{name}: a section, such as [data-servers.pg]"));
            return None;
        };
        let parsed = name.parse::<DataServerName>();
        if let Err(error) = &parsed {
            self.problems.push(format!("data-servers.{name}: {error}"));
        }
        // An engine has no default: nobody should find data in a file that they meant for a server.
        let engine = self.of_server(name, "engine", given.remove("engine").as_ref(), engine);
        let isolation = match given.remove("isolation") {
            Some(value) => self.of_server(name, "isolation", Some(&value), isolation),
            None => Some(Isolation::Database),
        };
        let connections = match given.remove("connections") {
            Some(value) => self.of_server(name, "connections", Some(&value), required(reader::count)),
            None => Some(if engine == Some(Dialect::Sqlite) { FILES } else { CONNECTIONS }),
        };
        let spares = match given.remove("spares") {
            Some(value) => self.of_server(name, "spares", Some(&value), required(reader::amount)),
            None if (engine, isolation) == (Some(Dialect::Postgresql), Some(Isolation::Database)) => {
                Some(SPARES)
            }
            None => Some(0),
        };
        let url = self.url(name, engine, isolation, given.remove("url").as_ref());
        self.unknown(name, &given);
        if self.problems.len() > before {
            return None;
        }
        Some(DataServer {
            name: parsed.ok()?,
            engine: engine?,
            isolation: isolation?,
            url,
            connections: connections?,
            spares: spares?,
        })
    }

    /// Reads one setting of a server, or notes what would be right.
    fn of_server<T>(
        &mut self,
        name: &str,
        key: &str,
        value: Option<&Value>,
        parse: impl Fn(Option<&Value>) -> Result<T, String>,
    ) -> Option<T> {
        match parse(value) {
            Ok(parsed) => Some(parsed),
            Err(right) => {
                let not = value.map(|value| format!(", not {value}")).unwrap_or_default();
                self.problems.push(format!("data-servers.{name}.{key}: {right}{not}"));
                None
            }
        }
    }

    fn url(
        &mut self,
        name: &str,
        engine: Option<Dialect>,
        isolation: Option<Isolation>,
        value: Option<&Value>,
    ) -> Option<Secret> {
        let (schemes, example): (&[&str], _) = match engine {
            // What is wrong is the engine; what its URL would be nobody knows.
            None => return None,
            Some(Dialect::Sqlite) if value.is_none() => return None,
            Some(Dialect::Sqlite) => {
                let right = "none, for the embedded engine is in the data folder";
                self.problems.push(format!("data-servers.{name}.url: {right}"));
                return None;
            }
            Some(Dialect::Postgresql) => {
                (&["postgres", "postgresql"], "postgres://USER:PASSWORD@HOST:5432/DATABASE")
            }
            Some(Dialect::Mysql) => (&["mysql", "mariadb"], "mysql://USER:PASSWORD@HOST:3306/DATABASE"),
        };
        let text = value.and_then(Value::as_str).unwrap_or_default();
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if !schemes.contains(&scheme) || host.is_empty() {
            self.problems.push(format!("data-servers.{name}.url: a URL such as \"{example}\""));
            return None;
        }
        if isolation == Some(Isolation::Prefix) && path.split('?').next().unwrap_or_default().is_empty() {
            let right = "the name of a database at its end, for isolation \"prefix\" keeps all tables in one";
            self.problems.push(format!("data-servers.{name}.url: {right}"));
            return None;
        }
        Some(Secret::from_text(text))
    }

    fn unknown(&mut self, name: &str, left: &Table) {
        for key in left.keys() {
            let near = nearest(key, KEYS.into_iter());
            self.problems.push(format!("data-servers.{name}.{key}: there is no such setting{near}"));
        }
    }
}

/// A setting that is there.
fn required<T>(parse: impl Fn(&Value) -> Result<T, String>) -> impl Fn(Option<&Value>) -> Result<T, String> {
    move |value| value.map_or_else(|| Err("a value".to_owned()), &parse)
}

fn engine(value: Option<&Value>) -> Result<Dialect, String> {
    [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql]
        .into_iter()
        .find(|engine| value.and_then(Value::as_str) == Some(engine.as_str()))
        .ok_or_else(|| "\"sqlite\", \"postgresql\" or \"mysql\"".to_owned())
}

fn isolation(value: Option<&Value>) -> Result<Isolation, String> {
    let text = value.and_then(Value::as_str).unwrap_or_default();
    text.parse().map_err(|_other| "\"database\" or \"prefix\"".to_owned())
}
