//! Background tasks of the server. The only place that spawns one outside a room's own worker pool,
//! so that every task has a name and none ends unnoticed.

use std::cell::Cell;
use std::future::Future;
use std::time::Duration;
use thread_priority::ThreadPriority;
use thread_priority::unix::{
    NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};
use tokio::task::JoinHandle;

/// Starts a task that is meant to run until the server stops. Its end by panic is logged as an error
/// with its name; the panic goes no further.
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    let inner = tokio::spawn(future);
    tokio::spawn(async move {
        if let Err(error) = inner.await
            && error.is_panic()
        {
            tracing::error!(task = name, "background task panicked");
        }
    })
}

/// CPU time of the calling thread.
#[must_use]
pub fn thread_cpu() -> Duration {
    time_of(rustix::time::ClockId::ThreadCPUTime)
}

/// Time since some moment before this process began, by a clock that never goes back.
#[must_use]
pub fn monotonic() -> Duration {
    time_of(rustix::time::ClockId::Monotonic)
}

fn time_of(clock: rustix::time::ClockId) -> Duration {
    let now = rustix::time::clock_gettime(clock);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Lowers the calling thread's priority for good, for work that the server itself waits for: it gets a small share
/// of a busy machine. Where the system refuses, the thread runs on as it is: slower neighbours, but nothing breaks.
pub fn lower_priority() {
    // On Linux priorities belong to threads, and `None` names the calling one.
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::warn!(%error, "keep a background thread at normal priority");
    }
}

/// How long a thread that runs when nothing else does keeps a core without looking whether anything else came.
const TURN: Duration = Duration::from_micros(500);

thread_local! {
    /// When this thread gave way last, where it runs when nothing else does.
    static GAVE_WAY: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Has the calling thread run only where nothing else wants the core, for good. Unlike the lowest of the usual
/// priorities, which keeps a core to the end of its slice of some milliseconds, it gives way the moment another
/// thread wakes. Where the system refuses, [`lower_priority`] has to do.
pub fn run_when_idle() {
    GAVE_WAY.set(Some(monotonic()));
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::warn!(?error, "no idle scheduling for a background thread");
        lower_priority();
    }
}

/// For the long work of a thread that runs when nothing else does, to be called often: every half a millisecond it
/// offers its core to whoever waits for one. The scheduler is fair before it looks at priorities: a thread that has had
/// its share is passed over, and an idle one in its place keeps the core until the next clock tick, up to
/// 4 ms. On every other thread this does nothing.
pub fn give_way() {
    let Some(last) = GAVE_WAY.get() else { return };
    if monotonic().saturating_sub(last) >= TURN {
        std::thread::yield_now();
        GAVE_WAY.set(Some(monotonic()));
    }
}
