//! A site with one table of every kind, on one engine and isolation, removed at the end.

use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Limits, Secret, TenantName};
use rowhouse_data::{
    Data, DataConfig, DataKey, DataServer, Dialect, Isolation, Migration, Rows, SqlError, TenantDb, Value,
};
use rowhouse_tenant::{Tenant, TenantState};
use sqlx::Connection as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tempfile::TempDir;

/// The database that tenants with prefix isolation share. One for all tests: tenants are apart in it.
const SHARED: &str = "rowhouse_conformance";

pub(crate) struct Site {
    pub(crate) data: Arc<Data>,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) dialect: Dialect,
    server: DataServerName,
    _dir: TempDir,
}

/// A tenant on this server, not provisioned yet.
fn tenant(server: &DataServerName, limits: Limits) -> Arc<Tenant> {
    Arc::new(Tenant {
        id: TenantId::new(),
        name: TenantName::parse("club").unwrap(),
        title: "Club".into(),
        state: TenantState::Active,
        addresses: vec![],
        url_prefix: true,
        settings: Default::default(),
        outbound: vec![],
        locale: "en".into(),
        time_zone: "UTC".into(),
        release: None,
        data_server: server.clone(),
        revision: 1,
        limits: Arc::new(limits),
    })
}

fn url(engine: Dialect) -> Option<Secret> {
    let (variable, default) = match engine {
        Dialect::Sqlite => return None,
        Dialect::Postgresql => ("ROWHOUSE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres"),
        Dialect::Mysql => ("ROWHOUSE_TEST_MARIADB", "mysql://root@127.0.0.1:3306/"),
    };
    let admin = std::env::var(variable).unwrap_or_else(|_unset| default.to_owned());
    let (rest, _database) = admin.rsplit_once('/').unwrap();
    Some(Secret::from_text(format!("{rest}/{SHARED}")))
}

/// Makes the database that tenants with prefix isolation share. MySQL's is made by the engine.
async fn make_shared(engine: Dialect, url: Option<&Secret>) {
    let (Dialect::Postgresql, Some(url)) = (engine, url) else { return };
    let (rest, _database) = url.reveal().rsplit_once('/').unwrap();
    let mut admin = sqlx::PgConnection::connect(&format!("{rest}/postgres")).await.expect(SERVERS);
    // Other tests make it at the same time: whoever is late finds it.
    let made =
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {SHARED}"))).execute(&mut admin).await;
    if let Err(error) = made {
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert!(matches!(code.as_deref(), Some("42P04" | "23505")), "{error}");
    }
}

const SERVERS: &str = "the tests need PostgreSQL (package postgresql) and MariaDB (package mariadb-server) on this \
                       machine, or their URLs in ROWHOUSE_TEST_POSTGRES and ROWHOUSE_TEST_MARIADB";

/// The name of a server in tests.
fn named(engine: Dialect, isolation: Isolation) -> DataServerName {
    if (engine, isolation) == (Dialect::Sqlite, Isolation::Database) {
        // There is one such server, since each has a site's file in the same place.
        return DataServerName::local();
    }
    let engine = format!("{engine:?}").to_lowercase();
    format!("{engine}-{isolation}").parse().unwrap()
}

async fn server(engine: Dialect, isolation: Isolation) -> DataServer {
    let url = url(engine);
    make_shared(engine, url.as_ref()).await;
    DataServer { name: named(engine, isolation), engine, isolation, url, connections: 12, spares: 0 }
}

/// Data servers, each once.
pub(crate) async fn servers(wanted: &[(Dialect, Isolation)]) -> Vec<DataServer> {
    let mut servers: Vec<DataServer> = Vec::new();
    for (engine, isolation) in wanted {
        if !servers.iter().any(|one| one.name == named(*engine, *isolation)) {
            servers.push(server(*engine, *isolation).await);
        }
    }
    servers
}

impl Site {
    /// A tenant on the embedded engine that comes with every configuration.
    pub(crate) fn unplaced() -> Arc<Tenant> {
        tenant(&DataServerName::local(), Limits::default())
    }

    /// The same tenant on another data server.
    pub(crate) fn on(same: &Tenant, engine: Dialect, isolation: Isolation) -> Arc<Tenant> {
        Arc::new(Tenant { data_server: named(engine, isolation), ..Tenant::clone(same) })
    }

