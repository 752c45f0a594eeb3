//! The versions that this process knows of each tenant, and how it learns that they are not true any more.
//!
//! Versions come into being by one read of the tenant's database and are never changed in place. Every commit
//! of this process makes them unknown before its writer is answered, and so does every hint from another
//! server. While the outcome of a commit is open they are not trusted at all.
//!
//! Invariants: what was read before a tenant's versions became unknown is not kept after it (epochs); forgetting
//! is always safe, so that the map may be small.

use crate::SqlError;
use lru::LruCache;
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Announce, Versions, tasks};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// How long versions are trusted where there are other servers: a server that dies between its commit and its
/// hint leaves the others behind for no longer.
const TRUSTED: Duration = Duration::from_secs(2);

/// Active tenants on one server.
const TENANTS: usize = 10_000;

/// Counts of all of them together: about 100 bytes each, so 100 MB at most. 100 for each of 10,000 tenants.
const COUNTS: usize = 1_000_000;

/// Turns at loading that are kept before those are cleared out that nobody holds.
const SPARE_TURNS: usize = 1_024;

/// What is known of all tenants.
pub(crate) struct Known {
    announce: Arc<dyn Announce>,
    state: Mutex<State>,
    #[cfg(test)]
    trusted_forever: std::sync::atomic::AtomicBool,
}

/// One load of a tenant's versions at a time: when the last one began, and what came of it. It holds for everybody who
/// asked before that moment.
pub(crate) type Turn = tokio::sync::Mutex<Option<(Instant, Result<Arc<Versions>, SqlError>)>>;

struct State {
    tenants: LruCache<TenantId, Entry>,
    /// Counts in all entries together.
    counts: usize,
    /// Commits whose outcome is open.
    open: HashMap<TenantId, u32>,
    turns: HashMap<TenantId, Weak<Turn>>,
    pruned: HashSet<TenantId>,
    epoch: u64,
}

struct Entry {
    /// When the tenant's versions became unknown last, in steps of the whole map.
    epoch: u64,
    known: Option<Loaded>,
}

struct Loaded {
    versions: Arc<Versions>,
    counts: usize,
    /// Before they were read.
    since: Instant,
}

/// A read of a tenant's versions that has begun.
pub(crate) struct Loading {
    tenant: TenantId,
    epoch: u64,
    since: Instant,
}

impl Known {
    pub(crate) fn new(announce: Arc<dyn Announce>) -> Arc<Self> {
        Arc::new(Self {
            announce,
            state: Mutex::new(State {
                tenants: LruCache::unbounded(),
                counts: 0,
                open: HashMap::new(),
                turns: HashMap::new(),
                pruned: HashSet::new(),
                epoch: 0,
            }),
            #[cfg(test)]
            trusted_forever: std::sync::atomic::AtomicBool::new(false),
        })
    }

    /// Takes the bound on the age of versions away, so that a test can see what it is good for.
    #[cfg(test)]
    pub(crate) fn trust_forever(&self) {
        self.trusted_forever.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    /// The versions of a tenant, where they are known and may be trusted.
    pub(crate) fn get(&self, tenant: TenantId) -> Option<Arc<Versions>> {
        let alone = self.announce.is_alone();
        if !alone && !self.announce.is_hearing() {
            return None;
        }
        let mut state = self.state.lock();
        if state.open.contains_key(&tenant) {
            return None;
        }
        let known = state.tenants.get(&tenant)?.known.as_ref()?;
        (alone || self.is_fresh(known.since)).then(|| Arc::clone(&known.versions))
    }

    fn is_fresh(&self, since: Instant) -> bool {
        #[cfg(test)]
        if self.trusted_forever.load(std::sync::atomic::Ordering::Relaxed) {
            return true;
        }
        since.elapsed() < TRUSTED
    }

    /// One load of a tenant at a time.
    pub(crate) fn turn(&self, tenant: TenantId) -> Arc<Turn> {
        let mut state = self.state.lock();
        if let Some(turn) = state.turns.get(&tenant).and_then(Weak::upgrade) {
            return turn;
        }
        if state.turns.len() > SPARE_TURNS {
            state.turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Turn::default());
        state.turns.insert(tenant, Arc::downgrade(&turn));
        turn
    }

    /// To be called before a tenant's versions are read.
    pub(crate) fn begin(&self, tenant: TenantId) -> Loading {
        let state = &mut *self.state.lock();
        state.epoch += 1;
        let fresh = state.epoch;
        let epoch = state.tenants.get_or_insert_mut(tenant, || Entry { epoch: fresh, known: None }).epoch;
        state.shrink();
        Loading { tenant, epoch, since: Instant::now() }
    }

    /// Keeps what was read, unless something has changed since. `counts` is how many there are.
    pub(crate) fn finish(&self, loading: &Loading, versions: &Arc<Versions>, counts: usize) {
        let state = &mut *self.state.lock();
        if state.open.contains_key(&loading.tenant) {
            return;
        }
        let Some(entry) = state.tenants.get_mut(&loading.tenant) else { return };
        if entry.epoch != loading.epoch {
            return;
        }
        let loaded = Loaded { versions: Arc::clone(versions), counts, since: loading.since };
        let before = entry.known.replace(loaded).map_or(0, |old| old.counts);
        state.counts = state.counts.saturating_sub(before).saturating_add(counts);
        state.shrink();
    }

    /// Makes a tenant's versions unknown.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.state.lock().forget(tenant);
    }

