//! Operators' work on a file that tenants share: who is there, and what each one takes.
//!
//! Provisioning is a line in the host's table, removal one transaction that drops everything with the
//! tenant's prefix. Whoever removes or resets a tenant closes its connections first. A removal has the
//! writer's turn meanwhile, like any other write.

use super::connection::{Conn, PAGE};
use super::errors::Failure;
use super::shared::{Owner, Shared, pages_in_use};
use super::{Engine, PATIENCE, versions};
#[cfg(test)]
use crate::guard::Prefix;
use crate::{Removal, SqlError};
use rowhouse_base::id::TenantId;
use rusqlite::{Connection, Error};
#[cfg(test)]
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

/// Pause before another attempt after a process from outside held the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// The tenants of one shared file.
pub(crate) struct Registry {
    engine: Arc<Engine>,
    shared: Arc<Shared>,
}

impl Registry {
    pub(super) fn new(engine: Arc<Engine>, shared: Arc<Shared>) -> Self {
        Self { engine, shared }
    }

    /// Makes a tenant known. Harmless where it is.
    pub(crate) async fn provision(&self, id: TenantId) -> Result<(), SqlError> {
        self.write(id, |db, owner| {
            let text = "INSERT INTO _rowhouse_tenants (id, pages) VALUES (?1, 0) ON CONFLICT DO NOTHING";
            db.execute(text, [&owner.id])?;
            db.execute_batch(&versions::begin(Some(owner)))
        })
        .await
    }

    /// True where the tenant is known.
    #[cfg(test)]
    pub(crate) async fn exists(&self, id: TenantId) -> Result<bool, SqlError> {
        self.read(id, |db, owner| {
            let text = "SELECT count(*) FROM _rowhouse_tenants WHERE id = ?1";
            db.query_row(text, [&owner.id], |row| row.get(0))
        })
        .await
    }

    /// Ids of all tenants that are known or have something in the file. For finding orphans.
    #[cfg(test)]
    pub(crate) async fn ids(&self) -> Result<Vec<TenantId>, SqlError> {
        // Of no tenant in particular.
        self.read(TenantId::new(), |db, _owner| {
            let mut ids = BTreeSet::new();
            let mut known = db.prepare(
                "SELECT id FROM _rowhouse_tenants UNION SELECT DISTINCT tenant FROM _rowhouse_migrations \
                 UNION SELECT DISTINCT tenant FROM _rowhouse_versions",
            )?;
            let mut rows = known.query([])?;
            while let Some(row) = rows.next()? {
                ids.extend(row.get::<_, String>(0)?.parse::<TenantId>().ok());
            }
            let mut tables = db.prepare("SELECT tbl_name FROM sqlite_schema")?;
            let mut rows = tables.query([])?;
            while let Some(row) = rows.next()? {
                ids.extend(Prefix::tenant(&row.get::<_, String>(0)?));
            }
            Ok(ids.into_iter().collect())
        })
        .await
    }

    /// What the file has of a tenant: its tables, indexes and views, its lines in the host's tables, and
    /// its pages. Nothing after a removal. The counts of what was changed go with the tenant and are none of its
    /// own, unless it is gone.
    pub(crate) async fn contents(&self, id: TenantId) -> Result<Removal, SqlError> {
        self.read(id, contents).await
    }

    /// Bytes of the pages that a tenant's writes have taken, as counted by each write.
    pub(crate) async fn bytes(&self, id: TenantId) -> Result<u64, SqlError> {
        self.read(id, bytes).await
    }

    /// Removes everything of a tenant. Doing it again removes what is left.
    pub(crate) async fn remove(&self, id: TenantId) -> Result<Removal, SqlError> {
        self.write(id, |db, owner| {
            let found = contents(db, owner)?;
            clear(db, owner)?;
            db.execute("DELETE FROM _rowhouse_versions WHERE tenant = ?1", [&owner.id])?;
            db.execute("DELETE FROM _rowhouse_tenants WHERE id = ?1", [&owner.id])?;
            Ok(found)
        })
        .await
    }

