//! Who may use how many connections, and which stay open.
//!
//! Each tenant has a [`Slot`] with its own fair queues: for connections, for threads, for the one writer.
//! All open connections share one budget; idle ones stay open until another tenant needs their place,
//! the coldest first ([`Uses`]). A connection lives and dies in its tenant's slot, so no other tenant can get it.

use super::connection::{Conn, DbFile};
use super::shared::Owner;
use super::threads::Threads;
use super::uses::{Mark, Uses};
use crate::known::{Known, Notice};
use crate::{LimitKind, SqlError};
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, fence,
};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Slots that nobody uses are cleared out once there are more than this.
const SWEEP_FROM: usize = 1024;

/// One tenant's share of the engine.
pub(super) struct Slot {
    pub(super) file: DbFile,
    /// Who the tenant is in a file that it shares with others.
    pub(super) owner: Option<Arc<Owner>>,
    #[expect(clippy::vec_box, reason = "connections travel between threads; a pointer does so more cheaply")]
    idle: Mutex<Vec<Box<Conn>>>,
    connections: Arc<Semaphore>,
    /// How many permits `connections` has in all.
    cap: AtomicU32,
    pub(super) threads: Arc<Semaphore>,
    pub(super) writer: Arc<Semaphore>,
    pub(super) cursors: Arc<Semaphore>,
    closed: AtomicBool,
    /// How the tenant's commits become known.
    pub(super) notice: Notice,
}

/// All slots, and the budget of open connections.
pub(super) struct Slots {
    map: Mutex<Map>,
    budget: Arc<Semaphore>,
    uses: Uses,
    /// Openings that wait for a place and found no idle connection to close for it: while there are any, what
    /// comes back is closed instead of kept.
    starved: AtomicUsize,
    opened: AtomicU64,
    threads: Arc<Threads>,
    threads_per_tenant: usize,
    known: Arc<Known>,
}

struct Map {
    slots: HashMap<TenantId, Arc<Slot>>,
    sweep_at: usize,
}

impl Slots {
    pub(super) fn new(
        open_connections: usize,
        threads: Arc<Threads>,
        threads_per_tenant: usize,
        known: Arc<Known>,
    ) -> Self {
        Self {
            known,
            map: Mutex::new(Map { slots: HashMap::new(), sweep_at: SWEEP_FROM }),
            budget: Arc::new(Semaphore::new(open_connections.max(1))),
            uses: Uses::new(),
            starved: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
            threads,
            threads_per_tenant: threads_per_tenant.max(1),
        }
    }

    /// The tenant's slot, made where there is none, with room for this many connections.
    pub(super) fn slot(
        &self,
        id: TenantId,
        connections: u32,
        place: impl FnOnce() -> (DbFile, Option<Arc<Owner>>),
    ) -> Arc<Slot> {
        let cap = connections.max(1);
        let mut map = self.map.lock();
        if map.slots.len() >= map.sweep_at {
            map.slots.retain(|_, slot| Arc::strong_count(slot) > 1 || !slot.idle.lock().is_empty());
            // Twice what is in use: so a look at all of them comes seldom.
            map.sweep_at = SWEEP_FROM.max(map.slots.len().saturating_mul(2));
        }
        let slot = map.slots.entry(id).or_insert_with(|| {
            let (file, owner) = place();
            Arc::new(Slot {
                file,
                owner,
                idle: Mutex::default(),
                connections: Arc::new(Semaphore::new(cap as usize)),
                cap: AtomicU32::new(cap),
                threads: Arc::new(Semaphore::new(self.threads_per_tenant)),
                writer: Arc::new(Semaphore::new(1)),
                cursors: Arc::new(Semaphore::new(2)),
                closed: AtomicBool::new(false),
                notice: Notice::new(&self.known, id),
            })
        });
        slot.resize(cap);
        Arc::clone(slot)
    }

