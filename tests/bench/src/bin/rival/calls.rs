//! The statement of the guest `calls` by native drivers, as often and for as many rows as the path says.
//!
//! A request keeps one connection for all its calls, and nobody asks beforehand whether it still works: what remains is
//! the driver. The schema is made here, in a file or database that the benchmark has emptied.

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract;
use axum::routing::get;
use rowhouse_bench_page::calls::{Checksum, Entry, QUERY, QUERY_MYSQL, schema};
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, MySql, Postgres};

use crate::{Fault, fault, filled, free};

type Answer = Result<String, Fault>;
/// Calls, and rows that each reads.
type Times = extract::Path<(u32, u32)>;

const PATH: &str = "/{calls}/{rows}";

/// Connections to a server: as many as one tenant may have.
const CONNECTIONS: u32 = 4;

pub(crate) fn on_sqlite(file: &Path) -> Result<Router> {
    let connections = filled(file, &schema("INTEGER"))?;
    Ok(Router::new().route(PATH, get(async move |times: Times| from_sqlite(&connections, times))))
}

fn from_sqlite(connections: &[Mutex<rusqlite::Connection>], times: Times) -> Answer {
    let extract::Path((calls, rows)) = times;
    let connection = free(connections)?;
    let mut checksum = Checksum::default();
    for _ in 0..calls {
        let mut statement = connection.prepare_cached(QUERY).map_err(fault)?;
        let entries: Vec<Entry> = statement
            .query_map([rows], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .map_err(fault)?
            .collect::<Result<_, _>>()
            .map_err(fault)?;
        checksum.add(&entries);
    }
    Ok(checksum.answer())
}

pub(crate) async fn on_postgresql(url: &str) -> Result<Router> {
    let options = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
    let pool = options.connect(url).await.context("reach PostgreSQL")?;
    for statement in schema("BIGINT") {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&pool).await.context("make the table")?;
    }
    Ok(Router::new().route(PATH, get(async move |times: Times| from_postgresql(&pool, times).await)))
}

async fn from_postgresql(pool: &PgPool, times: Times) -> Answer {
    let extract::Path((calls, rows)) = times;
    let mut connection = pool.acquire().await.map_err(fault)?;
    let mut checksum = Checksum::default();
    for _ in 0..calls {
        let query = sqlx::query_as::<Postgres, Entry>(QUERY).bind(i64::from(rows));
        let entries = query.fetch_all(&mut *connection).await.map_err(fault)?;
        checksum.add(&entries);
    }
    Ok(checksum.answer())
}

pub(crate) async fn on_mysql(url: &str) -> Result<Router> {
    let options = MySqlPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
    let pool = options.connect(url).await.context("reach MySQL")?;
    for statement in schema("BIGINT") {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&pool).await.context("make the table")?;
    }
    Ok(Router::new().route(PATH, get(async move |times: Times| from_mysql(&pool, times).await)))
}

async fn from_mysql(pool: &MySqlPool, times: Times) -> Answer {
    let extract::Path((calls, rows)) = times;
    let mut connection = pool.acquire().await.map_err(fault)?;
    let mut checksum = Checksum::default();
    for _ in 0..calls {
        let query = sqlx::query_as::<MySql, Entry>(QUERY_MYSQL).bind(i64::from(rows));
        let entries = query.fetch_all(&mut *connection).await.map_err(fault)?;
        checksum.add(&entries);
    }
    Ok(checksum.answer())
}
