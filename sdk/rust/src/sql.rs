//! The tenant's own database: statements, typed rows, batches, transactions and cursors.
//!
//! Every function takes one statement with `$1`, `$2`, … on every engine, and its values apart from the
//! text. There is no function that glues a value into a statement, and none that reaches another
//! tenant's database. Invariant: rows are always decoded from the packed layout, which costs least to
//! pass. Called by sites.

mod error;
mod packed;
mod row;
mod transaction;
mod value;

pub use error::{Constraint, EngineError, Limit, SqlError, Violation};
#[cfg(all(feature = "testing", not(target_family = "wasm")))]
pub(crate) use packed::encode;
pub use row::{Cell, DecodeError, FromCell, Row, RowView};
pub use transaction::{Mode, Transaction, transaction, transaction_with_retry};
pub use value::{Decimal, Json, Timestamp, Uuid, Value};

use crate::host;

/// What every function here returns.
pub type SqlResult<T> = Result<T, SqlError>;

/// The SQL dialect that statements must be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, the embedded default.
    Sqlite,
    /// PostgreSQL.
    Postgresql,
    /// MySQL and MariaDB.
    Mysql,
}

/// What a write did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows inserted, updated or deleted.
    pub rows_affected: u64,
    /// The integer key of the last inserted row, where the engine tells it.
    pub last_insert_id: Option<i64>,
}

/// A statement with its values, for [`batch`].
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The statement's text.
    pub text: String,
    /// The values of `$1`, `$2`, …
    pub params: Vec<Value>,
}

/// A statement for [`batch`].
pub fn statement(text: impl Into<String>, params: Vec<Value>) -> Statement {
    Statement { text: text.into(), params }
}

/// The dialect of this tenant's database. Never fails.
pub fn dialect() -> Dialect {
    host::dialect()
}

/// Runs a statement and returns all its rows.
///
/// # Errors
/// Any [`SqlError`]; `Decode` when a row does not fit `T`.
pub fn query_as<T: Row>(text: &str, params: Vec<Value>) -> SqlResult<Vec<T>> {
    packed::decode_all(&host::query_packed(text, params)?)
}

/// Runs a statement and returns its first row, if there is one.
///
/// # Errors
/// Any [`SqlError`]; `Decode` when the row does not fit `T`.
pub fn query_first<T: Row>(text: &str, params: Vec<Value>) -> SqlResult<Option<T>> {
    packed::decode_first(&host::query_packed(text, params)?)
}

/// Runs a statement and returns the first column of its first row, if there is one.
///
/// # Errors
/// Any [`SqlError`]; `Decode` when the value does not fit `T`.
pub fn query_scalar<T: FromCell>(text: &str, params: Vec<Value>) -> SqlResult<Option<T>> {
    Ok(query_first::<(T,)>(text, params)?.map(|(value,)| value))
}

/// Runs a statement that returns no rows. It is committed when this returns.
///
/// # Errors
/// Any [`SqlError`]; nothing was changed then.
pub fn execute(text: &str, params: Vec<Value>) -> SqlResult<Outcome> {
    host::execute(text, params)
}

/// Runs the statements in one transaction: all or nothing, in one call to the host.
///
/// # Errors
/// Any [`SqlError`]; nothing was changed then.
pub fn batch(statements: Vec<Statement>) -> SqlResult<Vec<Outcome>> {
    host::batch(statements)
}

/// Opens a result that is read page by page, without holding all of it in memory.
///
/// # Errors
/// Any [`SqlError`].
pub fn open<T: Row>(text: &str, params: Vec<Value>) -> SqlResult<Cursor<T>> {
    Ok(Cursor { inner: host::open(text, params)?, ended: false, row: std::marker::PhantomData })
}

/// A result that is read page by page, over one snapshot.
pub struct Cursor<T> {
    inner: host::Cursor,
    ended: bool,
    row: std::marker::PhantomData<T>,
}

impl<T: Row> Cursor<T> {
    /// The next rows, at most `max` (1 to 10 000). An empty list means the end.
    ///
    /// # Errors
    /// Any [`SqlError`]; `Decode` when a row does not fit `T`.
    pub fn next_rows(&mut self, max: u32) -> SqlResult<Vec<T>> {
        if self.ended {
            return Ok(Vec::new());
        }
        let page = self.inner.next(max.clamp(1, 10_000))?;
        self.ended = !packed::has_more(&page);
        packed::decode_all(&page)
    }
}

/// The values of a statement: `params![slug, 3, true]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::sql::Value::from($value)),*] };
}
