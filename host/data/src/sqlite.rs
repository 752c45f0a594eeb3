//! SQLite: a file per tenant, embedded, the default.
//!
//! The only folder that imports the engine's library. The rooms above see [`Engine`], [`Session`],
//! [`Transaction`] and [`Cursor`].

mod authorizer;
mod budget;
mod connection;
mod cursor;
mod errors;
mod functions;
mod interrupt;
mod migrate;
mod migrator;
mod plan;
mod run;
mod session;
mod slots;
mod text;
mod threads;
mod transaction;

pub(crate) use cursor::Cursor;
pub(crate) use session::Session;
pub(crate) use transaction::Transaction;

use crate::{DataConfig, SqlError};
use connection::Conn;
use errors::Failure;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use slots::{Checkout, Slot, Slots};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The embedded engine of this process.
pub(crate) struct Engine {
    /// The folder of all tenants, absolute and without symbolic links, because the engine opens by path
    /// and follows none.
    tenants: PathBuf,
    slots: Arc<Slots>,
    threads: Arc<Threads>,
    cursors: Threads,
    cursor_permits: Arc<Semaphore>,
}

impl Engine {
    /// Sets the engine up. The bound on its memory holds for the whole process and can't be raised.
    pub(crate) fn new(config: &DataConfig, tenants: PathBuf) -> Result<Arc<Self>, SqlError> {
        let probe =
            rusqlite::Connection::open_in_memory().map_err(|error| SqlError::other(error.to_string()))?;
        let limit = format!("PRAGMA hard_heap_limit = {}", config.heap_limit);
        probe.query_row(&limit, [], |_row| Ok(())).map_err(|error| SqlError::other(error.to_string()))?;
        let threads = Arc::new(Threads::new("sql", config.sql_threads));
        // No tenant has more than half of the threads, so that one tenant's statements never take all.
        let slots = Slots::new(config.open_connections, Arc::clone(&threads), config.sql_threads / 2);
        Ok(Arc::new(Self {
            tenants,
            slots: Arc::new(slots),
            threads,
            cursors: Threads::new("sql-cursor", config.cursor_threads),
            cursor_permits: Arc::new(Semaphore::new(config.cursor_threads.max(1))),
        }))
    }

    fn file(&self, id: TenantId) -> PathBuf {
        self.tenants.join(id.to_string()).join(crate::home::DATABASE)
    }

    fn slot(&self, tenant: &Tenant) -> Arc<Slot> {
        self.slots.slot(tenant.id, tenant.limits.connections, || self.file(tenant.id))
    }

    /// Makes an existing file ready to serve. Harmless where it is. Blocks.
    pub(crate) fn prepare(&self, id: TenantId) -> Result<(), SqlError> {
        connection::prepare_file(&self.file(id))
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

/// The connection of a checkout, opened where there is none. Blocks.
fn ready<'a>(
    checkout: &'a mut Checkout,
    file: &Path,
    quota: u64,
    share: Option<OwnedSemaphorePermit>,
) -> Result<&'a mut Conn, Failure> {
    if checkout.conn.is_none() {
        let mut conn = Conn::open(file, quota)?;
        conn.share = share;
        checkout.conn = Some(Box::new(conn));
    }
    let conn = checkout.conn.as_deref_mut().ok_or(SqlError::Closed)?;
    conn.set_quota(quota)?;
    Ok(conn)
}

#[cfg(test)]
mod tests;
