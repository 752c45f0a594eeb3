//! Readers and writers on the same pages, and the model that judges what the readers saw.
//!
//! Every item has one writer at a time, which adds one and learns the new value. A value that a writer was
//! told before a reader's request began, or that much earlier as servers may be out of touch, is the least
//! that reader may see. What a server has shown once, whether or not a writer was told of it, it may not unsee.
//! Nothing else is assumed.

use anyhow::{Result, bail};
use rowhouse_tests::{Answer, Client};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Items that are read and written; few, so that both meet.
pub(crate) const ITEMS: usize = 4;
const READERS: usize = 4;
const WRITERS: usize = 2;

/// Seconds it lasts where the environment doesn't say.
const SECONDS: u64 = 5;

/// Between two writes: readers must find the page kept now and then.
const PAUSE: Duration = Duration::from_millis(5);

/// The servers that are written to, asked in turn. Emptied before one is killed: what fails then was cut off.
pub(crate) type Writers = Arc<Mutex<Vec<Client>>>;

/// What happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) reads: u64,
    pub(crate) hits: u64,
    pub(crate) writes: u64,
    /// Reads that saw less than was acknowledged before they began.
    pub(crate) stale: u64,
    /// Reads that saw less than the same server had shown before they began.
    pub(crate) unseen: u64,
    /// Writes that their server did not live to answer: nobody knows whether they happened.
    pub(crate) cut: u64,
    /// Requests that got no proper answer.
    pub(crate) failed: u64,
    /// What the first of them got.
    pub(crate) failure: Option<String>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: [Values; ITEMS],
    /// What each server that is read from has shown.
    shown: Vec<[Values; ITEMS]>,
    reads: AtomicU64,
    hits: AtomicU64,
    writes: AtomicU64,
    stale: AtomicU64,
    unseen: AtomicU64,
    cut: AtomicU64,
    failed: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Shared {
    fn fail(&self, answer: &Result<Answer>) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        let text = match answer {
            Ok(answer) => format!("{} {}", answer.status, answer.text()),
            Err(error) => format!("{error:#}"),
        };
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }
}

/// The values of an item that somebody was told, and when, in order. Each is more than the one before.
#[derive(Default)]
struct Values(Mutex<VecDeque<(Instant, u64)>>);

impl Values {
    fn add(&self, value: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.back().is_none_or(|(_told, last)| *last < value) {
            all.push_back((Instant::now(), value));
        }
    }

    /// The last value that was told before this moment. What is older is not asked for again.
    fn before(&self, moment: Instant) -> u64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.get(1).is_some_and(|(told, _value)| *told <= moment) {
            all.pop_front();
        }
        all.front().filter(|(told, _value)| *told <= moment).map_or(0, |(_told, value)| *value)
    }
}

/// Servers under load, asked in turn.
pub(crate) struct Fire {
    readers: Vec<Client>,
    /// At first the same servers.
    pub(crate) writers: Writers,
    site: String,
    slack: Duration,
    shared: Arc<Shared>,
}

impl Fire {
    /// Readers may be behind by `slack`.
    pub(crate) fn new(servers: Vec<Client>, site: &str, slack: Duration) -> Self {
        let shown: Vec<[Values; ITEMS]> = servers.iter().map(|_server| Default::default()).collect();
        let shared = Arc::new(Shared { shown, ..Shared::default() });
        let writers = Arc::new(Mutex::new(servers.clone()));
        Self { readers: servers, writers, site: site.to_owned(), slack, shared }
    }

    /// Reads and writes for the time that `ROWHOUSE_TEST_FIRE_SECONDS` says.
    ///
    /// # Errors
    /// Where a thread panicked.
    pub(crate) fn burn(&self) -> Result<Counts> {
        let seconds = std::env::var("ROWHOUSE_TEST_FIRE_SECONDS").ok().and_then(|text| text.parse().ok());
        self.burn_for(Duration::from_secs(seconds.unwrap_or(SECONDS)))
    }

