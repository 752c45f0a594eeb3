//! One file for all tenants of a data server: the isolation "prefix".
//!
//! A tenant's tables begin with its prefix. Two guards keep to it: the SQL guard, which writes each
//! statement anew with the prefix, and the engine's authorizer, which refuses every other name on that
//! tenant's connections. The file has one writer at a time; tenants take turns in the order of asking, each
//! with one place in the line.
//!
//! Invariant: nothing is written for a tenant that the file doesn't know, so a late request makes nothing
//! anew after a removal.

use super::connection::{Conn, DbFile};
use super::errors::Failure;
use crate::guard::{Guard, Prefix};
use crate::{LimitKind, SqlError};
use rowhouse_base::id::TenantId;
use rusqlite::{Connection, OptionalExtension};
use std::borrow::Cow;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The host's own tables: who is there, with the pages that each one takes, the ledger of migrations,
/// and the counts of what was changed.
pub(super) const TABLES: &str = "CREATE TABLE IF NOT EXISTS _rowhouse_tenants (
    id TEXT PRIMARY KEY, pages INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _rowhouse_migrations (
    tenant TEXT NOT NULL, version INTEGER NOT NULL, name TEXT NOT NULL, checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL, PRIMARY KEY (tenant, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _rowhouse_versions (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, moved INTEGER NOT NULL, PRIMARY KEY (tenant, subject)
) STRICT, WITHOUT ROWID";

/// A file that tenants share.
pub(super) struct Shared {
    pub(super) file: DbFile,
    /// The one writer's turn. It is fair: whoever asks first is first.
    pub(super) writer: Arc<Semaphore>,
    guard: Guard,
}

impl Shared {
    pub(super) fn new(file: DbFile, guard: Guard) -> Self {
        Self { file, writer: Arc::new(Semaphore::new(1)), guard }
    }
}

/// One tenant of a shared file.
pub(super) struct Owner {
    /// As it stands in the host's tables.
    pub(super) id: String,
    pub(super) prefix: Prefix,
    pub(super) shared: Arc<Shared>,
}

impl Owner {
    pub(super) fn new(tenant: TenantId, shared: &Arc<Shared>) -> Self {
        Self { id: tenant.to_string(), prefix: Prefix::of(tenant), shared: Arc::clone(shared) }
    }

    /// A guest's statement in the words that the engine gets.
    pub(super) fn statement(&self, text: &str) -> Result<String, SqlError> {
        self.shared.guard.statement(text).map(|template| template.text(Some(&self.prefix)).into_owned())
    }

    /// The same for a statement of a migration.
    pub(super) fn migration(&self, text: &str) -> Result<String, SqlError> {
        self.shared.guard.migration(text).map(|template| template.text(Some(&self.prefix)).into_owned())
    }
}

/// The engine's message as the guest may see it: its own names without the prefix, no other tenant's.
pub(super) fn shown(owner: &Owner, message: String) -> String {
    let message = message.replace(owner.prefix.as_str(), "");
    let len = owner.prefix.as_str().len();
    let names_another = (0..message.len())
        .filter_map(|at| message.get(at..at + len))
        .any(|name| Prefix::tenant(&name.to_ascii_lowercase()).is_some());
    if names_another { "a name that is not the tenant's own".to_owned() } else { message }
}

/// A running write transaction of a tenant that shares its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth {
    /// Pages in use when it began.
    before: i64,
    /// Pages that the tenant may still take.
    left: i64,
}

impl Growth {
    /// Begins the transaction and bounds it by what is left of the tenant's quota. Only one transaction
    /// writes at a time, so that the growth of the file between its begin and its end is the tenant's own.
    pub(super) fn begin(conn: &Conn, owner: &Owner, most: u64) -> Result<Self, Failure> {
        let taken = conn.try_as_host(|db| {
            db.execute_batch("BEGIN IMMEDIATE")?;
            let text = "SELECT pages FROM _rowhouse_tenants WHERE id = ?1";
            db.query_row(text, [&owner.id], |row| row.get::<_, i64>(0)).optional()
        })?;
        let taken = taken.ok_or_else(|| SqlError::other("the database is being removed"))?;
        let left = i64::try_from(most).unwrap_or(i64::MAX).saturating_sub(taken).max(0);
        conn.try_as_host(|db| {
            let (all, free) = (pragma(db, "page_count")?, pragma(db, "freelist_count")?);
            // Free pages are taken first; only what is left then makes the file longer.
            let longest = all.saturating_add(left.saturating_sub(free).max(0)).min(i64::from(u32::MAX) - 2);
            pragma(db, &format!("max_page_count = {longest}"))?;
            Ok(Self { before: all - free, left })
        })
    }

    /// Commits it, with the tenant's new number of pages.
    pub(super) fn commit(self, conn: &Conn, owner: &Owner) -> Result<(), Failure> {
        let grown = conn.try_as_host(pages_in_use)? - self.before;
        if grown > self.left {
            return Err(SqlError::Limit(LimitKind::DatabaseSize).into());
        }
        conn.try_as_host(|db| {
            if grown != 0 {
                let text = "UPDATE _rowhouse_tenants SET pages = max(pages + ?2, 0) WHERE id = ?1";
                db.execute(text, (&owner.id, grown))?;
            }
            db.execute_batch("COMMIT")
        })
    }
}

/// Pages of the file that hold something.
pub(super) fn pages_in_use(db: &Connection) -> Result<i64, rusqlite::Error> {
    Ok(pragma(db, "page_count")? - pragma(db, "freelist_count")?)
}

fn pragma(db: &Connection, text: &str) -> Result<i64, rusqlite::Error> {
    db.query_row(&format!("PRAGMA {text}"), [], |row| row.get(0))
}

/// A statement as the engine gets it: rewritten where tenants share the file.
pub(super) fn admit<'a>(owner: Option<&Arc<Owner>>, text: &'a str) -> Result<Cow<'a, str>, SqlError> {
    match owner {
        None => Ok(Cow::Borrowed(text)),
        Some(owner) => owner.statement(text).map(Cow::Owned),
    }
}
