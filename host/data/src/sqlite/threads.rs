//! Threads that run SQL, apart from the async workers.
//!
//! Their number is bounded; a job that panics ends alone. Jobs wait in line without a bound of their own,
//! because each holds a connection, and those are bounded.

use parking_lot::{Condvar, Mutex};
use rowhouse_base::tasks::run_when_idle;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

type Job = Box<dyn FnOnce() + Send>;

/// A pool of threads. They start when first needed and end when the pool is dropped.
pub(super) struct Threads {
    shared: Arc<Shared>,
    name: &'static str,
    most: usize,
    priority: Priority,
}

/// Which work goes first where there are fewer cores than threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    Normal,
    Low,
}

struct Shared {
    line: Mutex<Line>,
    wake: Condvar,
}

#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    running: usize,
    idle: usize,
    closed: bool,
}

impl Threads {
    pub(super) fn new(name: &'static str, most: usize, priority: Priority) -> Self {
        let shared = Shared { line: Mutex::new(Line::default()), wake: Condvar::new() };
        Self { shared: Arc::new(shared), name, most: most.max(1), priority }
    }

    /// Puts a job in line. Never waits. Where no thread can be started and none runs, the job is dropped,
    /// which its owner notices by its result.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut line = self.shared.line.lock();
        line.jobs.push_back(Box::new(job));
        if line.idle >= line.jobs.len() || line.running >= self.most {
            drop(line);
            self.shared.wake.notify_one();
            return;
        }
        line.running += 1;
        drop(line);
        let (shared, priority) = (Arc::clone(&self.shared), self.priority);
        let started = std::thread::Builder::new().name(self.name.to_owned()).spawn(move || {
            if priority == Priority::Low {
                run_when_idle();
            }
            shared.work();
        });
        if let Err(error) = started {
            tracing::error!(%error, name = self.name, "a thread could not be started");
            let mut line = self.shared.line.lock();
            line.running -= 1;
            if line.running == 0 {
                line.jobs.clear();
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.line.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn work(&self) {
        while let Some(job) = self.next() {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a job of the data room panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut line = self.line.lock();
        loop {
            if let Some(job) = line.jobs.pop_front() {
                return Some(job);
            }
            if line.closed {
                line.running -= 1;
                return None;
            }
            line.idle += 1;
            self.wake.wait(&mut line);
            line.idle -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn a_panic_ends_alone() {
        let threads = Threads::new("test", 1, Priority::Low);
        let (send, receive) = mpsc::sync_channel(20);
        threads.run(|| panic!("on purpose"));
        for number in 0..20 {
            let send = send.clone();
            threads.run(move || send.send(number).unwrap());
        }
        let got: Vec<i32> = receive.iter().take(20).collect();
        assert_eq!(got, (0..20).collect::<Vec<_>>());
    }
}
