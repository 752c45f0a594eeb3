//! What is to be written, bounded in bytes and in number. What finds no room is dropped: it is a cache.

use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Notify;

/// Jobs that wait, beside their bytes. A job is some hundred bytes, so 1 MB.
const JOBS: usize = 8192;

/// Jobs that are sent together.
const BATCH: usize = 32;

/// Bytes that are sent together, beyond the first job.
const BATCH_BYTES: usize = 1 << 20;

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Put { key: [u8; 32], value: Bytes, ttl: Duration },
    Remove { key: [u8; 32] },
    Release { key: [u8; 32], token: String },
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Put { value, .. } => value.len(),
            Self::Remove { .. } | Self::Release { .. } => 0,
        }
    }
}

/// Writes in the order in which they were asked for.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
}

impl Queue {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { waiting: Mutex::default(), arrived: Notify::new(), most_bytes }
    }

    /// False where there was no room.
    #[must_use]
    pub(super) fn push(&self, job: Job) -> bool {
        let mut waiting = self.waiting.lock();
        let bytes = waiting.bytes.saturating_add(job.bytes());
        if bytes > self.most_bytes || waiting.jobs.len() >= JOBS {
            return false;
        }
        waiting.bytes = bytes;
        waiting.jobs.push_back(job);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// Some jobs, at least one. For one waiter; what it took is lost where it is dropped after that.
    pub(super) async fn next(&self) -> Vec<Job> {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock();
        let (mut batch, mut bytes) = (Vec::new(), 0_usize);
        while batch.len() < BATCH && (batch.is_empty() || bytes < BATCH_BYTES) {
            let Some(job) = waiting.jobs.pop_front() else { break };
            bytes = bytes.saturating_add(job.bytes());
            batch.push(job);
        }
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        batch
    }

    /// Forgets everything; returns how much that was.
    pub(super) fn clear(&self) -> usize {
        std::mem::take(&mut *self.waiting.lock()).jobs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(number: u8, bytes: usize) -> Job {
        Job::Put { key: [number; 32], value: vec![0; bytes].into(), ttl: Duration::from_secs(1) }
    }

    #[tokio::test]
    async fn jobs_come_in_order_and_no_more_than_fit() {
        let queue = Queue::new(100);
        assert!(queue.push(put(1, 60)) && queue.push(Job::Remove { key: [1; 32] }));
        assert!(!queue.push(put(2, 41)));
        assert!(queue.push(put(3, 40)));
        assert_eq!(queue.next().await, [put(1, 60), Job::Remove { key: [1; 32] }, put(3, 40)]);
        assert!(queue.push(put(4, 100)), "what was taken makes room");
        assert_eq!(queue.clear(), 1);
        assert!(queue.push(put(5, 100)));
    }

    #[tokio::test]
    async fn jobs_are_bounded_in_number_and_batches_in_bytes() {
        let queue = Queue::new(10 * BATCH_BYTES);
        let pushed = (0..JOBS + 10).filter(|_| queue.push(Job::Remove { key: [0; 32] })).count();
        assert_eq!(pushed, JOBS);
        assert_eq!(queue.next().await.len(), BATCH);
        queue.clear();
        (0..4).for_each(|number| assert!(queue.push(put(number, BATCH_BYTES / 2))));
        assert_eq!(queue.next().await.len(), 2);
        queue.clear();
        assert!(queue.push(put(1, 2 * BATCH_BYTES)), "a large one goes alone");
        assert_eq!(queue.next().await.len(), 1);
    }
}
