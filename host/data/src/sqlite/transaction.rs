//! A transaction: one connection, held from begin to end.
//!
//! It ends by commit, by rollback, by being dropped, or by an error after which the engine has rolled
//! back by itself; every further call then says `closed`. Where tenants share a file it also ends when
//! nothing is asked of it for as long as a statement may take, or when it has lasted as long as a request
//! may: its next call then says that the time was up, because other tenants wait for its turn. Dropping hands the connection to a thread that
//! rolls back, so it never blocks the dropping task. A call whose future is dropped ends the transaction.

use super::connection::Conn;
use super::errors::Failure;
use super::run;
use super::session::Session;
use super::slots::Checkout;
use crate::{LimitKind, Mode, Outcome, SqlError, Value};
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// A running or ended transaction.
pub(crate) struct Transaction {
    session: Session,
    held: Arc<Mutex<Held>>,
    mode: Mode,
}

/// What the transaction holds while no statement runs.
struct Held {
    checkout: Option<Checkout>,
    /// When its last statement ended.
    since: Instant,
    /// When it must have ended, where others wait for it.
    end: Option<Instant>,
    /// It was ended because its time was up, and was not told yet.
    late: bool,
}

impl Transaction {
    pub(super) async fn begin(session: Session, mode: Mode) -> Result<Self, SqlError> {
        let until = Instant::now() + session.time();
        let mut transaction = Self { held: Arc::new(Mutex::new(Held::new())), session, mode };
        loop {
            let session = &transaction.session;
            let checkout = match mode {
                Mode::Write => session.writer(until).await?,
                Mode::Read => session.engine.slots.checkout(&session.slot, until).await?,
            };
            transaction.held.lock().checkout = Some(checkout);
            let begun = transaction.call(move |conn| match mode {
                Mode::Write => conn.begin_write(),
                Mode::Read => conn.try_as_host(|db| db.execute_batch("BEGIN")),
            });
            match begun.await? {
                Ok(()) => break,
                Err(Failure::Busy(_)) if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(failure) => return Err(failure.into_sql()),
            }
        }
        transaction.bound();
        Ok(transaction)
    }

    /// Sees to it that it ends in time where others wait for its turn.
    fn bound(&self) {
        if self.mode == Mode::Read || self.session.slot.owner.is_none() {
            return;
        }
        let whole = Duration::from_millis(self.session.tenant.limits.wall_ms.into());
        self.held.lock().end = Some(Instant::now() + whole);
        let watch = end_in_time(Arc::downgrade(&self.held), self.session.time());
        let _until_it_ends = rowhouse_base::tasks::spawn("shared-transaction", watch);
    }

    pub(crate) async fn query_packed(&mut self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let (mode, bounds, text) = (self.mode, self.session.bounds(), self.session.admit(text)?.into_owned());
        self.call(move |conn| {
            check_mode(conn, mode, &text, bounds.time)?;
            run::query(conn, &text, &params, bounds)
        })
        .await?
        .map_err(Failure::into_sql)
    }

    pub(crate) async fn execute(&mut self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let (mode, time, text) = (self.mode, self.session.time(), self.session.admit(text)?.into_owned());
        self.call(move |conn| {
            check_mode(conn, mode, &text, time)?;
            run::execute(conn, &text, &params, time)
        })
        .await?
        .map_err(Failure::into_sql)
    }

    pub(crate) async fn commit(&mut self) -> Result<(), SqlError> {
        self.call(|conn| {
            // One that only reads has nothing to count.
            let result = conn.commit_write();
            conn.roll_back();
            result
        })
        .await?
        .map_err(Failure::into_sql)
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), SqlError> {
        self.call(|conn| {
            conn.roll_back();
            Ok(())
        })
        .await?
        .map_err(Failure::into_sql)
    }

    /// Runs work with the connection on a thread. The connection goes back where the engine says that
    /// the transaction has ended.
    async fn call<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Conn) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Result<T, Failure>, SqlError> {
        let checkout = self.held.lock().take()?;
        let until = Instant::now() + self.session.time();
        let (checkout, result) = self.session.on_thread(checkout, until, self.session.time(), work).await?;
        if checkout.conn.as_ref().is_some_and(|conn| !conn.db.is_autocommit() && !conn.doubtful) {
            self.held.lock().give_back(checkout);
        }
        Ok(result)
    }
}

impl Held {
    fn new() -> Self {
        Self { checkout: None, since: Instant::now(), end: None, late: false }
    }

    fn take(&mut self) -> Result<Checkout, SqlError> {
        match self.checkout.take() {
            Some(checkout) => Ok(checkout),
            None if std::mem::take(&mut self.late) => Err(SqlError::Limit(LimitKind::Time)),
            None => Err(SqlError::Closed),
        }
    }

    fn give_back(&mut self, checkout: Checkout) {
        self.since = Instant::now();
        self.checkout = Some(checkout);
    }

    /// When to look again at whether it must end; none where it was ended now.
    fn end_if_late(&mut self, idle: Duration) -> Option<Instant> {
        let now = Instant::now();
        let due = match &self.checkout {
            Some(_) => self.since + idle,
            // A statement runs, which has its own limit; or it has ended.
            None => now + idle,
        };
        let due = self.end.map_or(due, |end| due.min(end));
        if due > now {
            return Some(due);
        }
        // While the last statement runs it is looked at often.
        let Some(checkout) = self.checkout.take() else { return Some(now + LAST_LOOKS) };
        self.late = true;
        drop(checkout);
        None
    }
}

/// Between two looks at a transaction that must end with the statement that runs.
const LAST_LOOKS: Duration = Duration::from_millis(20);

/// Rolls the transaction back once it is late. Ends with it, or a moment later.
async fn end_in_time(held: Weak<Mutex<Held>>, idle: Duration) {
    while let Some(held) = held.upgrade() {
        let next = held.lock().end_if_late(idle);
        drop(held);
        match next {
            Some(next) => tokio::time::sleep_until(next).await,
            None => return,
        }
    }
}

fn check_mode(conn: &mut Conn, mode: Mode, text: &str, time: Duration) -> Result<(), Failure> {
    if mode == Mode::Write {
        return Ok(());
    }
    conn.budget.arm_until(std::time::Instant::now() + time);
    if run::plan(conn, text)?.readonly {
        return Ok(());
    }
    Err(SqlError::Denied("this transaction only reads".to_owned()).into())
}
