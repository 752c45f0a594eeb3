//! A control database for one test, on the engine the test runs on, dropped with its guard.
//!
//! Every test that opens a store runs on each engine: [`on_each_engine`] makes three of one. A server that
//! can't be reached fails the test and says what to install; nothing is skipped.

use crate::ControlUrl;
use rowhouse_base::id::TenantId;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use std::future::Future;
use tempfile::TempDir;

tokio::task_local! {
    static ENGINE: Engine;
}

/// What a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    MySql,
}

impl Engine {
    /// The engine of the running test; SQLite where it did not say.
    pub(crate) fn current() -> Self {
        ENGINE.try_with(|engine| *engine).unwrap_or(Self::Sqlite)
    }
}

/// Runs a test on an engine.
pub(crate) async fn on(engine: Engine, test: impl Future<Output = ()>) {
    ENGINE.scope(engine, test).await;
}

/// Makes a test of a function on each engine. A function that is left out is dead code, which is refused.
macro_rules! on_each_engine {
    ($($test:ident),+ $(,)?) => {
        on_each_engine!(@ sqlite Sqlite $($test)+);
        on_each_engine!(@ postgresql Postgres $($test)+);
        on_each_engine!(@ mysql MySql $($test)+);
    };
    (@ $module:ident $engine:ident $($test:ident)+) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $test() {
                    crate::tests::on(crate::tests::Engine::$engine, super::$test()).await;
                }
            )+
        }
    };
}
pub(crate) use on_each_engine;

/// The place of a database that nobody else has.
pub(crate) enum TestDatabase {
    File(TempDir),
    /// The server's own URL, and the name of the database.
    Postgres(String, String),
    MySql(String, String),
}

impl TestDatabase {
    /// A place where nothing is yet: opening a store there makes the database.
    pub(crate) async fn new() -> Self {
        let name = format!("rowhouse_control_{}", TenantId::new().to_string().replace('-', ""));
        let server =
            |variable: &str, default: &str| std::env::var(variable).unwrap_or_else(|_| default.to_owned());
        match Engine::current() {
            Engine::Sqlite => Self::File(tempfile::tempdir().unwrap()),
            Engine::Postgres => {
                let url = server("ROWHOUSE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres");
                let help = "no PostgreSQL: install the package postgresql, or set ROWHOUSE_TEST_POSTGRES";
                sqlx::PgConnection::connect(&url).await.expect(help).close().await.unwrap();
                Self::Postgres(url, name)
            }
            Engine::MySql => {
                let url = server("ROWHOUSE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/");
                let help = "no MariaDB: install the package mariadb-server, or set ROWHOUSE_TEST_MARIADB";
                sqlx::MySqlConnection::connect(&url).await.expect(help).close().await.unwrap();
                Self::MySql(url, name)
            }
        }
    }

    pub(crate) fn url(&self) -> ControlUrl {
        match self {
            Self::File(folder) => ControlUrl::file(folder.path().join("control.db")),
            Self::Postgres(server, name) | Self::MySql(server, name) => {
                ControlUrl::parse(&of_database(server, name)).unwrap()
            }
        }
    }

    /// Ends every connection to the database, as a server does that is started anew. Gives how many.
    pub(crate) async fn end_connections(&self) -> usize {
        match self {
            Self::File(_) => 0,
            Self::Postgres(server, name) => {
                let mut admin = sqlx::PgConnection::connect(server).await.unwrap();
                let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
                sqlx::query(end).bind(name).fetch_all(&mut admin).await.unwrap().len()
            }
            Self::MySql(server, name) => {
                let mut admin = sqlx::MySqlConnection::connect(server).await.unwrap();
                let list = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ?";
                let ids: Vec<i64> = sqlx::query_scalar(list).bind(name).fetch_all(&mut admin).await.unwrap();
                for id in &ids {
                    // One may have gone by itself meanwhile.
                    drop(admin.execute(AssertSqlSafe(format!("KILL {id}"))).await);
                }
                ids.len()
            }
        }
    }

    async fn remove(&self) {
        self.end_connections().await;
        match self {
            Self::File(_) => {}
            Self::Postgres(server, name) => {
                let mut admin = sqlx::PgConnection::connect(server).await.unwrap();
                let remove = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                admin.execute(AssertSqlSafe(remove)).await.unwrap();
            }
            Self::MySql(server, name) => {
                let mut admin = sqlx::MySqlConnection::connect(server).await.unwrap();
                admin.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).await.unwrap();
            }
        }
    }
}

/// The server's URL with another database.
fn of_database(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').map_or((server, None), |(a, p)| (a, Some(p)));
    let (scheme, rest) = address.split_once("://").unwrap();
    let host = rest.split('/').next().unwrap_or_default();
    let parameters = parameters.map(|text| format!("?{text}")).unwrap_or_default();
    format!("{scheme}://{host}/{name}{parameters}")
}

impl Drop for TestDatabase {
    /// Also where the test panicked. A thread of its own, because the test's runtime is busy with this drop.
    fn drop(&mut self) {
        if matches!(self, Self::File(_)) {
            return;
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(self.remove());
            });
        });
    }
}
