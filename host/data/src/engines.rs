//! The data servers of this process, by name, and what the host does for tenants on each.
//!
//! With `tenant_db` and `archive/engines` the only place that knows which engines there are. A tenant whose
//! data server is not configured (any more) gets errors that say so; nothing is made or removed elsewhere.

use crate::archive::{AnyExport, AnyImport};
use crate::home::Home;
use crate::known::Known;
use crate::migrate::{Applied, MigrateError, Migration};
use crate::tenant_db::Backend;
use crate::{
    DataConfig, DataError, DataKey, DataServer, Dialect, Isolation, LimitKind, PoolUse, SqlError, mysql,
    postgres, sqlite,
};
use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Subject};
use rowhouse_tenant::Tenant;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A connection that nobody used for this long is closed: a server has better uses for its memory.
const IDLE: Duration = Duration::from_secs(60);

/// One data server, open for work.
#[derive(Clone)]
pub(crate) enum Engine {
    Sqlite(Arc<sqlite::Engine>),
    Postgres(Arc<postgres::Engine>),
    Mysql(Arc<mysql::Engine>),
}

/// A data server as it was configured, and the engine that works it.
struct Entry {
    server: DataServer,
    engine: Engine,
}

/// All of them.
pub(crate) struct Engines(HashMap<DataServerName, Entry>);

/// Objects of the engine (databases, tables, roles) and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

impl Engines {
    /// Sets every server up. Connects to none: one that is away must not keep the others from working.
    pub(crate) fn new(config: &DataConfig, home: &Home, known: &Arc<Known>) -> Result<Self, DataError> {
        let mut entries = HashMap::new();
        let mut with_files: Option<&DataServer> = None;
        for server in &config.servers {
            // Two would have the same file for a tenant, and a move from one to the other would remove it.
            if server.engine == Dialect::Sqlite
                && server.isolation == Isolation::Database
                && let Some(first) = with_files.replace(server)
            {
                let text = format!("`{}` keeps a file per site already: one data server can", first.name);
                return Err(DataError::Engine { server: server.name.clone(), source: SqlError::other(text) });
            }
            let engine = match server.engine {
                Dialect::Sqlite => match server.isolation {
                    Isolation::Database => sqlite::Engine::new(config, home.path().to_owned(), known),
                    Isolation::Prefix => {
                        let own = DataConfig { open_connections: server.connections, ..config.clone() };
                        sqlite::Engine::shared(&own, home.shared_file(&server.name)?, known)
                    }
                }
                .map(Engine::Sqlite),
                Dialect::Postgresql => {
                    postgres::Engine::new(server, &config.key, known).map(Engine::Postgres)
                }
                Dialect::Mysql => mysql::Engine::new(server, &config.key, known).map(Engine::Mysql),
            };
            let engine =
                engine.map_err(|source| DataError::Engine { server: server.name.clone(), source })?;
            entries.insert(server.name.clone(), Entry { server: server.clone(), engine });
        }
        Ok(Self(entries))
    }

    /// The engine of a tenant's data server.
    pub(crate) fn of(&self, tenant: &Tenant) -> Result<&Engine, SqlError> {
        match self.0.get(&tenant.data_server) {
            Some(entry) => Ok(&entry.engine),
            None => Err(unknown(&tenant.data_server)),
        }
    }

    /// True where the tenant's database is a file of its own in its folder.
    pub(crate) fn has_file(&self, tenant: &Tenant) -> bool {
        self.0.get(&tenant.data_server).is_some_and(|entry| {
            entry.server.engine == Dialect::Sqlite && entry.server.isolation == Isolation::Database
        })
    }

    /// The servers with their engines, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&DataServer, &Engine)> {
        self.0.values().map(|entry| (&entry.server, &entry.engine))
    }

    /// The embedded engines.
    pub(crate) fn embedded(&self) -> Vec<Arc<sqlite::Engine>> {
        let embedded = self.0.values().filter_map(|entry| match &entry.engine {
            Engine::Sqlite(engine) => Some(Arc::clone(engine)),
            Engine::Postgres(_) | Engine::Mysql(_) => None,
        });
        embedded.collect()
    }

    /// Makes databases ahead on the servers that are to have some. A server that can't is asked again later.
    pub(crate) async fn keep_spares(&self) {
        for (server, engine) in self.all() {
            if let Engine::Postgres(engine) = engine
                && server.spares > 0
                && let Err(error) = engine.keep_spares(server.spares).await
            {
                tracing::warn!(server = %server.name, %error, "make databases ahead");
            }
        }
    }

    /// Closes connections that were not used for a while.
    pub(crate) fn close_idle(&self) {
        for (_server, engine) in self.all() {
            match engine {
                // Open files cost little and are closed when another tenant needs the place.
                Engine::Sqlite(_) => {}
                Engine::Postgres(engine) => engine.close_idle(IDLE),
                Engine::Mysql(engine) => engine.close_idle(IDLE),
            }
        }
    }
}