    /// Removes everything of a tenant and leaves it known, as it was when it was new.
    pub(crate) async fn reset(&self, id: TenantId) -> Result<Removal, SqlError> {
        self.write(id, |db, owner| {
            let found = contents(db, owner)?;
            clear(db, owner)?;
            let text = "INSERT INTO _rowhouse_tenants (id, pages) VALUES (?1, 0) \
                        ON CONFLICT (id) DO UPDATE SET pages = 0";
            db.execute(text, [&owner.id])?;
            versions::begin_again(db, owner)?;
            Ok(found)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        id: TenantId,
        work: impl Fn(&Connection, &Owner) -> Result<T, Error> + Send + Clone + 'static,
    ) -> Result<T, SqlError> {
        self.attempts(id, Instant::now() + PATIENCE, work).await
    }

    /// Does the work in one transaction, in the writer's turn.
    async fn write<T: Send + 'static>(
        &self,
        id: TenantId,
        work: impl Fn(&Connection, &Owner) -> Result<T, Error> + Send + Clone + 'static,
    ) -> Result<T, SqlError> {
        let until = Instant::now() + PATIENCE;
        let turn = match timeout_at(until, Arc::clone(&self.shared.writer).acquire_owned()).await {
            Ok(Ok(turn)) => Arc::new(turn),
            Ok(Err(_)) | Err(_) => {
                return Err(SqlError::Conflict("other writers held the file for too long".to_owned()));
            }
        };
        self.attempts(id, until, move |db, owner| {
            // Given back when the work has ended, even where nobody waits for it any more.
            let _turn = Arc::clone(&turn);
            db.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE")?;
            let done = work(db, owner)?;
            db.execute_batch("COMMIT")?;
            Ok(done)
        })
        .await
    }

    /// Does the work on a thread with a connection of its own, again where another process was in the way.
    async fn attempts<T: Send + 'static>(
        &self,
        id: TenantId,
        until: Instant,
        work: impl Fn(&Connection, &Owner) -> Result<T, Error> + Send + Clone + 'static,
    ) -> Result<T, SqlError> {
        loop {
            let share = self.engine.slots.share(until).await?;
            let (done, result) = oneshot::channel();
            let (owner, work) = (Owner::new(id, &self.shared), work.clone());
            self.engine.threads.run(move || {
                let result = Conn::open(&owner.shared.file, u64::MAX, None).map_err(Failure::from).and_then(
                    |mut conn| {
                        conn.share = Some(share);
                        conn.try_as_host(|db| work(db, &owner))
                    },
                );
                drop(work);
                let _unheard = done.send(result);
            });
            match result.await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(Failure::Busy(_))) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
                Ok(Err(failure)) => return Err(failure.into_sql()),
                Err(_ended) => return Err(SqlError::other("the thread failed")),
            }
        }
    }
}

fn contents(db: &Connection, owner: &Owner) -> Result<Removal, Error> {
    let text = "SELECT (SELECT count(*) FROM sqlite_schema WHERE substr(tbl_name, 1, length(?1)) = ?1)
        + (SELECT count(*) FROM _rowhouse_migrations WHERE tenant = ?2)
        + (SELECT count(*) FROM _rowhouse_tenants WHERE id = ?2)
        + (SELECT count(*) FROM _rowhouse_versions WHERE tenant = ?2
           AND NOT EXISTS (SELECT 1 FROM _rowhouse_tenants WHERE id = ?2))";
    let params = (owner.prefix.as_str(), &owner.id);
    let entries: i64 = db.query_row(text, params, |row| row.get(0))?;
    Ok(Removal { entries: entries.unsigned_abs(), bytes: bytes(db, owner)? })
}

fn bytes(db: &Connection, owner: &Owner) -> Result<u64, Error> {
    let text = "SELECT coalesce(sum(pages), 0) FROM _rowhouse_tenants WHERE id = ?1";
    let pages: i64 = db.query_row(text, [&owner.id], |row| row.get(0))?;
    Ok(pages.unsigned_abs().saturating_mul(PAGE))
}

/// Drops the tenant's views and tables, indexes with them, and its lines of the ledger.
fn clear(db: &Connection, owner: &Owner) -> Result<(), Error> {
    let before = pages_in_use(db)?;
    for kind in ["view", "table"] {
        let mut names = db
            .prepare("SELECT name FROM sqlite_schema WHERE type = ?1 AND substr(name, 1, length(?2)) = ?2")?;
        let names: Vec<String> =
            names.query_map((kind, owner.prefix.as_str()), |row| row.get(0))?.collect::<Result<_, _>>()?;
        for name in names {
            db.execute_batch(&format!("DROP {kind} \"{}\"", name.replace('"', "\"\"")))?;
        }
    }
    db.execute("DELETE FROM _rowhouse_migrations WHERE tenant = ?1", [&owner.id])?;
    tracing::debug!(tenant = owner.id, pages = before - pages_in_use(db)?, "a tenant's tables are dropped");
    Ok(())
}
