//! Has every core look anew who is to run on it, once a millisecond, while guests compute in the back lane.
//!
//! Linux decides who runs on a core when somebody wakes there and at the core's clock tick, among those that are owed
//! time. A thread of normal priority that has just had more than its share is passed over, even for one that is to run
//! only when nothing else does, and that one keeps the core until the tick, up to 4 ms. A wake-up on the same core before that
//! has it decide again; by then the idle thread has had far more than its share. Guests and statements offer their core
//! themselves between their steps ([`give_way`](rowhouse_base::tasks::give_way)); this is for a step that takes long, such as one
//! function of SQLite over a megabyte.

use parking_lot::{Condvar, Mutex};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Between two looks of a core. One costs it a few microseconds.
const TICK: Duration = Duration::from_millis(1);

/// A thread for each core of this process. They sleep while nobody holds a [`Nudging`].
pub(crate) struct Nudges(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    wanted: usize,
    ended: bool,
}

impl Nudges {
    /// Starts the threads. Where the system doesn't say which cores there are, or ties no thread to one, the back lane
    /// disturbs others a little more.
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let nudges = Self(Arc::clone(&shared));
        let cores = match sched_getaffinity(None) {
            Ok(cores) => cores,
            Err(error) => {
                tracing::warn!(%error, "ask for the cores of this process");
                return nudges;
            }
        };
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core)).collect();
        // A group's quota may be much less than the cores it may use: all of them together cost what its share would.
        let share = thread::available_parallelism().map_or(1, usize::from);
        let tick = TICK * u32::try_from(cores.len().div_ceil(share)).unwrap_or(u32::MAX);
        for core in cores {
            let shared = Arc::clone(&shared);
            let nudging = move || match tie_to(core) {
                Ok(()) => shared.run(tick),
                Err(error) => tracing::warn!(%error, core, "tie a thread to a core"),
            };
            let thread = thread::Builder::new().name("nudge".to_owned()).stack_size(64 << 10);
            if let Err(error) = thread.spawn(nudging) {
                tracing::warn!(%error, core, "start a thread for a core");
            }
        }
        nudges
    }

    /// Keeps the threads at it for as long as the guard lives.
    pub(crate) fn guard(&self) -> Nudging {
        let mut state = self.0.state.lock();
        state.wanted += 1;
        if state.wanted == 1 {
            self.0.wake.notify_all();
        }
        Nudging(Arc::clone(&self.0))
    }
}

fn tie_to(core: usize) -> rustix::io::Result<()> {
    let mut here = CpuSet::new();
    here.set(core);
    sched_setaffinity(None, &here)
}

impl Shared {
    fn run(&self, tick: Duration) {
        loop {
            let mut state = self.state.lock();
            while state.wanted == 0 && !state.ended {
                self.wake.wait(&mut state);
            }
            if state.ended {
                return;
            }
            drop(state);
            thread::sleep(tick);
        }
    }
}

impl Drop for Nudges {
    fn drop(&mut self) {
        self.0.state.lock().ended = true;
        self.0.wake.notify_all();
    }
}

/// See [`Nudges::guard`].
pub(crate) struct Nudging(Arc<Shared>);

impl Drop for Nudging {
    fn drop(&mut self) {
        self.0.state.lock().wanted -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_them_is_counted_and_they_end_with_their_owner() {
        let nudges = Nudges::start();
        let shared = Arc::downgrade(&nudges.0);
        let (first, second) = (nudges.guard(), nudges.guard());
        assert_eq!(nudges.0.state.lock().wanted, 2);
        drop(first);
        assert_eq!(nudges.0.state.lock().wanted, 1);
        drop((second, nudges));
        // The last thread to leave lets go of what they share.
        while shared.strong_count() > 0 {
            thread::yield_now();
        }
    }
}