    /// Reads and writes for so long.
    ///
    /// # Errors
    /// Where a thread panicked.
    pub(crate) fn burn_for(&self, time: Duration) -> Result<Counts> {
        self.burn_while(|| thread::sleep(time))
    }

    /// Reads and writes while something is done.
    ///
    /// # Errors
    /// Where a thread panicked.
    pub(crate) fn burn_while(&self, work: impl FnOnce()) -> Result<Counts> {
        let threads: Vec<_> = (0..READERS)
            .map(|number| self.spawn(number, Self::read))
            .chain((0..WRITERS).map(|number| self.spawn(number, Self::write)))
            .collect();
        work();
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in threads {
            if thread.join().is_err() {
                bail!("a reader or writer panicked");
            }
        }
        let count = |of: &AtomicU64| of.load(Ordering::SeqCst);
        let shared = &self.shared;
        Ok(Counts {
            reads: count(&shared.reads),
            hits: count(&shared.hits),
            writes: count(&shared.writes),
            stale: count(&shared.stale),
            unseen: count(&shared.unseen),
            cut: count(&shared.cut),
            failed: count(&shared.failed),
            failure: shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        })
    }

    fn spawn(&self, number: usize, work: fn(&Self, usize, usize)) -> thread::JoinHandle<()> {
        let own = Self {
            readers: self.readers.clone(),
            writers: Arc::clone(&self.writers),
            site: self.site.clone(),
            slack: self.slack,
            shared: Arc::clone(&self.shared),
        };
        thread::spawn(move || {
            let mut turn = number;
            while !own.shared.stop.load(Ordering::SeqCst) {
                work(&own, number, turn);
                turn = turn.wrapping_add(1);
            }
        })
    }

    fn read(&self, _number: usize, turn: usize) {
        let item = turn % ITEMS;
        let place = (turn / ITEMS) % self.readers.len().max(1);
        let (Some(server), Some(acknowledged), Some(shown)) = (
            self.readers.get(place),
            self.shared.acknowledged.get(item),
            self.shared.shown.get(place).and_then(|items| items.get(item)),
        ) else {
            return;
        };
        let begun = Instant::now();
        // Before anything older is forgotten by another reader's later look: the slack is the same for all.
        let least = begun.checked_sub(self.slack).map_or(0, |moment| acknowledged.before(moment));
        let before = shown.before(begun);
        let answer = server.get(&format!("{}/item/{item}", self.site));
        let found = answer.as_ref().ok().filter(|answer| answer.status == 200);
        let Some(value) = found.and_then(|answer| answer.text().trim().parse::<u64>().ok()) else {
            return self.shared.fail(&answer);
        };
        shown.add(value);
        self.shared.stale.fetch_add(u64::from(value < least), Ordering::SeqCst);
        self.shared.unseen.fetch_add(u64::from(value < before), Ordering::SeqCst);
        self.shared.reads.fetch_add(1, Ordering::SeqCst);
        if answer.is_ok_and(|answer| answer.header("cache-status").contains("; hit")) {
            self.shared.hits.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Writers share the items between them, so that each item has one.
    fn write(&self, number: usize, turn: usize) {
        let item = (turn % (ITEMS / WRITERS)) * WRITERS + number;
        let servers = self.writers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(server), Some(acknowledged)) =
            (servers.get(turn % servers.len().max(1)), self.shared.acknowledged.get(item))
        {
            let answer = server.send("POST", &format!("{}/item/{item}", self.site), None);
            let value = answer.as_ref().ok().filter(|answer| answer.status == 200);
            match value.and_then(|answer| answer.text().trim().parse().ok()) {
                Some(value) => {
                    acknowledged.add(value);
                    self.shared.writes.fetch_add(1, Ordering::SeqCst);
                }
                None if self.writers.lock().unwrap_or_else(PoisonError::into_inner).is_empty() => {
                    self.shared.cut.fetch_add(1, Ordering::SeqCst);
                }
                None => self.shared.fail(&answer),
            }
        }
        thread::sleep(PAUSE);
    }
}
