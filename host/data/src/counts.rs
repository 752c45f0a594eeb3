//! Counts of what was changed, where a tenant of an older host may have no table of them yet.
//!
//! A server tells of a missing table like of any other fault of a statement, so the table is made then, and what
//! failed may be tried again. Called by the engines on servers, each with its own way to make it.

use crate::SqlError;

/// True where a statement of the host's may have failed for want of the table.
fn may_be_missing(error: &SqlError) -> bool {
    matches!(error, SqlError::Syntax(_) | SqlError::Denied(_))
}

/// Reads the counts, with the table made before a second try where it may be missing.
pub(crate) async fn read<T, F>(
    attempt: impl Fn() -> F,
    complete: impl Future<Output = Result<(), SqlError>>,
) -> Result<T, SqlError>
where
    F: Future<Output = Result<T, SqlError>>,
{
    match attempt().await {
        Err(error) if may_be_missing(&error) => {
            complete.await?;
            attempt().await
        }
        other => other,
    }
}

/// Judges a commit that failed. Where the table may be missing it is made, and the guest may try again.
pub(crate) async fn judge_commit(
    error: SqlError,
    complete: impl Future<Output = Result<(), SqlError>>,
) -> SqlError {
    if !may_be_missing(&error) {
        return error;
    }
    match complete.await {
        Ok(()) => SqlError::Conflict("the database was completed just now; try again".to_owned()),
        Err(error) => error,
    }
}
