//! A transaction: one connection, held from begin to end.
//!
//! It ends by commit, by rollback, by being dropped, or by an error after which the engine has rolled
//! back by itself; every further call then says `closed`. Dropping hands the connection to a thread that
//! rolls back, so it never blocks the dropping task. A call whose future is dropped ends the transaction.

use super::connection::Conn;
use super::errors::Failure;
use super::run;
use super::session::Session;
use super::slots::Checkout;
use crate::{Mode, Outcome, SqlError, Value};
use tokio::time::Instant;

/// A running or ended transaction.
pub(crate) struct Transaction {
    session: Session,
    checkout: Option<Checkout>,
    mode: Mode,
}

impl Transaction {
    pub(super) async fn begin(session: Session, mode: Mode) -> Result<Self, SqlError> {
        let until = Instant::now() + session.time();
        let (checkout, statement) = match mode {
            Mode::Write => (session.writer(until).await?, "BEGIN IMMEDIATE"),
            Mode::Read => (session.engine.slots.checkout(&session.slot, until).await?, "BEGIN"),
        };
        let mut transaction = Self { session, checkout: Some(checkout), mode };
        loop {
            match transaction.call(move |conn| conn.try_as_host(|db| db.execute_batch(statement))).await? {
                Ok(()) => return Ok(transaction),
                Err(Failure::Busy(_)) if Instant::now() < until => {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    transaction.checkout = Some(match mode {
                        Mode::Write => transaction.session.writer(until).await?,
                        Mode::Read => {
                            let session = &transaction.session;
                            session.engine.slots.checkout(&session.slot, until).await?
                        }
                    });
                }
                Err(failure) => return Err(failure.into_sql()),
            }
        }
    }

    pub(crate) async fn query_packed(&mut self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let (mode, bounds, text) = (self.mode, self.session.bounds(), text.to_owned());
        self.call(move |conn| {
            check_mode(conn, mode, &text, bounds.time)?;
            run::query(conn, &text, &params, bounds)
        })
        .await?
        .map_err(Failure::into_sql)
    }

    pub(crate) async fn execute(&mut self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let (mode, time, text) = (self.mode, self.session.time(), text.to_owned());
        self.call(move |conn| {
            check_mode(conn, mode, &text, time)?;
            run::execute(conn, &text, &params, time)
        })
        .await?
        .map_err(Failure::into_sql)
    }

    pub(crate) async fn commit(&mut self) -> Result<(), SqlError> {
        self.call(|conn| {
            let result = conn.try_as_host(|db| db.execute_batch("COMMIT"));
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
        let checkout = self.checkout.take().ok_or(SqlError::Closed)?;
        let until = Instant::now() + self.session.time();
        let (checkout, result) = self.session.on_thread(checkout, until, self.session.time(), work).await?;
        if checkout.conn.as_ref().is_some_and(|conn| !conn.db.is_autocommit() && !conn.doubtful) {
            self.checkout = Some(checkout);
        }
        Ok(result)
    }
}

fn check_mode(conn: &mut Conn, mode: Mode, text: &str, time: std::time::Duration) -> Result<(), Failure> {
    if mode == Mode::Write {
        return Ok(());
    }
    conn.budget.arm_until(std::time::Instant::now() + time);
    if run::plan(conn, text)?.readonly {
        return Ok(());
    }
    Err(SqlError::Denied("this transaction only reads".to_owned()).into())
}
