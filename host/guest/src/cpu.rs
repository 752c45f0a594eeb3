//! Guest CPU time: measured, limited, and kept from delaying others.
//!
//! Every poll of a guest's future is timed: waiting costs the guest nothing, and host work done inside a poll is
//! billed to the one who asked for it. Short polls, which most requests consist of, are timed by the wall clock;
//! all others by their thread's own CPU clock, so that a machine that is busy with something else costs the guest
//! nothing either. The epoch callback reads the same clock and ends a guest that has used its budget.
//!
//! A guest that has run for a while moves to threads that run when nothing else does ([`BackLane`]), so that short
//! requests of others always find a free core; a tenant that used much lately while others are at work begins there.

use crate::nudge::Nudges;
use futures_util::future::Either;
use rowhouse_base::Share;
use rowhouse_base::tasks::{give_way, monotonic, run_when_idle, thread_cpu};
use rowhouse_data::Hold;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::{self, Thread};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use wasmtime::Engine;

/// How often guests are interrupted. A guest holds a worker for about this long at most.
const TICK: Duration = Duration::from_millis(1);

/// After this much CPU time a guest goes on in the back lane. Pages need well under a millisecond;
/// five leave room for a cold first request.
const FOREGROUND: Duration = Duration::from_millis(5);

/// The ticker sleeps after this many ticks without a guest.
const IDLE_TICKS: u32 = 100;

/// Polls shorter than this are timed by the wall clock alone: reading a thread's CPU clock is a system call, and two of
/// them are a tenth of a small page.
const SHORT: Duration = Duration::from_micros(100);

/// A poll begins with a reading of the thread's CPU clock that is no older than this. What the thread did between the two
/// is billed with the poll, unless that is short.
const RECENT: Duration = Duration::from_micros(250);

thread_local! {
    /// The last reading of this thread's CPU clock.
    static LAST: Cell<Reading> = const { Cell::new(Reading { cpu: Duration::ZERO, at: Duration::ZERO }) };
}

/// What a thread's CPU clock said, and when.
#[derive(Clone, Copy)]
struct Reading {
    cpu: Duration,
    at: Duration,
}

impl Reading {
    fn take(at: Duration) -> Self {
        let reading = Self { cpu: thread_cpu(), at };
        LAST.set(reading);
        reading
    }

    /// One that is good enough at this moment.
    fn recent(at: Duration) -> Self {
        let last = LAST.get();
        if at.saturating_sub(last.at) > RECENT { Self::take(at) } else { last }
    }
}

/// Measures one guest, and bills what it measured to its tenant.
#[derive(Debug)]
pub(crate) struct Meter {
    budget: Duration,
    share: Option<Arc<Share>>,
    /// What it may go on with as long as it is polled.
    hold: Hold,
    used_nanos: AtomicU64,
    /// When the running poll began, by the monotonic clock; 0 between polls.
    polling_since: AtomicU64,
    /// The thread's CPU clock as it was read last before that. A poll begins and ends on one thread.
    thread_before: AtomicU64,
    exhausted: AtomicBool,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Meter {
    pub(crate) fn new(budget: Duration, share: Option<Arc<Share>>, hold: Hold) -> Arc<Self> {
        Arc::new(Self {
            budget,
            share,
            hold,
            used_nanos: AtomicU64::new(0),
            polling_since: AtomicU64::new(0),
            thread_before: AtomicU64::new(0),
            exhausted: AtomicBool::new(false),
        })
    }

    fn begin_poll(&self) {
        let now = monotonic();
        self.thread_before.store(nanos(Reading::recent(now).cpu), Ordering::Relaxed);
        self.polling_since.store(nanos(now).max(1), Ordering::Relaxed);
    }

    fn end_poll(&self) {
        self.hold.let_go();
        let spent = self.running();
        self.polling_since.store(0, Ordering::Relaxed);
        self.used_nanos.fetch_add(nanos(spent), Ordering::Relaxed);
        if let Some(share) = &self.share {
            share.bill(spent);
        }
    }

    /// What the running poll has used, where the caller is on its thread.
    fn running(&self) -> Duration {
        let since = self.polling_since.load(Ordering::Relaxed);
        if since == 0 {
            return Duration::ZERO;
        }
        let now = monotonic();
        let wall = now.saturating_sub(Duration::from_nanos(since));
        if wall < SHORT {
            return wall;
        }
        let before = Duration::from_nanos(self.thread_before.load(Ordering::Relaxed));
        wall.min(Reading::take(now).cpu.saturating_sub(before))
    }

    /// True where the guest's tenant is in the way of others.
    fn is_heavy(&self) -> bool {
        self.share.as_ref().is_some_and(|share| share.is_heavy())
    }

    /// CPU time used so far, the running poll included where the caller is on its thread.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos.load(Ordering::Relaxed)).saturating_add(self.running())
    }

