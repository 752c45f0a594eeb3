//! What the control database answers when it fails, and whether asking again can help.
//!
//! Who began a change may begin it again after any error but [`DatabaseError::Unknown`]: only there it may
//! have happened. Nothing here repeats a change by itself.

use super::dialect::{Fate, fate};
use std::error::Error;

/// The control database failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The engine refused or could not be reached.
    #[error("ask the control database")]
    Sql(#[from] sqlx::Error),
    /// The connection was lost while a change was being committed: it may have happened or not.
    #[error("commit to the control database: whether the change happened is not known")]
    Unknown(#[source] sqlx::Error),
    /// A statement of the change failed before, so that the rest of it must not be committed.
    #[error("the change failed before it could be committed")]
    Failed,
    /// A stored value is not what this version writes.
    #[error("read column `{column}` of the control database")]
    Value {
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database was written by a newer version.
    #[error("the control database has schema {found}, this server knows {known}: use the newer server")]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The database is known not to answer; nothing was asked of it.
    #[error("the control database does not answer")]
    Away,
    /// Another server has been at the schema for too long.
    #[error("another server is changing the control database's schema: start again when it is done")]
    Migrating,
}

impl DatabaseError {
    /// True where the same again may succeed and does no harm: the engine undid everything, there was no
    /// connection to do it on, or what stood alone may be done twice. False for a commit whose outcome is not
    /// known.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Sql(error) => !matches!(fate(error), Fate::Final),
            Self::Migrating | Self::Away => true,
            Self::Unknown(_) | Self::Failed | Self::Value { .. } | Self::Newer { .. } => false,
        }
    }

    /// True where the engine undid it for another's sake: the same again may go well.
    pub(crate) fn is_undone(&self) -> bool {
        matches!(self, Self::Sql(error) if fate(error) == Fate::Undone)
    }

    /// True where a row with this key is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Database(error)) => error.is_unique_violation(),
            _ => false,
        }
    }
}
