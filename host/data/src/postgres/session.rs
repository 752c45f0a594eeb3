//! Statements of one guest instance: what each waits for, and for how long.
//!
//! A read is one round trip: the connection's transactions are read-only by default, so the engine itself
//! refuses a read that writes. A write is `BEGIN READ WRITE`, the statement, `COMMIT`, so that a result that
//! turns out too large takes the writes back with it.
//!
//! Every future here may be dropped at any point: the connection is closed then, and what ran on it is ended
//! on the server. A read's future is copied into that of its time limit, so what it seldom needs is boxed.

use super::connect::{Conn, Health, Opener};
use super::cursor::Cursor;
use super::engine::Engine;
use super::errors::Failure;
use super::run::{self, Bounds};
use super::transaction::Transaction;
use crate::guard::{Prefix, Template};
use crate::pool::{Held, Hold, Lease};
use crate::{LimitKind, Mode, Outcome, ReadLog, SqlError, Statement, Value};
use rowhouse_tenant::Tenant;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Sessions are cheap: shared pointers. Nothing is opened before the first statement.
#[derive(Clone)]
pub(crate) struct Session {
    pub(super) engine: Arc<Engine>,
    pub(super) tenant: Arc<Tenant>,
    prefix: Option<Prefix>,
    /// What the page has read, noted from here on; none where nothing is noted.
    pub(crate) log: Option<Arc<ReadLog>>,
    /// Where the connection is kept for the next statement; none where each gives it back.
    held: Option<Arc<Held<Opener>>>,
}

/// A statement that may run: checked, with its own names.
pub(super) struct Checked {
    pub(super) template: Arc<Template>,
    pub(super) params: Vec<Value>,
    pub(super) text: String,
}

impl Session {
    pub(super) fn new(engine: Arc<Engine>, tenant: Arc<Tenant>) -> Self {
        let prefix = engine.names().of(tenant.id).prefix;
        Self { engine, tenant, prefix, log: None, held: None }
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
        Bounds::of(&self.tenant.limits)
    }

    /// Checks a statement. Nothing waits for anything.
    pub(super) fn check(&self, text: &str, params: Vec<Value>) -> Result<Checked, SqlError> {
        let template = self.engine.guard().statement(text)?;
        if template.given() != params.len() {
            return Err(SqlError::Parameter(format!(
                "the statement takes {} parameters and {} were given",
                template.given(),
                params.len()
            )));
        }
        self.bounds().check(&params)?;
        let text = match template.text(self.prefix.as_ref()) {
            Cow::Borrowed(text) => text.to_owned(),
            Cow::Owned(text) => text,
        };
        Ok(Checked { template, params, text })
    }

    /// A connection of the tenant's: the one that is held, else another.
    pub(super) async fn lease(&self) -> Result<Lease<Opener>, SqlError> {
        let mut lease = match self.held.as_ref().and_then(|held| held.take()) {
            Some(held) => held,
            None => self.engine.pool().checkout(&self.tenant, Instant::now() + self.time()).await?,
        };
        let conn = lease.conn()?;
        if !conn.follows(&self.tenant.limits) {
            let follow = Box::pin(conn.follow(&self.tenant.limits));
            within(self.time(), follow).await.map_err(Failure::into_sql)?;
        }
        Ok(lease)
    }

    pub(crate) async fn query_packed(&self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let checked = self.check(text, params)?;
        let mut lease = self.lease().await?;
        let conn = lease.conn()?;
        let result = if checked.template.reads_only() {
            within(self.time(), self.read(conn, &checked)).await
        } else {
            within(self.time(), Box::pin(self.query_and_commit(conn, &checked))).await
        };
        self.settle(lease, result)
    }

    async fn read(&self, conn: &mut Conn, checked: &Checked) -> Result<Vec<u8>, Failure> {
        self.note(conn, &checked.template).await?;
        read(conn, checked, self.bounds()).await
    }

    async fn query_and_commit(&self, conn: &mut Conn, checked: &Checked) -> Result<Vec<u8>, Failure> {
        self.note(conn, &checked.template).await?;
        self.engine.check_room(conn, &self.tenant, &checked.text).await?;
        let written = checked.template.written().iter().cloned().collect();
        for _attempt in 0..2 {
            begin_write(conn).await?;
            let result = run::query(conn, &checked.text, &checked.params, self.bounds()).await;
            match self.end_write(conn, result, &written).await {
                Err(Failure::Stale) => run::forget(conn).await?,
                other => return other,
            }
        }
        Err(Failure::Stale)
    }