/// Asks each data server for what an operator's work needs first. Makes nothing, in no folder and on no server.
/// The embedded engine needs nobody, so it is not among the answers.
pub async fn look_at_servers(servers: &[DataServer]) -> Vec<(DataServerName, Result<(), SqlError>)> {
    // No password is made with it: only the host's own user looks.
    let key = DataKey::from_bytes([0; 32]);
    let known = Known::new(Arc::new(rowhouse_base::Alone));
    let asked = servers.iter().filter(|server| server.engine != Dialect::Sqlite).map(async |server| {
        let answer = match server.engine {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgresql => match postgres::Engine::new(server, &key, &known) {
                Ok(engine) => engine.tenants().await.map(drop),
                Err(error) => Err(error),
            },
            Dialect::Mysql => match mysql::Engine::new(server, &key, &known) {
                Ok(engine) => engine.tenants().await.map(drop),
                Err(error) => Err(error),
            },
        };
        (server.name.clone(), answer)
    });
    futures_util::future::join_all(asked).await
}

/// What everything answers that needs a data server which isn't there.
pub(crate) fn unknown(server: &DataServerName) -> SqlError {
    SqlError::other(format!("the data server `{server}` of this site is not in the configuration"))
}

impl Engine {
    /// Makes the tenant's database, or completes it. Its folder is there.
    pub(crate) async fn provision(&self, tenant: &Tenant) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(engine) => {
                if let Some(registry) = engine.registry() {
                    return registry.provision(tenant.id).await;
                }
                let (engine, id) = (Arc::clone(engine), tenant.id);
                let prepared = crate::data::aside(move || engine.prepare(id)).await;
                prepared.map_err(|error| SqlError::other(error.to_string())).flatten()
            }
            Self::Postgres(engine) => engine.provision(tenant).await,
            Self::Mysql(engine) => engine.provision(tenant).await,
        }
    }

    /// Removes the tenant's database, or for a file lets go of it. `None` where its connections stayed in
    /// use; nothing was removed then.
    pub(crate) async fn remove(&self, id: TenantId, wait: Duration) -> Result<Option<Held>, SqlError> {
        let in_use = |error: SqlError| match error {
            SqlError::Conflict(_) | SqlError::Limit(LimitKind::Connections) => Ok(None),
            other => Err(other),
        };
        match self {
            Self::Sqlite(engine) => {
                if !engine.close(id, wait).await {
                    return Ok(None);
                }
                let Some(registry) = engine.registry() else { return Ok(Some(Held::default())) };
                let removed = registry.remove(id).await?;
                Ok(Some(Held { objects: removed.entries, bytes: removed.bytes }))
            }
            Self::Postgres(engine) => match engine.remove(id, wait).await {
                Ok(removed) => Ok(Some(Held { objects: removed.objects, bytes: removed.bytes })),
                Err(error) => in_use(error),
            },
            Self::Mysql(engine) => match engine.remove(id, wait).await {
                Ok(removed) => Ok(Some(Held { objects: removed.objects, bytes: removed.bytes })),
                Err(error) => in_use(error),
            },
        }
    }

    /// Objects that are there of a tenant, its folder apart: nothing after a removal.
    pub(crate) async fn rescan(&self, id: TenantId) -> Result<u64, SqlError> {
        match self {
            Self::Sqlite(engine) => match engine.registry() {
                Some(registry) => Ok(registry.contents(id).await?.entries),
                None => Ok(0),
            },
            Self::Postgres(engine) => engine.rescan(id).await,
            Self::Mysql(engine) => engine.rescan(id).await,
        }
    }

    /// Bytes of the tenant's database, its folder apart.
    pub(crate) async fn usage(&self, id: TenantId) -> Result<u64, SqlError> {
        match self {
            Self::Sqlite(engine) => match engine.registry() {
                Some(registry) => registry.bytes(id).await,
                None => Ok(0),
            },
            Self::Postgres(engine) => engine.usage(id).await,
            Self::Mysql(engine) => engine.usage(id).await,
        }
    }

    /// A handle for one guest instance.
    pub(crate) fn session(&self, tenant: &Arc<Tenant>) -> Backend {
        match self {
            Self::Sqlite(engine) => {
                Backend::Sqlite(sqlite::Session::new(Arc::clone(engine), Arc::clone(tenant)))
            }
            Self::Postgres(engine) => Backend::Postgres(engine.session(tenant)),
            Self::Mysql(engine) => Backend::Mysql(engine.session(tenant)),
        }
    }

    /// Applies migrations; gives the version the database has then.
    pub(crate) async fn migrate(
        &self,
        tenant: &Arc<Tenant>,
        migrations: Arc<[Migration]>,
        time: Duration,
    ) -> Result<u32, MigrateError> {
        match self {
            Self::Sqlite(engine) => {
                sqlite::Session::new(Arc::clone(engine), Arc::clone(tenant)).migrate(migrations, time).await
            }
            Self::Postgres(engine) => engine.session(tenant).migrate(migrations, time).await,
            Self::Mysql(engine) => engine.session(tenant).migrate(migrations, time).await,
        }
    }

    /// The ledger of the tenant's migrations.
    pub(crate) async fn applied(&self, tenant: &Arc<Tenant>) -> Result<Vec<Applied>, SqlError> {
        match self {
            Self::Sqlite(engine) => {
                sqlite::Session::new(Arc::clone(engine), Arc::clone(tenant)).applied().await
            }
            Self::Postgres(engine) => engine.session(tenant).applied().await,
            Self::Mysql(engine) => engine.session(tenant).applied().await,
        }
    }

    /// The counts of what was changed, and how many lines they are kept in.
    pub(crate) async fn versions(&self, tenant: &Arc<Tenant>) -> Result<(Vec<(String, u64)>, u64), SqlError> {
        match self {
            Self::Sqlite(engine) => {
                let counts = sqlite::Session::new(Arc::clone(engine), Arc::clone(tenant)).versions().await?;
                Ok((counts, 0))
            }
            Self::Postgres(engine) => engine.session(tenant).versions().await,
            Self::Mysql(engine) => engine.session(tenant).versions().await,
        }
    }

    /// Moves subjects in a transaction of their own.
    pub(crate) async fn move_subjects(
        &self,
        tenant: &Arc<Tenant>,
        moved: BTreeSet<Subject>,
    ) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(engine) => {
                sqlite::Session::new(Arc::clone(engine), Arc::clone(tenant)).move_subjects(moved).await
            }
            Self::Postgres(engine) => engine.session(tenant).move_subjects(moved).await,
            Self::Mysql(engine) => engine.session(tenant).move_subjects(moved).await,
        }
    }

    /// Brings the lines of counts together, and forgets tags where there are too many subjects.
    pub(crate) async fn prune_versions(&self, tenant: &Arc<Tenant>, subjects: usize) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(engine) => {
                sqlite::Session::new(Arc::clone(engine), Arc::clone(tenant)).prune_versions().await
            }
            Self::Postgres(engine) => engine.session(tenant).prune_versions(subjects).await,
            Self::Mysql(engine) => engine.session(tenant).prune_versions(subjects).await,
        }
    }

    /// Begins to read all tables over one snapshot.
    pub(crate) async fn export(&self, tenant: &Arc<Tenant>) -> Result<AnyExport, SqlError> {
        match self {
            Self::Sqlite(engine) => engine.export(tenant).await.map(AnyExport::Sqlite),
            Self::Postgres(engine) => engine.export(tenant).await.map(Box::new).map(AnyExport::Postgres),
            Self::Mysql(engine) => engine.export(tenant).await.map(AnyExport::Mysql),
        }
    }

    /// Begins to fill all tables.
    pub(crate) async fn import(&self, tenant: &Arc<Tenant>) -> Result<AnyImport, SqlError> {
        match self {
            Self::Sqlite(engine) => engine.import(tenant).await.map(AnyImport::Sqlite),
            Self::Postgres(engine) => engine.import(tenant).await.map(Box::new).map(AnyImport::Postgres),
            Self::Mysql(engine) => engine.import(tenant).await.map(AnyImport::Mysql),
        }
    }

    /// Empties the tenant's database, the ledger of its migrations included. False where its connections
    /// stayed in use.
    pub(crate) async fn reset(&self, tenant: &Arc<Tenant>, wait: Duration) -> Result<bool, SqlError> {
        let emptied = match self {
            Self::Sqlite(engine) => return engine.reset(tenant, wait).await,
            Self::Postgres(engine) => engine.reset(tenant).await,
            Self::Mysql(engine) => engine.reset(tenant).await,
        };
        match emptied {
            Ok(()) => Ok(true),
            Err(SqlError::Conflict(_) | SqlError::Limit(LimitKind::Connections)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether the server answers.
    pub(crate) async fn is_reachable(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(engine) => engine.tenants().await.is_ok(),
            Self::Mysql(engine) => engine.is_reachable().await,
        }
    }

    /// How many connections to tenants' databases were opened, those of migrations included.
    pub(crate) fn opened(&self) -> u64 {
        match self {
            Self::Sqlite(engine) => engine.opened(),
            Self::Postgres(engine) => engine.opened(),
            Self::Mysql(engine) => engine.opened(),
        }
    }

    /// What the connections are doing; none for the embedded engine.
    pub(crate) fn pool_use(&self) -> Option<PoolUse> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(engine) => Some(engine.pool_use()),
            Self::Mysql(engine) => Some(engine.pool_use()),
        }
    }
}
