//! The engine against a real server, in both isolations: what guests can do, what they can't, what a tenant
//! leaves behind, and what moves.

mod basics;
mod bounds;
mod catalogue;
mod corpus;
mod cursors;
mod isolation;
mod lifecycle;
mod migrations;
mod transactions;
mod transfer;

use super::names::Names;
use super::remove::Removed;
use super::{Cursor, Engine, Session, Transaction};
use crate::guard::Guard;
use crate::{DataKey, DataServer, Dialect, Isolation, Migration, Rows, SqlError, Value, packed};
use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Limits, Secret};
use rowhouse_tenant::Tenant;
use sqlx::Row;
use std::sync::Arc;
use std::time::Duration;

const BOTH: [Isolation; 2] = [Isolation::Database, Isolation::Prefix];

/// Time of a migration.
const LONG: Duration = Duration::from_secs(60);

/// An engine of its own. Its tenants and its shared database go with it.
struct Room {
    engine: Arc<Engine>,
    isolation: Isolation,
    /// Where all tenants are with isolation "prefix".
    shared: String,
}

fn key() -> DataKey {
    DataKey::from_bytes([7; 32])
}

fn server(isolation: Isolation, shared: &str, connections: usize) -> DataServer {
    let url = match isolation {
        Isolation::Database => crate::testing::mariadb(),
        Isolation::Prefix => format!("{}/{shared}", crate::testing::mariadb().trim_end_matches('/')),
    };
    DataServer {
        name: DataServerName::local(),
        engine: Dialect::Mysql,
        isolation,
        url: Some(Secret::from_text(url)),
        connections,
        spares: 0,
    }
}

impl Room {
    async fn with(isolation: Isolation, connections: usize) -> Self {
        let shared = format!("rowhouse_test_{}", TenantId::new().to_string().replace('-', ""));
        let engine =
            Engine::new(&server(isolation, &shared, connections), &key(), &crate::testing::known()).unwrap();
        let reached = engine.server.control.execute("SELECT 1").await;
        reached.expect(
            "a MariaDB server is needed on 127.0.0.1:3306 (package mariadb-server) or ROWHOUSE_TEST_MARIADB",
        );
        Self { engine, isolation, shared }
    }

    async fn new(isolation: Isolation) -> Self {
        Self::with(isolation, 20).await
    }

    /// Another server of ours over the same data.
    fn twin(&self) -> Arc<Engine> {
        Engine::new(&server(self.isolation, &self.shared, 20), &key(), &crate::testing::known()).unwrap()
    }

    /// The same data with a guard that lets everything pass.
    fn unguarded(&self) -> Arc<Engine> {
        let guard = Guard::open_for_tests(Dialect::Mysql, self.isolation.into());
        Engine::with_guard(&server(self.isolation, &self.shared, 20), &key(), &crate::testing::known(), guard)
            .unwrap()
    }

    async fn tenant(&self, change: impl FnOnce(&mut Limits)) -> Site {
        let mut limits = Limits::default();
        change(&mut limits);
        let tenant = crate::testing::tenant(limits);
        let site =
            Site { session: self.engine.session(&tenant), cleanup: Cleanup::of(self, tenant.id), tenant };
        self.engine.provision(&site.tenant).await.unwrap();
        site
    }

    /// A tenant with a table `article (id, title, body)` of so many rows, at most 1,000.
    async fn with_articles(&self, rows: u32, change: impl FnOnce(&mut Limits)) -> Site {
        let site = self.tenant(change).await;
        site.migrate(&[migration(1, &[ARTICLE, &articles(rows)])]).await.unwrap();
        site
    }

    /// One number that the host asks for.
    async fn ask(&self, query: &str) -> i64 {
        let rows = self.engine.server.control.rows(query).await.unwrap();
        rows[0].try_get::<i64, _>(0).unwrap()
    }

