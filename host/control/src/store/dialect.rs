//! What differs between the engines, and the only place that knows there are three.
//!
//! Texts are written once: `$n` placeholders in the order of binding, each used once, no upserts, no
//! RETURNING. SQLite and PostgreSQL take them as they are, MySQL and MariaDB get `?`. A [`Statement`] runs on
//! a [`Pool`] by itself or in a [`Tx`]. Each engine has a file with how it is opened, how a transaction
//! begins, the words of its types and what its errors mean.

mod address;
mod look;
mod mysql;
mod postgresql;
mod retry;
mod run;
mod sqlite;

pub use address::{ControlUrl, UrlError};
pub use look::ControlFacts;
pub(super) use retry::{Pauses, settled};
pub(super) use run::{Row, Statement, Tx, sql, sql_in};

use address::Place;
use std::time::Duration;

/// A connection to a server is made within this time, or is given up.
const CONNECT: Duration = Duration::from_secs(5);
/// A statement waits this long for a connection. Together with [`ANSWER`] it bounds what a request loses to a
/// control database that is gone.
const ACQUIRE: Duration = Duration::from_secs(5);
/// A server ends a reading statement after this time; the longest here, a page of a searched list, takes
/// milliseconds.
const STATEMENT: Duration = Duration::from_secs(10);
/// A statement waits this long for a row that another change holds.
const LOCK: Duration = Duration::from_secs(10);
/// A server that said nothing for this long is taken for gone. More than [`STATEMENT`] and [`LOCK`], whose
/// errors say more.
const ANSWER: Duration = Duration::from_secs(15);
/// A server ends a transaction that does nothing for this long: one machine that lost its power must not
/// keep all others from changing anything until TCP notices.
const ABANDONED: Duration = Duration::from_secs(60);
/// A start waits this long for another one that is changing the schema.
const SCHEMA_TURN: Duration = Duration::from_secs(60);

/// Connections of one engine.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(sqlx::Pool<sqlx::Sqlite>),
    Postgres(sqlx::Pool<sqlx::Postgres>),
    MySql(sqlx::Pool<sqlx::MySql>),
}

/// Where to read and where to write.
///
/// SQLite has one writer at a time, and waiting for a connection is fairer than its busy handler. On servers
/// changes wait for the generation's row, each with its connection: if they could take all of them, the
/// reads that a change makes on the side would wait for the change.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    pub(super) read: Pool,
    pub(super) write: Pool,
}

/// Opens a control database and makes it where there is none. `connections` is for servers; SQLite has its own
/// numbers.
pub(super) async fn open(url: &ControlUrl, connections: u32) -> Result<Pools, sqlx::Error> {
    let (readers, writers) = shares(connections);
    match &url.place {
        Place::File(path) => sqlite::open(path).await,
        Place::Postgres(options) => postgresql::open(options, readers, writers).await,
        Place::MySql(options) => mysql::open(options, readers, writers).await,
    }
}

/// How many of a server's connections read and how many write. A quarter writes: changes are made one after the
/// other, so more writers would only wait.
fn shares(connections: u32) -> (u32, u32) {
    let writers = (connections / 4).max(1);
    (connections.saturating_sub(writers).max(1), writers)
}

/// Connections to a server that does not answer yet; made when they are needed. None for a file.
pub(super) fn later(url: &ControlUrl, connections: u32) -> Option<Pools> {
    let (readers, writers) = shares(connections);
    match &url.place {
        Place::File(_) => None,
        Place::Postgres(options) => Some(postgresql::later(options, readers, writers)),
        Place::MySql(options) => Some(mysql::later(options, readers, writers)),
    }
}

/// Held while the schema is changed, so that of two servers starting at once one waits.
#[derive(Debug)]
pub(super) enum SchemaTurn {
    /// The transaction that changes the schema is the turn.
    Transaction,
    /// A connection apart from the one that changes the schema, because there each statement commits by itself.
    MySql(Box<sqlx::MySqlConnection>),
}

