//! SQLite, embedded: a file per tenant, which is the default, or one file for all tenants of a data server.
//!
//! The only folder that imports the engine's library. The rooms above see [`Engine`], [`Session`],
//! [`Transaction`] and [`Cursor`].

mod authorizer;
mod budget;
mod connection;
mod cursor;
mod errors;
mod export;
mod file;
mod functions;
mod import;
mod interrupt;
mod ledger;
mod migrate;
mod migrator;
mod plan;
mod program;
mod registry;
mod run;
mod schema;
mod session;
mod shared;
mod slots;
mod text;
mod threads;
mod transaction;
mod trespass;
mod uses;
mod versions;

pub(crate) use authorizer::is_guest_function;
pub(crate) use cursor::Cursor;
pub(crate) use export::Exporter;
pub(crate) use import::Importer;
pub(crate) use registry::Registry;
pub(crate) use session::Session;
pub(crate) use transaction::Transaction;

use crate::guard::{Guard, Naming};
use crate::known::Known;
use crate::{DataConfig, Dialect, SqlError};
use connection::{Conn, DbFile, Opening};
use errors::Failure;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use shared::{Owner, Shared};
use slots::{Checkout, Slot, Slots};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use threads::{Priority, Threads};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long an operator's work waits for a connection, a thread, the writer's turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of pages that a connection keeps: 16 pages at least, and no more than the engine itself would.
const LEAST_CACHE: u64 = 64 << 10;
const MOST_CACHE: u64 = 2 << 20;

/// Where the tables of tenants are. Paths are absolute and without symbolic links, because the engine opens
/// by path and follows none.
enum Place {
    /// The folder of all tenants: a file in the folder of each.
    Folder(PathBuf),
    /// One file for all of them.
    File(Arc<Shared>),
}

/// The embedded engine of this process, for one data server.
pub(crate) struct Engine {
    place: Place,
    opening: Opening,
    slots: Arc<Slots>,
    threads: Arc<Threads>,
    /// Of low priority, for tenants that are in the way of others.
    back_threads: Threads,
    cursors: Threads,
    cursor_permits: Arc<Semaphore>,
}

impl Engine {
    /// Sets the engine up for a file per tenant. The bound on its memory holds for the whole process and
    /// can't be raised.
    pub(crate) fn new(
        config: &DataConfig,
        tenants: PathBuf,
        known: &Arc<Known>,
    ) -> Result<Arc<Self>, SqlError> {
        Self::at(config, Place::Folder(tenants), known)
    }

    /// Sets the engine up for one file that tenants share; the file must exist. Blocks.
    pub(crate) fn shared(
        config: &DataConfig,
        file: PathBuf,
        known: &Arc<Known>,
    ) -> Result<Arc<Self>, SqlError> {
        let guard = Guard::new(Dialect::Sqlite, Naming::Prefixed);
        Self::sharing(config, file, guard, known)
    }

    /// The same without the guard: guests' and migrations' texts reach the engine as they are.
    #[cfg(test)]
    pub(crate) fn shared_without_guard(config: &DataConfig, file: PathBuf) -> Result<Arc<Self>, SqlError> {
        let guard = Guard::open_for_tests(Dialect::Sqlite, Naming::Prefixed);
        Self::sharing(config, file, guard, &Known::new(Arc::clone(&config.announce)))
    }

    fn sharing(
        config: &DataConfig,
        file: PathBuf,
        guard: Guard,
        known: &Arc<Known>,
    ) -> Result<Arc<Self>, SqlError> {
        let file = DbFile { path: file, opening: opening(config) };
        connection::prepare_file(&file, shared::TABLES)?;
        Self::at(config, Place::File(Arc::new(Shared::new(file, guard))), known)
    }

