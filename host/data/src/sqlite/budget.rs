//! How long a statement may run, asked by the engine while it runs.
//!
//! The engine calls [`Budget::spend`] every [`STEP`] instructions of its virtual machine. One instruction
//! may be a function over a value of a megabyte, so the step is small: a deadline is noticed after at most
//! a hundred such functions. One budget belongs to one connection and is armed anew for each statement.

use rowhouse_base::tasks::give_way;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Instructions between two looks at the budget. A look costs some 40 ns, a hundred instructions some
/// 5 µs, so that the looks take about one per cent.
pub(super) const STEP: i32 = 100;

/// Steps of a statement on the calling thread: 20,000 instructions, about a millisecond.
const INLINE_STEPS: u32 = 200;

/// Time of a statement on the calling thread, for when its instructions are slow ones.
const INLINE_TIME: Duration = Duration::from_millis(2);

/// What is left for the running statement.
#[derive(Debug)]
pub(super) struct Budget {
    origin: Instant,
    steps: AtomicU32,
    /// Nanoseconds after `origin`.
    deadline: AtomicU64,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), steps: AtomicU32::new(u32::MAX), deadline: AtomicU64::new(u64::MAX) }
    }

    /// Arms the small budget of the calling thread, for a statement that begins now.
    pub(super) fn arm_inline(&self, now: Instant) {
        self.arm(INLINE_STEPS, now + INLINE_TIME);
    }

    /// Arms a deadline alone.
    pub(super) fn arm_until(&self, deadline: Instant) {
        self.arm(u32::MAX, deadline);
    }

    /// No budget: for the host's own short statements.
    pub(super) fn disarm(&self) {
        self.steps.store(u32::MAX, Relaxed);
        self.deadline.store(u64::MAX, Relaxed);
    }

    fn arm(&self, steps: u32, deadline: Instant) {
        let after = deadline.saturating_duration_since(self.origin).as_nanos();
        self.steps.store(steps, Relaxed);
        self.deadline.store(u64::try_from(after).unwrap_or(u64::MAX), Relaxed);
    }

    /// One step. True ends the statement.
    pub(super) fn spend(&self) -> bool {
        let left = self.steps.load(Relaxed);
        if left != u32::MAX {
            self.steps.store(left.saturating_sub(1), Relaxed);
        }
        give_way();
        left == 0 || self.is_late()
    }

    fn is_late(&self) -> bool {
        let now = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        now >= self.deadline.load(Relaxed)
    }
}
