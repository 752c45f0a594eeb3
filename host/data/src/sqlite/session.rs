//! Statements of one guest instance: where each runs, what it waits for, and for how long.
//!
//! A read that is known to be short runs on the calling thread with a small budget; one that exceeds it
//! is abandoned and run again from the start on a thread of the pool, which is safe because it changes
//! nothing. Everything else runs on a thread. Waiting (for the writer's turn, for a connection, for a
//! thread) takes no thread and ends with the statement's time limit.
//!
//! Every future here may be dropped at any point: what it held comes back by itself.

use super::connection::Conn;
use super::cursor::Cursor;
use super::errors::Failure;
use super::run::{self, Bounds, Inline};
use super::shared;
use super::slots::{Checkout, Slot};
use super::text;
use super::threads::Threads;
use super::transaction::Transaction;
use super::{Engine, interrupt::Watch};
use crate::{LimitKind, Mode, Outcome, ReadLog, SqlError, Statement, Value};
use rowhouse_base::Share;
use rowhouse_base::tasks::thread_cpu;
use rowhouse_tenant::Tenant;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Pause before another attempt after a process from outside held the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// Sessions are cheap: shared pointers. Nothing is opened before the first statement.
#[derive(Clone)]
pub(crate) struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) slot: Arc<Slot>,
    pub(super) tenant: Arc<Tenant>,
    /// Who pays for the time on threads; none for the host's own work.
    share: Option<Arc<Share>>,
    /// What the page has read, noted from here on; none where nothing is noted.
    pub(crate) log: Option<Arc<ReadLog>>,
}

/// What an attempt is made of: the text and its parameters, shared by the attempts.
type Work = Arc<(String, Vec<Value>)>;

impl Session {
    pub(crate) fn new(engine: Arc<Engine>, tenant: Arc<Tenant>) -> Self {
        let slot = engine.slot(&tenant);
        Self { engine, slot, tenant, share: None, log: None }
    }

    /// Bills the time of statements to this account.
    pub(crate) fn bill_to(&mut self, share: Arc<Share>) {
        self.share = Some(share);
    }

    /// The threads for the next statement: of low priority while the tenant is in the way of others.
    fn threads(&self) -> &Threads {
        match &self.share {
            Some(share) if share.is_heavy() => &self.engine.back_threads,
            Some(_) | None => &self.engine.threads,
        }
    }

    pub(super) fn time(&self) -> Duration {
        self.tenant.limits.statement()
    }

