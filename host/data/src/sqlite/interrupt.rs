//! Stops an instruction that doesn't look at its budget, such as a count over a whole table.
//!
//! The task that waits for a statement interrupts it once its time is long over. A [`Watch`] makes sure
//! that the interruption meets this statement and no later one on the same connection.

use parking_lot::Mutex;
use rusqlite::InterruptHandle;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Time that the budget has to end a statement by itself.
const GRACE: Duration = Duration::from_millis(100);

/// Watches one piece of work.
#[derive(Clone, Default)]
pub(super) struct Watch(Arc<Mutex<Option<Arc<InterruptHandle>>>>);

impl Watch {
    /// Does the work; only meanwhile can it be interrupted.
    pub(super) fn during<T>(&self, handle: Arc<InterruptHandle>, work: impl FnOnce() -> T) -> T {
        *self.0.lock() = Some(handle);
        let result = work();
        *self.0.lock() = None;
        result
    }

    /// Waits for the work's result, and interrupts the work where it is late. None where it panicked.
    pub(super) async fn wait<T>(
        &self,
        mut result: oneshot::Receiver<T>,
        until: Instant,
        time: Duration,
    ) -> Option<T> {
        let mut next = until.max(Instant::now()) + time + GRACE;
        loop {
            match timeout_at(next, &mut result).await {
                Ok(result) => return result.ok(),
                Err(_elapsed) => {
                    if let Some(handle) = &*self.0.lock() {
                        handle.interrupt();
                    }
                    next = Instant::now() + GRACE;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    const ENDLESS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n";

    /// This connection has no budget: only the interruption ends the statement.
    #[tokio::test]
    async fn ends_what_no_budget_ends_and_nothing_later() {
        let (done, result) = oneshot::channel();
        let watch = Watch::default();
        let watched = watch.clone();
        let thread = std::thread::spawn(move || {
            let db = Connection::open_in_memory().unwrap();
            let handle = Arc::new(db.get_interrupt_handle());
            let ended = watched.during(handle, || db.query_row(ENDLESS, [], |_row| Ok(())).is_err());
            let later = db.query_row("SELECT 1", [], |_row| Ok(())).is_ok();
            done.send((ended, later)).unwrap();
        });
        let outcome = watch.wait(result, Instant::now(), Duration::from_millis(50)).await;
        assert_eq!(outcome, Some((true, true)));
        thread.join().unwrap();
        let (done, result) = oneshot::channel::<()>();
        drop(done);
        assert_eq!(watch.wait(result, Instant::now(), GRACE).await, None);
    }
}
