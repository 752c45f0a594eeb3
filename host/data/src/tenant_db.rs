//! One guest instance's handle to its tenant's database.
//!
//! Made only by [`Data::open`](crate::Data::open), from a tenant. No method here or on what comes from
//! here takes a tenant, a database or a path: there is nothing to mix up. The engine behind it is chosen
//! once, in [`Backend`], and never named outside the room.
//!
//! Invariant: futures from here are small. Whoever runs a host call copies its future more than once, so all that
//! is large is boxed here; a query that SQLite answers in line never is.

use crate::engines::unknown;
use crate::meter::Meter;
use crate::{
    Dialect, Hold, Mode, Outcome, ReadLog, Rows, SqlError, Statement, Value, mysql, packed, postgres, sqlite,
};
use rowhouse_base::{DataServerName, Share};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The engines.
pub(crate) enum Backend {
    Sqlite(sqlite::Session),
    Postgres(postgres::Session),
    Mysql(mysql::Session),
    /// The tenant's data server is not in the configuration.
    Unknown(DataServerName),
}

/// What a guest instance's statements are counted and noted in, those of transactions and cursors included.
#[derive(Clone)]
struct Tally {
    meter: Arc<Meter>,
    /// Statements at most.
    most: u32,
    log: Option<Arc<ReadLog>>,
}

impl Tally {
    /// Counts statements that are about to run, or refuses them. Gives when they began.
    fn begin(&self, statements: usize) -> Result<Instant, SqlError> {
        self.judged(self.meter.count(statements, self.most))?;
        Ok(Instant::now())
    }

    /// Adds the time of what has ended.
    fn end<T>(&self, began: Instant, result: Result<T, SqlError>) -> Result<T, SqlError> {
        self.meter.spent_since(began);
        self.judged(result)
    }

    /// What a failure looked like may not be so the next time.
    fn judged<T>(&self, result: Result<T, SqlError>) -> Result<T, SqlError> {
        if let (Some(log), Err(_failed)) = (&self.log, &result) {
            log.doubt();
        }
        result
    }
}

/// The database of one tenant, for one guest instance. Opens nothing before the first statement.
///
/// It counts statements against the tenant's limit and adds up their time. Every future may be dropped
/// at any point: what ran unattended ends by its own time limit, and connections come back.
pub struct TenantDb {
    backend: Backend,
    tally: Tally,
}

impl TenantDb {
    pub(crate) fn new(backend: Backend, meter: Arc<Meter>, statements: u32) -> Self {
        Self { backend, tally: Tally { meter, most: statements, log: None } }
    }

    /// Notes in a log what statements read, those of transactions and cursors included, and that they write.
    /// Without one nothing is noted and nothing costs. A statement that fails makes the page unsure.
    #[must_use]
    pub fn logged_to(mut self, log: Arc<ReadLog>) -> Self {
        match &mut self.backend {
            Backend::Sqlite(session) => session.log = Some(Arc::clone(&log)),
            Backend::Postgres(session) => session.log = Some(Arc::clone(&log)),
            Backend::Mysql(session) => session.log = Some(Arc::clone(&log)),
            Backend::Unknown(_) => {}
        }
        self.tally.log = Some(log);
        self
    }

    /// Bills the CPU time of statements that run in this process to an account, and lets them run at low
    /// priority while that tenant is in the way of others. Engines on servers of their own bill nothing.
    #[must_use]
    pub fn billed_to(mut self, share: Arc<Share>) -> Self {
        match &mut self.backend {
            Backend::Sqlite(session) => session.bill_to(share),
            Backend::Postgres(_) | Backend::Mysql(_) | Backend::Unknown(_) => {}
        }
        self
    }

    /// Lets the instance go on with the connection of its last statement. Whoever polls the instance must have it let
    /// go after each poll: others may be waiting for that connection.
    #[must_use]
    pub fn held(mut self) -> (Self, Hold) {
        let hold = match &mut self.backend {
            Backend::Postgres(session) => session.hold(),
            Backend::Mysql(session) => session.hold(),
            Backend::Sqlite(_) | Backend::Unknown(_) => Hold::default(),
        };
        (self, hold)
    }