    /// A place for one connection of this tenant, with an idle one in it where there is one.
    pub(super) async fn checkout(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        until: Instant,
    ) -> Result<Checkout, SqlError> {
        let permit = slot.permit(&slot.connections, until, SqlError::Limit(LimitKind::Connections)).await?;
        let conn = slot.idle.lock().pop();
        Ok(Checkout {
            conn,
            slot: Arc::clone(slot),
            slots: Arc::clone(self),
            permit: Some(permit),
            extra: Vec::new(),
            hurried: false,
        })
    }

    /// Connections that were opened since the engine was set up.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// A share of the budget of open connections: a free one, else that of the coldest idle connection, which is closed on
    /// a thread meanwhile, else the first that comes back.
    pub(super) async fn share(&self, until: Instant) -> Result<OwnedSemaphorePermit, SqlError> {
        if let Ok(share) = Arc::clone(&self.budget).try_acquire_owned() {
            return Ok(share);
        }
        // Counted before it looks: a connection that comes back after the look must not be kept.
        let _starved = Starved::new(&self.starved);
        fence(SeqCst);
        if let Some(mut coldest) = self.uses.take_coldest()
            && let Some(share) = coldest.share.take()
        {
            // Handed over, not let go of: another opening could be faster. Closing may write the log back into the file.
            self.threads.run(move || drop(coldest));
            return Ok(share);
        }
        match timeout_at(until, Arc::clone(&self.budget).acquire_owned()).await {
            Ok(Ok(share)) => Ok(share),
            Ok(Err(_)) | Err(_) => Err(SqlError::other("too many databases are in use at once")),
        }
    }

    #[cfg(test)]
    pub(super) fn idle_of(&self, id: TenantId) -> usize {
        self.map.lock().slots.get(&id).map_or(0, |slot| slot.idle.lock().len())
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        self.map.lock().slots.values().map(|slot| slot.idle.lock().len()).sum()
    }

    /// Closes a tenant's connections and keeps new ones from being opened through the slots handed out
    /// so far. False where busy ones did not come back in time; then nothing has changed.
    pub(super) async fn close(&self, id: TenantId, wait: Duration) -> bool {
        let Some(slot) = self.map.lock().slots.get(&id).cloned() else { return true };
        slot.closed.store(true, Relaxed);
        let all = slot.cap.load(Relaxed);
        let until = Instant::now() + wait;
        let Ok(Ok(permits)) = timeout_at(until, Arc::clone(&slot.connections).acquire_many_owned(all)).await
        else {
            slot.closed.store(false, Relaxed);
            return false;
        };
        self.empty(&slot).await;
        slot.connections.close();
        drop(permits);
        self.map.lock().slots.remove(&id);
        true
    }

    /// Closes a tenant's connections and refuses new ones until the result is dropped. None where busy ones
    /// did not come back in time; then nothing has changed.
    pub(super) async fn hold(&self, slot: &Arc<Slot>, wait: Duration) -> Option<Held> {
        let mut held = Held { slot: Arc::clone(slot), permits: None };
        slot.closed.store(true, Relaxed);
        let all = slot.cap.load(Relaxed);
        let permits =
            timeout_at(Instant::now() + wait, Arc::clone(&slot.connections).acquire_many_owned(all));
        held.permits = Some(permits.await.ok()?.ok()?);
        self.empty(slot).await;
        Some(held)
    }

    /// Closes a slot's idle connections. Returns when they are closed.
    async fn empty(&self, slot: &Slot) {
        let idle = std::mem::take(&mut *slot.idle.lock());
        let (done, closed) = tokio::sync::oneshot::channel();
        self.threads.run(move || {
            drop(idle);
            let _gone = done.send(());
        });
        let _closed = closed.await;
    }

    /// Closes every idle connection. For the server's end.
    pub(super) fn close_idle(&self) {
        let slots: Vec<_> = self.map.lock().slots.values().cloned().collect();
        slots.iter().for_each(|slot| drop(std::mem::take(&mut *slot.idle.lock())));
    }