    pub(crate) async fn new(engine: Dialect, isolation: Isolation) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = server(engine, isolation).await;
        let name = server.name.clone();
        let config = DataConfig {
            servers: vec![server],
            key: DataKey::from_bytes([7; 32]),
            ..DataConfig::new(dir.path())
        };
        let data = Data::new(config).unwrap();
        let tenant = tenant(&name, Limits::default());
        let site = Self { data, tenant, dialect: engine, server: name, _dir: dir };
        site.make(&site.tenant).await;
        site
    }

    /// Connections to tenants' databases that were opened so far.
    pub(crate) async fn opened(&self) -> u64 {
        self.data.servers().await.iter().map(|server| server.opened).sum()
    }

    async fn make(&self, tenant: &Arc<Tenant>) {
        self.data
            .provision(tenant)
            .await
            .unwrap_or_else(|error| panic!("provision a tenant ({error:?}): {SERVERS}"));
        self.data.migrate(tenant, &migrations()).await.unwrap();
    }

    /// Runs a test, removes the tenant whatever came of it, and passes a panic on.
    pub(crate) async fn run(self, test: impl AsyncFnOnce(&Self)) {
        use futures_util::FutureExt as _;
        let result = AssertUnwindSafe(test(&self)).catch_unwind().await;
        self.data.remove(&self.tenant).await.unwrap();
        assert_eq!(self.data.rescan(&self.tenant).await.unwrap().entries, 0, "something is left behind");
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }

    pub(crate) fn db(&self) -> TenantDb {
        self.data.open(&self.tenant)
    }

    /// The same tenant with other limits.
    pub(crate) fn limited(&self, change: impl FnOnce(&mut Limits)) -> TenantDb {
        let mut tenant = Tenant::clone(&self.tenant);
        change(Arc::make_mut(&mut tenant.limits));
        self.data.open(&Arc::new(tenant))
    }

    /// Another tenant with the same tables. Must be given to [`Site::remove`].
    pub(crate) async fn neighbour(&self) -> Arc<Tenant> {
        let tenant = tenant(&self.server, Limits::default());
        self.make(&tenant).await;
        tenant
    }

    pub(crate) async fn remove(&self, tenant: &Arc<Tenant>) {
        self.data.remove(tenant).await.unwrap();
    }

    /// The text for this site's dialect.
    pub(crate) fn say<'a>(&self, sqlite: &'a str, postgresql: &'a str, mysql: &'a str) -> &'a str {
        match self.dialect {
            Dialect::Sqlite => sqlite,
            Dialect::Postgresql => postgresql,
            Dialect::Mysql => mysql,
        }
    }

    /// Writes `count` articles in blocks.
    pub(crate) async fn articles(&self, count: i64) {
        for from in (0..count).step_by(400) {
            let ids: Vec<i64> = (from..count.min(from + 400)).collect();
            let places: Vec<String> =
                (0..ids.len()).map(|at| format!("(${}, ${})", at * 2 + 1, at * 2 + 2)).collect();
            let values = ids
                .iter()
                .flat_map(|id| [Value::Integer(*id), Value::Text(format!("title {id:06}"))])
                .collect();
            let text = format!("INSERT INTO article (id, title) VALUES {}", places.join(", "));
            self.db().execute(&text, values).await.unwrap();
        }
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        match one(self.db().query(&format!("SELECT count(*) AS n FROM {table}"), vec![]).await) {
            Value::Integer(count) => count,
            other => panic!("a count is {other:?}"),
        }
    }
}

pub(crate) fn migrations() -> Vec<Migration> {
    let text = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    vec![Migration {
        version: 1,
        name: "everything".into(),
        sqlite: text(&[
            "CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, rating INTEGER CHECK (rating >= 0))",
            "CREATE TABLE remark (id INTEGER PRIMARY KEY AUTOINCREMENT, article_id INTEGER NOT NULL REFERENCES article (id), body TEXT)",
            "CREATE INDEX remark_article ON remark (article_id)",
            "CREATE TABLE thing (id INTEGER PRIMARY KEY, a_boolean BOOLEAN, an_integer INTEGER, a_real REAL, a_text TEXT, \
             a_blob BLOB, a_decimal DECIMAL_TEXT, a_timestamp TIMESTAMP, a_json JSON, a_uuid UUID)",
        ]),
        postgresql: text(&[
            "CREATE TABLE article (id BIGINT PRIMARY KEY, title TEXT NOT NULL UNIQUE, rating BIGINT CHECK (rating >= 0))",
            "CREATE TABLE remark (id BIGSERIAL PRIMARY KEY, article_id BIGINT NOT NULL REFERENCES article (id), body TEXT)",
            "CREATE INDEX remark_article ON remark (article_id)",
            "CREATE TABLE thing (id BIGINT PRIMARY KEY, a_boolean BOOLEAN, an_integer BIGINT, a_real DOUBLE PRECISION, a_text TEXT, \
             a_blob BYTEA, a_decimal NUMERIC(30, 10), a_timestamp TIMESTAMPTZ, a_json JSONB, a_uuid UUID)",
        ]),
        mysql: text(&[
            "CREATE TABLE article (id BIGINT PRIMARY KEY, title VARCHAR(200) NOT NULL UNIQUE, rating BIGINT CHECK (rating >= 0))",
            "CREATE TABLE remark (id BIGINT PRIMARY KEY AUTO_INCREMENT, article_id BIGINT NOT NULL, body TEXT, \
             FOREIGN KEY (article_id) REFERENCES article (id))",
            "CREATE INDEX remark_article ON remark (article_id)",
            "CREATE TABLE thing (id BIGINT PRIMARY KEY, a_boolean BOOLEAN, an_integer BIGINT, a_real DOUBLE, a_text LONGTEXT, \
             a_blob LONGBLOB, a_decimal DECIMAL(30, 10), a_timestamp DATETIME(6), a_json JSON, a_uuid UUID)",
        ]),
    }]
}

/// The only value of the only row.
pub(crate) fn one(result: Result<Rows, SqlError>) -> Value {
    let rows = result.unwrap().rows;
    assert_eq!((rows.len(), rows.first().map(Vec::len)), (1, Some(1)), "{rows:?}");
    rows.into_iter().flatten().next().unwrap()
}
