//! Who stops asking a Redis that doesn't answer. Requests never try whether it does again: a probe does, on
//! a connection of its own.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use tokio::sync::Notify;

/// Failures in a row that open the breaker. One or two are a busy moment; five deadlines of 10 ms are what
/// an outage costs the requests that meet it first.
const FAILURES: u32 = 5;

/// Open until a probe succeeded: it begins so.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: AtomicU32,
    is_closed: AtomicBool,
    opened: Notify,
    times_opened: AtomicU64,
}

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Acquire)
    }

    pub(super) fn times_opened(&self) -> u64 {
        self.times_opened.load(Ordering::Relaxed)
    }

    /// An answer came. Written only where there is something to forget: every hit passes here.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// None came in time.
    pub(super) fn failed(&self) {
        if self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= FAILURES {
            self.open();
        }
    }

    /// The connection is of no use any more.
    pub(super) fn open(&self) {
        if self.is_closed.swap(false, Ordering::AcqRel) {
            self.times_opened.fetch_add(1, Ordering::Relaxed);
            self.opened.notify_one();
        }
    }

    /// A probe succeeded.
    pub(super) fn close(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.is_closed.store(true, Ordering::Release);
    }

    /// Waits until it opens. For one waiter. Cancel-safe.
    pub(super) async fn opened(&self) {
        while !self.is_open() {
            self.opened.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn failures_in_a_row_open_it_and_a_probe_closes_it() {
        let breaker = Breaker::default();
        assert!(breaker.is_open(), "nothing is known to answer yet");
        breaker.close();
        for _ in 0..3 {
            (1..FAILURES).for_each(|_| breaker.failed());
            assert!(!breaker.is_open());
            breaker.succeeded();
        }
        (0..FAILURES).for_each(|_| breaker.failed());
        assert!(breaker.is_open());
        breaker.opened().await;
        breaker.failed();
        assert_eq!(breaker.times_opened(), 1);
        breaker.close();
        assert!(!breaker.is_open());
        breaker.open();
        breaker.opened().await;
        assert_eq!(breaker.times_opened(), 2);
    }
}