    fn give_back(&self, slot: &Slot, mut conn: Box<Conn>) {
        if slot.closed.load(Relaxed) || self.starved.load(Relaxed) > 0 {
            self.threads.run(move || drop(conn));
            return;
        }
        conn.log = None;
        conn.moved.clear();
        if let Some(mark) = &conn.mark {
            self.uses.touch(mark);
        }
        slot.idle.lock().push(conn);
        // An opening that was not starved above may be by now, and have looked before this connection was there. Either it
        // has seen the connection, or it is seen here: each side writes before it reads.
        fence(SeqCst);
        if self.starved.load(Relaxed) > 0
            && let Some(coldest) = self.uses.take_coldest()
        {
            self.threads.run(move || drop(coldest));
        }
    }
}

impl Slot {
    /// The idle connection with this mark, where it is idle.
    pub(super) fn take_idle(&self, mark: &Arc<Mark>) -> Option<Box<Conn>> {
        let mut idle = self.idle.lock();
        let at = idle.iter().position(|conn| conn.mark.as_ref().is_some_and(|own| Arc::ptr_eq(own, mark)))?;
        Some(idle.swap_remove(at))
    }

    /// A permit of one of the slot's queues, in the order of asking.
    pub(super) async fn permit(
        &self,
        queue: &Arc<Semaphore>,
        until: Instant,
        late: SqlError,
    ) -> Result<OwnedSemaphorePermit, SqlError> {
        if self.closed.load(Relaxed) {
            return Err(SqlError::other("the database is being removed"));
        }
        if let Ok(permit) = Arc::clone(queue).try_acquire_owned() {
            return Ok(permit);
        }
        // Boxed: a permit is nearly always there, and the wait is the larger part of every caller's future.
        match Box::pin(timeout_at(until, Arc::clone(queue).acquire_owned())).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_closed)) => Err(SqlError::other("the database is being removed")),
            Err(_elapsed) => Err(late),
        }
    }

    /// Follows a change of the tenant's limit.
    fn resize(&self, cap: u32) {
        let old = self.cap.swap(cap, Relaxed);
        if cap > old {
            self.connections.add_permits((cap - old) as usize);
        } else if cap < old {
            let gone = self.connections.forget_permits((old - cap) as usize);
            let kept = (old - cap).saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
            self.cap.fetch_add(kept, Relaxed);
        }
    }
}

/// All of a tenant's places for connections, with no connection in them.
pub(super) struct Held {
    slot: Arc<Slot>,
    permits: Option<OwnedSemaphorePermit>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.slot.closed.store(false, Relaxed);
        drop(self.permits.take());
    }
}

struct Starved<'a>(&'a AtomicUsize);

impl<'a> Starved<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Starved<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A tenant's place for one connection, and the connection once there is one. Dropping it gives both
/// back; never blocks, so it may be dropped on an async worker.
pub(super) struct Checkout {
    pub(super) conn: Option<Box<Conn>>,
    slot: Arc<Slot>,
    slots: Arc<Slots>,
    permit: Option<OwnedSemaphorePermit>,
    /// Further permits that are given back together with the connection: the writer's, a cursor's.
    pub(super) extra: Vec<OwnedSemaphorePermit>,
    /// It holds the turn of a shared file's writer, and so doesn't wait for anything of its tenant's.
    pub(super) hurried: bool,
}

impl Checkout {
    /// Takes in a connection that was opened for it.
    pub(super) fn fill(&mut self, mut conn: Conn) {
        self.slots.opened.fetch_add(1, Relaxed);
        conn.mark = Some(self.slots.uses.enter(&self.slot));
        self.conn = Some(Box::new(conn));
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        if std::thread::panicking() {
            conn.doubtful = true;
        }
        if conn.is_clean() {
            self.slots.give_back(&self.slot, conn);
            return;
        }
        let (slots, slot) = (Arc::clone(&self.slots), Arc::clone(&self.slot));
        let permits = (self.permit.take(), std::mem::take(&mut self.extra));
        self.slots.threads.run(move || {
            conn.roll_back();
            if conn.is_clean() {
                slots.give_back(&slot, conn);
            } else {
                drop(conn);
            }
            drop(permits);
        });
    }
}
