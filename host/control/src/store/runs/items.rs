//! What a run is to do with each of its tenants, and how that went.
//!
//! All of them are written by one statement when the run is recorded, and what ends together is written
//! together: ten thousand tenants with nothing pending cost some dozens of statements.

use super::super::dialect::{Row, settled, sql, sql_in};
use super::super::{Change, Result, Store, generation, parsed, parsed_option};
use super::{Lease, words};
use crate::ports::SchemaState;
use crate::store::{ReleaseRow, RunRow};
use rowhouse_base::Timestamp;
use rowhouse_base::id::{RunId, TenantId};
use rowhouse_tenant::ReleaseName;
use std::collections::HashSet;

/// Ids in one statement: below what every engine takes, and what a person can wait for.
const IDS: usize = 500;

words! {
    /// Where a run stands with one tenant.
    ItemState {
        /// Its turn has not come.
        Waiting "waiting",
        /// It is being worked on, or was when a server ended.
        Running "running",
        /// It runs the release.
        Moved "moved",
        /// It kept its release; the error says why.
        Failed "failed",
        /// It was deleted meanwhile.
        Gone "gone",
    }
}

/// One tenant of a run.
#[derive(Clone, Debug)]
pub(crate) struct ItemRow {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) from: Option<ReleaseName>,
    pub(crate) to: ReleaseName,
    pub(crate) state: ItemState,
    /// How often it was begun.
    pub(crate) attempts: u64,
    /// Of the last attempt that failed.
    pub(crate) error: Option<String>,
    /// When it moved, failed or was found gone.
    pub(crate) ended_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "tenant_id, tenant_name, from_release, to_release, state, attempts, error, ended_at"
    };
}

fn read(row: &Row) -> Result<ItemRow> {
    Ok(ItemRow {
        tenant: parsed(row, "tenant_id")?,
        name: row.get("tenant_name")?,
        from: parsed_option(row, "from_release")?,
        to: parsed(row, "to_release")?,
        state: parsed(row, "state")?,
        attempts: generation(row, "attempts")?,
        error: row.get("error")?,
        ended_at: row.get::<Option<i64>>("ended_at")?.map(Timestamp),
    })
}

impl Store {
    /// A run's tenants in the order of their ids, after one, in one state where named.
    pub(crate) async fn run_items(
        &self,
        id: RunId,
        state: Option<ItemState>,
        after: &str,
        limit: u32,
    ) -> Result<Vec<ItemRow>> {
        let state = state.map(ItemState::as_str).unwrap_or_default();
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM run_items WHERE run_id = $1 AND ($2 = '' OR state = $3) AND tenant_id > $4 \
             ORDER BY tenant_id LIMIT $5"
        ))
        .bind(id.to_string())
        .bind(state)
        .bind(state)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Some tenants of a run that have not ended.
    pub(crate) async fn run_items_left(&self, id: RunId, limit: usize) -> Result<Vec<ItemRow>> {
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM run_items WHERE run_id = $1 AND state IN ('waiting', 'running') ORDER BY tenant_id LIMIT $2"
        ))
        .bind(id.to_string())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Says which tenants are worked on next, and counts it as an attempt.
    pub(crate) async fn begin_items(&self, lease: &Lease, tenants: &[TenantId]) -> Result<()> {
        for some in tenants.chunks(IDS) {
            let begun = settled(|| {
                let held = sql_in(
                    "UPDATE run_items SET state = 'running', attempts = attempts + 1 WHERE run_id = $1 \
                     AND EXISTS (SELECT 1 FROM runs WHERE id = $2 AND lease_owner = $3 AND lease_turn = $4) \
                     AND tenant_id IN ({})",
                    some.len(),
                );
                held.bind(lease.run.to_string())
                    .bind(lease.run.to_string())
                    .bind(lease.owner.to_string())
                    .bind(lease.turn)
                    .bind_all(some)
                    .execute(&self.pools.write)
            });
            begun.await?;
        }
        Ok(())
    }
}

impl Change {
    /// Adds every tenant that has an address and does not run the release. Gives how many.
    pub(crate) async fn add_items(&mut self, run: &RunRow, to: &ReleaseRow) -> Result<u64> {
        let added = sql(
            "INSERT INTO run_items (run_id, tenant_id, tenant_name, from_release, to_release, state, attempts) \
             SELECT $1, id, name, release_name, $2, 'waiting', 0 FROM tenants \
             WHERE state IN ('active', 'suspended', 'moving') \
             AND (release_digest IS NULL OR release_digest <> $3 OR release_name <> $4)",
        );
        let added = added.bind(run.id.to_string()).bind(to.name.as_str());
        Ok(added.bind(to.digest.to_string()).bind(to.name.as_str()).execute(&mut self.tx).await?)
    }

