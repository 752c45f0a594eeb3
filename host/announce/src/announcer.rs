//! Says and hears. One task owns the connection, makes it anew when it ends, and calls back; callers of
//! [`Announce`] only borrow the connection to publish.
//!
//! The task holds no lock while it waits, its queues are bounded, and it ends with the [`RedisAnnouncer`].

mod task;

use crate::hearing::{Hearing, Moment};
use crate::message::{Message, Said, Server};
use crate::owed::Owed;
use crate::redis::Link;
use parking_lot::Mutex;
use rowhouse_base::announce::Sent;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Announce, tasks};
use rowhouse_redis::{RedisNamespace, RedisUrl};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// How often a tick is sent. Each costs Redis two commands and every server of the farm one short message:
/// with ten servers, 50 messages a second each.
pub(crate) const TICK: Duration = Duration::from_millis(200);

/// How long a writer waits for Redis to take its hint. Usually it takes 0.2 ms.
const TELL: Duration = Duration::from_millis(50);

/// What is done about what others say. Called from one task, one after the other: they must not wait.
pub struct Heard {
    /// Data of this tenant was changed by another server.
    pub on_data_moved: Box<dyn Fn(TenantId) + Send + Sync>,
    /// Another server says that the control state has this generation.
    pub on_generation: Box<dyn Fn(u64) + Send + Sync>,
    /// Anything may have been said unheard: doubt all that is known.
    pub on_gap: Box<dyn Fn() + Send + Sync>,
}

/// Counts since the start, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnnounceStats {
    /// Hints and generations that Redis took at once.
    pub sent: u64,
    /// Hints that Redis did not take in time; they are told later.
    pub late: u64,
    /// Messages of others that were heard, ticks aside.
    pub heard: u64,
    /// Messages that could not be read, and each was a reason to doubt everything.
    pub unreadable: u64,
    /// Times that everything was doubted, the first connection included.
    pub gaps: u64,
    /// Connections that ended or were given up.
    pub lost: u64,
    /// Whether this server hears now.
    pub is_hearing: bool,
    /// Whether hints are given to Redis now, or kept until it answers.
    pub is_telling: bool,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    late: AtomicU64,
    heard: AtomicU64,
    unreadable: AtomicU64,
    gaps: AtomicU64,
    lost: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Tells the other servers of a farm over Redis, and hears them.
pub struct RedisAnnouncer {
    shared: Arc<Shared>,
    /// Ends the task when it is dropped.
    _alive: oneshot::Sender<()>,
}

/// What the task and callers share.
struct Shared {
    server: Server,
    began: Instant,
    hearing: Hearing,
    /// The connection, where Redis is known to answer on it. Without one a hint is owed at once.
    open: Mutex<Option<Open>>,
    owed: Mutex<Owed>,
    /// The highest generation that this server was asked to tell; 0 for none.
    generation: AtomicU64,
    /// Something new is to be told.
    news: Notify,
    counts: Counts,
}

/// A connection, and which in the order of connections.
#[derive(Clone)]
struct Open {
    link: Link,
    number: u64,
}

impl RedisAnnouncer {
    /// Starts a task that connects, and returns at once: Redis may be down. Must be called within a tokio
    /// runtime.
    #[must_use]
    pub fn start(url: RedisUrl, namespace: RedisNamespace, heard: Heard) -> Self {
        let shared = Arc::new(Shared {
            server: Server::new(),
            began: Instant::now(),
            hearing: Hearing::default(),
            open: Mutex::new(None),
            owed: Mutex::new(Owed::default()),
            generation: AtomicU64::new(0),
            news: Notify::new(),
            counts: Counts::default(),
        });
        let (alive, ended) = oneshot::channel();
        tasks::spawn("announce", task::run(Arc::clone(&shared), url, namespace, heard, ended));
        Self { shared, _alive: alive }
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> AnnounceStats {
        let counts = &self.shared.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        AnnounceStats {
            sent: read(&counts.sent),
            late: read(&counts.late),
            heard: read(&counts.heard),
            unreadable: read(&counts.unreadable),
            gaps: read(&counts.gaps),
            lost: read(&counts.lost),
            is_hearing: self.is_hearing(),
            is_telling: self.shared.open.lock().is_some(),
        }
    }
}

impl Announce for RedisAnnouncer {
    fn data_moved(&self, tenant: TenantId) -> Sent<'_> {
        let mut owed = Owed::default();
        owed.add(tenant);
        // Made here and not in the future: it counts even where nobody waits.
        let debt = Debt { shared: Arc::clone(&self.shared), owed };
        let open = self.shared.open.lock().clone();
        let Some(Open { link, number }) = open else {
            count(&self.shared.counts.late);
            drop(debt);
            return Box::pin(std::future::ready(()));
        };
        let text = self.shared.text(Said::Moved(vec![tenant]));
        Box::pin(async move {
            if let Ok(Ok(())) = tokio::time::timeout(TELL, link.publish(text)).await {
                count(&self.shared.counts.sent);
                debt.paid();
            } else {
                count(&self.shared.counts.late);
                self.shared.close(number);
            }
        })
    }

    fn generation(&self, generation: u64) {
        self.shared.generation.fetch_max(generation, Ordering::AcqRel);
        self.shared.news.notify_one();
    }

    fn is_hearing(&self) -> bool {
        self.shared.hearing.is_hearing(self.shared.now())
    }

    fn is_alone(&self) -> bool {
        false
    }
}

impl Shared {
    /// Microseconds of this process's clock, never 0.
    fn now(&self) -> Moment {
        let micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        micros.saturating_add(1)
    }

    fn text(&self, said: Said) -> String {
        Message { server: self.server, said }.to_string()
    }

    /// Redis didn't answer on this connection: nobody else waits for it until it does.
    fn close(&self, number: u64) {
        let mut open = self.open.lock();
        if open.as_ref().is_some_and(|open| open.number == number) {
            *open = None;
        }
    }
}

/// Hints that somebody is telling. Unless they are told, they are owed again when this is dropped, also because
/// whoever waited went away.
struct Debt {
    shared: Arc<Shared>,
    owed: Owed,
}

impl Debt {
    /// All that is owed now.
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let owed = std::mem::take(&mut *shared.owed.lock());
        (!owed.is_nothing()).then(|| Self { shared: Arc::clone(shared), owed })
    }

    fn paid(mut self) {
        self.owed = Owed::default();
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        if !self.owed.is_nothing() {
            self.shared.owed.lock().add_all(std::mem::take(&mut self.owed));
        }
    }
}
