//! What the control plane needs of the data and guest rooms, as narrow as it needs it.
//!
//! The traits let tests put in stubs that fail at a chosen step; the real ones are in `adapters`.

use bytes::Bytes;
use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Digest, Subject};
use rowhouse_tenant::Tenant;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;

/// A boxed future of a port.
pub type PortFuture<'a, T, E = PortError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// Another room refused or failed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text}")]
pub struct PortError {
    /// The whole error chain, for operators.
    pub text: String,
    /// What it needs was away or busy just now; the same may go well in a moment.
    pub passing: bool,
}

impl PortError {
    /// One that asking again would not mend.
    pub fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), passing: false }
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// What an archive says of the tenant it was made of, for making a tenant of it. What belongs to the
/// server, such as its id and its people, is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveFacts {
    /// The slug.
    pub name: String,
    /// The title for people.
    pub title: String,
    /// Host names of its own.
    pub addresses: Vec<String>,
    /// Whether `/NAME/` on the base host led there.
    pub url_prefix: bool,
    /// What the guest may read.
    pub settings: BTreeMap<String, String>,
    /// BCP 47 language tag.
    pub locale: String,
    /// IANA time zone.
    pub time_zone: String,
    /// NAME@VERSION of the release it ran.
    pub release: Option<String>,
    /// SHA-256 of that release's bytes.
    pub release_digest: Option<Digest>,
    /// The newest migration it had, 0 for none.
    pub schema_version: u32,
    /// Of all migrations it had; none before the first.
    pub fingerprint: Option<Digest>,
}

/// How much an archive holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tables.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Number of files.
    pub files: u64,
    /// Their size.
    pub file_bytes: u64,
}

/// What one table holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableContent {
    /// The guest's name of it.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// Of all rows, whatever their order and the engine.
    pub hash: String,
}

/// A data server, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerState {
    /// As in the configuration.
    pub name: DataServerName,
    /// `sqlite`, `postgresql` or `mysql`.
    pub engine: String,
    /// `database` or `prefix`.
    pub isolation: String,
    /// Whether it answers.
    pub reachable: bool,
    /// Connections of this process to it.
    pub connections: u64,
    /// So many it may have at once; none for the embedded engine.
    pub limit: Option<u64>,
    /// Connections to tenants' databases that this process opened since it began.
    pub opened: u64,
}

/// Why an archive was not taken.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StageError {
    /// What is wrong with it.
    #[error("{0}")]
    Faulty(String),
    /// It could not be looked at.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// An archive that is here, whole and verified. It goes with its value.
pub trait StagedArchive: Send + Sync {
    /// What it says of its tenant.
    fn facts(&self) -> &ArchiveFacts;

    /// Fills an empty, migrated tenant with its content and compares the two. What it put in is taken out
    /// again where that fails.
    fn load(self: Box<Self>, tenant: &Arc<Tenant>) -> PortFuture<'_, Counts>;
}

/// Databases and files of tenants. A tenant's database is on its data server, its files are in the data
/// folder wherever that is. Every method may be repeated after a crash.
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
    fn remove<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept>;

    /// Removes the tenant's database from its data server; files stay. Nothing happens where there is none.
    fn remove_database<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()>;

    /// Looks again for anything of a tenant.
    fn rescan<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept>;

    /// What a tenant keeps.
    fn usage<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Kept>;

    /// All tenants of which something is in the data folder.
    fn list_ids(&self) -> PortFuture<'_, Vec<TenantId>>;

    /// Removes what the data folder has of a tenant that is gone.
    fn sweep(&self, id: TenantId) -> PortFuture<'_, ()>;

    /// Writes an archive of the tenant as it is at one moment, and flushes it at the end. `to` is written, flushed
    /// and dropped on a thread that may block.
    fn export<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        facts: ArchiveFacts,
        to: Box<dyn Write + Send>,
    ) -> PortFuture<'a, Counts>;

    /// Reads an archive and verifies all of it. `from` is read on a thread that may block.
    fn stage(&self, from: Box<dyn Read + Send>) -> PortFuture<'_, Box<dyn StagedArchive>, StageError>;

    /// Fills the empty, migrated database of `to` with the rows of `from`, which is the same tenant on another
    /// server, and compares the two.
    fn transfer<'a>(&'a self, from: &'a Arc<Tenant>, to: &'a Arc<Tenant>) -> PortFuture<'a, ()>;

    /// What each table holds.
    fn content<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, Vec<TableContent>>;

    /// Empties database and files; both are there after, with nothing in them.
    fn reset<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()>;

    /// Moves a tenant's subjects: every page that depends on one of them is made anew, on every server.
    fn move_subjects<'a>(&'a self, tenant: &'a Arc<Tenant>, subjects: &'a [Subject]) -> PortFuture<'a, ()>;

    /// The data servers, each asked whether it is there.
    fn servers(&self) -> PortFuture<'_, Vec<ServerState>>;
}

/// What the output cache of this server counted since it started, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheNumbers {
    /// Requests answered from it.
    pub hits: u64,
    /// Requests for which the site was asked and whose answer could have been kept.
    pub misses: u64,
    /// Answers kept.
    pub fills: u64,
    /// Pages that had to go for others.
    pub evictions: u64,
    /// Pages in memory; those that differ by `Vary` count once.
    pub entries: u64,
    /// Bytes of memory that they take.
    pub bytes: u64,
}

/// Where a page is kept.
#[derive(Clone, Copy, Debug)]
pub struct PagePlace<'a> {
    /// `scheme://authority` by which the site was reached.
    pub origin: &'a str,
    /// The path on that origin below which the site lies; empty where it has the origin to itself.
    pub base_path: &'a str,
    /// Path and query within the site.
    pub path: &'a str,
}

/// The output cache of this server. Nothing here waits: counts are read as they are, and forgetting in a
/// shared level goes on behind.
pub trait OutputCache: Send + Sync {
    /// Of all tenants together. Those counted before never become fewer.
    fn totals(&self) -> CacheNumbers;

    /// Of one tenant; nothing where nothing of it was asked for lately.
    fn of(&self, tenant: TenantId) -> CacheNumbers;

    /// Of every tenant that was asked for lately, in no order: some ten thousand at most.
    fn tenants(&self) -> Vec<(TenantId, CacheNumbers)>;

    /// Forgets one page with all its variants, here and in the level that servers share. Other servers' memory keeps
    /// what it has.
    fn forget(&self, tenant: &Tenant, place: PagePlace<'_>);

    /// Lets go of everything of a tenant that is gone, its counts too.
    fn forget_tenant(&self, tenant: TenantId);
}

/// How a measured number behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureKind {
    /// It only grows until the process ends.
    Counter,
    /// It comes and goes.
    Gauge,
}

/// A number that another room, or the process, has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// As Prometheus names it, with its unit; each at most once.
    pub name: &'static str,
    /// What it counts, in a line.
    pub help: &'static str,
    /// How it behaves.
    pub kind: MeasureKind,
    /// The number now.
    pub value: u64,
}

/// Numbers that have nothing to do with tenants. What can't be measured is left out.
pub trait Measures: Send + Sync {
    /// The numbers as of now, always in the same order. Does not wait.
    fn read(&self) -> Vec<Measure>;
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

    /// A component is going to be ready soon: requests for it may wait for a moment.
    fn expect(&self, digest: &Digest);

    /// Nobody makes a component ready any more.
    fn give_up(&self, digest: &Digest);

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
