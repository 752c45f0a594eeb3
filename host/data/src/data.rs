//! The room's door: all tenants' databases and files.
//!
//! Operators' work (provision, remove, migrate, measure) takes a tenant or an id here; guests' work goes
//! through what [`Data::open`] and [`Data::files`] hand out, which belongs to one tenant for good.

use crate::files::{FilesMeter, TenantFiles};
use crate::home::{Contents, Home};
use crate::meter::Meter;
use crate::migrate::{MigrateError, Migration, SchemaState, fingerprint, validate};
use crate::tenant_db::{Backend, TenantDb};
use crate::{DataError, SqlError, sqlite};
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How the room is set up.
#[derive(Clone, Debug)]
pub struct DataConfig {
    /// Holds `tenants/ID/site.db` and `tenants/ID/files/`. Made where it doesn't exist.
    pub dir: PathBuf,
    /// Threads for statements that don't run on the calling thread.
    pub sql_threads: usize,
    /// Open connections of all tenants together; each takes about 100 KB and 3 file descriptors.
    pub open_connections: usize,
    /// Threads for open cursors: also how many can be open at once.
    pub cursor_threads: usize,
    /// Bytes that the embedded engine may allocate in this process.
    pub heap_limit: u64,
    /// Time of one migration.
    pub migration_time: Duration,
    /// How long a removal waits for connections in use.
    pub removal_wait: Duration,
}

impl DataConfig {
    /// The defaults, in this folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            // Statements wait for the disk, so a few more than there are cores.
            sql_threads: 8,
            open_connections: 256,
            cursor_threads: 16,
            // 256 connections at 2 MB of page cache, and as much again for results being sorted.
            heap_limit: 1 << 30,
            migration_time: Duration::from_secs(60),
            // A request may last 15 s.
            removal_wait: Duration::from_secs(20),
        }
    }
}

/// What a removal removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Files and folders.
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

/// All tenants' databases and files.
pub struct Data {
    home: Arc<Home>,
    engine: Arc<sqlite::Engine>,
    config: DataConfig,
    meters: Mutex<HashMap<TenantId, Weak<FilesMeter>>>,
}

impl Data {
    /// Opens the data folder and sets the engine up. Blocks for a moment.
    ///
    /// # Errors
    /// [`DataError`] where the folder can't be used.
    pub fn new(config: DataConfig) -> Result<Arc<Self>, DataError> {
        let home = Arc::new(Home::open(&config.dir)?);
        let engine = sqlite::Engine::new(&config, home.path().to_owned()).map_err(DataError::Engine)?;
        Ok(Arc::new(Self { home, engine, config, meters: Mutex::default() }))
    }

    /// Makes a tenant's folder and database. Doing it again completes what is missing and changes nothing
    /// else.
    ///
    /// # Errors
    /// [`DataError`]; what was made so far stays, to be completed or removed.
    pub async fn provision(&self, tenant: &Tenant) -> Result<(), DataError> {
        let (home, engine, id) = (Arc::clone(&self.home), Arc::clone(&self.engine), tenant.id);
        blocking(move || {
            home.make(id)?;
            engine.prepare(id).map_err(|source| DataError::Database { tenant: id, source })
        })
        .await
    }

    /// True where the tenant has a database.
    pub async fn exists(&self, id: TenantId) -> bool {
        let home = Arc::clone(&self.home);
        blocking(move || Ok(home.exists(id))).await.unwrap_or(false)
    }

    /// Removes a tenant's database and files. Requests in flight may end first; new statements are
    /// refused meanwhile. Doing it again removes what is left.
    ///
    /// # Errors
    /// [`DataError::Busy`] where connections stayed in use; nothing was removed then.
    pub async fn remove(&self, id: TenantId) -> Result<Removal, DataError> {
        let wait = self.config.removal_wait;
        if !self.engine.close(id, wait).await {
            return Err(DataError::Busy { tenant: id, waited: wait });
        }
        self.meters.lock().remove(&id);
        let home = Arc::clone(&self.home);
        blocking(move || {
            let Contents { entries, bytes } = home.contents(id)?;
            home.remove(id)?;
            Ok(Removal { entries, bytes })
        })
        .await
    }