    /// Called at every tick from inside the guest. False once the budget is spent.
    pub(crate) fn may_go_on(&self) -> bool {
        let within = self.used() <= self.budget;
        if !within {
            self.exhausted.store(true, Ordering::Relaxed);
        }
        within
    }

    /// True where the guest was ended for its CPU time.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }
}

/// A guest's future whose polls are timed. Cancel-safe: dropping it drops the guest.
struct Metered<F> {
    meter: Arc<Meter>,
    inner: F,
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        give_way();
        self.meter.begin_poll();
        let polled = Pin::new(&mut self.inner).poll(cx);
        self.meter.end_poll();
        polled
    }
}

/// Threads for guests that compute for long: they give way to every other one.
pub(crate) struct BackLane {
    runtime: Option<Runtime>,
    nudges: Nudges,
}

impl BackLane {
    pub(crate) fn start() -> std::io::Result<Self> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("guest-back")
            .enable_all()
            .on_thread_start(run_when_idle)
            .build()?;
        Ok(Self { runtime: Some(runtime), nudges: Nudges::start() })
    }

    /// Drives a guest: in the caller's task at first, in the back lane once it has used more CPU time
    /// than a page needs, and from the beginning where its tenant is heavy. `None` where the guest's task was lost to a panic or a shutdown.
    ///
    /// Cancel-safe: dropping the future drops the guest, wherever it runs.
    pub(crate) async fn drive<F>(&self, meter: &Arc<Meter>, guest: F) -> Option<F::Output>
    where
        F: Future + Send + Unpin + 'static,
        F::Output: Send + 'static,
    {
        let guest = Metered { meter: Arc::clone(meter), inner: guest };
        if meter.is_heavy() {
            return self.spawn(guest).await;
        }
        let mut guest = Some(guest);
        let first = std::future::poll_fn(|cx| {
            let Some(mut running) = guest.take() else { return Poll::Pending };
            match Pin::new(&mut running).poll(cx) {
                Poll::Ready(output) => Poll::Ready(Either::Left(output)),
                Poll::Pending if meter.used() > FOREGROUND => Poll::Ready(Either::Right(running)),
                Poll::Pending => {
                    guest = Some(running);
                    Poll::Pending
                }
            }
        })
        .await;
        match first {
            Either::Left(output) => Some(output),
            Either::Right(running) => self.spawn(running).await,
        }
    }

    async fn spawn<F>(&self, running: Metered<F>) -> Option<F::Output>
    where
        F: Future + Send + Unpin + 'static,
        F::Output: Send + 'static,
    {
        let _nudging = self.nudges.guard();
        let handle = self.runtime.as_ref()?.spawn(running);
        let mut task = AbortOnDrop(handle);
        match (&mut task.0).await {
            Ok(output) => Some(output),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_cancelled) => None,
        }
    }
}

impl Drop for BackLane {
    fn drop(&mut self) {
        // Dropping a runtime inside another one would block a worker; guests still running are ended.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Advances the engines' epochs from a thread of its own: as an async task it would be starved by the
/// very guests it must interrupt. Sleeps while no guest runs.
pub(crate) struct Ticker {
    shared: Arc<TickerShared>,
    thread: Option<thread::JoinHandle<()>>,
    unpark: Thread,
}

struct TickerShared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engines: [Engine; 2]) -> std::io::Result<Self> {
        let shared = Arc::new(TickerShared {
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("epoch-ticker".into()).spawn(move || theirs.run(&engines))?;
        let unpark = thread.thread().clone();
        Ok(Self { shared, thread: Some(thread), unpark })
    }

    /// Keeps the ticker awake for as long as the guard lives.
    pub(crate) fn guard(self: &Arc<Self>) -> TickerGuard {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.unpark.unpark();
        }
        TickerGuard(Arc::clone(self))
    }
}

impl TickerShared {
    fn run(&self, engines: &[Engine]) {
        let mut idle = 0_u32;
        while !self.stop.load(Ordering::SeqCst) {
            if self.running.load(Ordering::SeqCst) > 0 {
                idle = 0;
            } else {
                idle = idle.saturating_add(1);
            }
            if idle > IDLE_TICKS {
                self.asleep.store(true, Ordering::SeqCst);
                // A guest that came between the check and the store above has seen no sleeper, so the
                // count is read once more before parking.
                while self.asleep.load(Ordering::SeqCst)
                    && self.running.load(Ordering::SeqCst) == 0
                    && !self.stop.load(Ordering::SeqCst)
                {
                    thread::park();
                }
                self.asleep.store(false, Ordering::SeqCst);
                idle = 0;
            }
            thread::sleep(TICK);
            engines.iter().for_each(Engine::increment_epoch);
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.unpark.unpark();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the epoch ticker had panicked");
        }
    }
}

/// See [`Ticker::guard`].
pub(crate) struct TickerGuard(Arc<Ticker>);

impl Drop for TickerGuard {
    fn drop(&mut self) {
        self.0.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}
