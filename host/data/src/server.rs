//! The data servers an operator named. A tenant's data is on one of them, for good or until it is moved.
//!
//! A server without URL is the embedded engine in the data folder. URLs hold passwords: nothing here
//! shows one.

use crate::Dialect;
use rowhouse_base::{DataServerName, Secret};
use std::fmt;
use std::str::FromStr;

/// How tenants on one server are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// A database (SQLite: a file) and a user of its own for each tenant.
    Database,
    /// One database; each tenant's tables have its prefix, and the engine guards them.
    Prefix,
}

impl Isolation {
    /// As it stands in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Prefix => "prefix",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no isolation.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no isolation: database or prefix")]
pub struct InvalidIsolation(String);

impl FromStr for Isolation {
    type Err = InvalidIsolation;

    fn from_str(text: &str) -> Result<Self, InvalidIsolation> {
        [Self::Database, Self::Prefix]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| InvalidIsolation(text.to_owned()))
    }
}

/// One data server, as configured.
#[derive(Clone, Debug)]
pub struct DataServer {
    /// What operators call it.
    pub name: DataServerName,
    /// Which engine it is.
    pub engine: Dialect,
    /// How its tenants are kept apart.
    pub isolation: Isolation,
    /// Where it is and whom the host is there; none for the embedded engine. The user may make roles and
    /// databases (isolation "database") or roles and tables in the named database (isolation "prefix").
    pub url: Option<Secret>,
    /// Connections of this process to it, over all tenants, the host's own included.
    pub connections: usize,
    /// Databases made ahead, so that a sign-up doesn't wait for one; none where the engine has no use for them.
    pub spares: usize,
}

impl DataServer {
    /// The embedded engine with a file per tenant, which needs no configuration.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            name: DataServerName::local(),
            engine: Dialect::Sqlite,
            isolation: Isolation::Database,
            url: None,
            // 256 open files at about 100 KB.
            connections: 256,
            spares: 0,
        }
    }
}
