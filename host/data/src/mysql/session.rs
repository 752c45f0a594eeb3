//! Statements of one guest instance, each on a connection of the tenant's own.
//!
//! A statement that the guard knows to read runs in a session that the server holds to reading, so that the
//! server has the last word; the switch between reading and writing sessions is made only when the kind
//! changes. A write runs in a transaction, with the counts of what it has changed, and because it must leave
//! nothing behind where its rows don't fit the bounds.
//!
//! Every future here may be dropped at any point: the connection is closed then and the server ends what
//! runs on it. A read's future is copied into that of its time limit, so what it seldom needs is boxed.

use super::connect::{Conn, Gate};
use super::cursor::Cursor;
use super::engine::Engine;
use super::names::Names;
use super::run::{self, Bounds, Call, Failure};
use super::transaction::Transaction;
use super::{encode, errors};
use crate::pool::{Held, Hold, Lease};
use crate::{LimitKind, Mode, Outcome, ReadLog, SqlError, Statement, Value};
use rowhouse_tenant::Tenant;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Sessions are cheap: shared pointers. Nothing is opened before the first statement.
#[derive(Clone)]
pub(crate) struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) names: Arc<Names>,
    /// What the page has read, noted from here on; none where nothing is noted.
    pub(crate) log: Option<Arc<ReadLog>>,
    /// Where the connection is kept for the next statement; none where each gives it back.
    held: Option<Arc<Held<Gate>>>,
}

impl Session {
    pub(super) fn new(engine: Arc<Engine>, tenant: Arc<Tenant>) -> Self {
        let names = Arc::new(engine.names(&tenant));
        Self { engine, tenant, names, log: None, held: None }
    }

    /// Keeps the connection for the next statement from here on, until it is let go.
    pub(crate) fn hold(&mut self) -> Hold {
        let held = Held::new();
        self.held = Some(Arc::clone(&held));
        Hold::on(held)
    }

