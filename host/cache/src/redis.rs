//! The second level over Redis: standalone, behind Sentinels, or a cluster. The only file of this crate that
//! names the library; its connections are made by `rowhouse-redis`.
//!
//! Never an error and never a wait beyond a deadline of some milliseconds: whatever goes wrong is a miss. A Redis that
//! doesn't answer is not asked again until a probe, on a connection of its own, was answered. Reads and leases
//! have one connection, writes another, so that a large page on its way there delays no look-up. Values are checked by who
//! reads them; what stands here is only whether bytes come back, and how the clock there differs from this machine's.

mod acquired;
mod breaker;
mod leases;
mod queue;

use crate::second::{Bounded, Leased, SecondLevel};
use acquired::{Acquired, Got};
use breaker::Breaker;
use bytes::Bytes;
use futures_util::future::{join_all, ready};
use leases::Leases;
use parking_lot::RwLock;
use queue::{Job, Queue};
use redis::aio::MultiplexedConnection;
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ErrorKind, ProtocolVersion, RedisError, RedisResult, ServerErrorKind, Value};
use rowhouse_base::{Chain, Timestamp, tasks};
use rowhouse_redis::{Connector, RedisNamespace, RedisTopology, RedisUrl};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Finding the master or the nodes, and two connections.
const CONNECT_ALL: Duration = Duration::from_secs(3);

/// Writes that are not acknowledged within this time are given up: nobody waits, but the queue does.
const WRITE: Duration = Duration::from_millis(500);

/// Waits between attempts: the first, doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Look-ups on their way to the connection; more wait for a turn, within their deadline.
const PIPELINE: usize = 1024;

/// How often the two clocks are compared again: they drift by some microseconds meanwhile, and may be set.
const CLOCKS: Duration = Duration::from_secs(60);

/// How soon where the clock there was not told.
const AGAIN: Duration = Duration::from_secs(1);

/// Beyond a day nothing is kept. Redis refuses times near the end of its numbers.
const LONGEST_TTL: Duration = Duration::from_secs(24 * 3600);

/// Gives a lease back, where it is still this one.
const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// What can be decided about the second level.
#[derive(Clone, Debug)]
pub struct RedisLevelSettings {
    /// How long a look-up or a lease may take.
    pub deadline: Duration,
    /// Larger values are not kept, in bytes.
    pub max_value_bytes: usize,
    /// Values that wait to be written, in bytes.
    pub queue_bytes: usize,
}

impl Default for RedisLevelSettings {
    fn default() -> Self {
        Self {
            // A look-up takes 0.2 ms, and some milliseconds on a busy machine; a page takes longer.
            deadline: Duration::from_millis(10),
            // 4 MiB hold up what comes behind them for about as long as the deadline, on 10 Gbit/s.
            max_value_bytes: 4 << 20,
            // Four of the largest, or some thousand usual ones.
            queue_bytes: 16 << 20,
        }
    }
}

/// Counts since the start, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedisLevelStats {
    /// Look-ups that found something.
    pub hits: u64,
    /// Look-ups that found nothing.
    pub misses: u64,
    /// Look-ups and leases that were not answered in time, or with an error.
    pub failures: u64,
    /// Look-ups, leases and writes that were not tried, because Redis doesn't answer.
    pub skipped: u64,
    /// Writes that Redis took.
    pub written: u64,
    /// Writes that were too large, found no room, or failed.
    pub dropped: u64,
    /// Times that Redis ceased to answer.
    pub outages: u64,
    /// Whether Redis doesn't answer now.
    pub is_out: bool,
}

/// The second level over Redis.
pub struct RedisLevel {
    shared: Arc<Shared>,
    /// Ends the task when it is dropped.
    _alive: oneshot::Sender<()>,
}

struct Shared {
    settings: RedisLevelSettings,
    namespace: RedisNamespace,
    /// The connections, while the breaker is closed.
    links: RwLock<Option<Links>>,
    breaker: Breaker,
    queue: Queue,
    leases: Leases,
    counts: Counts,
    /// By how many microseconds the clock of Redis is ahead.
    clock_ahead: AtomicI64,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
    skipped: AtomicU64,
    written: AtomicU64,
    dropped: AtomicU64,
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or(u64::MAX), Ordering::Relaxed);
}

#[derive(Clone)]
struct Links {
    reads: Link,
    writes: Link,
}

