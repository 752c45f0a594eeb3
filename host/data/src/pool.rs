//! Connections to one data server: bounded in total and per tenant, opened lazily, closed when idle,
//! never shared between tenants.
//!
//! There is no pool per tenant. All open connections count against one budget; idle ones are kept for
//! their tenant until another tenant needs the place, the coldest first. A quarter of the budget is kept
//! for tenants that hold no connection yet, so that those which hold several never keep the others out.
//! Who waits is served in the order of asking, tenants without a connection first.
//!
//! Every future here may be dropped at any point: places come back by themselves.

mod hold;

pub(crate) use hold::Held;
pub use hold::Hold;

use crate::{LimitKind, SqlError};
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

/// How an engine opens and closes connections.
pub(crate) trait Connector: Send + Sync + 'static {
    /// An open connection of one tenant.
    type Conn: Send + 'static;

    /// Opens a connection as this tenant.
    fn connect(&self, tenant: &Tenant) -> impl Future<Output = Result<Self::Conn, SqlError>> + Send;

    /// Ends a connection, in whatever state it is. Must not block.
    fn close(&self, conn: Self::Conn);
}

/// The connections of one data server.
pub(crate) struct Pool<C: Connector> {
    connector: C,
    total: usize,
    state: Mutex<State<C::Conn>>,
}

struct State<T> {
    seats: HashMap<TenantId, Seat<T>>,
    /// Connections that are open, being opened or being closed for another tenant's sake.
    open: usize,
    /// Waiting tenants that hold no connection, then those that do.
    first: VecDeque<oneshot::Sender<()>>,
    more: VecDeque<oneshot::Sender<()>>,
}

/// One tenant's share.
struct Seat<T> {
    idle: Vec<(Instant, T)>,
    leased: usize,
    places: Arc<Semaphore>,
    cap: usize,
    closed: bool,
}

/// What a server's connections are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections that may be open at once.
    pub total: usize,
    /// Those that are open.
    pub open: usize,
    /// Those of them that wait for work.
    pub idle: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

impl<C: Connector> Pool<C> {
    pub(crate) fn new(connector: C, total: usize) -> Arc<Self> {
        let state = State { seats: HashMap::new(), open: 0, first: VecDeque::new(), more: VecDeque::new() };
        Arc::new(Self { connector, total: total.max(1), state: Mutex::new(state) })
    }

    pub(crate) fn connector(&self) -> &C {
        &self.connector
    }

