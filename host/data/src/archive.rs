//! Portable archives: all that a tenant is, in one file that any engine can take.
//!
//! A `.tar.zst` with the manifest first, the tables as text with typed values, the files, and the sums
//! last; `docs/archive.md` describes it for people who write tools. Invariants: an archive is imported only
//! after every sum in it was checked; an import that fails leaves no row and no file; what was imported is
//! read back and compared. Called through [`Data`](crate::Data).

mod cell;
mod container;
mod content;
mod convert;
mod engines;
mod error;
mod facts;
mod json;
mod load;
mod manifest;
mod number;
mod reader;
mod rows;
mod staging;
mod transfer;
mod tree;
mod writer;

pub use container::ArchiveLimits;
pub use content::TableContent;
pub use error::ArchiveError;
pub use facts::{ArchiveFacts, ArchivedRelease, FactList};
pub use reader::StagedArchive;
pub use transfer::ImportSummary;
pub use writer::ArchiveSummary;

pub(crate) use engines::{AnyExport, AnyImport};
pub(crate) use staging::Staging;
pub(crate) use transfer::{Opens, Source, Target, content, export, import, read};

/// The format that this server writes and the only one that it reads.
const VERSION: u32 = 1;

/// Runs what blocks on a thread made for it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    crate::data::aside(work).await?
}

#[cfg(test)]
mod tests;
