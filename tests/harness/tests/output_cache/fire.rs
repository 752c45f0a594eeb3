//! Readers and writers on the same pages, and the model that judges what the readers saw.
//!
//! Every item has one writer at a time, which adds one and learns the new value. A value that a writer was
//! told before a reader's request began, or that much earlier as servers may be out of touch, is the least
//! that reader may see. Nothing else is assumed.

use anyhow::{Result, bail};
use rowhouse_tests::{Answer, Client};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Items that are read and written; few, so that both meet.
const ITEMS: usize = 4;
const READERS: usize = 4;
const WRITERS: usize = 2;

/// Seconds it lasts where the environment doesn't say.
const SECONDS: u64 = 5;

/// What happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) reads: u64,
    pub(crate) hits: u64,
    pub(crate) writes: u64,
    /// Reads that saw less than was acknowledged before they began.
    pub(crate) stale: u64,
    /// Requests that got no proper answer.
    pub(crate) failed: u64,
    /// What the first of them got.
    pub(crate) failure: Option<String>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    acknowledged: [Acknowledged; ITEMS],
    reads: AtomicU64,
    hits: AtomicU64,
    writes: AtomicU64,
    stale: AtomicU64,
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

/// The values that writers were told, and when, in order.
#[derive(Default)]
struct Acknowledged(Mutex<VecDeque<(Instant, u64)>>);

impl Acknowledged {
    fn add(&self, value: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back((Instant::now(), value));
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
    servers: Vec<Client>,
    site: String,
    slack: Duration,
    shared: Arc<Shared>,
}

impl Fire {
    /// Readers may be behind by `slack`.
    pub(crate) fn new(servers: Vec<Client>, site: &str, slack: Duration) -> Self {
        Self { servers, site: site.to_owned(), slack, shared: Arc::default() }
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
        let threads: Vec<_> = (0..READERS)
            .map(|number| self.spawn(number, Self::read))
            .chain((0..WRITERS).map(|number| self.spawn(number, Self::write)))
            .collect();
        thread::sleep(time);
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
            failed: count(&shared.failed),
            failure: shared.failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        })
    }

    fn spawn(&self, number: usize, work: fn(&Self, usize, usize)) -> thread::JoinHandle<()> {
        let own = Self {
            servers: self.servers.clone(),
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

    fn server(&self, turn: usize) -> Option<&Client> {
        self.servers.get(turn % self.servers.len().max(1))
    }

    fn read(&self, _number: usize, turn: usize) {
        let item = turn % ITEMS;
        let (Some(server), Some(acknowledged)) =
            (self.server(turn / ITEMS), self.shared.acknowledged.get(item))
        else {
            return;
        };
        // Before anything older is forgotten by another reader's later look: the slack is the same for all.
        let least = Instant::now().checked_sub(self.slack).map_or(0, |moment| acknowledged.before(moment));
        let answer = server.get(&format!("{}/item/{item}", self.site));
        let value = answer.as_ref().ok().filter(|answer| answer.status == 200);
        match value.and_then(|answer| answer.text().trim().parse::<u64>().ok()) {
            Some(value) if value < least => {
                self.shared.stale.fetch_add(1, Ordering::SeqCst);
            }
            Some(_) => {}
            None => return self.shared.fail(&answer),
        }
        self.shared.reads.fetch_add(1, Ordering::SeqCst);
        if answer.is_ok_and(|answer| answer.header("cache-status").contains("; hit")) {
            self.shared.hits.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Writers share the items between them, so that each item has one.
    fn write(&self, number: usize, turn: usize) {
        let item = (turn % (ITEMS / WRITERS)) * WRITERS + number;
        let (Some(server), Some(acknowledged)) = (self.server(turn), self.shared.acknowledged.get(item))
        else {
            return;
        };
        let answer = server.send("POST", &format!("{}/item/{item}", self.site), None);
        let value = answer.as_ref().ok().filter(|answer| answer.status == 200);
        match value.and_then(|answer| answer.text().trim().parse().ok()) {
            Some(value) => {
                acknowledged.add(value);
                self.shared.writes.fetch_add(1, Ordering::SeqCst);
            }
            None => self.shared.fail(&answer),
        }
        // Readers must find the page kept now and then.
        thread::sleep(Duration::from_millis(5));
    }
}