    /// A connection of this tenant: an idle one, else a new one. Waits until `until` for a place.
    ///
    /// # Errors
    /// [`LimitKind::Connections`] where the tenant's own connections stayed in use; SQLSTATE 53300 where
    /// the server's budget was used up by others; what opening it failed with.
    pub(crate) async fn checkout(
        self: &Arc<Self>,
        tenant: &Tenant,
        until: Instant,
    ) -> Result<Lease<C>, SqlError> {
        let places = self.state.lock().places(tenant)?;
        // What waits is boxed: there is nearly always a place with a connection, and the future of a statement is
        // to stay small.
        let place = match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => place,
            Err(_taken) => Box::pin(wait_for_place(places, until)).await?,
        };
        let (pool, since) = (Arc::clone(self), Instant::now());
        let mut lease = Lease { pool, tenant: tenant.id, conn: None, seated: false, since, place };
        match self.take(&mut lease, tenant)? {
            Taken::Connection => Ok(lease),
            other => Box::pin(self.fill(lease, other, tenant, until)).await,
        }
    }

    /// Opens a connection for a lease that found none, once there is a place for it.
    async fn fill(
        &self,
        mut lease: Lease<C>,
        mut taken: Taken<C::Conn>,
        tenant: &Tenant,
        until: Instant,
    ) -> Result<Lease<C>, SqlError> {
        loop {
            let turn = match taken {
                Taken::Connection => return Ok(lease),
                Taken::Place(evicted) => {
                    if let Some(evicted) = evicted {
                        self.connector.close(evicted);
                    }
                    lease.conn = Some(self.open(tenant, until).await?);
                    return Ok(lease);
                }
                Taken::Turn(turn) => turn,
            };
            let mut waiting = Waiting { pool: self, turn };
            match timeout_at(until, &mut waiting.turn).await {
                // The place is there, but another request may be faster: look again.
                Ok(_told) => {}
                Err(_elapsed) => return Err(crowded()),
            }
            drop(waiting);
            taken = self.take(&mut lease, tenant)?;
        }
    }

    async fn open(&self, tenant: &Tenant, until: Instant) -> Result<C::Conn, SqlError> {
        timeout_at(until, self.connector.connect(tenant)).await.unwrap_or_else(|_elapsed| {
            Err(SqlError::Other {
                sqlstate: Some("08001".into()),
                message: "the data server did not accept a connection in time".into(),
            })
        })
    }

    /// One step towards a connection, under the lock.
    fn take(&self, lease: &mut Lease<C>, tenant: &Tenant) -> Result<Taken<C::Conn>, SqlError> {
        let state = &mut *self.state.lock();
        let seat = state.seats.get_mut(&tenant.id).filter(|seat| !seat.closed).ok_or_else(removed)?;
        if let Some((_since, conn)) = seat.idle.pop() {
            seat.leased += 1;
            lease.seated = true;
            lease.conn = Some(conn);
            return Ok(Taken::Connection);
        }
        // The last quarter is for tenants that have none.
        let newcomer = seat.leased == 0;
        let bound = if newcomer { self.total } else { self.total - self.total / 4 };
        let mut evicted = None;
        if state.open >= bound {
            evicted = state.take_coldest();
            if evicted.is_none() {
                let (tell, turn) = oneshot::channel();
                let queue = if newcomer { &mut state.first } else { &mut state.more };
                queue.retain(|waiter| !waiter.is_closed());
                queue.push_back(tell);
                return Ok(Taken::Turn(turn));
            }
            state.open -= 1;
        }
        state.open += 1;
        if let Some(seat) = state.seats.get_mut(&tenant.id) {
            seat.leased += 1;
        }
        lease.seated = true;
        Ok(Taken::Place(evicted))
    }

    /// Closes a tenant's connections and refuses further ones. False where busy ones did not come back in
    /// time; then nothing has changed.
    pub(crate) async fn close(&self, id: TenantId, wait: Duration) -> bool {
        let (places, cap) = {
            let mut state = self.state.lock();
            let Some(seat) = state.seats.get_mut(&id) else { return true };
            seat.closed = true;
            (Arc::clone(&seat.places), u32::try_from(seat.cap).unwrap_or(u32::MAX))
        };
        let all = timeout_at(Instant::now() + wait, Arc::clone(&places).acquire_many_owned(cap)).await;
        let mut state = self.state.lock();
        let Ok(Ok(_all)) = all else {
            if let Some(seat) = state.seats.get_mut(&id) {
                seat.closed = false;
            }
            return false;
        };
        places.close();
        let idle = state.seats.remove(&id).map(|seat| seat.idle).unwrap_or_default();
        state.open = state.open.saturating_sub(idle.len());
        for _place in &idle {
            state.call_next();
        }
        drop(state);
        idle.into_iter().for_each(|(_since, conn)| self.connector.close(conn));
        true
    }

    /// Closes connections that have been idle for this long.
    pub(crate) fn close_idle(&self, longer_than: Duration) {
        let Some(before) = Instant::now().checked_sub(longer_than) else { return };
        let mut old = Vec::new();
        let mut state = self.state.lock();
        state.seats.retain(|_, seat| {
            old.extend(seat.idle.extract_if(.., |(since, _)| *since <= before).map(|(_, conn)| conn));
            !seat.is_spare()
        });
        state.open = state.open.saturating_sub(old.len());
        for _place in &old {
            state.call_next();
        }
        drop(state);
        old.into_iter().for_each(|conn| self.connector.close(conn));
    }

    /// What the connections are doing.
    pub(crate) fn usage(&self) -> PoolUse {
        let state = self.state.lock();
        PoolUse {
            total: self.total,
            open: state.open,
            idle: state.seats.values().map(|seat| seat.idle.len()).sum(),
            waiting: state.first.iter().chain(&state.more).filter(|one| !one.is_closed()).count(),
        }
    }
}

/// A place in line. Who leaves it after being called calls the next one.
struct Waiting<'a, C: Connector> {
    pool: &'a Pool<C>,
    turn: oneshot::Receiver<()>,
}

impl<C: Connector> Drop for Waiting<'_, C> {
    fn drop(&mut self) {
        self.turn.close();
        if self.turn.try_recv().is_ok() {
            self.pool.state.lock().call_next();
        }
    }
}

/// What a step under the lock gave.
enum Taken<T> {
    /// An idle connection of the tenant's own.
    Connection,
    /// The right to open one, in the place of the one given here.
    Place(Option<T>),
    /// Nothing yet: a call to look again.
    Turn(oneshot::Receiver<()>),
}