    /// A guest's statement as the engine gets it.
    pub(super) fn admit<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, SqlError> {
        shared::admit(self.slot.owner.as_ref(), text)
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            rows: self.tenant.limits.rows,
            bytes: usize::try_from(self.tenant.limits.result_bytes).unwrap_or(usize::MAX),
            time: self.time(),
        }
    }

    /// All that waits is boxed: most reads end in line, and their future is copied with the host call's.
    pub(crate) async fn query_packed(&self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let text: &str = &self.admit(text)?;
        let until = Instant::now() + self.time();
        let work = |params| Arc::new((text.to_owned(), params));
        if text::seems_to_write(text) {
            return Box::pin(self.query_as_writer(work(params), until)).await;
        }
        let mut checkout = self.engine.slots.checkout(&self.slot, until).await?;
        if let Some(conn) = checkout.conn.as_deref_mut() {
            conn.log.clone_from(&self.log);
            match run::query_inline(conn, text, &params, self.bounds()).map_err(Failure::into_sql)? {
                Inline::Rows(rows) => return Ok(rows),
                Inline::Read => {}
                Inline::Write => {
                    drop(checkout);
                    return Box::pin(self.query_as_writer(work(params), until)).await;
                }
            }
        }
        Box::pin(self.query_on_thread(checkout, work(params), until)).await
    }

    /// A read that is none for the calling thread, or whose connection is still to be opened.
    async fn query_on_thread(
        &self,
        checkout: Checkout,
        work: Work,
        until: Instant,
    ) -> Result<Vec<u8>, SqlError> {
        let (attempt, bounds) = (Arc::clone(&work), self.bounds());
        let read = self
            .attempts(checkout, until, move |conn| {
                let (text, params) = &*attempt;
                if !run::plan(conn, text)?.readonly {
                    return Ok(None);
                }
                run::query(conn, text, params, bounds).map(Some)
            })
            .await?;
        match read {
            Some(rows) => Ok(rows),
            None => self.query_as_writer(work, until).await,
        }
    }

    async fn query_as_writer(&self, work: Work, until: Instant) -> Result<Vec<u8>, SqlError> {
        let bounds = self.bounds();
        let checkout = self.writer(until).await?;
        self.attempts(checkout, until, move |conn| run::query(conn, &work.0, &work.1, bounds)).await
    }

    pub(crate) async fn execute(&self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let until = Instant::now() + self.time();
        let time = self.time();
        let work: Work = Arc::new((self.admit(text)?.into_owned(), params));
        let checkout = self.writer(until).await?;
        self.attempts(checkout, until, move |conn| run::execute(conn, &work.0, &work.1, time)).await
    }

    pub(crate) async fn batch(&self, mut statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        let until = Instant::now() + self.time();
        // A batch holds a thread: all of it may take as long as one request.
        let whole = Duration::from_millis(self.tenant.limits.wall_ms.into());
        let time = self.time();
        for statement in &mut statements {
            if let Cow::Owned(text) = self.admit(&statement.text)? {
                statement.text = text;
            }
        }
        let statements = Arc::new(statements);
        let checkout = self.writer(until).await?;
        self.attempts_within(checkout, until, whole, move |conn| run_batch(conn, &statements, time, whole))
            .await
    }

    pub(crate) async fn begin(&self, mode: Mode) -> Result<Transaction, SqlError> {
        Transaction::begin(self.clone(), mode).await
    }

    pub(crate) async fn open_cursor(&self, text: &str, params: Vec<Value>) -> Result<Cursor, SqlError> {
        Cursor::open(self, text, params).await
    }

    /// The writer's turn, and a connection with it. In this order, so that waiting writers don't keep
    /// readers from their connections.
    ///
    /// Where tenants share the file, its turn comes last: who holds it waits for nothing of its own, and
    /// of each tenant there is one in the line.
    pub(super) async fn writer(&self, until: Instant) -> Result<Checkout, SqlError> {
        let late = || SqlError::Conflict("another writer held the database for too long".to_owned());
        let turn = self.slot.permit(&self.slot.writer, until, late()).await?;
        let mut checkout = self.engine.slots.checkout(&self.slot, until).await?;
        checkout.extra.push(turn);
        if let Some(owner) = &self.slot.owner {
            if checkout.conn.is_none() {
                let (opened, result) = self.on_thread(checkout, until, self.time(), |_conn| Ok(())).await?;
                result.map_err(Failure::into_sql)?;
                checkout = opened;
            }
            let turn = self.slot.permit(&owner.shared.writer, until, late()).await?;
            checkout.extra.push(turn);
            checkout.hurried = true;
        }
        Ok(checkout)
    }

    pub(super) async fn attempts<T: Send + 'static>(
        &self,
        checkout: Checkout,
        until: Instant,
        attempt: impl Fn(&mut Conn) -> Result<T, Failure> + Send + Clone + 'static,
    ) -> Result<T, SqlError> {
        self.attempts_within(checkout, until, self.time(), attempt).await
    }

    /// Runs `attempt` on a thread, again where another process was in the way.
    async fn attempts_within<T: Send + 'static>(
        &self,
        mut checkout: Checkout,
        until: Instant,
        time: Duration,
        attempt: impl Fn(&mut Conn) -> Result<T, Failure> + Send + Clone + 'static,
    ) -> Result<T, SqlError> {
        loop {
            let (back, result) = self.on_thread(checkout, until, time, attempt.clone()).await?;
            match result {
                Err(Failure::Busy(_)) if Instant::now() < until => {
                    checkout = back;
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other.map_err(Failure::into_sql),
            }
        }
    }

    /// Runs `work` on a thread of the pool with the connection, which is opened first where there is
    /// none. Waits for a thread until `until`; `time` is how long the work should take at most.
    pub(super) async fn on_thread<T: Send + 'static>(
        &self,
        mut checkout: Checkout,
        until: Instant,
        time: Duration,
        work: impl FnOnce(&mut Conn) -> Result<T, Failure> + Send + 'static,
    ) -> Result<(Checkout, Result<T, Failure>), SqlError> {
        let share = match checkout.conn {
            Some(_) => None,
            None => Some(self.engine.slots.share(until).await?),
        };
        let late = SqlError::Limit(LimitKind::Time);
        let thread = match checkout.hurried {
            true => None,
            false => Some(self.slot.permit(&self.slot.threads, until, late).await?),
        };
        let (done, result) = oneshot::channel();
        let watch = Watch::default();
        let (watched, slot) = (watch.clone(), Arc::clone(&self.slot));
        let quota = self.tenant.limits.database_bytes;
        let (account, log) = (self.share.clone(), self.log.clone());
        let runtime = Handle::try_current().ok();
        self.threads().run(move || {
            let began = thread_cpu();
            let outcome = super::ready(&mut checkout, &slot, quota, share).and_then(|conn| {
                (conn.log, conn.runtime) = (log, runtime);
                watched.during(Arc::clone(&conn.interrupt), || work(conn))
            });
            let told = checkout.conn.as_mut().and_then(|conn| conn.told.take());
            drop(thread);
            if let Some(account) = account {
                account.bill(thread_cpu().saturating_sub(began));
            }
            // Nobody waits any more: the connection goes back by being dropped.
            let _unheard = done.send((checkout, outcome, told));
        });
        let done = watch.wait(result, until, time).await;
        let (checkout, outcome, told) =
            done.ok_or_else(|| SqlError::other("the statement's thread failed"))?;
        if let Some(told) = told {
            told.wait().await;
        }
        Ok((checkout, outcome))
    }
}

fn run_batch(
    conn: &mut Conn,
    statements: &[Statement],
    time: Duration,
    whole: Duration,
) -> Result<Vec<Outcome>, Failure> {
    let end = std::time::Instant::now() + whole;
    conn.begin_write()?;
    let outcomes = statements
        .iter()
        .map(|statement| {
            let left = end.saturating_duration_since(std::time::Instant::now());
            run::execute(conn, &statement.text, &statement.params, time.min(left))
        })
        .collect::<Result<Vec<_>, _>>()
        .and_then(|outcomes| conn.commit_write().map(|()| outcomes));
    conn.roll_back();
    outcomes
}
