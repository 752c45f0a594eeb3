//! The native rivals: what someone would write who needs neither tenants nor isolation.
//!
//! `rowhouse-rival hello|rusqlite|sqlx PORT FOLDER` serves the same answers as the guests `hello` and
//! `page` on loopback, as fast as this stack goes, and prints `ready` when it listens. It does no more
//! work than the guests do: the page is queried and rendered for every request. As
//! `redis PORT FOLDER URL` it renders the page once and keeps it in that Redis under each URL it is asked for.
//! As `calls-sqlite PORT FOLDER`, and `calls-postgresql` and `calls-mysql` with the URL of an empty database
//! behind, it answers as the guest `calls` does.
#![expect(clippy::print_stdout, reason = "tells that it is ready")]

mod calls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::response::Html;
use axum::routing::get;
use rowhouse_bench_page::{Article, NOW, QUERY, render, schema};
use sqlx::Row as _;

type Fault = (StatusCode, String);
type Page = Result<Html<String>, Fault>;
/// One for each worker.
type Connections = Arc<Vec<Mutex<rusqlite::Connection>>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, kind, port, folder, rest @ ..] = arguments.as_slice() else {
        bail!(
            "usage: rowhouse-rival hello|rusqlite|sqlx|redis|calls-sqlite|calls-postgresql|calls-mysql \
             PORT FOLDER [URL]"
        );
    };
    let url = || rest.first().context("the last argument is a URL");
    let file = PathBuf::from(folder).join(format!("{kind}.db"));
    let router = match kind.as_str() {
        "hello" => Router::new().fallback(get(async || "Hello from the fast lane\n")),
        "rusqlite" => with_rusqlite(&file)?,
        "sqlx" => with_sqlx(&file).await?,
        "redis" => with_redis(&file, url()?).await?,
        "calls-sqlite" => calls::on_sqlite(&file)?,
        "calls-postgresql" => calls::on_postgresql(url()?).await?,
        "calls-mysql" => calls::on_mysql(url()?).await?,
        other => bail!("no rival `{other}`"),
    };
    let port: u16 = port.parse().context("read the port")?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.context("listen")?;
    println!("ready");
    axum::serve(listener, router).await.context("serve")
}

fn fill(file: &Path, statements: &[String]) -> Result<rusqlite::Connection> {
    // Left by a run that was stopped.
    let _ = std::fs::remove_file(file);
    let connection = rusqlite::Connection::open(file).context("open the database")?;
    connection.pragma_update(None, "journal_mode", "WAL").context("set the journal mode")?;
    for statement in statements {
        connection.execute_batch(statement).context("make the table")?;
    }
    Ok(connection)
}

/// A database with these statements done, open for every worker.
fn filled(file: &Path, statements: &[String]) -> Result<Connections> {
    drop(fill(file, statements)?);
    let connections: Vec<Mutex<rusqlite::Connection>> = (0..std::thread::available_parallelism()?.get())
        .map(|_| rusqlite::Connection::open(file).map(Mutex::new))
        .collect::<Result<_, _>>()
        .context("open the database")?;
    Ok(Arc::new(connections))
}

/// The first free one; when all are taken, waits for the first.
fn free(connections: &[Mutex<rusqlite::Connection>]) -> Result<MutexGuard<'_, rusqlite::Connection>, Fault> {
    let free = connections.iter().find_map(|connection| connection.try_lock().ok());
    match (free, connections.first()) {
        (Some(connection), _) => Ok(connection),
        (None, Some(first)) => Ok(first.lock().unwrap_or_else(PoisonError::into_inner)),
        (None, None) => Err(fault("no connection")),
    }
}

/// In line on the async worker, one connection per worker: the fastest way there is.
fn with_rusqlite(file: &Path) -> Result<Router> {
    let connections = filled(file, &schema())?;
    Ok(Router::new().fallback(get(async move || rusqlite_page(&connections))))
}

fn rusqlite_page(connections: &[Mutex<rusqlite::Connection>]) -> Page {
    let connection = free(connections)?;
    let mut statement = connection.prepare_cached(QUERY).map_err(fault)?;
    let rows: Vec<(i64, String, String, i64)> = statement
        .query_map([NOW], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .map_err(fault)?
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    Ok(Html(render(rows.iter().map(|(id, title, summary, published)| Article {
        id: *id,
        title,
        summary,
        published: *published,
    }))))
}

/// As sqlx's documentation shows it, with its pool.
async fn with_sqlx(file: &Path) -> Result<Router> {
    drop(fill(file, &schema())?);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let pool = sqlx::SqlitePool::connect_with(options).await.context("open the database")?;
    Ok(Router::new().fallback(get(async move || sqlx_page(&pool).await)))
}

async fn sqlx_page(pool: &sqlx::SqlitePool) -> Page {
    let rows = sqlx::query(QUERY).bind(NOW).fetch_all(pool).await.map_err(fault)?;
    let articles: Vec<Article<'_>> = rows
        .iter()
        .map(|row| {
            Ok(Article {
                id: row.try_get(0)?,
                title: row.try_get(1)?,
                summary: row.try_get(2)?,
                published: row.try_get(3)?,
            })
        })
        .collect::<Result<_, sqlx::Error>>()
        .map_err(fault)?;
    Ok(Html(render(articles)))
}

/// What a page that is kept in Redis costs at least: one `GET` for each request, on one connection for all.
async fn with_redis(file: &Path, url: &str) -> Result<Router> {
    let connection = Mutex::new(fill(file, &schema())?);
    let Ok(Html(page)) = rusqlite_page(&[connection]) else { bail!("the page can't be made") };
    let page: Arc<str> = page.into();
    let client = redis::Client::open(url).context("read the URL of Redis")?;
    let connection = client.get_multiplexed_async_connection().await.context("connect to Redis")?;
    Ok(Router::new().fallback(get(async move |uri: Uri| redis_page(connection, &uri, &page).await)))
}

async fn redis_page(
    mut connection: redis::aio::MultiplexedConnection,
    uri: &Uri,
    page: &str,
) -> Result<([(&'static str, &'static str); 1], Html<Vec<u8>>), Fault> {
    let key = uri.to_string();
    let found: Option<Vec<u8>> =
        redis::cmd("GET").arg(&key).query_async(&mut connection).await.map_err(fault)?;
    if let Some(body) = found {
        return Ok(([("cache-status", "redis; hit")], Html(body)));
    }
    let () = redis::cmd("SET").arg(&key).arg(page).query_async(&mut connection).await.map_err(fault)?;
    Ok(([("cache-status", "redis; fwd=uri-miss; stored")], Html(page.as_bytes().to_vec())))
}

fn fault(error: impl std::fmt::Display) -> Fault {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