    pub(super) fn time(&self) -> Duration {
        self.tenant.limits.statement()
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            rows: self.tenant.limits.rows,
            bytes: usize::try_from(self.tenant.limits.result_bytes).unwrap_or(usize::MAX),
        }
    }

    pub(crate) async fn query_packed(&self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let until = Instant::now() + self.time();
        let call = self.call(text, &params)?;
        if !call.template.reads_only() {
            return in_time(until, Box::pin(self.query_as_writer(call, until))).await;
        }
        in_time(until, async {
            self.note(&call.template).await?;
            let mut lease = self.lease(until, true).await?;
            let result = run::rows(lease.conn()?, call, &self.names, self.bounds()).await;
            self.keep(lease);
            result.map_err(|failure| failure.error)
        })
        .await
    }

    async fn query_as_writer(&self, call: Call, until: Instant) -> Result<Vec<u8>, SqlError> {
        self.note(&call.template).await?;
        self.check_size(&call).await?;
        let mut lease = self.lease(until, false).await?;
        let conn = lease.conn()?;
        self.host(conn, "START TRANSACTION READ WRITE").await?;
        let written = call.template.written().iter().cloned().collect();
        let result = match run::rows(conn, call, &self.names, self.bounds()).await {
            Ok(rows) => self.commit(conn, &written).await.map(|()| rows),
            Err(failure) => Err(failure.error),
        };
        self.end_write(lease, result).await
    }

    /// Keeps the connection of a write that was committed, takes back one that was not.
    async fn end_write<T>(&self, lease: Lease<Gate>, result: Result<T, SqlError>) -> Result<T, SqlError> {
        match result {
            Ok(done) => {
                self.keep(lease);
                Ok(done)
            }
            Err(error) => {
                self.take_back(lease).await;
                Err(error)
            }
        }
    }

    /// As [`give_back`], or holds the connection for the next statement. Only for what the instance itself waits for:
    /// whoever polls it has it let go afterwards.
    fn keep(&self, mut lease: Lease<Gate>) {
        if let Ok(conn) = lease.conn()
            && !conn.busy
        {
            conn.touch();
            lease.keep_in(self.held.as_ref());
        }
    }

    pub(crate) async fn execute(&self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let until = Instant::now() + self.time();
        let call = self.call(text, &params)?;
        in_time(until, async {
            self.note(&call.template).await?;
            self.check_size(&call).await?;
            let reads = call.template.reads_only();
            let mut lease = self.lease(until, reads).await?;
            if reads {
                let result = run::execute(lease.conn()?, call, &self.names).await;
                self.keep(lease);
                return result.map_err(|failure| failure.error);
            }
            let conn = lease.conn()?;
            self.host(conn, "START TRANSACTION READ WRITE").await?;
            let result = self.run_batch(conn, vec![call]).await;
            let result = result.and_then(|mut outcomes| outcomes.pop().ok_or(SqlError::Closed));
            self.end_write(lease, result).await
        })
        .await
    }

    pub(crate) async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        let calls = statements
            .iter()
            .map(|statement| self.call(&statement.text, &statement.params))
            .collect::<Result<Vec<_>, _>>()?;
        // A batch holds a connection: all of it may take as long as one request.
        let whole = Instant::now() + self.tenant.limits.wall();
        in_time(whole, async {
            let mut lease = self.lease(Instant::now() + self.time(), false).await?;
            let conn = lease.conn()?;
            self.host(conn, "START TRANSACTION READ WRITE").await?;
            let result = self.run_batch(conn, calls).await;
            self.end_write(lease, result).await
        })
        .await
    }

    async fn run_batch(&self, conn: &mut Conn, calls: Vec<Call>) -> Result<Vec<Outcome>, SqlError> {
        let mut outcomes = Vec::with_capacity(calls.len());
        let mut written = BTreeSet::new();
        for call in calls {
            written.extend(call.template.written().iter().cloned());
            self.note(&call.template).await?;
            let until = Instant::now() + self.time();
            let done = in_time(until, async {
                self.check_size(&call).await?;
                run::execute(conn, call, &self.names).await.map_err(|failure| failure.error)
            });
            outcomes.push(done.await?);
        }
        self.commit(conn, &written).await?;
        Ok(outcomes)
    }

    /// Rolls back where the statement has ended; a connection that is still busy is closed, which does it too.
    pub(super) async fn take_back(&self, mut lease: Lease<Gate>) {
        let Ok(conn) = lease.conn() else { return };
        if !conn.busy && conn.host("ROLLBACK").await.is_ok() {
            give_back(lease);
        }
    }

    pub(crate) async fn begin(&self, mode: Mode) -> Result<Transaction, SqlError> {
        Transaction::begin(self.clone(), mode).await
    }

    pub(crate) async fn open_cursor(&self, text: &str, params: Vec<Value>) -> Result<Cursor, SqlError> {
        Cursor::open(self, text, &params).await
    }

    /// What the guard makes of a text, with its parameters.
    pub(super) fn call(&self, text: &str, params: &[Value]) -> Result<Call, SqlError> {
        let template = self.engine.guard.statement(text)?;
        let arguments = encode::arguments(&template, params)?;
        let text = Call::text(&template, &self.names);
        let heap: usize = params.iter().map(|value| value.heap_len() + 8).sum();
        Ok(Call { template, text, arguments, weight: u64::try_from(heap).unwrap_or(u64::MAX) })
    }

    /// Refuses what would grow a database that is full. Reads and DELETE pass.
    pub(super) async fn check_size(&self, call: &Call) -> Result<(), SqlError> {
        if call.template.reads_only() || call.removes() {
            return Ok(());
        }
        self.engine.check_size(&self.tenant, call.weight).await
    }

    /// A connection in the state that is asked for: the one that is held, else another. One that the server closed
    /// meanwhile is replaced.
    pub(super) async fn lease(&self, until: Instant, reading: bool) -> Result<Lease<Gate>, SqlError> {
        loop {
            let mut lease = match self.held.as_ref().and_then(|held| held.take()) {
                Some(held) => held,
                None => self.engine.pool.checkout(&self.tenant, until).await?,
            };
            let conn = lease.conn()?;
            if !conn.is_alive().await {
                continue;
            }
            conn.touch();
            conn.set_reading(reading).await.map_err(|error| errors::guest(&error, &self.names))?;
            return Ok(lease);
        }
    }

    /// A statement of the host's own on a tenant's connection.
    pub(super) async fn host(&self, conn: &mut Conn, text: &'static str) -> Result<(), SqlError> {
        conn.host(text).await.map_err(|error| errors::guest(&error, &self.names))
    }

    /// Ends a statement that runs inside a transaction, so that the transaction goes on. False where that
    /// did not work.
    pub(super) async fn settle(&self, conn: &mut Conn) -> bool {
        use sqlx::Connection;
        if !conn.busy {
            return true;
        }
        if self.engine.server.killer.stop(conn.thread).await.is_err() {
            return false;
        }
        // The first reads what is left of the answer, and takes the server's word that it was ended; the
        // next shows that the word meets nothing that comes after.
        for _ in 0..3 {
            match conn.db.ping().await {
                Ok(()) => {
                    conn.busy = false;
                    return true;
                }
                Err(error) if errors::is_answer(&error) => {}
                Err(_broken) => return false,
            }
        }
        false
    }
}

/// Keeps a connection whose statement has ended, whatever its result; closes it otherwise.
pub(super) fn give_back(mut lease: Lease<Gate>) {
    if let Ok(conn) = lease.conn()
        && !conn.busy
    {
        conn.touch();
        lease.keep();
    }
}

/// The work's result, or the limit on its time. What it held is dropped then.
pub(super) async fn in_time<T>(
    until: Instant,
    work: impl Future<Output = Result<T, SqlError>>,
) -> Result<T, SqlError> {
    timeout_at(until, work).await.unwrap_or(Err(SqlError::Limit(LimitKind::Time)))
}

/// The same for work inside a transaction: a late statement ends all of it.
pub(super) async fn in_time_or_ended<T>(
    until: Instant,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout_at(until, work)
        .await
        .unwrap_or(Err(Failure { error: SqlError::Limit(LimitKind::Time), ended: true }))
}
