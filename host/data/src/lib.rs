//! A tenant's own database and files.
//!
//! [`Data::open`] makes a [`TenantDb`] from a tenant, and nothing that comes from it can reach another
//! tenant: no method takes a tenant, a database or a path. Each engine is a folder of its own behind it;
//! only that folder imports the engine's library, and no name here names an engine except [`Dialect`].

mod archive;
mod counts;
mod data;
mod engines;
mod error;
mod files;
mod guard;
mod home;
mod key;
mod known;
mod links;
mod meter;
pub mod migrate;
mod mirror;
mod mirrors;
mod mysql;
mod objects;
pub mod packed;
mod pool;
mod postgres;
mod read_log;
mod server;
mod sqlite;
mod subjects;
mod tenant_db;
#[cfg(test)]
mod testing;
mod transfer;
mod value;

pub use archive::{
    ArchiveError, ArchiveFacts, ArchiveLimits, ArchiveSummary, ArchivedRelease, FactList, ImportSummary,
    StagedArchive, TableContent,
};
pub use data::{Data, DataConfig, DiskUsage, Removal, ServerFacts, Settled};
pub use engines::look_at_servers;
pub use error::{ConstraintKind, DataError, LimitKind, SqlError};
pub use files::{FilesMeter, OverQuota, TenantFiles};
pub use key::DataKey;
pub use migrate::{MigrateError, Migration, SchemaState, fingerprint};
pub use mirror::{Mirror, MirrorError, MirrorSession, Needs, Renaming, Still};
pub use objects::{BucketError, BucketKey, BucketSettings, look_at_bucket};
pub use pool::{Hold, PoolUse};
pub use read_log::ReadLog;
pub use server::{DataServer, InvalidIsolation, Isolation};
pub use tenant_db::{Cursor, TenantDb, Transaction};
pub use value::{Dialect, Mode, Outcome, Rows, Statement, Value};
