//! What the control plane needs of the data and guest rooms, as narrow as it needs it.
//!
//! The traits let tests put in stubs that fail at a chosen step; the real ones are in `adapters`.

use bytes::Bytes;
use rowhouse_base::Digest;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A boxed future of a port.
pub type PortFuture<'a, T, E = PortError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Another room refused or failed. The text is its whole error chain, for operators.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct PortError(pub String);

/// One step from one schema version to the next, as a release brought it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// 1, 2, 3, … without gaps.
    pub version: u32,
    /// A short name for people.
    pub name: String,
    /// Statements for SQLite.
    pub sqlite: Vec<String>,
    /// Statements for PostgreSQL.
    pub postgresql: Vec<String>,
    /// Statements for MySQL and MariaDB.
    pub mysql: Vec<String>,
}

/// What a tenant's schema became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// The newest migration it has, 0 for none.
    pub version: u32,
    /// Of all migrations it has.
    pub fingerprint: Digest,
}

/// What a tenant keeps, in bytes and files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Size of the database with its side files.
    pub database_bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Their size.
    pub file_bytes: u64,
}

/// Databases and files of tenants. Every method may be repeated after a crash.
pub trait TenantData: Send + Sync {
    /// Makes database and folder. Nothing happens where they are.
    fn provision<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()>;

    /// Applies what is pending. A database that is ahead of the list stays as it is.
    fn migrate<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        migrations: &'a [Migration],
    ) -> PortFuture<'a, SchemaState>;

    /// Removes everything of a tenant, and tells what it was. Nothing happens where nothing is.
    fn remove(&self, id: TenantId) -> PortFuture<'_, Kept>;

    /// Looks again for anything of a tenant.
    fn rescan(&self, id: TenantId) -> PortFuture<'_, Kept>;

    /// What a tenant keeps.
    fn usage(&self, id: TenantId) -> PortFuture<'_, Kept>;

    /// All tenants of which something is kept.
    fn list_ids(&self) -> PortFuture<'_, Vec<TenantId>>;
}

/// What a check found in a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFacts {
    /// `fast`, `http-0.2` or `http-0.3`.
    pub lane: String,
    /// Interfaces it exports.
    pub exports: Vec<String>,
    /// Interfaces it imports.
    pub imports: Vec<String>,
    /// Whether it has code to run for each tenant after migrations.
    pub has_upgrade: bool,
    /// Its migrations, oldest first.
    pub migrations: Vec<Migration>,
    /// Of these migrations.
    pub fingerprint: Digest,
}

/// Why a component was not accepted.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckError {
    /// Everything that is wrong with it.
    #[error("the component can't be a site module")]
    Faults(Vec<String>),
    /// It could not be checked.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Site modules: checked, compiled and ready to serve.
pub trait SiteModules: Send + Sync {
    /// Checks a component, compiles it and keeps the code.
    fn check(&self, bytes: Bytes) -> PortFuture<'_, ModuleFacts, CheckError>;

    /// Makes a component ready to serve. Nothing happens where it is.
    fn prepare(&self, digest: Digest, bytes: Bytes) -> PortFuture<'_, ()>;

    /// True where it is ready to serve.
    fn is_ready(&self, digest: &Digest) -> bool;

    /// Makes a component ready from code compiled before. False where there is none.
    fn load_cached(&self, digest: Digest) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;

    /// Runs a component's upgrade code for one tenant.
    fn upgrade<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        digest: &'a Digest,
        from: Option<&'a str>,
        to: &'a str,
    ) -> PortFuture<'a, ()>;

    /// Lets go of all components but these.
    fn retire(&self, keep: &HashSet<Digest>);
}