impl Pools {
    /// Makes a connection of each, so that a start finds out here what is wrong.
    async fn reached(self) -> Result<Self, sqlx::Error> {
        for pool in [&self.read, &self.write] {
            match pool {
                Pool::Sqlite(pool) => drop(pool.acquire().await?),
                Pool::Postgres(pool) => drop(pool.acquire().await?),
                Pool::MySql(pool) => drop(pool.acquire().await?),
            }
        }
        Ok(self)
    }

    /// Waits for the turn to change the schema. `None` where another server has it for too long.
    pub(super) async fn schema_turn(&self) -> Result<Option<SchemaTurn>, sqlx::Error> {
        match &self.write {
            Pool::Sqlite(_) | Pool::Postgres(_) => Ok(Some(SchemaTurn::Transaction)),
            Pool::MySql(pool) => {
                Ok(mysql::schema_turn(pool).await?.map(|connection| SchemaTurn::MySql(Box::new(connection))))
            }
        }
    }

    /// Begins a transaction that changes the schema; on SQLite and PostgreSQL it waits for its turn.
    pub(super) async fn begin_schema(&self) -> Result<Tx, sqlx::Error> {
        match &self.write {
            Pool::Sqlite(pool) => Ok(Tx::sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Pool::Postgres(pool) => Ok(Tx::postgres(postgresql::begin_schema(pool).await?)),
            Pool::MySql(_) => self.write.begin().await,
        }
    }

    /// True where a statement that changes the schema commits by itself.
    pub(super) fn schema_commits(&self) -> bool {
        matches!(self.write, Pool::MySql(_))
    }

    /// Puts the engine's words into a statement that changes the schema.
    pub(super) fn schema_text(&self, text: &str) -> String {
        match &self.write {
            Pool::Sqlite(_) => text.to_owned(),
            Pool::Postgres(_) => postgresql::schema_text(text),
            Pool::MySql(_) => mysql::schema_text(text),
        }
    }
}

impl Pool {
    /// Asks for the database's own time in microseconds since 1970, as `moment`.
    pub(super) fn moment_text(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => {
                "SELECT CAST((julianday('now') - 2440587.5) * 86400000000.0 AS INTEGER) AS moment"
            }
            Self::Postgres(_) => {
                "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS moment"
            }
            Self::MySql(_) => "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED) AS moment",
        }
    }

    /// Begins a transaction. On a pool that reads, all of it sees the database as of one moment.
    pub(super) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => Ok(Tx::sqlite(pool.begin().await?)),
            Self::Postgres(pool) => Ok(Tx::postgres(run::within(ANSWER, pool.begin()).await?)),
            Self::MySql(pool) => Ok(Tx::mysql(run::within(ANSWER, pool.begin()).await?)),
        }
    }
}

impl SchemaTurn {
    /// Lets the next one have its turn. Dropped without, it ends with the connection.
    pub(super) async fn end(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Transaction => Ok(()),
            Self::MySql(connection) => sqlx::Connection::close(*connection).await,
        }
    }
}

/// What an error means for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The engine undid the transaction, or the statement where it stood alone, for another's sake.
    Undone,
    /// No connection, or no longer: nothing that was not committed is kept.
    Lost,
    /// The engine had no time or no room; nothing was done.
    Busy,
    /// The same again fails again.
    Final,
}

/// Says what an error means.
pub(super) fn fate(error: &sqlx::Error) -> Fate {
    match error {
        sqlx::Error::Io(_) => Fate::Lost,
        sqlx::Error::PoolTimedOut => Fate::Busy,
        sqlx::Error::Database(error) => {
            if let Some(error) = error.try_downcast_ref() {
                sqlite::fate(error)
            } else if let Some(error) = error.try_downcast_ref() {
                postgresql::fate(error)
            } else if let Some(error) = error.try_downcast_ref() {
                mysql::fate(error)
            } else {
                Fate::Final
            }
        }
        _ => Fate::Final,
    }
}

/// True where a statement that changes the schema failed because it was done before.
pub(super) fn was_done(error: &sqlx::Error) -> bool {
    mysql::was_done(error)
}
