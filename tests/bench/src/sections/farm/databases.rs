//! The databases of a farm on the PostgreSQL of the tests: one for its control state, which the first server makes,
//! and one that its sites share. They go with it. Where the sites' database is to fail, it is on a PostgreSQL of its
//! own.

use anyhow::{Context as _, Result};
use rowhouse_tests::{PlainPostgres, drop_groups};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::sections::engines;

/// See the module. Dropped when dropped.
pub(super) struct Databases {
    /// An administrator's URL.
    url: String,
    name: String,
    /// The server of the sites' database, where it isn't the one of the tests.
    apart: Option<PlainPostgres>,
}

impl Databases {
    /// Makes them anew. The process's number keeps two runs apart.
    pub(super) fn make(part: &str) -> Result<Self> {
        let made = Self::named(part, None)?;
        made.admin(format!("CREATE DATABASE {}_sites", made.name))?;
        Ok(made)
    }

    /// The same, but for the sites' database, which is on a server of its own.
    pub(super) fn make_apart(part: &str) -> Result<Self> {
        let apart = PlainPostgres::start()?;
        let made = Self::named(part, Some(apart))?;
        if let Some(apart) = &made.apart {
            apart.ask(&format!("CREATE DATABASE {}_sites", made.name))?;
        }
        Ok(made)
    }

    fn named(part: &str, apart: Option<PlainPostgres>) -> Result<Self> {
        let url = engines::server("postgresql").context("find PostgreSQL")?;
        let made = Self { url, name: format!("rowhouse_bench_{part}_{}", std::process::id()), apart };
        made.remove()?;
        Ok(made)
    }

    /// True where something of sites stays when these are gone: a server has roles besides databases.
    pub(super) fn are_shared(&self) -> bool {
        self.apart.is_none()
    }

    /// Stops the sites' server.
    pub(super) fn stop_sites(&mut self) -> Result<()> {
        self.apart.as_mut().context("sites share the PostgreSQL of the tests")?.stop()
    }

    /// Starts it again.
    pub(super) fn start_sites(&mut self) -> Result<()> {
        self.apart.as_mut().context("sites share the PostgreSQL of the tests")?.start_again()
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
        let name = format!("{}_sites", self.name);
        match &self.apart {
            Some(apart) => Ok(apart.url(&name)),
            None => engines::in_database(&self.url, &name),
        }
    }

    fn remove(&self) -> Result<()> {
        for suffix in ["", "_sites"] {
            let name = format!("{}{suffix}", self.name);
            self.admin(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
            self.admin(drop_groups(&name))?;
        }
        Ok(())
    }

    fn admin(&self, statement: String) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut db = sqlx::PgConnection::connect(&self.url).await.context("reach PostgreSQL")?;
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut db).await?;
            Ok(())
        })
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            println!("    {} and {}_sites are left: {error:#}", self.name, self.name);
        }
    }
}

fn place(url: &str) -> Result<&str> {
    let (_scheme, rest) = url.split_once("://").context("read the URL of PostgreSQL")?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    Ok(authority.rsplit_once('@').map_or(authority, |(_user, place)| place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_in_any_url() {
        for url in ["postgres://postgres@127.0.0.1:5432/postgres", "postgres://127.0.0.1:5432/x?a=b"] {
            assert_eq!(place(url).ok(), Some("127.0.0.1:5432"), "{url}");
        }
    }
}
