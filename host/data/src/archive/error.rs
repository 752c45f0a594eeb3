//! How an export, the reading of an archive and an import fail. For operators; each names the member, the
//! table or the file that it is about.

use crate::{DataError, MirrorError, OverQuota, SqlError};
use std::io;

/// Why a tenant was not exported, an archive not accepted or not imported.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The data folder can't be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The tenant's files can't be reached or stored.
    #[error(transparent)]
    Files(#[from] MirrorError),
    /// The tenant's database refused something.
    #[error("{action}")]
    Sql {
        /// What was tried, a verb with its object.
        action: String,
        /// Why it failed.
        #[source]
        source: SqlError,
    },
    /// The archive can't be written to where it goes.
    #[error("write the archive")]
    Output(#[source] io::Error),
    /// One of the tenant's files can't be read or put in its place.
    #[error("{action} the file `{path}`")]
    File {
        /// What was tried, a verb.
        action: &'static str,
        /// The file, in the tenant's folder.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// One of the tenant's files became shorter while it was read.
    #[error("the file `{0}` became shorter while it was read: try again")]
    Shrunk(String),
    /// Migrations ran while the export began.
    #[error("migrations ran while the export began: try again")]
    Migrating,
    /// The bytes of the archive end early, or are no Zstandard or tar.
    #[error("read `{member}` of the archive")]
    Unreadable {
        /// The member, or the one before it.
        member: String,
        /// What the decoder said.
        #[source]
        source: io::Error,
    },
    /// A member is not what the archive says of it, or is not allowed in an archive.
    #[error("`{member}` of the archive is refused: {reason}")]
    Refused {
        /// The member.
        member: String,
        /// Why.
        reason: String,
    },
    /// The archive was written by a later server.
    #[error("the archive has format version {0}, and this server reads up to {max}", max = super::VERSION)]
    Version(u32),
    /// The archive is larger than this server takes.
    #[error("`{member}` of the archive is too much: an archive may unpack to {limit}")]
    TooLarge {
        /// The member at which the limit was reached.
        member: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The tenant's schema is not that of the archive.
    #[error(
        "the archive has schema version {archive} and the tenant's database {tenant}: migrate it to {archive}"
    )]
    Schema {
        /// Version in the archive.
        archive: u32,
        /// Version in the tenant's ledger.
        tenant: u32,
    },
    /// Tables or columns of the archive have no place in the tenant's database.
    #[error("the archive does not fit the tenant's tables: {}", .0.join("; "))]
    Shape(Vec<String>),
    /// A value can't be stored without loss.
    #[error("row {row} of table {table}, column {column}: {reason}")]
    Value {
        /// The table in the archive.
        table: String,
        /// Its column.
        column: String,
        /// From 1, in the order of the archive.
        row: u64,
        /// Why.
        reason: String,
    },
    /// The tenant has files already.
    #[error("the tenant has files already: import into a new or emptied tenant")]
    NotEmpty,
    /// The archive's files exceed the tenant's quota.
    #[error("the archive's files exceed the tenant's quota")]
    Quota(#[from] OverQuota),
    /// What was read back differs from what was written.
    #[error("table {table} holds other rows than the archive after the import: {reason}")]
    Differs {
        /// The table in the tenant's database.
        table: String,
        /// In which way.
        reason: String,
    },
}

impl ArchiveError {
    pub(super) fn sql(action: impl Into<String>) -> impl FnOnce(SqlError) -> Self {
        let action = action.into();
        move |source| Self::Sql { action, source }
    }

    pub(super) fn file(action: &'static str, path: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    pub(super) fn refused(member: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused { member: member.into(), reason: reason.into() }
    }
}
