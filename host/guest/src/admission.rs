//! Who may run now. Overload waits its turn, then is told to come back; it never becomes an error
//! because a pool was full.
//!
//! A request first gets one of its tenant's places, then one of the server's. Both queues are first
//! come, first served, and a tenant can have no more requests in the server's queue than it has
//! places, so a flood of one tenant delays another by a bounded amount.

use crate::GuestError;
use parking_lot::Mutex;
use rowhouse_base::Limits;
use rowhouse_base::id::TenantId;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The queues.
pub(crate) struct Admission {
    places: Arc<Semaphore>,
    tenants: Mutex<HashMap<TenantId, Gate>>,
    patience: Duration,
}

struct Gate {
    places: Arc<Semaphore>,
    /// Requests inside or waiting. The gate goes with the last one, so sleeping tenants cost nothing.
    present: u32,
}

impl Admission {
    pub(crate) fn new(instances: u32, patience: Duration) -> Arc<Self> {
        let places = usize::try_from(instances).unwrap_or(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(places)),
            tenants: Mutex::new(HashMap::new()),
            patience,
        })
    }

    /// Waits for a place, at most as long as configured.
    ///
    /// Cancel-safe: a visitor who leaves loses their place in the queue and nothing else.
    ///
    /// # Errors
    /// [`GuestError::Overloaded`] where the tenant's queue is full or no place came free in time.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        tenant: TenantId,
        limits: &Limits,
    ) -> Result<Place, GuestError> {
        let (gate, presence) = self.join(tenant, limits)?;
        // The usual case, without a timer.
        if let Ok(theirs) = Arc::clone(&gate).try_acquire_owned()
            && let Ok(ours) = Arc::clone(&self.places).try_acquire_owned()
        {
            return Ok(Place { _tenant: theirs, _server: ours, _presence: presence });
        }
        let both = async {
            let theirs = gate.acquire_owned().await.ok()?;
            let ours = Arc::clone(&self.places).acquire_owned().await.ok()?;
            Some(Place { _tenant: theirs, _server: ours, _presence: presence })
        };
        match tokio::time::timeout(self.patience, both).await {
            Ok(Some(place)) => Ok(place),
            Ok(None) | Err(_) => Err(overloaded()),
        }
    }

    fn join(
        self: &Arc<Self>,
        tenant: TenantId,
        limits: &Limits,
    ) -> Result<(Arc<Semaphore>, Presence), GuestError> {
        let most = limits.concurrent_requests.saturating_add(limits.queued_requests);
        let mut tenants = self.tenants.lock();
        let gate = tenants.entry(tenant).or_insert_with(|| Gate {
            places: Arc::new(Semaphore::new(usize::try_from(limits.concurrent_requests.max(1)).unwrap_or(1))),
            present: 0,
        });
        if gate.present >= most {
            return Err(overloaded());
        }
        gate.present = gate.present.saturating_add(1);
        Ok((Arc::clone(&gate.places), Presence { admission: Arc::clone(self), tenant }))
    }

    fn leave(&self, tenant: TenantId) {
        let mut tenants = self.tenants.lock();
        if let Some(gate) = tenants.get_mut(&tenant) {
            gate.present = gate.present.saturating_sub(1);
            if gate.present == 0 {
                tenants.remove(&tenant);
            }
        }
    }
}

fn overloaded() -> GuestError {
    GuestError::Overloaded { retry_after: Duration::from_secs(1) }
}

/// A place, given back when dropped.
pub(crate) struct Place {
    _tenant: OwnedSemaphorePermit,
    _server: OwnedSemaphorePermit,
    _presence: Presence,
}

struct Presence {
    admission: Arc<Admission>,
    tenant: TenantId,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.admission.leave(self.tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(concurrent: u32, queued: u32) -> Limits {
        Limits { concurrent_requests: concurrent, queued_requests: queued, ..Limits::default() }
    }

    #[tokio::test]
    async fn a_full_tenant_waits_and_others_pass() {
        let admission = Admission::new(10, Duration::from_millis(30));
        let (busy, calm) = (TenantId::new(), TenantId::new());
        let held = admission.enter(busy, &limits(1, 5)).await;
        assert!(matches!(admission.enter(busy, &limits(1, 5)).await, Err(GuestError::Overloaded { .. })));
        assert!(admission.enter(calm, &limits(1, 5)).await.is_ok());
        drop(held);
        assert!(admission.enter(busy, &limits(1, 5)).await.is_ok());
        assert!(admission.tenants.lock().is_empty(), "nothing stays behind");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let admission = Admission::new(10, Duration::from_secs(3600));
        let tenant = TenantId::new();
        let _held = admission.enter(tenant, &limits(1, 0)).await;
        assert!(matches!(admission.enter(tenant, &limits(1, 0)).await, Err(GuestError::Overloaded { .. })));
    }

    #[tokio::test]
    async fn a_place_that_comes_free_goes_to_the_waiting() {
        let admission = Admission::new(1, Duration::from_secs(3600));
        let held = admission.enter(TenantId::new(), &limits(1, 1)).await;
        let theirs = Arc::clone(&admission);
        let waiting = tokio::spawn(async move { theirs.enter(TenantId::new(), &limits(1, 1)).await.is_ok() });
        tokio::task::yield_now().await;
        drop(held);
        assert!(waiting.await.unwrap());
    }
}