/// A shared connection. Cheap to clone.
#[derive(Clone)]
enum Link {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl RedisLevel {
    /// Starts a task that connects, and returns at once: Redis may be down. Must be called within a tokio
    /// runtime.
    #[must_use]
    pub fn start(url: RedisUrl, namespace: RedisNamespace, settings: RedisLevelSettings) -> Self {
        let shared = Arc::new(Shared {
            queue: Queue::new(settings.queue_bytes),
            settings,
            namespace,
            links: RwLock::new(None),
            breaker: Breaker::default(),
            leases: Leases::new(),
            counts: Counts::default(),
            clock_ahead: AtomicI64::new(0),
        });
        let (alive, ended) = oneshot::channel();
        let keep = keep(Arc::clone(&shared), url);
        tasks::spawn("cache-redis", async move {
            tokio::select! {
                _gone = ended => {}
                () = keep => {}
            }
        });
        Self { shared, _alive: alive }
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> RedisLevelStats {
        let (counts, breaker) = (&self.shared.counts, &self.shared.breaker);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RedisLevelStats {
            hits: read(&counts.hits),
            misses: read(&counts.misses),
            failures: read(&counts.failures),
            skipped: read(&counts.skipped),
            written: read(&counts.written),
            dropped: read(&counts.dropped),
            outages: breaker.times_opened(),
            is_out: breaker.is_open(),
        }
    }
}

impl SecondLevel for RedisLevel {
    fn get<'a>(&'a self, key: &'a [u8; 32]) -> Bounded<'a, Option<Bytes>> {
        let shared = &self.shared;
        let Some(link) = shared.reads() else { return Box::pin(ready(None)) };
        Box::pin(async move {
            let mut command = Cmd::with_capacity(2, 128);
            command.arg("GET").arg(shared.page(key));
            match shared.ask(link, &command).await? {
                Value::BulkString(value) if value.len() <= shared.settings.max_value_bytes => {
                    count(&shared.counts.hits, 1);
                    Some(value.into())
                }
                _ => {
                    count(&shared.counts.misses, 1);
                    None
                }
            }
        })
    }

    fn put(&self, key: [u8; 32], value: Bytes, ttl: Duration) {
        if value.len() > self.shared.settings.max_value_bytes || ttl.is_zero() {
            return count(&self.shared.counts.dropped, 1);
        }
        self.shared.enqueue(Job::Put { key, value, ttl });
    }

    fn remove(&self, key: [u8; 32]) {
        self.shared.enqueue(Job::Remove { key });
    }

    fn lease<'a>(&'a self, key: &'a [u8; 32], ttl: Duration) -> Bounded<'a, Leased> {
        let shared = &self.shared;
        let Some(link) = shared.reads() else { return Box::pin(ready(Leased::Unknown)) };
        Box::pin(async move {
            let (tell, told) = oneshot::channel();
            let (ours, key) = (Arc::clone(shared), *key);
            // Whoever asks may leave at any moment; the answer is heard all the same.
            tasks::spawn("cache-lease", async move {
                // What nobody takes gives itself back.
                drop(tell.send(ours.acquire(link, key, ttl).await));
            });
            let told = timeout(shared.settings.deadline, told).await;
            if let Ok(Ok(Acquired::Got(_) | Acquired::Others)) = &told {
                // In time: a later answer is no sign that Redis is quick enough.
                shared.breaker.succeeded();
            }
            match told {
                Ok(Ok(Acquired::Got(got))) => {
                    if got.keep(ttl) {
                        Leased::Mine
                    } else {
                        Leased::Unknown
                    }
                }
                Ok(Ok(Acquired::Others)) => Leased::Others,
                Ok(Ok(Acquired::Unknown) | Err(_)) => Leased::Unknown,
                Err(_elapsed) => {
                    shared.breaker.failed();
                    count(&shared.counts.failures, 1);
                    Leased::Unknown
                }
            }
        })
    }

    fn release(&self, key: [u8; 32]) {
        if let Some(token) = self.shared.leases.take(&key) {
            self.shared.enqueue(Job::Release { key, token });
        }
    }

