//! What one guest instance has used of its database. Shared by the handle, its transactions and cursors.

use crate::{LimitKind, SqlError};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counts statements and adds up their time, waiting included.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    statements: AtomicU32,
    nanos: AtomicU64,
}

impl Meter {
    /// Counts `count` statements, or refuses them where the request has run too many.
    pub(crate) fn count(&self, count: usize, limit: u32) -> Result<(), SqlError> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let used = self.statements.load(Relaxed);
        if limit.saturating_sub(used) < count {
            return Err(SqlError::Limit(LimitKind::Statements));
        }
        self.statements.fetch_add(count, Relaxed);
        Ok(())
    }

    /// Adds the time since `started`.
    pub(crate) fn spent_since(&self, started: Instant) {
        self.nanos.fetch_add(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    pub(crate) fn statements(&self) -> u32 {
        self.statements.load(Relaxed)
    }

    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Relaxed))
    }
}