impl<T> State<T> {
    /// The tenant's places, as many as its limit says now.
    fn places(&mut self, tenant: &Tenant) -> Result<Arc<Semaphore>, SqlError> {
        let cap = (tenant.limits.connections as usize).clamp(1, Semaphore::MAX_PERMITS);
        let seat = self.seats.entry(tenant.id).or_insert_with(|| Seat {
            idle: Vec::new(),
            leased: 0,
            places: Arc::new(Semaphore::new(cap)),
            cap,
            closed: false,
        });
        if seat.closed {
            return Err(removed());
        }
        if cap > seat.cap {
            seat.places.add_permits(cap - seat.cap);
            seat.cap = cap;
        } else if cap < seat.cap {
            seat.cap -= seat.places.forget_permits(seat.cap - cap);
        }
        Ok(Arc::clone(&seat.places))
    }

    /// The idle connection that has been idle for longest, of whatever tenant.
    fn take_coldest(&mut self) -> Option<T> {
        let coldest = self
            .seats
            .iter()
            .filter_map(|(id, seat)| seat.idle.first().map(|(since, _)| (*since, *id)))
            .min_by_key(|(since, _)| *since)
            .map(|(_, id)| id)?;
        let seat = self.seats.get_mut(&coldest)?;
        // Given back at the end and taken from there: the first is the coldest.
        let (_since, conn) = seat.idle.remove(0);
        if seat.is_spare() {
            self.seats.remove(&coldest);
        }
        Some(conn)
    }

    /// Tells the next in line that there may be a place.
    fn call_next(&mut self) {
        while let Some(waiter) = self.first.pop_front().or_else(|| self.more.pop_front()) {
            if waiter.send(()).is_ok() {
                return;
            }
        }
    }
}

impl<T> Seat<T> {
    /// True where nobody would miss it.
    fn is_spare(&self) -> bool {
        self.leased == 0 && self.idle.is_empty() && !self.closed && Arc::strong_count(&self.places) == 1
    }
}

/// A connection in use. Dropped, the connection is closed, because its state is unknown; given back with
/// [`Lease::keep`] it stays open for the tenant.
pub(crate) struct Lease<C: Connector> {
    pool: Arc<Pool<C>>,
    tenant: TenantId,
    conn: Option<C::Conn>,
    /// True once the budget counts it.
    seated: bool,
    /// When its place was taken.
    since: Instant,
    #[expect(dead_code, reason = "held for the tenant's bound")]
    place: OwnedSemaphorePermit,
}

impl<C: Connector> Lease<C> {
    /// The connection.
    ///
    /// # Errors
    /// [`SqlError::Closed`] never in practice: a lease that was handed out has one.
    pub(crate) fn conn(&mut self) -> Result<&mut C::Conn, SqlError> {
        self.conn.as_mut().ok_or(SqlError::Closed)
    }

    /// How long it has been leased.
    fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// False where its tenant's connections are being closed.
    fn is_welcome(&self) -> bool {
        self.pool.state.lock().seats.get(&self.tenant).is_some_and(|seat| !seat.closed)
    }

    /// As [`Lease::keep`], or for the next statement of the instance that holds its connection here.
    pub(crate) fn keep_in(self, held: Option<&Arc<Held<C>>>) {
        match held {
            Some(held) => held.put(self),
            None => self.keep(),
        }
    }

    /// Gives the connection back for the tenant's next statement: nothing runs on it, no transaction is
    /// open.
    pub(crate) fn keep(mut self) {
        let Some(conn) = self.conn.take() else { return };
        let mut state = self.pool.state.lock();
        let Some(seat) = state.seats.get_mut(&self.tenant).filter(|seat| !seat.closed) else {
            drop(state);
            self.conn = Some(conn);
            return;
        };
        seat.idle.push((Instant::now(), conn));
        seat.leased = seat.leased.saturating_sub(1);
        self.seated = false;
        state.call_next();
    }
}

impl<C: Connector> Drop for Lease<C> {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool.connector.close(conn);
        }
        if !self.seated {
            return;
        }
        let mut state = self.pool.state.lock();
        state.open = state.open.saturating_sub(1);
        if let Some(seat) = state.seats.get_mut(&self.tenant) {
            seat.leased = seat.leased.saturating_sub(1);
        }
        state.call_next();
    }
}

async fn wait_for_place(places: Arc<Semaphore>, until: Instant) -> Result<OwnedSemaphorePermit, SqlError> {
    match timeout_at(until, places.acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_closed)) => Err(removed()),
        Err(_elapsed) => Err(SqlError::Limit(LimitKind::Connections)),
    }
}

fn removed() -> SqlError {
    SqlError::other("the database is being removed")
}

fn crowded() -> SqlError {
    SqlError::Other {
        sqlstate: Some("53300".into()),
        message: "the data server has no free connection: too many sites are at work at once".into(),
    }
}

#[cfg(test)]
mod tests;