    /// Waits until no statement of this tenant's runs on the server.
    async fn until_quiet(&self, site: &Site) {
        let query = format!(
            "SELECT count(*) FROM information_schema.processlist WHERE user = '{}' AND command <> 'Sleep'",
            site.session.names.guest
        );
        for _ in 0..500 {
            if self.ask(&query).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        unreachable!("a statement is still running");
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let shared = self.shared.clone();
        sweep(format!("DROP DATABASE IF EXISTS {shared}"), None);
    }
}

/// Removes a tenant in the end, whatever became of it.
struct Cleanup(String, Names);

impl Cleanup {
    fn of(room: &Room, id: TenantId) -> Self {
        let names = room.engine.server.names(id);
        let mut text = format!(
            "DROP USER IF EXISTS '{}'@'%'; DROP USER IF EXISTS '{}'@'%'",
            names.guest, names.migrator
        );
        if room.isolation == Isolation::Database {
            text.push_str(&format!("; DROP DATABASE IF EXISTS {}", names.database));
        }
        Self(text, names)
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        sweep(std::mem::take(&mut self.0), Some(self.1.clone()));
    }
}

/// On a thread of its own, because the test's runtime may be about to end.
fn sweep(text: String, names: Option<Names>) {
    let swept = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server = server(Isolation::Database, "", 20);
        let engine = Engine::new(&server, &key(), &crate::testing::known()).unwrap();
        runtime.block_on(async {
            // What a failed test left open would hold the tables.
            if let Some(names) = &names {
                engine.end_connections(names).await?;
            }
            engine.server.control.execute(&text).await
        })
    });
    if let Ok(Err(error)) = swept.join() {
        println!("left behind: {error}");
    }
}

/// One tenant of a room.
struct Site {
    tenant: Arc<Tenant>,
    session: Session,
    #[expect(dead_code, reason = "removes the tenant when dropped")]
    cleanup: Cleanup,
}

impl Site {
    async fn migrate(&self, list: &[Migration]) -> Result<u32, crate::MigrateError> {
        self.session.migrate(list.into(), LONG).await
    }

    async fn query(&self, text: &str, params: Vec<Value>) -> Result<Rows, SqlError> {
        self.session.query_packed(text, params).await.map(|bytes| unpack(&bytes))
    }

    async fn titles(&self) -> Vec<Value> {
        let rows = self.query("SELECT title FROM article ORDER BY title", vec![]).await.unwrap();
        rows.rows.into_iter().flatten().collect()
    }
}

fn unpack(bytes: &[u8]) -> Rows {
    packed::decode(bytes).unwrap().0
}

async fn rows(transaction: &mut Transaction, text: &str) -> Result<Rows, SqlError> {
    transaction.query_packed(text, vec![]).await.map(|bytes| unpack(&bytes))
}

async fn page(cursor: &mut Cursor, count: u32) -> (Vec<Vec<Value>>, bool) {
    let (rows, more) = packed::decode(&cursor.next(count).await.unwrap()).unwrap();
    (rows.rows, more)
}

const ARTICLE: &str = "CREATE TABLE article (id BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT, \
                       title VARCHAR(200) NOT NULL UNIQUE, body TEXT)";

const INSERT: &str = "INSERT INTO article (title) VALUES ($1)";

/// Fills the table. Digits joined with digits, because the server stops a recursion after 1,000 steps.
fn articles(count: u32) -> String {
    format!(
        "INSERT INTO article (title, body) WITH d AS (SELECT 0 AS i UNION ALL SELECT 1 UNION ALL SELECT 2 \
         UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 \
         UNION ALL SELECT 8 UNION ALL SELECT 9) \
         SELECT concat('title ', 1 + a.i + 10 * b.i + 100 * c.i), concat('body ', a.i) \
         FROM d AS a CROSS JOIN d AS b CROSS JOIN d AS c WHERE a.i + 10 * b.i + 100 * c.i < {count}"
    )
}

/// Runs for years over a table of 1,000 rows.
const ENDLESS: &str = "SELECT count(*) FROM article AS a CROSS JOIN article AS b CROSS JOIN article AS c \
                       CROSS JOIN article AS d CROSS JOIN article AS e WHERE a.body <> e.body";

fn migration(version: u32, statements: &[&str]) -> Migration {
    Migration {
        version,
        name: format!("step {version}"),
        sqlite: vec![],
        postgresql: vec![],
        mysql: statements.iter().map(|&text| text.to_owned()).collect(),
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn removed(objects: u64, bytes: u64) -> Removed {
    Removed { objects, bytes }
}
