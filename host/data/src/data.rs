//! The room's door: all tenants' databases and files.
//!
//! Operators' work (provision, remove, migrate, measure) takes a tenant or an id here; guests' work goes
//! through what [`Data::open`] and [`Data::files`] hand out, which belongs to one tenant for good.

mod archive;
mod files;
mod versions;

use crate::archive::ArchiveLimits;
use crate::engines::Engines;
use crate::files::FilesMeter;
use crate::home::{Contents, Home};
use crate::known::{Known, Notice, Writing};
use crate::meter::Meter;
use crate::migrate::{MigrateError, Migration, SchemaState, fingerprint, validate};
use crate::mirrors::Mirrors;
use crate::tenant_db::{Backend, TenantDb};
use crate::{BucketSettings, DataError, DataKey, DataServer, PoolUse, SqlError};
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Alone, Announce};
use rowhouse_tenant::Tenant;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

pub use files::Settled;

/// How the room is set up.
#[derive(Clone)]
pub struct DataConfig {
    /// Holds `tenants/ID/site.db` and `tenants/ID/files/`. Made where it doesn't exist.
    pub dir: PathBuf,
    /// The data servers. Each tenant is on one of them, by name.
    pub servers: Vec<DataServer>,
    /// What the passwords of tenants' users on those servers are made with.
    pub key: DataKey,
    /// Threads for statements that don't run on the calling thread.
    pub sql_threads: usize,
    /// Open connections of all tenants together; each takes about 100 KB and 3 file descriptors.
    pub open_connections: usize,
    /// Database files are locked for this process. Not so, other programs may open them at any time, and each opening
    /// and each statement costs more.
    pub lock_databases: bool,
    /// Threads for open cursors: also how many can be open at once.
    pub cursor_threads: usize,
    /// Bytes that the embedded engine may allocate in this process.
    pub heap_limit: u64,
    /// Time of one migration.
    pub migration_time: Duration,
    /// How long a removal waits for connections in use.
    pub removal_wait: Duration,
    /// How much an archive may unpack to.
    pub archive: ArchiveLimits,
    /// Where tenants' files are, where it isn't the data folder.
    pub bucket: Option<BucketSettings>,
    /// How other servers learn of commits, and this one of theirs.
    pub announce: Arc<dyn Announce>,
}

impl fmt::Debug for DataConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataConfig")
            .field("dir", &self.dir)
            .field("servers", &self.servers)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

impl DataConfig {
    /// The defaults, in this folder: the embedded engine, and a key that no server knows.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            servers: vec![DataServer::embedded()],
            key: DataKey::from_bytes([0; 32]),
            // Statements wait for the disk, so a few more than there are cores.
            sql_threads: 8,
            open_connections: 1024,
            lock_databases: true,
            cursor_threads: 16,
            // 1024 connections with 512 KB of pages each, and as much again for results being sorted.
            heap_limit: 1 << 30,
            migration_time: Duration::from_secs(60),
            // A request may last 15 s.
            removal_wait: Duration::from_secs(20),
            archive: ArchiveLimits::default(),
            bucket: None,
            announce: Arc::new(Alone),
        }
    }
}

/// What a removal removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Files and folders, and what a server had: databases, tables, users.
    pub entries: u64,
    /// Sum of their sizes.
    pub bytes: u64,
}

/// What a tenant takes on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// The database, its log included.
    pub database_bytes: u64,
    /// The tenant's files.
    pub files_bytes: u64,
    /// The tenant's files and folders.
    pub files_count: u64,
}

/// A data server, as it is now.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// As configured.
    pub server: DataServer,
    /// Whether it answers.
    pub reachable: bool,
    /// What this process' connections to it are doing; none for the embedded engine.
    pub connections: Option<PoolUse>,
    /// Connections to tenants' databases that this process opened since it began.
    pub opened: u64,
}

/// All tenants' databases and files.
pub struct Data {
    home: Arc<Home>,
    engines: Engines,
    known: Arc<Known>,
    config: DataConfig,
    meters: Mutex<HashMap<TenantId, Weak<FilesMeter>>>,
    /// Where files are in a bucket.
    mirrors: Option<Arc<Mirrors>>,
}

impl Data {
    /// Opens the data folder and sets the engine up. Blocks for a moment.
    ///
    /// # Errors
    /// [`DataError`] where the folder can't be used, or the bucket's settings lead nowhere.
    pub fn new(config: DataConfig) -> Result<Arc<Self>, DataError> {
        let home = Arc::new(Home::open(&config.dir)?);
        let mirrors = config.bucket.as_ref().map(|settings| Mirrors::open(settings, &home)).transpose()?;
        Self::with(config, home, mirrors)
    }

