//! How statements fail ([`SqlError`], shown to the guest) and how the room itself fails ([`DataError`],
//! shown to the operator).
//!
//! A [`SqlError`] never carries a path, another tenant's name or anything of the host's own tables.

use crate::objects::BucketError;
use rowhouse_base::DataServerName;
use rowhouse_base::id::TenantId;
use std::io;
use std::time::Duration;

/// Which limit ended the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// The statement ran for too long.
    Time,
    /// The result has too many rows.
    Rows,
    /// The result or a value is too large.
    Bytes,
    /// The request ran too many statements.
    Statements,
    /// The database has reached its size.
    DatabaseSize,
    /// No connection became free in time.
    Connections,
    /// The statement's text, its nesting or its number of parameters is too large.
    Complexity,
}

impl LimitKind {
    /// The name as in the documentation's table of limits.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Rows => "rows",
            Self::Bytes => "bytes",
            Self::Statements => "statements",
            Self::DatabaseSize => "database-size",
            Self::Connections => "connections",
            Self::Complexity => "complexity",
        }
    }
}

/// Which kind of constraint refused a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConstraintKind {
    /// A unique index or a primary key.
    Unique,
    /// A foreign key.
    ForeignKey,
    /// A column that can't be null.
    NotNull,
    /// A check.
    Check,
    /// Any other.
    Other,
}

/// Why a statement failed. Mirrors `error` of `rowhouse:host/sql`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The statement can't be parsed, or names something that doesn't exist.
    #[error("the statement is not valid: {0}")]
    Syntax(String),
    /// The statement is not allowed for guests.
    #[error("the statement is not allowed: {0}")]
    Denied(String),
    /// A constraint refused the write. Nothing was changed.
    #[error("a constraint refused the write: {message}")]
    Constraint {
        /// Which kind.
        kind: ConstraintKind,
        /// The engine's text, such as `UNIQUE constraint failed: page.slug`.
        message: String,
    },
    /// A limit was reached. Nothing was changed.
    #[error("the {} limit was reached", .0.as_str())]
    Limit(LimitKind),
    /// Another writer held the database for too long. Run the transaction again.
    #[error("another writer was in the way: {0}")]
    Conflict(String),
    /// A parameter is missing, superfluous or of a type that can't be stored.
    #[error("the parameters don't fit: {0}")]
    Parameter(String),
    /// The transaction or cursor has ended.
    #[error("the transaction or cursor has ended")]
    Closed,
    /// Anything else.
    #[error("the engine reports: {message}")]
    Other {
        /// SQLSTATE where the engine has one.
        sqlstate: Option<String>,
        /// The engine's text.
        message: String,
    },
}

impl SqlError {
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::Other { sqlstate: None, message: message.into() }
    }

    /// Whether nothing is wrong with what was asked: the database was away, full of others or busy just now.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Conflict(_) | Self::Limit(LimitKind::Time | LimitKind::Connections) => true,
            // Connection, resources, operator intervention: classes of SQLSTATE.
            Self::Other { sqlstate: Some(state), .. } => {
                ["08", "53", "57P"].iter().any(|class| state.starts_with(class))
            }
            _ => false,
        }
    }
}

/// Why the room could not do what an operator or the server asked.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A folder or file could not be made, read or removed.
    #[error("{action} {path}")]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// Where, relative to the data folder.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The tenant's database refused a statement of the host's own.
    #[error("prepare the database of tenant {tenant}")]
    Database {
        /// Whose.
        tenant: TenantId,
        /// Why.
        #[source]
        source: SqlError,
    },
    /// The tenant's connections did not become free in time.
    #[error("tenant {tenant} is still in use after {} ms", waited.as_millis())]
    Busy {
        /// Whose.
        tenant: TenantId,
        /// How long was waited.
        waited: Duration,
    },
    /// A data server could not be set up for this process.
    #[error("set up the data server `{server}`")]
    Engine {
        /// Which.
        server: DataServerName,
        /// Why.
        #[source]
        source: SqlError,
    },
    /// The bucket of files can't be used.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// Work on a thread ended without a result. Always a bug or a server that is ending.
    #[error("a blocking task ended early: {0}")]
    Task(String),
}

impl DataError {
    pub(crate) fn io(action: &'static str, path: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
