//! How large each tenant's database is, as far as a write must know.
//!
//! Measured again after some seconds, and in between what this process wrote is added. The server refreshes
//! its own figures some ten seconds after many rows have changed, so a tenant may pass its limit by what it
//! writes meanwhile from several servers; its rows still come back when some are deleted.

use super::engine::Engine;
use crate::{LimitKind, SqlError};
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long a measure is believed.
const BELIEVED: Duration = Duration::from_secs(5);

/// Tenants remembered: those that wrote lately. An entry is some 50 bytes.
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Sizes(Mutex<HashMap<TenantId, Size>>);

#[derive(Clone, Copy)]
struct Size {
    bytes: u64,
    written: u64,
    at: Instant,
}

impl Sizes {
    /// What is known, if it is young enough. Who is told otherwise measures; the next one to ask meanwhile
    /// takes the old figure.
    fn known(&self, id: TenantId, writing: u64) -> Option<u64> {
        let mut sizes = self.0.lock();
        let size = sizes.get_mut(&id)?;
        if size.at.elapsed() >= BELIEVED {
            size.at = Instant::now();
            return None;
        }
        size.written = size.written.saturating_add(writing);
        Some(size.bytes.saturating_add(size.written))
    }

    fn measured(&self, id: TenantId, bytes: u64, written: u64) {
        let mut sizes = self.0.lock();
        if sizes.len() >= MOST {
            sizes.retain(|_, size| size.at.elapsed() < BELIEVED);
        }
        sizes.insert(id, Size { bytes, written, at: Instant::now() });
    }

    /// The next write measures.
    pub(super) fn forget(&self, id: TenantId) {
        self.0.lock().remove(&id);
    }
}

impl Engine {
    /// Refuses a write of about so many bytes where the database is full.
    pub(super) async fn check_size(&self, tenant: &Tenant, writing: u64) -> Result<(), SqlError> {
        let bytes = match self.sizes.known(tenant.id, writing) {
            Some(bytes) => bytes,
            None => {
                let bytes = self.usage(tenant.id).await?;
                self.sizes.measured(tenant.id, bytes, writing);
                bytes.saturating_add(writing)
            }
        };
        if bytes > tenant.limits.database_bytes {
            return Err(SqlError::Limit(LimitKind::DatabaseSize));
        }
        Ok(())
    }
}
