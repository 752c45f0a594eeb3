//! A transaction: one connection, held from begin to end.
//!
//! It ends by commit, by rollback, by being dropped, by a statement that took too long, or by an error after
//! which the server has rolled back by itself; every further call then says `closed`. Any other error takes
//! back its own statement alone. Dropping hands the connection to a task that rolls back. A call whose
//! future is dropped ends the transaction and its connection.

use super::connect::{Conn, Gate};
use super::run::{self, Call, Failure};
use super::session::{Session, give_back, in_time, in_time_or_ended};
use crate::pool::Lease;
use crate::{Mode, Outcome, SqlError, Value};
use rowhouse_base::tasks;
use std::collections::BTreeSet;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

/// A running or ended transaction.
pub(crate) struct Transaction {
    session: Session,
    lease: Option<Lease<Gate>>,
    mode: Mode,
    /// The tables that its statements write.
    written: BTreeSet<String>,
}

impl Transaction {
    pub(super) async fn begin(session: Session, mode: Mode) -> Result<Self, SqlError> {
        let until = Instant::now() + session.time();
        let lease = in_time(until, async {
            let mut lease = session.lease(until, true).await?;
            let text = match mode {
                Mode::Write => "START TRANSACTION READ WRITE",
                Mode::Read => "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            };
            session.host(lease.conn()?, text).await?;
            Ok(lease)
        })
        .await?;
        Ok(Self { session, lease: Some(lease), mode, written: BTreeSet::new() })
    }

    pub(crate) async fn query_packed(&mut self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let call = self.call(text, &params).await?;
        let mut lease = self.lease.take().ok_or(SqlError::Closed)?;
        let until = Instant::now() + self.session.time();
        let result = in_time_or_ended(until, self.rows(lease.conn()?, call)).await;
        self.put_back(lease, result)
    }

    pub(crate) async fn execute(&mut self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let call = self.call(text, &params).await?;
        let mut lease = self.lease.take().ok_or(SqlError::Closed)?;
        let until = Instant::now() + self.session.time();
        let work = run::execute(lease.conn()?, call, &self.session.names);
        let result = in_time_or_ended(until, work).await;
        self.put_back(lease, result)
    }

    pub(crate) async fn commit(&mut self) -> Result<(), SqlError> {
        let mut lease = self.lease.take().ok_or(SqlError::Closed)?;
        let until = Instant::now() + self.session.time();
        in_time(until, async {
            match self.session.commit(lease.conn()?, &self.written).await {
                Ok(()) => {
                    give_back(lease);
                    Ok(())
                }
                Err(error) => {
                    self.session.take_back(lease).await;
                    Err(error)
                }
            }
        })
        .await
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), SqlError> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, text: &'static str) -> Result<(), SqlError> {
        let mut lease = self.lease.take().ok_or(SqlError::Closed)?;
        let until = Instant::now() + self.session.time();
        in_time(until, async { self.session.host(lease.conn()?, text).await }).await?;
        give_back(lease);
        Ok(())
    }

    async fn call(&mut self, text: &str, params: &[Value]) -> Result<Call, SqlError> {
        if self.lease.is_none() {
            return Err(SqlError::Closed);
        }
        let call = self.session.call(text, params)?;
        if self.mode == Mode::Read && !call.template.reads_only() {
            return Err(SqlError::Denied("this transaction only reads".to_owned()));
        }
        let until = Instant::now() + self.session.time();
        in_time(until, async {
            self.session.note(&call.template).await?;
            self.session.check_size(&call).await
        })
        .await?;
        self.written.extend(call.template.written().iter().cloned());
        Ok(call)
    }

    /// A result that doesn't fit its bounds is given up; what a write that returns rows did is taken back.
    async fn rows(&self, conn: &mut Conn, call: Call) -> Result<Vec<u8>, Failure> {
        let session = &self.session;
        let writes = !call.template.reads_only() && call.template.returns_rows();
        if writes {
            session.host(conn, "SAVEPOINT rowhouse").await?;
        }
        let failure = match run::rows(conn, call, &session.names, session.bounds()).await {
            Ok(rows) => return Ok(rows),
            Err(failure) => failure,
        };
        if failure.ended || !session.settle(conn).await {
            return Err(Failure { ended: true, ..failure });
        }
        if writes && session.host(conn, "ROLLBACK TO SAVEPOINT rowhouse").await.is_err() {
            return Err(Failure { ended: true, ..failure });
        }
        Err(failure)
    }

    /// Keeps the connection for the next call where the transaction goes on.
    fn put_back<T>(&mut self, mut lease: Lease<Gate>, result: Result<T, Failure>) -> Result<T, SqlError> {
        let ended = matches!(&result, Err(failure) if failure.ended) || lease.conn()?.busy;
        if !ended {
            self.lease = Some(lease);
        }
        result.map_err(|failure| failure.error)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(mut lease) = self.lease.take() else { return };
        // Without a runtime the connection is closed, which rolls back as well.
        if Handle::try_current().is_err() {
            return;
        }
        let time = self.session.time();
        tasks::spawn("roll back a transaction", async move {
            let Ok(conn) = lease.conn() else { return };
            if matches!(timeout(time, conn.host("ROLLBACK")).await, Ok(Ok(()))) {
                give_back(lease);
            }
        });
    }
}
