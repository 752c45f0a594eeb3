//! How long a visitor may take to send the header fields, measured by one sleep for each connection.
//!
//! hyper makes a sleep when it begins to wait for a request and drops it when the fields are there. The runtime's own would
//! go into its timer and out of it again for each request, under one lock for all connections. Here it stays and is moved
//! to a later end, which takes no such lock; at its old end it wakes nobody, or its connection for nothing. Called by
//! `server`.

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// A timer for one connection, on which one thing at a time is waited for.
#[derive(Clone)]
pub(super) struct HeadTimer(Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>);

/// A wait until a moment, by the connection's sleep.
struct HeadSleep {
    timer: HeadTimer,
    until: tokio::time::Instant,
}

impl HeadTimer {
    /// Must be called within a tokio runtime.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Box::pin(tokio::time::sleep(Duration::ZERO)))))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(HeadSleep { timer: self.clone(), until: deadline.into() })
    }
}

impl Sleep for HeadSleep {}

impl Future for HeadSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.timer.0.lock();
        if sleep.deadline() != self.until {
            sleep.as_mut().reset(self.until);
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn each_wait_ends_at_its_own_moment() {
        let timer = HeadTimer::new();
        let (soon, late) = (Duration::from_millis(1), Duration::from_secs(3600));
        timer.sleep(soon).await;
        for _ in 0..3 {
            // A request that came in time, and one that never comes.
            assert!(timer.sleep(late).now_or_never().is_none());
            timer.sleep(soon).await;
        }
    }
}
