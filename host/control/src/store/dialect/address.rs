//! Where the control database is: a file, or a server's URL.
//!
//! A URL holds a password. It is taken apart at once and shown without it; no error repeats any of it but
//! names of parameters. What a parameter can't be is refused, never passed over.

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::path::PathBuf;

/// Parameters of a PostgreSQL URL: TLS as in libpq, the folder of a socket, the name in the server's lists.
const POSTGRES: &[&str] = &["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "application_name"];
/// Parameters of a MySQL URL: TLS, and the path of a socket.
const MYSQL: &[&str] = &["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket"];

/// Prepared statements of a connection to MySQL: about what the store has. What the driver (sqlx 0.9.0, its issue 4335)
/// sends after letting go of one waits for 40 ms.
const STATEMENTS: usize = 200;

/// Where the control database is.
#[derive(Clone)]
pub struct ControlUrl {
    pub(super) place: Place,
}

#[derive(Clone)]
pub(super) enum Place {
    File(PathBuf),
    Postgres(Box<PgConnectOptions>),
    MySql(Box<MySqlConnectOptions>),
}

/// A text is no URL of a control database.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// Neither engine's.
    #[error("a URL begins with postgres:// or mysql://")]
    Scheme,
    /// No database is named.
    #[error("a URL ends with the name of a database: postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Database,
    /// More than one `@`, or one behind the `?`.
    #[error("in a user's name and password, @ : / ? # and % are written %40 %3A %2F %3F %23 and %25")]
    Characters,
    /// An unknown parameter.
    #[error("there is no parameter `{name}`; there are {known}")]
    Parameter {
        /// As given.
        name: String,
        /// All that there are.
        known: String,
    },
    /// Something in it is malformed.
    #[error("the URL can't be read: {reason}")]
    Malformed {
        /// What is; never a part of the URL but a parameter's value.
        reason: String,
    },
}

impl ControlUrl {
    /// A SQLite file, made where there is none; its folder exists.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::File(path.into()) }
    }

    /// Reads `postgres://USER:PASSWORD@HOST:PORT/DATABASE?PARAMETERS`, or the same with `mysql`.
    ///
    /// # Errors
    /// [`UrlError`], without anything that may be secret.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let known = match scheme {
            "postgres" | "postgresql" => POSTGRES,
            "mysql" | "mariadb" => MYSQL,
            _ => return Err(UrlError::Scheme),
        };
        let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        if address.matches('@').count() > 1 || parameters.contains('@') || rest.contains('#') {
            return Err(UrlError::Characters);
        }
        if address.split_once('/').is_none_or(|(_, name)| name.is_empty() || name.contains('/')) {
            return Err(UrlError::Database);
        }
        for name in parameters.split('&').filter_map(|pair| pair.split('=').next()) {
            if !name.is_empty() && !known.contains(&name) {
                let (name, known) = (name.chars().take(40).collect(), known.join(", "));
                return Err(UrlError::Parameter { name, known });
            }
        }
        let malformed = |error: sqlx::Error| UrlError::Malformed {
            reason: match error {
                sqlx::Error::Configuration(reason) => reason.to_string(),
                other => other.to_string(),
            },
        };
        let place = if known == POSTGRES {
            let options: PgConnectOptions = text.parse().map_err(malformed)?;
            let named = options.get_application_name().is_some();
            Place::Postgres(Box::new(if named { options } else { options.application_name("rowhouse") }))
        } else {
            let options: MySqlConnectOptions = format!("mysql://{rest}").parse().map_err(malformed)?;
            Place::MySql(Box::new(options.statement_cache_capacity(STATEMENTS)))
        };
        Ok(Self { place })
    }

    /// True where several servers can share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        !matches!(self.place, Place::File(_))
    }
}

impl From<PathBuf> for ControlUrl {
    fn from(path: PathBuf) -> Self {
        Self::file(path)
    }
}

impl fmt::Display for ControlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Postgres(server) => {
                let (user, host, port) = (server.get_username(), server.get_host(), server.get_port());
                write!(f, "postgres://{user}@{host}:{port}/{}", server.get_database().unwrap_or_default())
            }
            Place::MySql(server) => {
                let (user, host, port) = (server.get_username(), server.get_host(), server.get_port());
                write!(f, "mysql://{user}@{host}:{port}/{}", server.get_database().unwrap_or_default())
            }
        }
    }
}

impl fmt::Debug for ControlUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "postgres://ada:hunter2@db.example:5433/control?sslmode=verify-full",
            "mysql://ada:hunter2@db.example:5433/control?ssl-mode=REQUIRED",
            "mariadb://ada:hunter2@db.example:5433/control",
        ] {
            let url = ControlUrl::parse(text).unwrap();
            let shown = format!("{url} {url:?} {url:#?}");
            assert!(shown.contains("ada@db.example:5433/control"), "{shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(url.is_shared());
        }
        assert!(!ControlUrl::file("control.db").is_shared());
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, expected) in [
            ("control.db", "begins with"),
            ("sqlite://hunter2.db", "begins with"),
            ("postgres://ada:hunter2@db.example", "name of a database"),
            ("postgres://ada:hunter2@db.example/?sslmode=require", "name of a database"),
            ("postgres://ada:hunter2@db.example/a/b", "name of a database"),
            ("postgres://ada:hunter2@x@db.example/control", "%40"),
            ("postgres://ada:12?hunter2=3@db.example/control", "%40"),
            ("mysql://ada:hunter2#@db.example/control", "%40"),
            ("mysql://ada:hunter2@db.example:port/control", "port"),
            ("postgres://ada:hunter2@db.example/control?sslmode=maybe", "maybe"),
            ("postgres://ada:hunter2@db.example/control?ssl-mode=require", "no parameter `ssl-mode`"),
            ("mysql://ada:hunter2@db.example/control?sslmode=REQUIRED", "no parameter `sslmode`"),
        ] {
            let error = ControlUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }
}
