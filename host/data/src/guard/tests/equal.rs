//! The same statements give the same with and without a prefix, on the real engines.

use super::grammar::{TABLES, schema, statement};
use super::*;
use crate::guard::{Prefix, SQL_MODE};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use rowhouse_base::id::TenantId;
use sqlx::{AssertSqlSafe, Column, Connection, Executor, Row};

/// Statements that each engine runs, in groups that are undone.
const GROUPS: usize = 40;
const IN_A_GROUP: usize = 6;

/// The names of the columns, and the rows in a fixed order; none where the engine refused.
type Answer = Option<(Vec<String>, Vec<Vec<String>>)>;

fn groups(dialect: Dialect) -> Vec<Vec<String>> {
    let mut runner = TestRunner::new(Config::default());
    let group = prop::collection::vec(statement(dialect), IN_A_GROUP);
    (0..GROUPS).map(|_| group.new_tree(&mut runner).unwrap().current()).collect()
}

/// The texts of both isolations: for each, what to fill in.
fn pair(dialect: Dialect) -> [(Guard, Option<Prefix>); 2] {
    [
        (Guard::new(dialect, Naming::Plain), None),
        (Guard::new(dialect, Naming::Prefixed), Some(Prefix::of(TenantId::new()))),
    ]
}

fn with_all_rows(group: Vec<String>) -> impl Iterator<Item = String> {
    group.into_iter().chain(TABLES.map(|table| format!("SELECT * FROM {table}")))
}

fn ask_sqlite(db: &rusqlite::Connection, text: &str) -> Answer {
    let mut prepared = db.prepare(text).ok()?;
    let columns: Vec<String> = prepared.column_names().into_iter().map(str::to_owned).collect();
    let count = columns.len();
    let rows = prepared
        .query_map([], |row| {
            (0..count)
                .map(|at| row.get::<_, rusqlite::types::Value>(at).map(|value| format!("{value:?}")))
                .collect()
        })
        .ok()?;
    let mut rows: Vec<Vec<String>> = rows.collect::<Result<_, _>>().ok()?;
    rows.sort();
    Some((columns, rows))
}

#[test]
fn on_sqlite() {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    let guards = pair(Dialect::Sqlite);
    for (guard, prefix) in &guards {
        for step in schema() {
            db.execute(&guard.migration(&step).unwrap().text(prefix.as_ref()), []).unwrap();
        }
    }
    let mut answered = 0;
    for group in groups(Dialect::Sqlite) {
        db.execute_batch("BEGIN").unwrap();
        for text in with_all_rows(group) {
            let [plain, prefixed] = guards.each_ref().map(|(guard, prefix)| {
                ask_sqlite(&db, &guard.statement(&text).unwrap().text(prefix.as_ref()))
            });
            assert_eq!(plain, prefixed, "{text}");
            answered += usize::from(plain.is_some());
        }
        db.execute_batch("ROLLBACK").unwrap();
    }
    assert!(answered * 2 > GROUPS * (IN_A_GROUP + TABLES.len()), "most of {answered} are answered");
}

/// A database of its own on a server, dropped in the end.
struct Scratch {
    server: String,
    name: String,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let text = format!("DROP DATABASE {}", self.name);
        let server = self.server.clone();
        // The test's own runtime may be gone or busy.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if server.starts_with("postgres") {
                    let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
                    connection.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.unwrap();
                } else {
                    let mut connection = sqlx::MySqlConnection::connect(&server).await.unwrap();
                    connection.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.unwrap();
                }
            });
        });
        drop(dropped.join());
    }
}

fn server(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_absent| default.to_owned())
}

/// Text columns of a row, as the server writes them.
macro_rules! answer {
    ($rows:expr) => {{
        let rows = $rows;
        let columns = rows.first().map(|row| row.columns().iter().map(|one| one.name().to_owned()).collect());
        let mut texts: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                (0..row.len())
                    .map(|at| {
                        let value: Option<String> = row.try_get_unchecked(at).unwrap();
                        value.unwrap_or_else(|| "NULL".to_owned())
                    })
                    .collect()
            })
            .collect();
        texts.sort();
        (columns.unwrap_or_default(), texts)
    }};
}

/// Runs the groups on one connection to a server; what a group wrote is undone.
macro_rules! equal_on {
    ($connection:expr, $dialect:expr) => {{
        let connection = $connection;
        let guards = pair($dialect);
        for (guard, prefix) in &guards {
            for step in schema() {
                let text = guard.migration(&step).unwrap().text(prefix.as_ref()).into_owned();
                connection.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.unwrap();
            }
        }
        let mut answered = 0;
        for group in groups($dialect) {
            connection.execute("BEGIN").await.unwrap();
            for text in with_all_rows(group) {
                let mut answers: Vec<Answer> = Vec::new();
                for (guard, prefix) in &guards {
                    let filled = guard.statement(&text).unwrap().text(prefix.as_ref()).into_owned();
                    connection.execute("SAVEPOINT one").await.unwrap();
                    let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(filled))).await;
                    if rows.is_err() {
                        connection.execute("ROLLBACK TO SAVEPOINT one").await.unwrap();
                    }
                    answers.push(rows.ok().map(|rows| answer!(rows)));
                }
                assert_eq!(answers.first(), answers.last(), "{text}");
                answered += answers.iter().flatten().count();
            }
            connection.execute("ROLLBACK").await.unwrap();
        }
        assert!(answered > GROUPS * (IN_A_GROUP + TABLES.len()), "most of {answered} are answered");
    }};
}

#[tokio::test]
async fn on_postgresql() {
    let url = server("ROWHOUSE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres");
    let mut connection = sqlx::PgConnection::connect(&url)
        .await
        .expect("reach PostgreSQL: install the package `postgresql` or set ROWHOUSE_TEST_POSTGRES");
    let scratch = Scratch { server: url.clone(), name: scratch_name() };
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {}", scratch.name))))
        .await
        .unwrap();
    connection.close().await.unwrap();
    let (base, _database) = url.rsplit_once('/').unwrap();
    let mut connection = sqlx::PgConnection::connect(&format!("{base}/{}", scratch.name)).await.unwrap();
    equal_on!(&mut connection, Dialect::Postgresql);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn on_mariadb() {
    let url = server("ROWHOUSE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/");
    let mut connection = sqlx::MySqlConnection::connect(&url)
        .await
        .expect("reach MariaDB: install the package `mariadb-server` or set ROWHOUSE_TEST_MARIADB");
    let scratch = Scratch { server: url, name: scratch_name() };
    for text in [
        format!("CREATE DATABASE {}", scratch.name),
        format!("USE {}", scratch.name),
        format!("SET SESSION sql_mode = '{SQL_MODE}'"),
    ] {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.unwrap();
    }
    equal_on!(&mut connection, Dialect::Mysql);
    connection.close().await.unwrap();
}

fn scratch_name() -> String {
    format!("guard_test_{}", uuid::Uuid::now_v7().simple())
}
