//! Which of the open connections was used longest ago.
//!
//! Connections are used far more often than one is closed for another tenant's sake. So a use is a number
//! stored in the connection's own [`Mark`], and the order is made when it is asked for: marks lie in a heap by
//! the use that was last seen there, and one that was used since goes back in with what it says now.

use super::connection::Conn;
use super::slots::Slot;
use parking_lot::Mutex;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// Marks of closed connections are cleared out once there are more marks than this.
const TIDY_FROM: usize = 1024;

/// When one connection was used, for as long as it is open.
pub(super) struct Mark {
    slot: Weak<Slot>,
    used: AtomicU64,
}

/// The uses of all connections of an engine.
pub(super) struct Uses {
    /// Counts uses; the larger, the later.
    clock: AtomicU64,
    heap: Mutex<Heap>,
}

struct Heap {
    seen: BinaryHeap<Reverse<Seen>>,
    tidy_at: usize,
}

/// A mark in the heap, with the use that was seen when it was put there.
struct Seen {
    used: u64,
    mark: Weak<Mark>,
}

impl Uses {
    pub(super) fn new() -> Self {
        let heap = Heap { seen: BinaryHeap::new(), tidy_at: TIDY_FROM };
        Self { clock: AtomicU64::new(0), heap: Mutex::new(heap) }
    }

    /// A mark for a connection that was opened just now.
    pub(super) fn enter(&self, slot: &Arc<Slot>) -> Arc<Mark> {
        let used = self.clock.fetch_add(1, Relaxed);
        let mark = Arc::new(Mark { slot: Arc::downgrade(slot), used: AtomicU64::new(used) });
        let mut heap = self.heap.lock();
        if heap.seen.len() >= heap.tidy_at {
            heap.seen.retain(|Reverse(seen)| seen.mark.strong_count() > 0);
            heap.tidy_at = TIDY_FROM.max(heap.seen.len().saturating_mul(2));
        }
        heap.seen.push(Reverse(Seen { used, mark: Arc::downgrade(&mark) }));
        mark
    }

    /// Notes that a connection was used.
    pub(super) fn touch(&self, mark: &Mark) {
        mark.used.store(self.clock.fetch_add(1, Relaxed), Relaxed);
    }

    /// Takes the idle connection that was used longest ago out of its slot.
    pub(super) fn take_coldest(&self) -> Option<Box<Conn>> {
        let mut heap = self.heap.lock();
        let mut busy = Vec::new();
        let mut found = None;
        while found.is_none() {
            let Some(Reverse(seen)) = heap.seen.pop() else { break };
            let Some(mark) = seen.mark.upgrade() else { continue };
            let used = mark.used.load(Relaxed);
            if used > seen.used {
                heap.seen.push(Reverse(Seen { used, ..seen }));
                continue;
            }
            found = mark.slot.upgrade().and_then(|slot| slot.take_idle(&mark));
            if found.is_none() {
                busy.push(Reverse(seen));
            }
        }
        heap.seen.extend(busy);
        found
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        self.used == other.used
    }
}

impl Eq for Seen {}

impl PartialOrd for Seen {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Seen {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.used.cmp(&other.used)
    }
}