    /// The same over any bucket.
    #[cfg(test)]
    pub(crate) fn over(config: DataConfig, bucket: crate::objects::Bucket) -> Result<Arc<Self>, DataError> {
        let home = Arc::new(Home::open(&config.dir)?);
        let mirrors = Mirrors::over(bucket, &home, u64::MAX)?;
        Self::with(config, home, Some(mirrors))
    }

    fn with(config: DataConfig, home: Arc<Home>, mirrors: Option<Mirrors>) -> Result<Arc<Self>, DataError> {
        let known = Known::new(Arc::clone(&config.announce));
        let engines = Engines::new(&config, &home, &known)?;
        let (meters, mirrors) = (Mutex::default(), mirrors.map(Arc::new));
        Ok(Arc::new(Self { home, engines, known, config, meters, mirrors }))
    }

    /// Makes a tenant's folder and database. Doing it again completes what is missing and changes nothing
    /// else.
    ///
    /// # Errors
    /// [`DataError`]; what was made so far stays, to be completed or removed.
    pub async fn provision(&self, tenant: &Tenant) -> Result<(), DataError> {
        let database = |source| DataError::Database { tenant: tenant.id, source };
        let engine = self.engines.of(tenant).map_err(database)?;
        let (home, id, file) = (Arc::clone(&self.home), tenant.id, self.engines.has_file(tenant));
        blocking(move || home.make(id, file)).await?;
        let working = self.working(tenant);
        let result = engine.provision(tenant).await.map_err(database);
        working.settled().await;
        result
    }

    /// Removes a tenant's database and files. Requests in flight may end first; new statements are
    /// refused meanwhile. Doing it again removes what is left.
    ///
    /// # Errors
    /// [`DataError::Busy`] where connections stayed in use; nothing was removed then.
    pub async fn remove(&self, tenant: &Tenant) -> Result<Removal, DataError> {
        let mut removal = self.remove_from_server(tenant).await?;
        let folder = self.sweep(tenant.id).await?;
        removal.entries = removal.entries.saturating_add(folder.entries);
        removal.bytes = removal.bytes.saturating_add(folder.bytes);
        Ok(removal)
    }

    /// Removes a tenant's database from its data server; files stay. Doing it again is harmless.
    ///
    /// # Errors
    /// [`DataError::Busy`] where connections stayed in use; nothing was removed then.
    pub async fn remove_database(&self, tenant: &Tenant) -> Result<(), DataError> {
        self.remove_from_server(tenant).await?;
        if self.engines.has_file(tenant) {
            let (home, id) = (Arc::clone(&self.home), tenant.id);
            blocking(move || home.remove_database(id)).await?;
        }
        Ok(())
    }

    async fn remove_from_server(&self, tenant: &Tenant) -> Result<Removal, DataError> {
        let database = |source| DataError::Database { tenant: tenant.id, source };
        let (engine, wait) = (self.engines.of(tenant).map_err(database)?, self.config.removal_wait);
        let working = self.working(tenant);
        let result = engine.remove(tenant.id, wait).await;
        working.settled().await;
        let Some(held) = result.map_err(database)? else {
            return Err(DataError::Busy { tenant: tenant.id, waited: wait });
        };
        Ok(Removal { entries: held.objects, bytes: held.bytes })
    }

    /// Removes what the data folder and the bucket have of a tenant, whichever server its database was on.
    ///
    /// # Errors
    /// [`DataError`] where one of them can't be emptied.
    pub async fn sweep(&self, id: TenantId) -> Result<Removal, DataError> {
        self.meters.lock().remove(&id);
        let far = match &self.mirrors {
            Some(mirrors) => {
                mirrors.forget(id);
                mirrors.bucket().delete_all(id).await?
            }
            None => Contents::default(),
        };
        let home = Arc::clone(&self.home);
        blocking(move || {
            let Contents { entries, bytes } = home.contents(id)?;
            home.remove(id)?;
            let (entries, bytes) = (entries.saturating_add(far.entries), bytes.saturating_add(far.bytes));
            Ok(Removal { entries, bytes })
        })
        .await
    }

    /// What is left of a tenant: nothing after a removal.
    ///
    /// # Errors
    /// [`DataError`] where its folder can't be read, or its server or the bucket can't be asked.
    pub async fn rescan(&self, tenant: &Tenant) -> Result<Removal, DataError> {
        let database = |source| DataError::Database { tenant: tenant.id, source };
        let engine = self.engines.of(tenant).map_err(database)?;
        let objects = engine.rescan(tenant.id).await.map_err(database)?;
        let far = match &self.mirrors {
            Some(mirrors) => mirrors.bucket().contents(tenant.id).await?,
            None => Contents::default(),
        };
        let (home, id) = (Arc::clone(&self.home), tenant.id);
        let Contents { entries, bytes } = blocking(move || home.contents(id)).await?;
        let entries = entries.saturating_add(objects).saturating_add(far.entries);
        Ok(Removal { entries, bytes: bytes.saturating_add(far.bytes) })
    }

