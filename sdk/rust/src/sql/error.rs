//! Why a statement failed, as a typed error.
//!
//! The cases are those of `rowhouse:host/sql`, plus `Decode` for a row that does not fit the type asked
//! for. It is never turned into a page by itself: what an engine says is for the operator, not for a
//! visitor. Called by everything in `sql`.

use super::row::DecodeError;

/// Why a statement failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SqlError {
    /// The statement can't be parsed, or names something that doesn't exist.
    #[error("the statement is wrong: {0}")]
    Syntax(String),
    /// The statement is not allowed for guests.
    #[error("the statement is not allowed: {0}")]
    Denied(String),
    /// A constraint refused the write. Nothing was changed.
    #[error("a constraint refused the write: {0}")]
    Constraint(Violation),
    /// A limit was reached. Nothing was changed.
    #[error("a limit was reached: {0}")]
    Limit(Limit),
    /// Another writer was in the way: run the transaction again.
    #[error("another writer was in the way: {0}")]
    Conflict(String),
    /// A parameter is missing, superfluous or of a type that can't be stored.
    #[error("a parameter does not fit: {0}")]
    Parameter(String),
    /// The transaction or cursor has ended.
    #[error("the transaction or cursor has ended")]
    Closed,
    /// A row does not fit the type that was asked for.
    #[error("a row does not fit")]
    Decode(#[from] DecodeError),
    /// Anything else.
    #[error("the database failed: {0}")]
    Other(EngineError),
}

impl SqlError {
    /// Whether running the same work again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::Limit(Limit::Connections))
    }

    /// Whether nothing is wrong with the statement: the database was busy, away or too slow just now. What was written
    /// may be there all the same, so only a visitor should try again.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Limit(Limit::Time) => true,
            Self::Other(error) => error.sqlstate.as_deref().is_some_and(is_of_server),
            other => other.is_retryable(),
        }
    }

    /// Whether the write was refused because a value exists already.
    pub fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Constraint(violation) if violation.kind == Constraint::Unique)
    }
}

/// SQLSTATE classes that speak of the server: no connection, no resources, an operator's intervention.
fn is_of_server(sqlstate: &str) -> bool {
    ["08", "53", "57"].iter().any(|class| sqlstate.starts_with(class))
}

/// Which kind of constraint refused a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// A value exists already.
    Unique,
    /// A row that is pointed at does not exist, or is still pointed at.
    ForeignKey,
    /// A value is missing.
    NotNull,
    /// A CHECK refused the row.
    Check,
    /// Another kind.
    Other,
}

/// A constraint that refused a write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Violation {
    /// Which kind.
    pub kind: Constraint,
    /// The engine's text.
    pub message: String,
}

/// An error of the engine that no other case describes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    /// SQLSTATE where the engine has one.
    pub sqlstate: Option<String>,
    /// The engine's text.
    pub message: String,
}

/// Which limit ended the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// The statement ran for too long.
    #[error("time")]
    Time,
    /// The result has too many rows.
    #[error("rows")]
    Rows,
    /// The result or a value is too large.
    #[error("bytes")]
    Bytes,
    /// The request ran too many statements.
    #[error("statements")]
    Statements,
    /// The database has reached its size.
    #[error("database size")]
    DatabaseSize,
    /// No connection became free in time.
    #[error("connections")]
    Connections,
    /// The statement's text, nesting or number of parameters is too large.
    #[error("complexity")]
    Complexity,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_is_no_fault_of_the_statement() {
        let other = |sqlstate: Option<&str>| {
            SqlError::Other(EngineError { sqlstate: sqlstate.map(str::to_owned), message: String::new() })
        };
        for error in [
            other(Some("08001")),
            other(Some("08006")),
            other(Some("53300")),
            other(Some("57P03")),
            SqlError::Limit(Limit::Time),
            SqlError::Limit(Limit::Connections),
            SqlError::Conflict(String::new()),
        ] {
            assert!(error.is_passing(), "{error:?}");
            assert_eq!(crate::error::Error::Sql(error).status(), 503);
        }
        for error in [other(None), other(Some("22012")), SqlError::Limit(Limit::Rows), SqlError::Closed] {
            assert!(!error.is_passing() && !error.is_retryable(), "{error:?}");
        }
        assert!(!other(Some("08006")).is_retryable(), "it may have been done");
    }
}
