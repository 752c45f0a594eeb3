//! A transaction: one connection, held from begin to end.
//!
//! It ends by commit, by rollback, by being dropped, or where its connection breaks; every further call then
//! says `closed`. Dropping closes the connection, and the server rolls back; a call whose future is dropped
//! ends the transaction and what ran in it.
//!
//! The engine would refuse everything after a failed statement. So there is always a savepoint to go back
//! to: the first comes with `BEGIN`, and only a write that went well moves it, together with the next
//! statement. Reads cost no round trip more.
//!
//! A transaction sees one snapshot. Two that change the same row don't overwrite one another: the second
//! gets a conflict.

use super::connect::{Conn, Opener};
use super::errors::Failure;
use super::run;
use super::session::{Checked, Session, outcome, within};
use crate::pool::Lease;
use crate::postgres::connect::Health;
use crate::{Mode, Outcome, SqlError, Value};
use std::collections::BTreeSet;

/// A running or ended transaction.
pub(crate) struct Transaction {
    session: Session,
    lease: Option<Lease<Opener>>,
    mode: Mode,
    /// True where the savepoint is behind what was written.
    behind: bool,
    /// The tables that its statements write.
    written: BTreeSet<String>,
}

/// What a statement is to give.
enum Wanted {
    Rows,
    Count,
}

/// What it gave.
enum Given {
    Rows(Vec<u8>),
    Count(u64),
}

impl Transaction {
    pub(super) async fn begin(session: Session, mode: Mode) -> Result<Self, SqlError> {
        let mut lease = session.lease().await?;
        let statement = match mode {
            Mode::Write => "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE; SAVEPOINT rowhouse_statement",
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SAVEPOINT rowhouse_statement",
        };
        within(session.time(), lease.conn()?.say(statement)).await.map_err(Failure::into_sql)?;
        Ok(Self { session, lease: Some(lease), mode, behind: false, written: BTreeSet::new() })
    }

    pub(crate) async fn query_packed(&mut self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let checked = self.check(text, params)?;
        match self.call(&checked, Wanted::Rows).await? {
            Given::Rows(rows) => Ok(rows),
            Given::Count(_) => Err(SqlError::Closed),
        }
    }

    pub(crate) async fn execute(&mut self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let checked = self.check(text, params)?;
        match self.call(&checked, Wanted::Count).await? {
            Given::Count(changed) => Ok(outcome(&checked.template, changed)),
            Given::Rows(_) => Err(SqlError::Closed),
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), SqlError> {
        let mut lease = self.lease.take().ok_or(SqlError::Closed)?;
        let conn = lease.conn()?;
        let work = async {
            let result = self.session.commit(conn, &self.written).await;
            if result.is_err() && conn.health == Health::Idle {
                conn.say("ROLLBACK").await?;
            }
            result
        };
        let result = within(self.session.time(), work).await;
        self.session.settle(lease, result)
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), SqlError> {
        let mut lease = self.lease.take().ok_or(SqlError::Closed)?;
        let result = within(self.session.time(), lease.conn()?.say("ROLLBACK")).await;
        self.session.settle(lease, result)
    }

    fn check(&self, text: &str, params: Vec<Value>) -> Result<Checked, SqlError> {
        if self.lease.is_none() {
            return Err(SqlError::Closed);
        }
        let checked = self.session.check(text, params)?;
        if self.mode == Mode::Read && !checked.template.reads_only() {
            return Err(SqlError::Denied("this transaction only reads".to_owned()));
        }
        Ok(checked)
    }

    /// Runs a statement. The lease is taken out meanwhile, so that a dropped future ends the transaction.
    async fn call(&mut self, checked: &Checked, wanted: Wanted) -> Result<Given, SqlError> {
        let mut lease = self.lease.take().ok_or(SqlError::Closed)?;
        let conn = lease.conn()?;
        let result = within(self.session.time(), self.statement(conn, checked, &wanted)).await;
        if conn.health == Health::Idle {
            self.lease = Some(lease);
        }
        result.map_err(Failure::into_sql)
    }

    async fn statement(
        &mut self,
        conn: &mut Conn,
        checked: &Checked,
        wanted: &Wanted,
    ) -> Result<Given, Failure> {
        let reads = checked.template.reads_only();
        if std::mem::take(&mut self.behind) {
            conn.say("RELEASE SAVEPOINT rowhouse_statement; SAVEPOINT rowhouse_statement").await?;
        }
        if let Err(failure) = self.session.note(conn, &checked.template).await {
            if conn.health == Health::Idle {
                conn.say("ROLLBACK TO SAVEPOINT rowhouse_statement").await?;
            }
            return Err(failure);
        }
        if !reads {
            self.written.extend(checked.template.written().iter().cloned());
            self.session.engine.check_room(conn, &self.session.tenant, &checked.text).await?;
        }
        let (text, params) = (checked.text.as_str(), checked.params.as_slice());
        for _attempt in 0..2 {
            let result = match wanted {
                Wanted::Rows => run::query(conn, text, params, self.session.bounds()).await.map(Given::Rows),
                Wanted::Count => run::execute(conn, text, params).await.map(Given::Count),
            };
            match result {
                Ok(given) => {
                    self.behind = !reads;
                    return Ok(given);
                }
                Err(failure) if conn.health != Health::Idle => return Err(failure),
                Err(failure) => {
                    conn.say("ROLLBACK TO SAVEPOINT rowhouse_statement").await?;
                    match failure {
                        Failure::Stale => run::forget(conn).await?,
                        other => return Err(other),
                    }
                }
            }
        }
        Err(Failure::Stale)
    }
}
