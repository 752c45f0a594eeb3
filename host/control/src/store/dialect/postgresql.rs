//! PostgreSQL: a server that many Rowhouse servers may share.
//!
//! Writers are READ COMMITTED: who waited for the generation's row sees everything that was committed
//! before it. Readers are REPEATABLE READ and can't write: what they read in one transaction is of one moment.

use super::run::{Statement, Value, bind, within};
use super::{ABANDONED, ACQUIRE, ANSWER, CONNECT, Fate, LOCK, Pool, Pools, SCHEMA_TURN, STATEMENT};
use rowhouse_base::Timestamp;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgDatabaseError, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Postgres, Transaction};
use std::time::Duration;

/// Names the lock on the schema within a database: `rowhouse` as bytes.
const SCHEMA_LOCK: i64 = i64::from_be_bytes(*b"rowhouse");
/// There is no database of this name.
const NO_DATABASE: &str = "3D000";
/// There is a database of this name already, seen before and after the other's commit.
const DATABASE_IS_THERE: [&str; 2] = ["23505", "42P04"];

pub(super) async fn open(
    options: &PgConnectOptions,
    readers: u32,
    writers: u32,
) -> Result<Pools, sqlx::Error> {
    make_database(options).await?;
    later(options, readers, writers).reached().await
}

/// Connections that are made when they are needed.
pub(super) fn later(options: &PgConnectOptions, readers: u32, writers: u32) -> Pools {
    let read = settings("repeatable read", "on", STATEMENT);
    let write = settings("read committed", "off", ANSWER);
    Pools {
        read: Pool::Postgres(pool(readers, read).connect_lazy_with(options.clone())),
        write: Pool::Postgres(pool(writers, write).connect_lazy_with(options.clone())),
    }
}

fn settings(isolation: &str, read_only: &str, statement: Duration) -> String {
    format!(
        "SET default_transaction_isolation = '{isolation}'; SET default_transaction_read_only = {read_only}; \
         SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SET standard_conforming_strings = on",
        statement.as_millis(),
        LOCK.as_millis(),
        ABANDONED.as_millis(),
    )
}

fn pool(connections: u32, settings: String) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move { connection.execute(AssertSqlSafe(settings)).await.map(drop) })
        })
        // Without this a connection to a server that fell silent would keep its place for ever.
        .after_release(|connection, _| {
            Box::pin(async move { within(CONNECT, connection.ping()).await.map(|()| true) })
        })
}

/// The server's version and clock; none where it has no such database yet.
pub(super) async fn look(options: &PgConnectOptions) -> Result<Option<(String, Timestamp)>, sqlx::Error> {
    let mut connection = match within(CONNECT, PgConnection::connect_with(options)).await {
        Err(error) if has_code(&error, &[NO_DATABASE]) => return Ok(None),
        connected => connected?,
    };
    let text = "SELECT current_setting('server_version'), \
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let (version, micros) = within(ANSWER, sqlx::query_as(text).fetch_one(&mut connection)).await?;
    connection.close().await?;
    Ok(Some((version, Timestamp(micros))))
}

/// Makes the database where the server has none of this name and the user may.
async fn make_database(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let missing = match within(CONNECT, PgConnection::connect_with(options)).await {
        Ok(connection) => return connection.close().await,
        Err(error) => error,
    };
    let (true, Some(name)) = (has_code(&missing, &[NO_DATABASE]), options.get_database()) else {
        return Err(missing);
    };
    let name = name.replace('"', "\"\"");
    let server = options.clone().database("postgres");
    let mut connection = within(CONNECT, PgConnection::connect_with(&server)).await?;
    let make = format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'");
    match connection.execute(AssertSqlSafe(make)).await {
        Ok(_) => {
            // Tenants may have roles on the same server, and this database is not theirs to enter.
            let close = format!("REVOKE ALL ON DATABASE \"{name}\" FROM PUBLIC");
            connection.execute(AssertSqlSafe(close)).await?;
        }
        Err(error) if has_code(&error, &DATABASE_IS_THERE) => {}
        Err(error) => return Err(error),
    }
    connection.close().await
}

fn has_code(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| codes.contains(&code.as_ref()))
}

/// Begins a transaction that changes the schema, once no other server is at it. The lock ends with it.
pub(super) async fn begin_schema(
    pool: &sqlx::Pool<Postgres>,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut tx = within(ANSWER, pool.begin()).await?;
    let patience =
        format!("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {}", SCHEMA_TURN.as_millis());
    tx.execute(AssertSqlSafe(patience)).await?;
    let turn = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(SCHEMA_LOCK).execute(&mut *tx);
    within(SCHEMA_TURN + ANSWER, turn).await?;
    Ok(tx)
}

/// PostgreSQL's texts can't hold the character NUL, which may stand in what a guest said of its failure.
pub(super) fn query(statement: Statement) -> Query<'static, Postgres, PgArguments> {
    let clean = |value| match value {
        Value::Text(Some(text)) if text.contains('\0') => Value::Text(Some(text.replace('\0', "\u{fffd}"))),
        other => other,
    };
    let values = statement.values.into_iter().map(clean).collect();
    bind(sqlx::query(AssertSqlSafe(statement.text)), values)
}

/// Keys are compared and ordered by their bytes, as on the other engines, whatever the database's collation is.
pub(super) fn schema_text(text: &str) -> String {
    let mut parts = text.split("VARCHAR(");
    let mut changed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (length, rest) = part.split_once(')').unwrap_or((part, ""));
        changed.push_str(&format!("VARCHAR({length}) COLLATE \"C\"{rest}"));
    }
    changed.replace(" BLOB", " BYTEA")
}

pub(super) fn fate(error: &PgDatabaseError) -> Fate {
    match error.code() {
        // Serialization failure, deadlock.
        "40001" | "40P01" => Fate::Undone,
        // The server ends or is not up yet, or ended a transaction that did nothing.
        "57P01" | "57P02" | "57P03" | "25P03" => Fate::Lost,
        // A lock or a statement took too long.
        "55P03" | "57014" => Fate::Busy,
        code if code.starts_with("08") => Fate::Lost,
        code if code.starts_with("53") => Fate::Busy,
        _ => Fate::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_get_a_collation_and_bytes_their_word() {
        let text = "CREATE TABLE a (id VARCHAR(36) PRIMARY KEY, b BLOB NOT NULL, c TEXT, d VARCHAR(9))";
        assert_eq!(
            schema_text(text),
            "CREATE TABLE a (id VARCHAR(36) COLLATE \"C\" PRIMARY KEY, b BYTEA NOT NULL, c TEXT, \
             d VARCHAR(9) COLLATE \"C\")"
        );
        assert_eq!(schema_text("DROP TABLE a"), "DROP TABLE a");
    }
}
