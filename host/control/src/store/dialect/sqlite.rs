//! SQLite: a file for one server. It has one writer at a time, and a writer waits for its turn.

use super::run::{Statement, bind};
use super::{Fate, Pool, Pools};
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteError, SqliteJournalMode,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection as _, Sqlite};
use std::path::Path;
use std::time::Duration;

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
    Ok(Pools { read: Pool::Sqlite(read), write: Pool::Sqlite(write) })
}

/// The engine's version; none where there is no file.
pub(super) async fn look(path: &Path) -> Result<Option<String>, sqlx::Error> {
    if !path.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    // The second reads the file: what is none says so here.
    let version = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await?;
    sqlx::query("SELECT COUNT(*) FROM sqlite_schema").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(Some(version))
}

pub(super) fn query(statement: Statement) -> Query<'static, Sqlite, SqliteArguments> {
    bind(sqlx::query(AssertSqlSafe(statement.text)), statement.values)
}

pub(super) fn fate(error: &SqliteError) -> Fate {
    // The low byte of the code is the kind: 5 is BUSY, 6 is LOCKED.
    let code = sqlx::error::DatabaseError::code(error).and_then(|code| code.parse::<u32>().ok());
    if code.is_some_and(|code| matches!(code & 0xff, 5 | 6)) { Fate::Busy } else { Fate::Final }
}