    /// The dialect that statements must be written in.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::Sqlite(_) | Backend::Unknown(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgresql,
            Backend::Mysql(_) => Dialect::Mysql,
        }
    }

    /// Statements so far, those of transactions and cursors included.
    #[must_use]
    pub fn statements(&self) -> u32 {
        self.tally.meter.statements()
    }

    /// Time of all statements so far, waiting for connections and locks included.
    #[must_use]
    pub fn sql_time(&self) -> Duration {
        self.tally.meter.time()
    }

    /// Runs one statement and returns all its rows in the layout of [`packed`].
    ///
    /// # Errors
    /// [`SqlError`]; nothing was changed then.
    pub async fn query_packed(&mut self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let began = self.tally.begin(1)?;
        let result = match &self.backend {
            Backend::Sqlite(session) => session.query_packed(text, params).await,
            Backend::Postgres(session) => Box::pin(session.query_packed(text, params)).await,
            Backend::Mysql(session) => Box::pin(session.query_packed(text, params)).await,
            Backend::Unknown(server) => Err(unknown(server)),
        };
        self.tally.end(began, result)
    }

    /// Runs one statement and returns all its rows.
    ///
    /// # Errors
    /// [`SqlError`]; nothing was changed then.
    pub async fn query(&mut self, text: &str, params: Vec<Value>) -> Result<Rows, SqlError> {
        unpack(&self.query_packed(text, params).await?)
    }

    /// Runs one statement for what it does; rows that it returns are left out. Committed when it returns.
    ///
    /// # Errors
    /// [`SqlError`]; nothing was changed then.
    pub async fn execute(&mut self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let began = self.tally.begin(1)?;
        let result = match &self.backend {
            Backend::Sqlite(session) => Box::pin(session.execute(text, params)).await,
            Backend::Postgres(session) => Box::pin(session.execute(text, params)).await,
            Backend::Mysql(session) => Box::pin(session.execute(text, params)).await,
            Backend::Unknown(server) => Err(unknown(server)),
        };
        self.tally.end(began, result)
    }

    /// Runs the statements in one transaction, all or nothing. All of them together may take as long as
    /// one request, each of them as long as one statement.
    ///
    /// # Errors
    /// [`SqlError`] of the first that failed; nothing was changed then.
    pub async fn batch(&mut self, statements: Vec<Statement>) -> Result<Vec<Outcome>, SqlError> {
        let began = self.tally.begin(statements.len())?;
        let result = match &self.backend {
            Backend::Sqlite(session) => Box::pin(session.batch(statements)).await,
            Backend::Postgres(session) => Box::pin(session.batch(statements)).await,
            Backend::Mysql(session) => Box::pin(session.batch(statements)).await,
            Backend::Unknown(server) => Err(unknown(server)),
        };
        self.tally.end(began, result)
    }

    /// Begins a transaction. It counts as a statement, and so does each one in it.
    ///
    /// # Errors
    /// [`SqlError::Conflict`] where another writer didn't end in time, [`SqlError::Limit`] where no
    /// connection became free.
    pub async fn begin(&mut self, mode: Mode) -> Result<Transaction, SqlError> {
        let began = self.tally.begin(1)?;
        let result = match &self.backend {
            Backend::Sqlite(session) => Box::pin(session.begin(mode)).await.map(AnyTransaction::Sqlite),
            Backend::Postgres(session) => Box::pin(session.begin(mode)).await.map(AnyTransaction::Postgres),
            Backend::Mysql(session) => Box::pin(session.begin(mode)).await.map(AnyTransaction::Mysql),
            Backend::Unknown(server) => Err(unknown(server)),
        };
        let inner = self.tally.end(began, result)?;
        Ok(Transaction { inner, tally: self.tally.clone() })
    }

    /// Opens a result that is read page by page, over one snapshot. Only for statements that read.
    ///
    /// # Errors
    /// [`SqlError`] as for a query.
    pub async fn open_cursor(&mut self, text: &str, params: Vec<Value>) -> Result<Cursor, SqlError> {
        let began = self.tally.begin(1)?;
        let result = match &self.backend {
            Backend::Sqlite(session) => {
                Box::pin(session.open_cursor(text, params)).await.map(AnyCursor::Sqlite)
            }
            Backend::Postgres(session) => {
                Box::pin(session.open_cursor(text, params)).await.map(Box::new).map(AnyCursor::Postgres)
            }
            Backend::Mysql(session) => {
                Box::pin(session.open_cursor(text, params)).await.map(AnyCursor::Mysql)
            }
            Backend::Unknown(server) => Err(unknown(server)),
        };
        let inner = self.tally.end(began, result)?;
        Ok(Cursor { inner, tally: self.tally.clone() })
    }
}

enum AnyTransaction {
    Sqlite(sqlite::Transaction),
    Postgres(postgres::Transaction),
    Mysql(mysql::Transaction),
}

/// A running transaction. Dropping it rolls back, without blocking the dropping task. Where a call's
/// future is dropped before it is done, the transaction ends too.
pub struct Transaction {
    inner: AnyTransaction,
    tally: Tally,
}

