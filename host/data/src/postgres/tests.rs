//! The engine against a real server, in both isolations: what guests can do, what they can't with the guard
//! off, what ends when, and what is left.

mod attacks;
mod basics;
mod bounds;
mod corpus;
mod lifecycle;
mod migrations;
mod transactions;
mod transfers;

use super::{Engine, Session};
use crate::guard::Guard;
use crate::key::DataKey;
use crate::{
    ConstraintKind, DataServer, Dialect, Isolation, LimitKind, Migration, Mode, Outcome, Rows, SqlError,
    Statement, Value, packed, testing,
};
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Limits, Secret};
use rowhouse_tenant::Tenant;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::sync::Arc;
use std::time::Duration;

/// Each test once for each isolation.
macro_rules! both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test]
            async fn database() {
                super::$name(super::Room::new(super::Isolation::Database).await).await;
            }

            #[tokio::test]
            async fn prefix() {
                super::$name(super::Room::new(super::Isolation::Prefix).await).await;
            }
        }
    )*};
}
use both;

/// An engine with tenants of its own, gone from the server when it is dropped, also by a panic.
struct Room {
    engine: Arc<Engine>,
    server: DataServer,
    made: Mutex<Vec<TenantId>>,
    /// The shared database, where tenants share one.
    scratch: Option<String>,
}

fn key() -> DataKey {
    DataKey::from_bytes([7; 32])
}

async fn admin(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap_or_else(|error| {
        panic!(
            "PostgreSQL is needed and can't be reached ({error}): install the package postgresql and start it, or \
             set ROWHOUSE_TEST_POSTGRES to a superuser's URL"
        )
    })
}

async fn say(db: &mut PgConnection, text: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(text.into())).execute(db).await.unwrap();
}

impl Room {
    async fn new(isolation: Isolation) -> Self {
        Self::with(isolation, 20, false).await
    }

    /// `open`: the guard lets everything through, so that the engine's own rights are tried alone.
    async fn with(isolation: Isolation, connections: usize, open: bool) -> Self {
        let mut url = testing::postgresql();
        let mut scratch = None;
        let mut db = admin(&url).await;
        if isolation == Isolation::Prefix {
            let name = format!("rowhouse_test_{}", TenantId::new().to_string().replace('-', ""));
            say(&mut db, format!("CREATE DATABASE {name}")).await;
            let (server, _database) = url.rsplit_once('/').unwrap();
            url = format!("{server}/{name}");
            scratch = Some(name);
        }
        let server = DataServer {
            name: DataServerName::local(),
            engine: Dialect::Postgresql,
            isolation,
            url: Some(Secret::from_text(url)),
            connections,
            spares: 0,
        };
        let engine = if open {
            let guard = Guard::open_for_tests(Dialect::Postgresql, isolation.into());
            Engine::with_guard(&server, &key(), &testing::known(), guard)
        } else {
            Engine::new(&server, &key(), &testing::known())
        };
        Self { engine: engine.unwrap(), server, made: Mutex::default(), scratch }
    }

    /// Another host of the same farm.
    fn other_host(&self) -> Arc<Engine> {
        Engine::new(&self.server, &key(), &testing::known()).unwrap()
    }

    async fn tenant(&self, change: impl FnOnce(&mut Limits)) -> Arc<Tenant> {
        let mut limits = Limits::default();
        change(&mut limits);
        let tenant = testing::tenant(limits);
        self.made.lock().push(tenant.id);
        self.engine.provision(&tenant).await.unwrap();
        tenant
    }

    async fn with_tables(
        &self,
        statements: &[&str],
        change: impl FnOnce(&mut Limits),
    ) -> (Arc<Tenant>, Session) {
        let tenant = self.tenant(change).await;
        let session = self.engine.session(&tenant);
        session.migrate([migration(1, statements)].into(), Duration::from_secs(60)).await.unwrap();
        (tenant, session)
    }

    /// A tenant with a table `article (id, title, body)` of so many rows.
    async fn with_articles(&self, rows: u32, change: impl FnOnce(&mut Limits)) -> (Arc<Tenant>, Session) {
        let (tenant, session) = self.with_tables(&[ARTICLE], change).await;
        let mut first = 1;
        while first <= rows {
            let last = rows.min(first + 4_999);
            let values: Vec<_> = (first..=last).map(|i| format!("('title {i}', 'body {i}')")).collect();
            let text = format!("INSERT INTO article (title, body) VALUES {}", values.join(","));
            self.as_owner(&tenant, &text.replace("article", &self.physical(&tenant, "article"))).await;
            first = last + 1;
        }
        (tenant, session)
    }

    /// A table's name on the server.
    fn physical(&self, tenant: &Tenant, table: &str) -> String {
        format!("rowhouse.{}", self.engine.names().of(tenant.id).physical(table))
    }

    /// Runs something as the server's superuser, where the tenant's tables are.
    async fn as_owner(&self, tenant: &Tenant, text: &str) {
        let names = self.engine.names().of(tenant.id);
        let turn = self.engine.turn().await.unwrap();
        let mut db = self.engine.control().connect(&turn, Some(&names.database)).await.unwrap();
        say(&mut db, text).await;
    }

    /// How many connections of the tenant the server has at work.
    async fn at_work(&self, tenant: &Tenant) -> i64 {
        let mut db = admin(&testing::postgresql()).await;
        let text = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state <> 'idle'";
        let guest = self.engine.names().of(tenant.id).guest;
        sqlx::query_scalar(text).bind(guest).fetch_one(&mut db).await.unwrap()
    }

    /// Waits until nothing of the tenant's runs on the server. Ends the test where that takes too long.
    async fn quiet(&self, tenant: &Tenant) {
        for _ in 0..600 {
            if self.at_work(tenant).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        unreachable!("a statement goes on after its end");
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let (server, made) = (self.server.clone(), std::mem::take(&mut *self.made.lock()));
        let scratch = self.scratch.take();
        let cleaned = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let engine = Engine::new(&server, &key(), &testing::known()).unwrap();
                for id in made {
                    let removed = engine.remove(id, Duration::from_secs(1)).await;
                    removed.unwrap();
                }
                if let Some(scratch) = scratch {
                    let mut db = admin(&testing::postgresql()).await;
                    say(&mut db, format!("DROP DATABASE {scratch} WITH (FORCE)")).await;
                    say(&mut db, testing::drop_groups(&scratch)).await;
                }
            });
        });
        if cleaned.join().is_err() && !std::thread::panicking() {
            unreachable!("the test left something on the server");
        }
    }
}

const ARTICLE: &str = "CREATE TABLE article (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, \
                       title text NOT NULL UNIQUE, body text)";

fn migration(version: u32, statements: &[&str]) -> Migration {
    Migration {
        version,
        name: format!("step {version}"),
        sqlite: vec![],
        postgresql: statements.iter().map(|&text| text.to_owned()).collect(),
        mysql: vec![],
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn unpack(bytes: &[u8]) -> Rows {
    packed::decode(bytes).unwrap().0
}

async fn query(session: &Session, text: &str, params: Vec<Value>) -> Result<Rows, SqlError> {
    session.query_packed(text, params).await.map(|bytes| unpack(&bytes))
}

async fn rows(session: &Session, text: &str) -> Vec<Vec<Value>> {
    query(session, text, vec![]).await.unwrap().rows
}