    fn clock_ahead(&self) -> i64 {
        self.shared.clock_ahead.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn reads(&self) -> Option<Link> {
        if !self.breaker.is_open()
            && let Some(links) = &*self.links.read()
        {
            return Some(links.reads.clone());
        }
        count(&self.counts.skipped, 1);
        None
    }

    fn enqueue(&self, job: Job) {
        if self.breaker.is_open() {
            count(&self.counts.skipped, 1);
        } else if !self.queue.push(job) {
            count(&self.counts.dropped, 1);
        }
    }

    fn page(&self, key: &[u8; 32]) -> Vec<u8> {
        self.name(b":page:", key)
    }

    fn lease(&self, key: &[u8; 32]) -> Vec<u8> {
        self.name(b":lease:", key)
    }

    fn name(&self, kind: &[u8], key: &[u8; 32]) -> Vec<u8> {
        [self.namespace.as_str().as_bytes(), kind, key].concat()
    }

    /// The answer, where one came in time.
    async fn ask(&self, mut link: Link, command: &Cmd) -> Option<Value> {
        let answer = timeout(self.settings.deadline, link.ask(command)).await;
        match answer {
            Ok(Ok(value)) => {
                self.breaker.succeeded();
                return Some(value);
            }
            Ok(Err(error)) => self.failed(&error, &link),
            Err(_elapsed) => self.breaker.failed(),
        }
        count(&self.counts.failures, 1);
        None
    }

    /// Asks for a lease, and hears the answer for as long as a write may take.
    async fn acquire(self: Arc<Self>, mut link: Link, key: [u8; 32], ttl: Duration) -> Acquired {
        let token = self.leases.token();
        let mut command = Cmd::new();
        command.arg("SET").arg(self.lease(&key)).arg(&token).arg("NX").arg("PX").arg(millis(ttl));
        let got = Got::new(Arc::clone(&self), key, token);
        match timeout(WRITE, link.ask(&command)).await {
            Ok(Ok(Value::Okay)) => return Acquired::Got(got),
            Ok(Ok(Value::Nil)) => {
                got.forget();
                return Acquired::Others;
            }
            Ok(Ok(_odd)) => {}
            Ok(Err(error)) => {
                self.failed(&error, &link);
                count(&self.counts.failures, 1);
            }
            // Who asked gave up long before, and counted it.
            Err(_elapsed) => {}
        }
        // It may have been got all the same, and others would wait for nothing.
        drop(got);
        Acquired::Unknown
    }

    fn failed(&self, error: &RedisError, link: &Link) {
        let kind = error.kind();
        let is_replica = kind == ErrorKind::Server(ServerErrorKind::ReadOnly);
        // A cluster's connections come and go, and it makes them anew itself.
        let is_gone = error.is_unrecoverable_error() && matches!(link, Link::One(_));
        if is_replica || is_gone {
            self.breaker.open();
        } else if matches!(kind, ErrorKind::Server(_) | ErrorKind::Extension) {
            // It answered, and in time: it is full, or doesn't allow this.
            self.breaker.succeeded();
        } else {
            self.breaker.failed();
        }
    }

    /// Compares the clocks. False where that was not answered, which leaves things as they were.
    async fn compare_clocks(&self, link: &Link) -> bool {
        let (mut link, mut command) = (link.clone(), Cmd::new());
        command.arg("TIME");
        let answer = timeout(WRITE, link.ask(&command)).await;
        let Some(there) = answer.ok().and_then(RedisResult::ok).as_ref().and_then(moment) else {
            return false;
        };
        self.clock_ahead.store(there.saturating_sub(Timestamp::now().0), Ordering::Relaxed);
        true
    }

    /// Compares the clocks from time to time, until it is dropped.
    async fn follow_clock(&self, link: &Link, mut is_known: bool) {
        loop {
            tokio::time::sleep(if is_known { CLOCKS } else { AGAIN }).await;
            is_known = self.compare_clocks(link).await;
        }
    }

    /// Writes what is queued, until it is dropped.
    async fn write(&self, link: &Link) {
        loop {
            let batch = self.queue.next().await;
            // One shared connection: they are sent together and in order.
            let writes = batch.iter().map(|job| {
                let (mut link, command) = (link.clone(), self.command(job));
                async move {
                    match timeout(WRITE, link.ask(&command)).await {
                        Ok(Ok(_)) => return count(&self.counts.written, 1),
                        Ok(Err(error)) => self.failed(&error, &link),
                        Err(_elapsed) => self.breaker.failed(),
                    }
                    count(&self.counts.dropped, 1);
                }
            });
            join_all(writes).await;
        }
    }

    fn command(&self, job: &Job) -> Cmd {
        match job {
            Job::Put { key, value, ttl } => {
                let mut command = Cmd::with_capacity(5, value.len().saturating_add(160));
                command.arg("SET").arg(self.page(key)).arg(&**value).arg("PX").arg(millis(*ttl));
                command
            }
            Job::Remove { key } => Cmd::new().arg("UNLINK").arg(self.page(key)).to_owned(),
            Job::Release { key, token } => {
                Cmd::new().arg("EVAL").arg(RELEASE).arg(1).arg(self.lease(key)).arg(token).to_owned()
            }
        }
    }
}

/// Seconds and microseconds as one number.
fn moment(answer: &Value) -> Option<i64> {
    let Value::Array(parts) = answer else { return None };
    let number = |part: Option<&Value>| match part? {
        Value::BulkString(digits) => std::str::from_utf8(digits).ok()?.parse::<i64>().ok(),
        _ => None,
    };
    number(parts.first())?.checked_mul(1_000_000)?.checked_add(number(parts.get(1))?)
}

fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.min(LONGEST_TTL).as_millis()).unwrap_or(1).max(1)
}

/// Connects, probes, writes until the breaker opens, and again. Never ends.
async fn keep(shared: Arc<Shared>, url: RedisUrl) {
    let (mut wait, mut is_out) = (FIRST_WAIT, false);
    loop {
        match connect(&url, shared.settings.deadline).await {
            Ok(links) => {
                if std::mem::take(&mut is_out) {
                    tracing::info!(%url, "the second level of the cache answers again");
                }
                wait = FIRST_WAIT;
                let is_known = shared.compare_clocks(&links.reads).await;
                *shared.links.write() = Some(links.clone());
                shared.breaker.close();
                tokio::select! {
                    () = shared.breaker.opened() => {}
                    () = shared.write(&links.writes) => {}
                    () = shared.follow_clock(&links.reads, is_known) => {}
                }
                *shared.links.write() = None;
                count(&shared.counts.dropped, shared.queue.clear());
            }
            Err(error) if !is_out => {
                is_out = true;
                tracing::warn!(error = %Chain(&error), %url, "the second level of the cache does not answer");
            }
            Err(_still) => {}
        }
        // Up to a quarter more, so that servers don't come all at once.
        let spread = wait * rand::random_range(0..256) / 1024;
        tokio::time::sleep(wait + spread).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum ConnectError {
    #[error("connect to Redis")]
    Redis(#[from] RedisError),
    #[error("Redis did not answer in time")]
    Timeout,
}

/// Two connections, on the first of which Redis answers as fast as look-ups need it.
async fn connect(url: &RedisUrl, deadline: Duration) -> Result<Links, ConnectError> {
    let both = async {
        RedisResult::Ok(Links { reads: Link::connect(url).await?, writes: Link::connect(url).await? })
    };
    let Ok(links) = timeout(CONNECT_ALL, both).await else { return Err(ConnectError::Timeout) };
    let mut links = links?;
    let mut probe = Cmd::new();
    probe.arg("PING");
    match timeout(deadline, links.reads.ask(&probe)).await {
        Ok(answer) => answer.map(|_pong| links).map_err(ConnectError::Redis),
        Err(_elapsed) => Err(ConnectError::Timeout),
    }
}

impl Link {
    async fn ask(&mut self, command: &Cmd) -> RedisResult<Value> {
        match self {
            // What `query_async` does, without a future in a box for each look-up.
            Self::One(connection) => connection.send_packed_command(command).await?.extract_error(),
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }

    async fn connect(url: &RedisUrl) -> RedisResult<Self> {
        let connector = Connector::new(url, ProtocolVersion::RESP2);
        // Every call has a deadline of its own.
        let config = Connector::config().set_response_timeout(None).set_pipeline_buffer_size(PIPELINE);
        match url.topology() {
            RedisTopology::Standalone => {
                let mut last = RedisError::from((ErrorKind::InvalidClientConfig, "no address"));
                for node in url.nodes() {
                    match connector.node(node, &config).await {
                        Ok(connection) => return Ok(Self::One(connection)),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            RedisTopology::Sentinel { master } => connector.master(master, &config).await.map(Self::One),
            RedisTopology::Cluster => connector.cluster(WRITE).await.map(Self::Cluster),
        }
    }
}