    /// Makes all tenants' versions unknown.
    pub(crate) fn forget_all(&self) {
        let mut state = self.state.lock();
        state.tenants.clear();
        state.counts = 0;
    }

    /// True for whoever is to bring a tenant's lines together; it must say when that has ended.
    pub(crate) fn begin_pruning(&self, tenant: TenantId) -> bool {
        self.state.lock().pruned.insert(tenant)
    }

    pub(crate) fn end_pruning(&self, tenant: TenantId) {
        self.state.lock().pruned.remove(&tenant);
    }

    fn close(&self, tenant: TenantId) {
        let mut state = self.state.lock();
        state.forget(tenant);
        if let Some(open) = state.open.get_mut(&tenant) {
            *open -= 1;
            if *open == 0 {
                state.open.remove(&tenant);
            }
        }
    }
}

impl State {
    fn forget(&mut self, tenant: TenantId) {
        self.epoch += 1;
        // Without an entry a load that is under way finds none, or one that is younger.
        if let Some(entry) = self.tenants.peek_mut(&tenant) {
            entry.epoch = self.epoch;
            let counts = entry.known.take().map_or(0, |old| old.counts);
            self.counts = self.counts.saturating_sub(counts);
        }
    }

    fn shrink(&mut self) {
        while self.tenants.len() > TENANTS || self.counts > COUNTS {
            let Some((_tenant, entry)) = self.tenants.pop_lru() else { return };
            self.counts = self.counts.saturating_sub(entry.known.map_or(0, |old| old.counts));
        }
    }
}

/// How commits of one tenant become known. Cheap.
#[derive(Clone)]
pub(crate) struct Notice {
    known: Arc<Known>,
    tenant: TenantId,
}

impl Notice {
    pub(crate) fn new(known: &Arc<Known>, tenant: TenantId) -> Self {
        Self { known: Arc::clone(known), tenant }
    }

    /// To be called where a commit was tried, on whichever thread: from here on the versions are unknown. The
    /// others are told by a task of this runtime, which goes on where nobody waits for it.
    pub(crate) fn committed(&self, on: Option<&Handle>) -> Told {
        self.known.forget(self.tenant);
        self.tell(on)
    }

    fn tell(&self, on: Option<&Handle>) -> Told {
        let Some(on) = on.filter(|_| !self.known.announce.is_alone()) else { return Told(None) };
        let (known, tenant) = (Arc::clone(&self.known), self.tenant);
        let _runtime = on.enter();
        Told(Some(tasks::spawn("tell of a commit", async move { known.announce.data_moved(tenant).await })))
    }

    /// To be called before a commit is sent to a server. `ended` becomes ready once the commit can't happen
    /// any more where it had not by then.
    pub(crate) fn writing(&self, ended: impl FnOnce() -> Ended + Send + 'static) -> Writing {
        *self.known.state.lock().open.entry(self.tenant).or_insert(0) += 1;
        Writing { notice: self.clone(), ended: Some(Box::new(ended)) }
    }

    /// The same for work that ends with its future.
    pub(crate) fn working(&self) -> Writing {
        self.writing(|| Box::pin(std::future::ready(())))
    }
}

/// Says when a commit's outcome can't change any more.
pub(crate) type Ended = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Other servers being told.
pub(crate) struct Told(Option<JoinHandle<()>>);

impl Told {
    /// Waits until they have been told, for as long as an announcement takes.
    pub(crate) async fn wait(self) {
        if let Some(task) = self.0 {
            let _ends_by_itself = task.await;
        }
    }
}

/// A commit whose outcome is open. Dropped without a word it stays open until it can't change any more.
pub(crate) struct Writing {
    notice: Notice,
    ended: Option<Box<dyn FnOnce() -> Ended + Send>>,
}

impl Writing {
    /// The commit has happened: makes it known here and elsewhere.
    pub(crate) async fn settled(mut self) {
        self.ended = None;
        self.notice.known.close(self.notice.tenant);
        self.notice.tell(Handle::try_current().ok().as_ref()).wait().await;
    }

    /// The commit has not happened.
    pub(crate) fn refused(mut self) {
        self.ended = None;
        self.notice.known.close(self.notice.tenant);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let Some(ended) = self.ended.take() else { return };
        let notice = self.notice.clone();
        notice.known.forget(notice.tenant);
        // Without a runtime the process is ending: nothing is trusted until then.
        let Ok(runtime) = Handle::try_current() else { return };
        let _runtime = runtime.enter();
        tasks::spawn("settle a commit", async move {
            notice.tell(Handle::try_current().ok().as_ref()).wait().await;
            ended().await;
            notice.known.close(notice.tenant);
            notice.tell(Handle::try_current().ok().as_ref()).wait().await;
        });
    }
}

#[cfg(test)]
mod tests;
