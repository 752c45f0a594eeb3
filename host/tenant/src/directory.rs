//! The one place where the control plane hands tenants to the request path.

use crate::Snapshot;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Holds the current [`Snapshot`]. Reading takes no lock; replacing it is one pointer swap.
#[derive(Debug)]
pub struct Directory(ArcSwap<Snapshot>);

impl Directory {
    /// A directory that begins with this snapshot.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self(ArcSwap::from_pointee(snapshot))
    }

    /// The snapshot as of now. A request keeps the one it began with.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Looks into the current snapshot without taking a share of it.
    pub fn with<R>(&self, look: impl FnOnce(&Snapshot) -> R) -> R {
        look(&self.0.load())
    }

    /// Swaps the snapshot whole. Only the reconciler calls this.
    pub fn replace(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