    pub(crate) async fn execute(&self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let checked = self.check(text, params)?;
        let reads = checked.template.reads_only();
        let mut outcomes = self.write(std::slice::from_ref(&checked), reads, self.time()).await?;
        outcomes.pop().ok_or(SqlError::Closed)
    }

    pub(crate) async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        let checked = statements
            .into_iter()
            .map(|statement| self.check(&statement.text, statement.params))
            .collect::<Result<Vec<_>, _>>()?;
        // All of a batch may take as long as one request.
        self.write(&checked, false, self.tenant.limits.wall()).await
    }

    /// Runs statements in one transaction. `alone` leaves the transaction to the engine.
    async fn write(
        &self,
        statements: &[Checked],
        alone: bool,
        whole: Duration,
    ) -> Result<Vec<Outcome>, SqlError> {
        let mut lease = self.lease().await?;
        let conn = lease.conn()?;
        let work = async {
            for _attempt in 0..2 {
                match self.try_write(conn, statements, alone).await {
                    Err(Failure::Stale) => run::forget(conn).await?,
                    other => return other,
                }
            }
            Err(Failure::Stale)
        };
        let result = within(whole, work).await;
        self.settle(lease, result)
    }

    async fn try_write(
        &self,
        conn: &mut Conn,
        statements: &[Checked],
        alone: bool,
    ) -> Result<Vec<Outcome>, Failure> {
        for statement in statements {
            self.note(conn, &statement.template).await?;
        }
        let written = statements.iter().flat_map(|one| one.template.written()).cloned().collect();
        if !alone {
            for statement in statements {
                self.engine.check_room(conn, &self.tenant, &statement.text).await?;
            }
            begin_write(conn).await?;
        }
        let mut outcomes = Vec::with_capacity(statements.len());
        let mut failed = None;
        for statement in statements {
            let run = run::execute(conn, &statement.text, &statement.params);
            match within(self.time(), run).await {
                Ok(changed) => outcomes.push(outcome(&statement.template, changed)),
                Err(failure) => {
                    failed = Some(failure);
                    break;
                }
            }
        }
        let result = failed.map_or(Ok(outcomes), Err);
        if alone { result } else { self.end_write(conn, result, &written).await }
    }

    /// Commits what went well, takes back what did not.
    async fn end_write<T>(
        &self,
        conn: &mut Conn,
        result: Result<T, Failure>,
        written: &BTreeSet<String>,
    ) -> Result<T, Failure> {
        if conn.health != Health::Idle {
            return result;
        }
        let result = match result {
            Ok(done) => self.commit(conn, written).await.map(|()| done),
            Err(failure) => Err(failure),
        };
        if result.is_err() && conn.health == Health::Idle {
            conn.say("ROLLBACK").await?;
        }
        result
    }

    /// Gives the connection back where it may serve on, or holds it for the next statement.
    pub(super) fn settle<T>(
        &self,
        mut lease: Lease<Opener>,
        result: Result<T, Failure>,
    ) -> Result<T, SqlError> {
        if lease.conn().is_ok_and(|conn| conn.health == Health::Idle) {
            lease.keep_in(self.held.as_ref());
        }
        result.map_err(Failure::into_sql)
    }

    pub(crate) async fn begin(&self, mode: Mode) -> Result<Transaction, SqlError> {
        Transaction::begin(self.clone(), mode).await
    }

    pub(crate) async fn open_cursor(&self, text: &str, params: Vec<Value>) -> Result<Cursor, SqlError> {
        Cursor::open(self, text, params).await
    }
}

/// What a statement did. The engine tells keys of new rows to `RETURNING` only.
pub(super) fn outcome(template: &Template, changed: u64) -> Outcome {
    let rows_affected = if template.reads_only() { 0 } else { changed };
    Outcome { rows_affected, last_insert_id: None }
}

async fn read(conn: &mut Conn, checked: &Checked, bounds: Bounds) -> Result<Vec<u8>, Failure> {
    match run::query(conn, &checked.text, &checked.params, bounds).await {
        Err(Failure::Stale) => Box::pin(read_again(conn, checked, bounds)).await,
        other => other,
    }
}

async fn read_again(conn: &mut Conn, checked: &Checked, bounds: Bounds) -> Result<Vec<u8>, Failure> {
    run::forget(conn).await?;
    run::query(conn, &checked.text, &checked.params, bounds).await
}

async fn begin_write(conn: &mut Conn) -> Result<(), Failure> {
    conn.say("BEGIN READ WRITE").await
}

/// Ends work that takes too long. The connection stays busy then, and closing it ends the work.
pub(super) async fn within<T>(
    time: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    timeout(time, work).await.unwrap_or_else(|_elapsed| Err(Failure::Sql(SqlError::Limit(LimitKind::Time))))
}