impl Transaction {
    /// As [`TenantDb::query_packed`], inside the transaction.
    ///
    /// # Errors
    /// [`SqlError::Closed`] once it has ended, else as for a query.
    pub async fn query_packed(&mut self, text: &str, params: Vec<Value>) -> Result<Vec<u8>, SqlError> {
        let began = self.tally.begin(1)?;
        let result = match &mut self.inner {
            AnyTransaction::Sqlite(transaction) => Box::pin(transaction.query_packed(text, params)).await,
            AnyTransaction::Postgres(transaction) => Box::pin(transaction.query_packed(text, params)).await,
            AnyTransaction::Mysql(transaction) => Box::pin(transaction.query_packed(text, params)).await,
        };
        self.tally.end(began, result)
    }

    /// As [`TenantDb::query`], inside the transaction.
    ///
    /// # Errors
    /// [`SqlError::Closed`] once it has ended, else as for a query.
    pub async fn query(&mut self, text: &str, params: Vec<Value>) -> Result<Rows, SqlError> {
        unpack(&self.query_packed(text, params).await?)
    }

    /// As [`TenantDb::execute`], inside the transaction.
    ///
    /// # Errors
    /// [`SqlError::Closed`] once it has ended, else as for a statement.
    pub async fn execute(&mut self, text: &str, params: Vec<Value>) -> Result<Outcome, SqlError> {
        let began = self.tally.begin(1)?;
        let result = match &mut self.inner {
            AnyTransaction::Sqlite(transaction) => Box::pin(transaction.execute(text, params)).await,
            AnyTransaction::Postgres(transaction) => Box::pin(transaction.execute(text, params)).await,
            AnyTransaction::Mysql(transaction) => Box::pin(transaction.execute(text, params)).await,
        };
        self.tally.end(began, result)
    }

    /// Commits.
    ///
    /// # Errors
    /// On any error nothing was changed and the transaction has ended.
    pub async fn commit(&mut self) -> Result<(), SqlError> {
        let began = Instant::now();
        let result = match &mut self.inner {
            AnyTransaction::Sqlite(transaction) => Box::pin(transaction.commit()).await,
            AnyTransaction::Postgres(transaction) => Box::pin(transaction.commit()).await,
            AnyTransaction::Mysql(transaction) => Box::pin(transaction.commit()).await,
        };
        self.tally.end(began, result)
    }

    /// Rolls back.
    ///
    /// # Errors
    /// [`SqlError::Closed`] where it had ended before.
    pub async fn rollback(&mut self) -> Result<(), SqlError> {
        let began = Instant::now();
        let result = match &mut self.inner {
            AnyTransaction::Sqlite(transaction) => Box::pin(transaction.rollback()).await,
            AnyTransaction::Postgres(transaction) => Box::pin(transaction.rollback()).await,
            AnyTransaction::Mysql(transaction) => Box::pin(transaction.rollback()).await,
        };
        self.tally.end(began, result)
    }
}

enum AnyCursor {
    Sqlite(sqlite::Cursor),
    Postgres(Box<postgres::Cursor>),
    Mysql(mysql::Cursor),
}

/// A result read page by page. Dropping it ends it.
pub struct Cursor {
    inner: AnyCursor,
    tally: Tally,
}

impl Cursor {
    /// The next rows, at most `rows` (kept within 1 and 10,000), packed; the flag in them says whether
    /// more follow. Pages also end where they have become large.
    ///
    /// # Errors
    /// [`SqlError::Closed`] after the last page, after an error, and where nothing was asked for too
    /// long.
    pub async fn next(&mut self, rows: u32) -> Result<Vec<u8>, SqlError> {
        let began = Instant::now();
        let result = match &mut self.inner {
            AnyCursor::Sqlite(cursor) => cursor.next(rows).await,
            AnyCursor::Postgres(cursor) => Box::pin(cursor.next(rows)).await,
            AnyCursor::Mysql(cursor) => cursor.next(rows).await,
        };
        self.tally.end(began, result)
    }
}

fn unpack(bytes: &[u8]) -> Result<Rows, SqlError> {
    packed::decode(bytes).map(|(rows, _more)| rows).map_err(|error| SqlError::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than they take, and a tenth of what they took with everything in them.
    const SMALL: usize = 2 << 10;

    #[test]
    fn futures_are_small_whatever_the_engine() {
        let backend = Backend::Unknown(DataServerName::local());
        let mut db = TenantDb::new(backend, Arc::new(Meter::default()), 1);
        let query = size_of_val(&db.query_packed("", Vec::new()));
        let execute = size_of_val(&db.execute("", Vec::new()));
        let batch = size_of_val(&db.batch(Vec::new()));
        let begin = size_of_val(&db.begin(Mode::Read));
        let open = size_of_val(&db.open_cursor("", Vec::new()));
        let sizes = [query, execute, batch, begin, open];
        assert!(sizes.iter().all(|size| *size <= SMALL), "{sizes:?}");
    }
}