    /// Adds those of some tenants that have an address and do not run the release. Gives how many.
    pub(crate) async fn add_some_items(
        &mut self,
        run: &RunRow,
        to: &ReleaseRow,
        tenants: &[TenantId],
    ) -> Result<u64> {
        let mut sum = 0;
        for some in tenants.chunks(IDS) {
            let added = sql_in(
                "INSERT INTO run_items (run_id, tenant_id, tenant_name, from_release, to_release, state, attempts) \
                 SELECT $1, id, name, release_name, $2, 'waiting', 0 FROM tenants \
                 WHERE state IN ('active', 'suspended', 'moving') \
                 AND (release_digest IS NULL OR release_digest <> $3 OR release_name <> $4) AND id IN ({})",
                some.len(),
            );
            let added = added.bind(run.id.to_string()).bind(to.name.as_str());
            let added = added.bind(to.digest.to_string()).bind(to.name.as_str()).bind_all(some);
            sum += added.execute(&mut self.tx).await?;
        }
        Ok(sum)
    }

    /// Adds, for a rollback, the tenants that a run moved and that still run what it gave them. One that had no
    /// release before has nothing to return to. Gives how many.
    pub(crate) async fn add_items_back(&mut self, run: &RunRow, undone: RunId) -> Result<u64> {
        let added = sql(
            "INSERT INTO run_items (run_id, tenant_id, tenant_name, from_release, to_release, state, attempts) \
             SELECT $1, tenants.id, tenants.name, tenants.release_name, was.from_release, 'waiting', 0 \
             FROM run_items was JOIN tenants ON tenants.id = was.tenant_id \
             WHERE was.run_id = $2 AND was.state = 'moved' AND was.from_release IS NOT NULL \
             AND tenants.release_name = was.to_release AND tenants.state IN ('active', 'suspended', 'moving')",
        );
        let added = added.bind(run.id.to_string()).bind(undone.to_string());
        Ok(added.execute(&mut self.tx).await?)
    }

    /// Those of some tenants that have an address.
    pub(crate) async fn with_address(&mut self, tenants: &[TenantId]) -> Result<HashSet<TenantId>> {
        let mut found = HashSet::new();
        for some in tenants.chunks(IDS) {
            let here = sql_in(
                "SELECT id FROM tenants WHERE state IN ('active', 'suspended', 'moving') AND id IN ({})",
                some.len(),
            );
            for row in here.bind_all(some).fetch_all(&mut self.tx).await? {
                found.insert(parsed(&row, "id")?);
            }
        }
        Ok(found)
    }

    /// Gives tenants a release, and the schema that they were migrated to.
    pub(crate) async fn flip(
        &mut self,
        tenants: &[TenantId],
        to: &ReleaseRow,
        schema: Option<SchemaState>,
    ) -> Result<()> {
        for some in tenants.chunks(IDS) {
            // MySQL assigns from left to right: the release before is read before it is written.
            let flipped = sql_in(
                "UPDATE tenants SET previous_release = release_name, release_name = $1, release_digest = $2, \
                 schema_version = COALESCE($3, schema_version), fingerprint = COALESCE($4, fingerprint), gen = $5 \
                 WHERE id IN ({})",
                some.len(),
            );
            flipped
                .bind(to.name.as_str())
                .bind(to.digest.to_string())
                .bind(schema.map(|schema| i64::from(schema.version)))
                .bind(schema.map(|schema| schema.fingerprint.to_string()))
                .bind(self.generation)
                .bind_all(some)
                .execute(&mut self.tx)
                .await?;
        }
        Ok(())
    }

    /// Records that tenants of a run ended in one way.
    pub(crate) async fn end_items(
        &mut self,
        id: RunId,
        tenants: &[TenantId],
        state: ItemState,
        error: Option<&str>,
    ) -> Result<()> {
        for some in tenants.chunks(IDS) {
            // What needed no work was not begun before it ended.
            let ended = sql_in(
                "UPDATE run_items SET attempts = attempts + CASE state WHEN 'waiting' THEN 1 ELSE 0 END, \
                 state = $1, error = $2, ended_at = $3 WHERE run_id = $4 AND tenant_id IN ({})",
                some.len(),
            );
            ended
                .bind(state.as_str())
                .bind(error.map(str::to_owned))
                .bind(self.at.0)
                .bind(id.to_string())
                .bind_all(some)
                .execute(&mut self.tx)
                .await?;
        }
        Ok(())
    }

    /// Puts failed tenants of a run in line again, where they still run what they ran then. Gives how many.
    pub(crate) async fn retry_items(&mut self, id: RunId) -> Result<u64> {
        let again = sql(
            "UPDATE run_items SET state = 'waiting', ended_at = NULL WHERE run_id = $1 AND state = 'failed' \
             AND EXISTS (SELECT 1 FROM tenants WHERE tenants.id = run_items.tenant_id \
             AND (tenants.release_name = run_items.from_release \
             OR (tenants.release_name IS NULL AND run_items.from_release IS NULL)))",
        );
        Ok(again.bind(id.to_string()).execute(&mut self.tx).await?)
    }
}
