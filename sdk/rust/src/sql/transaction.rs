//! Transactions that can't be left half done.
//!
//! A transaction is committed when the closure returns `Ok`, and rolled back when it returns an error,
//! panics or is dropped. There is no way to forget the rollback, and none to nest two. Called by sites.

use super::{FromCell, Outcome, Row, SqlError, SqlResult, Value, packed};
use crate::host;

/// Which transaction to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reads see one snapshot; writes are refused.
    Read,
    /// Reads and writes.
    Write,
}

/// A running transaction. Dropped without [`Transaction::commit`], it is rolled back.
pub struct Transaction {
    inner: host::Transaction,
}

impl Transaction {
    /// Begins a transaction.
    ///
    /// # Errors
    /// Any [`SqlError`]; `Conflict` when another writer holds the database for too long.
    pub fn begin(mode: Mode) -> SqlResult<Self> {
        Ok(Self { inner: host::begin(mode)? })
    }

    /// As [`super::query_as`], within the transaction.
    ///
    /// # Errors
    /// Any [`SqlError`].
    pub fn query_as<T: Row>(&self, text: &str, params: Vec<Value>) -> SqlResult<Vec<T>> {
        packed::decode_all(&self.inner.query_packed(text, params)?)
    }

    /// As [`super::query_first`], within the transaction.
    ///
    /// # Errors
    /// Any [`SqlError`].
    pub fn query_first<T: Row>(&self, text: &str, params: Vec<Value>) -> SqlResult<Option<T>> {
        packed::decode_first(&self.inner.query_packed(text, params)?)
    }

    /// As [`super::query_scalar`], within the transaction.
    ///
    /// # Errors
    /// Any [`SqlError`].
    pub fn query_scalar<T: FromCell>(&self, text: &str, params: Vec<Value>) -> SqlResult<Option<T>> {
        Ok(self.query_first::<(T,)>(text, params)?.map(|(value,)| value))
    }

    /// As [`super::execute`], but not committed yet.
    ///
    /// # Errors
    /// Any [`SqlError`].
    pub fn execute(&self, text: &str, params: Vec<Value>) -> SqlResult<Outcome> {
        self.inner.execute(text, params)
    }

    /// Commits.
    ///
    /// # Errors
    /// Any [`SqlError`]; nothing was changed then.
    pub fn commit(self) -> SqlResult<()> {
        self.inner.commit()
    }
}

/// Runs `work` in a transaction: committed when it returns `Ok`, rolled back otherwise.
///
/// # Errors
/// What `work` returned, or the [`SqlError`] of beginning or committing.
pub fn transaction<T, E: From<SqlError>>(work: impl FnOnce(&Transaction) -> Result<T, E>) -> Result<T, E> {
    let transaction = Transaction::begin(Mode::Write)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// As [`transaction`], run again when another writer was in the way, at most `attempts` times in all.
/// `work` must be repeatable: it starts from the beginning each time.
///
/// # Errors
/// The last error of `work`, of beginning or of committing.
pub fn transaction_with_retry<T>(attempts: u32, work: impl Fn(&Transaction) -> SqlResult<T>) -> SqlResult<T> {
    let mut left = attempts.max(1);
    loop {
        left -= 1;
        match transaction(&work) {
            Err(error) if error.is_retryable() && left > 0 => {}
            done => return done,
        }
    }
}