    /// The data servers, each asked whether it is there, in the order of their names.
    pub async fn servers(&self) -> Vec<ServerFacts> {
        let asked = self.engines.all().map(async |(server, engine)| ServerFacts {
            server: server.clone(),
            reachable: engine.is_reachable().await,
            connections: engine.pool_use(),
            opened: engine.opened(),
        });
        let mut facts: Vec<ServerFacts> = futures_util::future::join_all(asked).await;
        facts.sort_by(|one, other| one.server.name.cmp(&other.server.name));
        facts
    }

    /// Ids of all tenants that have a folder here, complete or not. For finding orphans.
    ///
    /// # Errors
    /// [`DataError`] where the folder can't be read.
    pub async fn list_ids(&self) -> Result<Vec<TenantId>, DataError> {
        let home = Arc::clone(&self.home);
        blocking(move || home.ids()).await
    }

    /// What a tenant takes on the disk, on its data server and in the bucket.
    ///
    /// # Errors
    /// [`DataError`] where its folder can't be read, or its server or the bucket can't be asked.
    pub async fn usage(&self, tenant: &Tenant) -> Result<DiskUsage, DataError> {
        let database = |source| DataError::Database { tenant: tenant.id, source };
        let engine = self.engines.of(tenant).map_err(database)?;
        let elsewhere = engine.usage(tenant.id).await.map_err(database)?;
        let far = match &self.mirrors {
            Some(mirrors) => Some(mirrors.bucket().list(tenant.id).await?.contents()),
            None => None,
        };
        let (home, id) = (Arc::clone(&self.home), tenant.id);
        blocking(move || {
            let files = far.map_or_else(|| home.files_contents(id), Ok)?;
            let database_bytes = home.database_bytes(id).saturating_add(elsewhere);
            Ok(DiskUsage { database_bytes, files_bytes: files.bytes, files_count: files.entries })
        })
        .await
    }

    /// A handle to the tenant's database for one guest instance. Opens nothing yet and never fails: where
    /// the tenant's data server is not configured, every statement says so.
    #[must_use]
    pub fn open(&self, tenant: &Arc<Tenant>) -> TenantDb {
        let backend = match self.engines.of(tenant) {
            Ok(engine) => engine.session(tenant),
            Err(_unknown) => Backend::Unknown(tenant.data_server.clone()),
        };
        TenantDb::new(backend, Arc::new(Meter::default()), tenant.limits.statements)
    }

    /// Brings the tenant's database to the newest of these migrations.
    ///
    /// # Errors
    /// [`MigrateError`]; migrations applied before the one that failed stay.
    pub async fn migrate(
        &self,
        tenant: &Arc<Tenant>,
        migrations: &[Migration],
    ) -> Result<SchemaState, MigrateError> {
        validate(migrations)?;
        let engine = self.engines.of(tenant).map_err(MigrateError::Ledger)?;
        let working = self.working(tenant);
        let version = engine.migrate(tenant, migrations.into(), self.config.migration_time).await;
        working.settled().await;
        Ok(SchemaState { version: version?, fingerprint: fingerprint(migrations) })
    }

    /// The newest version in the ledger of the tenant's database; 0 where nothing was applied.
    ///
    /// # Errors
    /// [`SqlError`] where the ledger can't be read.
    pub async fn schema_version(&self, tenant: &Arc<Tenant>) -> Result<u32, SqlError> {
        Ok(self.engines.of(tenant)?.applied(tenant).await?.last().map_or(0, |last| last.version))
    }

    /// Makes databases ahead where the configuration asks for it, so that a sign-up doesn't wait for one. To be
    /// called every few seconds; waits for the servers.
    pub async fn keep_spares(&self) {
        self.engines.keep_spares().await;
    }

    /// Until it is settled nothing that is known of the tenant is trusted; then the others are told.
    fn working(&self, tenant: &Tenant) -> Writing {
        Notice::new(&self.known, tenant.id).working()
    }

    #[cfg(test)]
    pub(crate) fn engine(&self) -> Arc<crate::sqlite::Engine> {
        self.engines.embedded().pop().unwrap()
    }

    /// Closes connections that were not used for a while. To be called every few seconds.
    pub fn close_idle(&self) {
        self.engines.close_idle();
    }

    /// Closes every file, which writes their logs back. For the server's end.
    pub async fn close(&self) {
        let engines = self.engines.embedded();
        let _closed = blocking(move || {
            engines.iter().for_each(|engine| engine.close_idle());
            Ok(())
        })
        .await;
    }
}

/// Runs what blocks on a thread made for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    aside(work).await.flatten()
}

/// The same for work that fails in its own way, or not at all.
pub(crate) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, DataError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| DataError::Task(error.to_string()))
}
