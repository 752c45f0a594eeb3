//! From the engine's errors to the room's.

use super::connection::Conn;
use crate::{ConstraintKind, LimitKind, SqlError};
use rusqlite::{Error, ErrorCode, ffi};

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Failure {
    /// For good.
    Sql(SqlError),
    /// Another connection was in the way; worth another attempt.
    Busy(String),
    /// The budget was spent.
    Late,
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self::Sql(error)
    }
}

impl Failure {
    /// The final word on it.
    pub(super) fn into_sql(self) -> SqlError {
        match self {
            Self::Sql(error) => error,
            Self::Busy(message) => SqlError::Conflict(message),
            Self::Late => SqlError::Limit(LimitKind::Time),
        }
    }
}

/// When an error came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// While the statement was compiled.
    Compile,
    /// While it ran.
    Run,
}

/// Reads an error of the engine.
pub(super) fn read(conn: &Conn, phase: Phase, error: Error) -> Failure {
    let (code, message) = match error {
        Error::SqliteFailure(code, message) => (code, message.unwrap_or_else(|| code.to_string())),
        Error::SqlInputError { error, msg, .. } => (error, msg),
        Error::MultipleStatement => {
            return SqlError::Denied("one statement a call".to_owned()).into();
        }
        other => return SqlError::other(conn.shown(other.to_string())).into(),
    };
    let message = conn.shown(message);
    if conn.probe.has_denied() && phase == Phase::Compile {
        return SqlError::Denied(message).into();
    }
    match code.code {
        ErrorCode::OperationInterrupted => Failure::Late,
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Failure::Busy(message),
        ErrorCode::ConstraintViolation => {
            SqlError::Constraint { kind: constraint(code.extended_code), message }.into()
        }
        ErrorCode::DiskFull => SqlError::Limit(LimitKind::DatabaseSize).into(),
        ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly => SqlError::Denied(message).into(),
        // A program of too many instructions is reported as lack of memory.
        ErrorCode::TooBig | ErrorCode::OutOfMemory => SqlError::Limit(match phase {
            Phase::Compile => LimitKind::Complexity,
            Phase::Run => LimitKind::Bytes,
        })
        .into(),
        ErrorCode::TypeMismatch => SqlError::Parameter(message).into(),
        _ if phase == Phase::Compile || message.starts_with("no such ") => compile(message).into(),
        _ => SqlError::other(message).into(),
    }
}

fn compile(message: String) -> SqlError {
    if ["too many", "too large", "too complex", "at most", "parser stack overflow", "too big", "nesting"]
        .iter()
        .any(|sign| message.contains(sign))
    {
        SqlError::Limit(LimitKind::Complexity)
    } else if message.contains("may not be modified") || message.contains("prohibited") {
        SqlError::Denied(message)
    } else {
        SqlError::Syntax(message)
    }
}

fn constraint(extended: i32) -> ConstraintKind {
    match extended {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            ConstraintKind::Unique
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => ConstraintKind::ForeignKey,
        ffi::SQLITE_CONSTRAINT_NOTNULL => ConstraintKind::NotNull,
        ffi::SQLITE_CONSTRAINT_CHECK => ConstraintKind::Check,
        _ => ConstraintKind::Other,
    }
}
