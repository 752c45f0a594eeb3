//! A tenant's own database and files.
//!
//! [`Data::open`] makes a [`TenantDb`] from a tenant, and nothing that comes from it can reach another
//! tenant: no method takes a tenant, a database or a path. Each engine is a folder of its own behind it;
//! only that folder imports the engine's library, and no name here names an engine except [`Dialect`].

mod data;
mod error;
mod files;
mod home;
mod meter;
pub mod migrate;
pub mod packed;
mod sqlite;
mod tenant_db;
mod value;

pub use data::{Data, DataConfig, DiskUsage, Removal};
pub use error::{ConstraintKind, DataError, LimitKind, SqlError};
pub use files::{FilesMeter, OverQuota, TenantFiles};
pub use migrate::{MigrateError, Migration, SchemaState, fingerprint};
pub use tenant_db::{Cursor, TenantDb, Transaction};
pub use value::{Dialect, Mode, Outcome, Rows, Statement, Value};
