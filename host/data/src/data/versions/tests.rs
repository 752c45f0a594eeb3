//! Versions on every engine in both isolations: what each kind of statement moves, what a page has read, and
//! when what is known may be trusted.

mod history;
mod known;
mod moves;
mod reads;

use super::*;
use crate::{
    DataConfig, DataKey, DataServer, Dialect, Isolation, Migration, Mode, ReadLog, SqlError, Statement,
    Value, testing,
};
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use rowhouse_base::announce::Sent;
use rowhouse_base::{Announce, DataServerName, Limits, Secret, Stamp};
use sqlx::{AssertSqlSafe, Connection};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tempfile::TempDir;

/// Each test once for each engine and isolation.
macro_rules! on_all {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use crate::{Dialect, Isolation};
            use super::super::on;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_file() {
                on(Dialect::Sqlite, Isolation::Database, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite_prefix() {
                on(Dialect::Sqlite, Isolation::Prefix, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgresql_database() {
                on(Dialect::Postgresql, Isolation::Database, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgresql_prefix() {
                on(Dialect::Postgresql, Isolation::Prefix, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mysql_database() {
                on(Dialect::Mysql, Isolation::Database, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mysql_prefix() {
                on(Dialect::Mysql, Isolation::Prefix, super::$name).await;
            }
        }
    )*};
}
use on_all;

/// Connects the rooms of one farm within this process.
#[derive(Default)]
struct Wire {
    rooms: Mutex<Vec<Weak<Data>>>,
    /// Says that it hears, and passes nothing on.
    loses: AtomicBool,
    others: AtomicBool,
    told: Mutex<Vec<TenantId>>,
}

impl Announce for Wire {
    fn data_moved(&self, tenant: TenantId) -> Sent<'_> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.told.lock().push(tenant);
            if !self.loses.load(SeqCst) {
                let rooms: Vec<_> = self.rooms.lock().iter().filter_map(Weak::upgrade).collect();
                rooms.iter().for_each(|room| room.doubt(tenant));
            }
        })
    }

    fn generation(&self, _generation: u64) {}

    fn is_hearing(&self) -> bool {
        true
    }

    fn is_alone(&self) -> bool {
        !self.others.load(SeqCst)
    }
}

/// A tenant with tables, and the servers around it.
struct Room {
    data: Arc<Data>,
    tenant: Arc<Tenant>,
    engine: Dialect,
    isolation: Isolation,
    server: DataServer,
    wire: Arc<Wire>,
    /// The database that is dropped with the room.
    scratch: Option<String>,
    dir: TempDir,
}

/// Runs a test, removes what it made whatever came of it, and passes a panic on.
async fn on<F>(engine: Dialect, isolation: Isolation, test: F)
where
    F: AsyncFnOnce(&Room),
{
    let room = Room::new(engine, isolation).await;
    let result = AssertUnwindSafe(test(&room)).catch_unwind().await;
    room.data.remove(&room.tenant).await.unwrap();
    let left = room.data.rescan(&room.tenant).await.unwrap().entries;
    room.drop_scratch().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
    assert_eq!(left, 0, "something is left behind");
}

impl Room {
    async fn new(engine: Dialect, isolation: Isolation) -> Self {
        let name = format!("rowhouse_test_{}", TenantId::new().to_string().replace('-', ""));
        let scratch = (isolation == Isolation::Prefix && engine != Dialect::Sqlite).then_some(name);
        let url = match engine {
            Dialect::Sqlite => None,
            Dialect::Postgresql => Some(testing::postgresql()),
            Dialect::Mysql => Some(testing::mariadb()),
        };
        if let (Dialect::Postgresql, Some(name)) = (engine, &scratch) {
            admin(&testing::postgresql(), &format!("CREATE DATABASE {name}")).await;
        }
        let url = url.map(|url| match &scratch {
            Some(name) => format!("{}/{name}", url.rsplit_once('/').unwrap().0),
            None => url,
        });
        let server = DataServer {
            name: DataServerName::local(),
            engine,
            isolation,
            url: url.map(Secret::from_text),
            connections: 16,
            spares: 0,
        };
        let (dir, wire) = (tempfile::tempdir().unwrap(), Arc::<Wire>::default());
        let data = open(&dir, &server, &wire);
        let tenant = testing::tenant(Limits { connections: 4, ..Limits::default() });
        data.provision(&tenant).await.unwrap();
        data.migrate(&tenant, &[tables()]).await.unwrap();
        Self { data, tenant, engine, isolation, server, wire, scratch, dir }
    }

    /// Another process of the farm. Only where the data is on a server.
    fn other(&self) -> Arc<Data> {
        self.wire.others.store(true, SeqCst);
        open(&self.dir, &self.server, &self.wire)
    }

    async fn drop_scratch(&self) {
        match (&self.scratch, self.engine) {
            (Some(name), Dialect::Postgresql) => {
                admin(&testing::postgresql(), &format!("DROP DATABASE {name} WITH (FORCE)")).await;
                admin(&testing::postgresql(), &testing::drop_groups(name)).await;
            }
            (Some(name), _) => {
                let mut db = sqlx::MySqlConnection::connect(&testing::mariadb()).await.unwrap();
                let text = format!("DROP DATABASE IF EXISTS {name}");
                sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut db).await.unwrap();
            }
            (None, _) => {}
        }
    }

    // Boxed here and below: a test awaits dozens of these, and each would lie in its own future.
    async fn say(&self, text: &str) {
        let mut db = self.data.open(&self.tenant);
        Box::pin(db.execute(text, vec![])).await.unwrap();
    }

    async fn versions(&self) -> Arc<Versions> {
        Box::pin(self.data.versions(&self.tenant)).await.unwrap()
    }

    /// The counts in the database, past everything that is known.
    async fn truth(&self) -> Versions {
        let engine = self.data.engines.of(&self.tenant).unwrap();
        let (counts, _lines) = Box::pin(engine.versions(&self.tenant)).await.unwrap();
        Versions::new(counts.into_iter().filter_map(|(text, count)| Some((Subject::parse(&text)?, count))))
    }

    /// What moved while this was done, of all that there is.
    async fn moved(&self, work: impl Future<Output = ()>) -> BTreeSet<String> {
        let before = self.truth().await;
        Box::pin(work).await;
        let (after, known) = (self.truth().await, self.versions().await);
        let all: Vec<Subject> = ["author", "article", "remark", "lonely", "titles", "again", "extra", "late"]
            .map(Subject::table)
            .into_iter()
            .chain([Subject::everything(), Subject::files(), Subject::tag("menu")])
            .collect();
        for subject in &all {
            assert!(after.of(subject) >= before.of(subject), "{subject} went back");
            assert_eq!(known.of(subject), after.of(subject), "{subject} is known as something else");
        }
        let moved = all.iter().filter(|subject| after.of(subject) != before.of(subject));
        moved.map(ToString::to_string).collect()
    }
}

fn open(dir: &TempDir, server: &DataServer, wire: &Arc<Wire>) -> Arc<Data> {
    let config = DataConfig {
        servers: vec![server.clone()],
        key: DataKey::from_bytes([7; 32]),
        announce: Arc::clone(wire) as Arc<dyn Announce>,
        ..DataConfig::new(dir.path())
    };
    let data = Data::new(config).unwrap();
    wire.rooms.lock().push(Arc::downgrade(&data));
    data
}

async fn admin(url: &str, text: &str) {
    let mut db =
        sqlx::PgConnection::connect(url).await.expect("PostgreSQL is needed, or ROWHOUSE_TEST_POSTGRES");
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut db).await.unwrap();
}

/// The same statements on every engine.
fn migration(version: u32, statements: &[&str]) -> Migration {
    let texts: Vec<String> = statements.iter().map(|&text| text.to_owned()).collect();
    let name = format!("step {version}");
    Migration { version, name, sqlite: texts.clone(), postgresql: texts.clone(), mysql: texts }
}

/// Tables whose foreign keys cascade and set null, one that nothing leads to, and views of views.
fn tables() -> Migration {
    migration(
        1,
        &[
            "CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL)",
            "CREATE TABLE article (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL, title VARCHAR(50), \
             FOREIGN KEY (author_id) REFERENCES author (id) ON DELETE CASCADE ON UPDATE CASCADE)",
            "CREATE TABLE remark (id INTEGER PRIMARY KEY, article_id INTEGER, body VARCHAR(50), \
             FOREIGN KEY (article_id) REFERENCES article (id) ON DELETE SET NULL)",
            "CREATE TABLE lonely (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
            "CREATE VIEW titles AS SELECT a.id, a.title, w.name FROM article AS a JOIN author AS w ON w.id = a.author_id",
            "CREATE VIEW again AS SELECT t.title FROM titles AS t",
        ],
    )
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
