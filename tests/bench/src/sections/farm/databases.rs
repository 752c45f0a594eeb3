//! The databases of a farm on the PostgreSQL or the MariaDB of the tests: one for its control state, which the first
//! server makes, and one that its sites share. They go with it. Where the sites' database is to fail, it is on a
//! PostgreSQL of its own.

use anyhow::{Context as _, Result};
use rowhouse_tests::PlainPostgres;

use crate::sections::engines;

/// What all databases of a farm are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgresql,
    Mysql,
}

impl Engine {
    /// As a configuration names it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
        }
    }

    /// What the server of the tests is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mysql => "MariaDB",
        }
    }
}

/// See the module. Dropped when dropped.
pub(super) struct Databases {
    engine: Engine,
    /// An administrator's URL.
    url: String,
    name: String,
    /// The server of the sites' database, where it isn't the one of the tests.
    apart: Option<PlainPostgres>,
}

impl Databases {
    /// Makes them anew. The process's number keeps two runs apart.
    pub(super) fn make(engine: Engine, part: &str) -> Result<Self> {
        let made = Self::named(engine, part, None)?;
        engines::prepare(engine.as_str(), &made.sites_name(), true)?;
        Ok(made)
    }

    /// The same on PostgreSQL, but for the sites' database, which is on a server of its own.
    pub(super) fn make_apart(part: &str) -> Result<Self> {
        let apart = PlainPostgres::start()?;
        let made = Self::named(Engine::Postgresql, part, Some(apart))?;
        if let Some(apart) = &made.apart {
            apart.ask(&format!("CREATE DATABASE {}", made.sites_name()))?;
        }
        Ok(made)
    }

    fn named(engine: Engine, part: &str, apart: Option<PlainPostgres>) -> Result<Self> {
        let url = engines::server(engine.as_str()).with_context(|| format!("find {}", engine.name()))?;
        let name = format!("rowhouse_bench_{part}_{}", std::process::id());
        let made = Self { engine, url, name, apart };
        made.remove()?;
        Ok(made)
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine
    }

    /// True where something of sites stays when these are gone: a server has users besides databases.
    pub(super) fn are_shared(&self) -> bool {
        self.apart.is_none()
    }

    /// Stops the sites' server.
    pub(super) fn stop_sites(&mut self) -> Result<()> {
        self.apart.as_mut().context("sites share a server of the tests")?.stop()
    }

    /// Starts it again.
    pub(super) fn start_sites(&mut self) -> Result<()> {
        self.apart.as_mut().context("sites share a server of the tests")?.start_again()
    }

    /// Where the server listens, as HOST:PORT.
    pub(super) fn place(&self) -> Result<&str> {
        place(&self.url)
    }

    /// The URL of the control database, by way of this port of the machine where there is one.
    pub(super) fn control(&self, by: Option<u16>) -> Result<String> {
        let url = engines::in_database(&self.url, &self.name)?;
        Ok(match by {
            Some(port) => url.replacen(self.place()?, &format!("127.0.0.1:{port}"), 1),
            None => url,
        })
    }

    /// The URL of the sites' database.
    pub(super) fn sites(&self) -> Result<String> {
        let name = self.sites_name();
        match &self.apart {
            Some(apart) => Ok(apart.url(&name)),
            None => engines::in_database(&self.url, &name),
        }
    }

    fn sites_name(&self) -> String {
        format!("{}_sites", self.name)
    }

    fn remove(&self) -> Result<()> {
        for name in [&self.name, &self.sites_name()] {
            engines::prepare(self.engine.as_str(), name, false)?;
        }
        Ok(())
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            println!("    {} and {} are left: {error:#}", self.name, self.sites_name());
        }
    }
}

fn place(url: &str) -> Result<&str> {
    let (_scheme, rest) = url.split_once("://").context("read a database server's URL")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    Ok(authority.rsplit_once('@').map_or(authority, |(_user, place)| place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_in_any_url() {
        for (url, found) in [
            ("postgres://postgres@127.0.0.1:5432/postgres", "127.0.0.1:5432"),
            ("postgres://127.0.0.1:5432/x?a=b", "127.0.0.1:5432"),
            ("mysql://root@127.0.0.1:3306/", "127.0.0.1:3306"),
        ] {
            assert_eq!(place(url).ok(), Some(found), "{url}");
        }
    }
}
