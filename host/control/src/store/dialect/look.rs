//! A look at a control database that changes nothing: for an operator who asks whether a start would find it.

use super::address::Place;
use super::{ControlUrl, mysql, postgresql, sqlite};
use crate::store::DatabaseError;
use rowhouse_base::Timestamp;

/// A control database, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlFacts {
    /// `SQLite`, `PostgreSQL`, or `MySQL` (MariaDB too).
    pub engine: &'static str,
    /// The engine's version; none where the database is not there yet and the next start makes it.
    pub version: Option<String>,
    /// What time it is there, where it is on a server.
    pub clock: Option<Timestamp>,
}

impl ControlUrl {
    /// Asks the database who it is. Makes nothing.
    ///
    /// # Errors
    /// [`DatabaseError`] where it can't be reached or refuses its user.
    pub async fn look(&self) -> Result<ControlFacts, DatabaseError> {
        let (engine, found) = match &self.place {
            Place::File(path) => {
                let version = sqlite::look(path).await?;
                return Ok(ControlFacts { engine: "SQLite", version, clock: None });
            }
            Place::Postgres(options) => ("PostgreSQL", postgresql::look(options).await?),
            Place::MySql(options) => ("MySQL", mysql::look(options).await?),
        };
        let (version, clock) = found.unzip();
        Ok(ControlFacts { engine, version, clock })
    }
}
