//! What differs between engines: types, opening, placeholders. SQLite today.
//!
//! PostgreSQL takes the texts as they are; MySQL needs `$n` turned into `?`, which [`sql`] is the place for.

use sqlx::Pool;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::Path;
use std::time::Duration;

pub(super) type Db = sqlx::Sqlite;
pub(super) type Row = sqlx::sqlite::SqliteRow;
pub(super) type Tx = sqlx::Transaction<'static, Db>;

/// Where to read and where to write. SQLite has one writer at a time, and waiting for a connection is
/// fairer than its busy handler; on other engines both are one pool.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    pub(super) read: Pool<Db>,
    pub(super) write: Pool<Db>,
}

pub(super) async fn open(path: &Path) -> Result<Pools, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What was acknowledged survives the loss of power, not only of the process.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10));
    let pool = |connections| SqlitePoolOptions::new().max_connections(connections).min_connections(1);
    let write = pool(1).acquire_timeout(Duration::from_secs(30)).connect_with(options.clone()).await?;
    let read = pool(4).connect_with(options).await?;
    Ok(Pools { read, write })
}

/// A statement with `$1`, `$2`, … in the order of binding, each used once.
pub(super) fn sql<'q>(text: &'static str) -> Query<'q, Db, SqliteArguments> {
    sqlx::query(text)
}
