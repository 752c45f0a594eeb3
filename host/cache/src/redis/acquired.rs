//! A lease on its way to who asked for it. It may have been got although nobody heard so, because its asker left or was
//! not answered in time: one that nobody takes gives itself back.

use super::Shared;
use super::queue::Job;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What Redis answered.
pub(super) enum Acquired {
    Got(Got),
    Others,
    Unknown,
}

/// A lease that was got, or that may have been. Dropped, it is given back.
pub(super) struct Got {
    shared: Arc<Shared>,
    key: [u8; 32],
    /// None once it is kept, or known to be another server's.
    token: Option<String>,
}

impl Got {
    pub(super) fn new(shared: Arc<Shared>, key: [u8; 32], token: String) -> Self {
        Self { shared, key, token: Some(token) }
    }

    /// Keeps the lease until it is released; false where there is no room, and then it is given back.
    #[must_use]
    pub(super) fn keep(mut self, ttl: Duration) -> bool {
        let Some(token) = self.token.clone() else { return false };
        let is_kept = self.shared.leases.hold(self.key, token, ttl, Instant::now());
        if is_kept {
            self.token = None;
        }
        is_kept
    }

    /// There is nothing to give back.
    pub(super) fn forget(mut self) {
        self.token = None;
    }
}

impl Drop for Got {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            self.shared.enqueue(Job::Release { key: self.key, token });
        }
    }
}
