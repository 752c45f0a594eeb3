//! Bounds how much of something is under way, for each tenant and in all. Who comes too many waits.

use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Tenants that were here are forgotten when there are so many.
const REMEMBERED: usize = 1024;

pub(super) struct Gate {
    each: usize,
    all: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
}

/// Held while it is under way.
pub(super) struct Pass {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Gate {
    /// So many for each tenant, so many in all.
    pub(super) fn new(each: usize, all: usize) -> Self {
        Self { each, all: Arc::new(Semaphore::new(all)), tenants: Mutex::default() }
    }

    /// Waits for a place. Cancel-safe. The tenant's own places come first: one that waits for its own holds
    /// nothing of the others'.
    pub(super) async fn enter(&self, tenant: TenantId) -> Result<Pass, AcquireError> {
        let own = self.of(tenant).acquire_owned().await?;
        let all = Arc::clone(&self.all).acquire_owned().await?;
        Ok(Pass { _own: own, _all: all })
    }

    fn of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut tenants = self.tenants.lock();
        if let Some(known) = tenants.get(&tenant).and_then(Weak::upgrade) {
            return known;
        }
        if tenants.len() >= REMEMBERED {
            tenants.retain(|_, semaphore| semaphore.strong_count() > 0);
        }
        let made = Arc::new(Semaphore::new(self.each));
        tenants.insert(tenant, Arc::downgrade(&made));
        made
    }
}
