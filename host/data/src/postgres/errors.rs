//! From the engine's errors to the room's.
//!
//! Guests read the engine's text with their own prefix taken out. What tells of the server (addresses,
//! roles, whole databases) goes to the log and never to a guest.

use crate::guard::Prefix;
use crate::{ConstraintKind, LimitKind, SqlError};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Failure {
    /// For good; the connection may serve on.
    Sql(SqlError),
    /// For good; the connection is of no use any more.
    Broken(SqlError),
    /// The tables changed since the statement was prepared; worth another attempt.
    Stale,
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
            Self::Sql(error) | Self::Broken(error) => error,
            Self::Stale => SqlError::Conflict("the tables change too often".to_owned()),
        }
    }
}

/// Reads an error of a statement.
pub(super) fn read(error: sqlx::Error, prefix: Option<&Prefix>) -> Failure {
    let sqlx::Error::Database(error) = error else {
        tracing::warn!(%error, "a connection to a data server broke");
        return Failure::Broken(lost());
    };
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
        return Failure::Broken(SqlError::other(error.message()));
    };
    if error.code() == "0A000" && error.message().contains("cached plan") {
        return Failure::Stale;
    }
    if matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic) {
        tracing::warn!(code = error.code(), message = error.message(), "a data server ended a connection");
        return Failure::Broken(if error.code() == "25P03" { SqlError::Closed } else { lost() });
    }
    Failure::Sql(judge(error.code(), without_prefix(error.message(), prefix)))
}

/// Reads an error of the host's own statement, for operators: nothing is left out.
pub(super) fn own(error: sqlx::Error) -> SqlError {
    match &error {
        sqlx::Error::Database(found) => SqlError::Other {
            sqlstate: found.code().map(std::borrow::Cow::into_owned),
            message: found.message().to_owned(),
        },
        _ => SqlError::Other { sqlstate: Some("08006".into()), message: error.to_string() },
    }
}

/// Reads why a tenant's connection could not be opened.
pub(super) fn unopened(error: &sqlx::Error) -> SqlError {
    let code = error.as_database_error().and_then(DatabaseError::code);
    match code.as_deref() {
        // Too many connections for the role, or for its database.
        Some("53300") => SqlError::Limit(LimitKind::Connections),
        _ => {
            tracing::warn!(%error, "a tenant's database could not be opened");
            SqlError::Other {
                sqlstate: Some("08001".into()),
                message: "the database could not be opened".to_owned(),
            }
        }
    }
}

fn lost() -> SqlError {
    SqlError::Other {
        sqlstate: Some("08006".into()),
        message: "the connection to the database broke".to_owned(),
    }
}

fn without_prefix(message: &str, prefix: Option<&Prefix>) -> String {
    prefix.map_or_else(|| message.to_owned(), |prefix| message.replace(prefix.as_str(), ""))
}

fn judge(code: &str, message: String) -> SqlError {
    let constraint = |kind, message| SqlError::Constraint { kind, message };
    match code {
        "23505" => constraint(ConstraintKind::Unique, message),
        "23503" | "23001" => constraint(ConstraintKind::ForeignKey, message),
        "23502" => constraint(ConstraintKind::NotNull, message),
        "23514" => constraint(ConstraintKind::Check, message),
        "40001" | "40P01" | "55P03" => SqlError::Conflict(message),
        // Not allowed to the role, or a write in a transaction that only reads.
        "42501" | "25006" => SqlError::Denied(message),
        "57014" => SqlError::Limit(LimitKind::Time),
        // A sort's or join's temporary file grew past its bound.
        "53400" => SqlError::Limit(LimitKind::Bytes),
        // A parameter that is not there, or whose type nothing tells.
        "42P02" | "42P18" | "22021" => SqlError::Parameter(message),
        _ => match code.get(..2) {
            Some("23") => constraint(ConstraintKind::Other, message),
            Some("42" | "26") => SqlError::Syntax(message),
            Some("54") => SqlError::Limit(LimitKind::Complexity),
            _ => SqlError::Other { sqlstate: Some(code.to_owned()), message },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rowhouse_base::id::TenantId;

    #[test]
    fn classes_and_prefixes() {
        assert!(matches!(
            judge("23P01", String::new()),
            SqlError::Constraint { kind: ConstraintKind::Other, .. }
        ));
        assert!(matches!(judge("42P01", String::new()), SqlError::Syntax(_)));
        assert!(matches!(judge("22012", String::new()), SqlError::Other { sqlstate: Some(_), .. }));
        let prefix = Prefix::of(TenantId::new());
        let message = format!("duplicate key value violates unique constraint \"{prefix}page_slug_key\"");
        let shown = "duplicate key value violates unique constraint \"page_slug_key\"";
        assert_eq!(without_prefix(&message, Some(&prefix)), shown);
    }
}
