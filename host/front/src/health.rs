//! Whether this server should get requests, and if not, why.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Zero, as everything begins, is starting.
const READY: u8 = 1;
const DRAINING: u8 = 2;

/// Ready once the composition root says so, and not any more once draining begins. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stage: AtomicU8,
    /// What is in force here may be too old.
    behind: AtomicBool,
}

impl Readiness {
    /// Requests are welcome.
    pub fn set_ready(&self) {
        self.0.stage.store(READY, Ordering::SeqCst);
    }

    /// Balancers should send requests elsewhere; those in flight are finished.
    pub fn set_draining(&self) {
        self.0.stage.store(DRAINING, Ordering::SeqCst);
    }

    /// Whether what is in force here may be too old. Requests are answered all the same.
    pub fn set_behind(&self, behind: bool) {
        self.0.behind.store(behind, Ordering::SeqCst);
    }

    /// What `/-/readyz` answers by.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.reason().is_none()
    }

    /// True while visitors should take another connection for their next request.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.stage.load(Ordering::SeqCst) == DRAINING
    }

    /// Why requests should go elsewhere, as `/-/readyz` says it; none where they are welcome.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self.0.stage.load(Ordering::SeqCst) {
            READY if self.0.behind.load(Ordering::SeqCst) => {
                Some("behind: the control database has not answered for too long\n")
            }
            READY => None,
            DRAINING => Some("draining\n"),
            _ => Some("starting\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told() {
        let readiness = Readiness::default();
        assert_eq!(readiness.reason(), Some("starting\n"));
        readiness.set_ready();
        assert!(readiness.is_ready());
        readiness.set_behind(true);
        assert!(readiness.reason().is_some_and(|text| text.starts_with("behind")));
        readiness.set_behind(false);
        readiness.clone().set_draining();
        assert_eq!(readiness.reason(), Some("draining\n"));
        assert!(readiness.is_draining() && !readiness.is_ready());
    }
}
