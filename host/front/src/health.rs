//! Whether this server should get requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ready once the composition root says so, and not any more once draining begins. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Requests are welcome.
    pub fn set_ready(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Balancers should send requests elsewhere; those in flight are finished.
    pub fn set_draining(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// What `/-/readyz` answers by.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