    fn at(config: &DataConfig, place: Place, known: &Arc<Known>) -> Result<Arc<Self>, SqlError> {
        let probe =
            rusqlite::Connection::open_in_memory().map_err(|error| SqlError::other(error.to_string()))?;
        let limit = format!("PRAGMA hard_heap_limit = {}", config.heap_limit);
        probe.query_row(&limit, [], |_row| Ok(())).map_err(|error| SqlError::other(error.to_string()))?;
        let threads = Arc::new(Threads::new("sql", config.sql_threads, Priority::Normal));
        // No tenant has more than half of the threads, so that one tenant's statements never take all.
        let per_tenant = config.sql_threads / 2;
        let slots = Slots::new(config.open_connections, Arc::clone(&threads), per_tenant, Arc::clone(known));
        Ok(Arc::new(Self {
            place,
            opening: opening(config),
            slots: Arc::new(slots),
            threads,
            back_threads: Threads::new("sql-back", config.sql_threads, Priority::Low),
            cursors: Threads::new("sql-cursor", config.cursor_threads, Priority::Normal),
            cursor_permits: Arc::new(Semaphore::new(config.cursor_threads.max(1))),
        }))
    }

    /// A tenant's file, and who the tenant is in it where it is shared.
    fn place_of(&self, id: TenantId) -> (DbFile, Option<Arc<Owner>>) {
        match &self.place {
            Place::Folder(tenants) => {
                let path = tenants.join(id.to_string()).join(crate::home::DATABASE);
                (DbFile { path, opening: self.opening }, None)
            }
            Place::File(shared) => (shared.file.clone(), Some(Arc::new(Owner::new(id, shared)))),
        }
    }

    fn slot(&self, tenant: &Tenant) -> Arc<Slot> {
        self.slots.slot(tenant.id, tenant.limits.connections, || self.place_of(tenant.id))
    }

    /// How many connections were opened for tenants.
    pub(crate) fn opened(&self) -> u64 {
        self.slots.opened()
    }

    /// Makes an existing file of one tenant ready to serve. Harmless where it is. Blocks. For tenants that
    /// share a file there is [`Registry::provision`].
    pub(crate) fn prepare(&self, id: TenantId) -> Result<(), SqlError> {
        match self.place_of(id) {
            (file, None) => connection::prepare_file(&file, &versions::tables()),
            (_shared, Some(_owner)) => Ok(()),
        }
    }

    /// Operators' work on a file that tenants share; none where each has its own.
    pub(crate) fn registry(self: &Arc<Self>) -> Option<Registry> {
        match &self.place {
            Place::Folder(_) => None,
            Place::File(shared) => Some(Registry::new(Arc::clone(self), Arc::clone(shared))),
        }
    }

    /// Begins to read all tables of a tenant over one snapshot.
    pub(crate) async fn export(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Result<Exporter, SqlError> {
        Exporter::open(&Session::new(Arc::clone(self), Arc::clone(tenant))).await
    }

    /// Begins to fill the tables of a tenant.
    pub(crate) async fn import(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Result<Importer, SqlError> {
        Importer::open(&Session::new(Arc::clone(self), Arc::clone(tenant))).await
    }

    /// Closes a tenant's connections for good. False where they are still in use after `wait`.
    pub(crate) async fn close(&self, id: TenantId, wait: Duration) -> bool {
        self.slots.close(id, wait).await
    }

    /// Closes every idle connection. Blocks.
    pub(crate) fn close_idle(&self) {
        self.slots.close_idle();
    }
}

/// Half of the engine's memory is for pages, shared out to the connections; the other half for results that are being sorted.
fn opening(config: &DataConfig) -> Opening {
    let connections = u64::try_from(config.open_connections.max(1)).unwrap_or(u64::MAX);
    Opening {
        exclusive: config.lock_databases,
        cache: (config.heap_limit / 2 / connections).clamp(LEAST_CACHE, MOST_CACHE),
    }
}

/// The connection of a checkout, opened where there is none. Blocks.
fn ready<'a>(
    checkout: &'a mut Checkout,
    slot: &Slot,
    quota: u64,
    share: Option<OwnedSemaphorePermit>,
) -> Result<&'a mut Conn, Failure> {
    if checkout.conn.is_none() {
        let mut conn = Conn::open(&slot.file, quota, slot.owner.as_ref())?;
        conn.share = share;
        conn.notice = Some(slot.notice.clone());
        checkout.fill(conn);
    }
    let conn = checkout.conn.as_deref_mut().ok_or(SqlError::Closed)?;
    conn.set_quota(quota)?;
    Ok(conn)
}

#[cfg(test)]
mod tests;
