//! From the server's errors to the room's.
//!
//! The server's own numbers decide, because SQLSTATE is too coarse on this engine. A message goes to the
//! guest with the tenant's physical names taken out; where it speaks of the server (files, users, other
//! databases) the guest reads a sentence of ours and the log has the rest.

use super::names::Names;
use crate::{ConstraintKind, LimitKind, SqlError};
use sqlx::Error;
use sqlx::mysql::MySqlDatabaseError;

/// Deadlock: the server has rolled back the whole transaction.
const DEADLOCK: u16 = 1213;

/// The row has changed since the snapshot: the same.
const CHANGED: u16 = 1020;

/// MariaDB's number for a check; elsewhere it means something else.
const CHECK_FAILED: u16 = 4025;

/// True where the connection is of no use any more.
pub(super) fn is_broken(error: &Error) -> bool {
    !matches!(error, Error::Database(_))
}

/// True where the server answered, so that the statement has ended.
pub(super) fn is_answer(error: &Error) -> bool {
    matches!(error, Error::Database(_))
}

/// True where the whole transaction is gone, not the statement alone.
pub(super) fn ends_transaction(error: &Error) -> bool {
    number(error).is_none_or(|number| matches!(number, DEADLOCK | CHANGED))
}

/// The server's number, where it answered.
pub(super) fn number(error: &Error) -> Option<u16> {
    server(error).map(MySqlDatabaseError::number)
}

fn server(error: &Error) -> Option<&MySqlDatabaseError> {
    match error {
        Error::Database(error) => error.try_downcast_ref(),
        _ => None,
    }
}

/// Reads an error of a statement of the host's own, for operators.
pub(super) fn host(error: &Error) -> SqlError {
    match server(error) {
        Some(error) => SqlError::Other {
            sqlstate: error.code().map(str::to_owned),
            message: format!("{} (error {})", error.message(), error.number()),
        },
        None => broken(error),
    }
}

/// Reads an error of a guest's statement.
pub(super) fn guest(error: &Error, names: &Names) -> SqlError {
    match server(error) {
        Some(error) => answer(error, names),
        None => broken(error),
    }
}

fn broken(error: &Error) -> SqlError {
    tracing::warn!(error = %rowhouse_base::chain::Chain(error), "the connection to a data server broke");
    SqlError::Other {
        sqlstate: Some("08006".into()),
        message: "the connection to the data server broke".into(),
    }
}

fn answer(error: &MySqlDatabaseError, names: &Names) -> SqlError {
    let state = error.code().unwrap_or_default();
    let message = || names.scrub(error.message());
    match error.number() {
        1062 | 1022 | 1169 | 1586 | 1859 => constraint(ConstraintKind::Unique, message()),
        1451 | 1452 | 1216 | 1217 | 1834 => constraint(ConstraintKind::ForeignKey, message()),
        1048 | 1364 => constraint(ConstraintKind::NotNull, message()),
        3819 => constraint(ConstraintKind::Check, message()),
        CHECK_FAILED if state == "23000" => constraint(ConstraintKind::Check, message()),
        DEADLOCK | CHANGED | 1205 | 3572 => SqlError::Conflict(message()),
        1317 | 1969 | 3024 => SqlError::Limit(LimitKind::Time),
        1114 | 1021 => SqlError::Limit(LimitKind::DatabaseSize),
        1153 | 1301 | 1038 | 3170 => SqlError::Limit(LimitKind::Bytes),
        1390 | 1436 | 1473 | 1116 | 1117 | 1118 | 1462 => SqlError::Limit(LimitKind::Complexity),
        1792 => SqlError::Denied("it writes where only reading is allowed".into()),
        1044 | 1045 | 1142 | 1143 | 1227 | 1290 | 1345 | 1356 | 1370 | 1410 | 1419 => {
            tracing::debug!(number = error.number(), "a data server refused a right");
            SqlError::Denied("the database gives no right to do this".into())
        }
        _ if state.starts_with("23") => constraint(ConstraintKind::Other, message()),
        _ if state.starts_with("42") || state.starts_with("21") => SqlError::Syntax(message()),
        1054 | 1111 | 1128 | 1210 | 1221 | 1241 | 1247 | 1305 => SqlError::Syntax(message()),
        number if error.message().contains('/') && !state.starts_with("22") => {
            tracing::warn!(number, message = error.message(), "a data server reports an error");
            other(state, format!("the data server reports error {number}"))
        }
        _ => other(state, message()),
    }
}

fn constraint(kind: ConstraintKind, message: String) -> SqlError {
    SqlError::Constraint { kind, message }
}

fn other(state: &str, message: String) -> SqlError {
    SqlError::Other { sqlstate: (!state.is_empty()).then(|| state.to_owned()), message }
}