    /// What is left of a tenant: nothing after a removal.
    ///
    /// # Errors
    /// [`DataError`] where its folder can't be read.
    pub async fn rescan(&self, id: TenantId) -> Result<Removal, DataError> {
        let home = Arc::clone(&self.home);
        let Contents { entries, bytes } = blocking(move || home.contents(id)).await?;
        Ok(Removal { entries, bytes })
    }

    /// Ids of all tenants that have a folder here, complete or not. For finding orphans.
    ///
    /// # Errors
    /// [`DataError`] where the folder can't be read.
    pub async fn list_ids(&self) -> Result<Vec<TenantId>, DataError> {
        let home = Arc::clone(&self.home);
        blocking(move || home.ids()).await
    }

    /// What a tenant takes on the disk.
    ///
    /// # Errors
    /// [`DataError`] where its folder can't be read.
    pub async fn usage(&self, id: TenantId) -> Result<DiskUsage, DataError> {
        let home = Arc::clone(&self.home);
        blocking(move || {
            let files = home.files_contents(id)?;
            let database_bytes = home.database_bytes(id);
            Ok(DiskUsage { database_bytes, files_bytes: files.bytes, files_count: files.entries })
        })
        .await
    }

    /// A handle to the tenant's database for one guest instance. Opens nothing yet and never fails.
    #[must_use]
    pub fn open(&self, tenant: &Arc<Tenant>) -> TenantDb {
        let meter = Arc::new(Meter::default());
        let session = sqlite::Session::new(Arc::clone(&self.engine), Arc::clone(tenant));
        TenantDb::new(Backend::Sqlite(session), meter, tenant.limits.statements)
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
        let session = sqlite::Session::new(Arc::clone(&self.engine), Arc::clone(tenant));
        let version = session.migrate(migrations.into(), self.config.migration_time).await?;
        Ok(SchemaState { version, fingerprint: fingerprint(migrations) })
    }

    /// The newest version in the ledger of the tenant's database; 0 where nothing was applied.
    ///
    /// # Errors
    /// [`SqlError`] where the ledger can't be read.
    pub async fn schema_version(&self, tenant: &Arc<Tenant>) -> Result<u32, SqlError> {
        let session = sqlite::Session::new(Arc::clone(&self.engine), Arc::clone(tenant));
        Ok(session.applied().await?.last().map_or(0, |last| last.version))
    }

    /// The tenant's files. Counts them where no other instance of the tenant is running.
    ///
    /// # Errors
    /// [`DataError`] where the folder can't be opened or counted.
    pub async fn files(&self, tenant: &Tenant) -> Result<TenantFiles, DataError> {
        let (home, id) = (Arc::clone(&self.home), tenant.id);
        let known = self.meters.lock().get(&id).and_then(Weak::upgrade);
        let scan = known.is_none();
        let ((dir, path), found) = blocking(move || {
            let found = if scan { home.files_contents(id)? } else { Contents::default() };
            Ok((home.files(id)?, found))
        })
        .await?;
        let meter = known.unwrap_or_else(|| self.meter(tenant, found));
        meter.set_limits(tenant.limits.files_bytes, tenant.limits.files_count);
        Ok(TenantFiles { dir, path, meter })
    }

    /// The shared meter, made from a scan where no other call was first.
    fn meter(&self, tenant: &Tenant, found: Contents) -> Arc<FilesMeter> {
        let mut meters = self.meters.lock();
        if let Some(meter) = meters.get(&tenant.id).and_then(Weak::upgrade) {
            return meter;
        }
        meters.retain(|_, meter| meter.strong_count() > 0);
        let meter = Arc::new(FilesMeter::new(found, tenant.limits.files_bytes, tenant.limits.files_count));
        meters.insert(tenant.id, Arc::downgrade(&meter));
        meter
    }

    #[cfg(test)]
    pub(crate) fn engine(&self) -> &sqlite::Engine {
        &self.engine
    }

    /// Closes every idle connection, which writes their logs back. For the server's end.
    pub async fn close_idle(&self) {
        let engine = Arc::clone(&self.engine);
        let _closed = blocking(move || {
            engine.close_idle();
            Ok(())
        })
        .await;
    }
}

/// Runs what blocks on a thread made for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DataError> + Send + 'static,
) -> Result<T, DataError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(DataError::Engine(SqlError::other(format!("a blocking task ended early: {error}"))))
    })
}
