//! Carrying runs out: who has the lease goes through the tenants that are left.
//!
//! Per tenant: migrate, run the release's upgrade code, flip. Where the fingerprint in the control row says
//! that nothing is pending, and the release has no code for upgrades, the flip is all, and hundreds of
//! tenants share one; their databases are not opened. A tenant that fails keeps its release and its schema
//! and is listed with the reason; the others go on.
//!
//! A server that dies leaves what it recorded. Who takes the run next repeats what was not recorded, which
//! the ledger in the tenant's database makes harmless. Whoever comes back after losing the lease changes nothing:
//! each flip asks for the lease in its own transaction.

use super::is_light;
use crate::Control;
use crate::error::ControlError;
use crate::ports::SchemaState;
use crate::store::{DatabaseError, ItemRow, ItemState, Lease, ReleaseRow, RunKind, Tally, TenantRow};
use futures_util::StreamExt as _;
use rowhouse_base::Chain;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::ReleaseName;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Tenants migrated at the same time: enough to hide waiting, few enough to leave cores to visitors.
const PARALLEL: usize = 4;
/// Tenants looked at together, and flipped together where nothing is pending: a commit costs a sync to disk and
/// a turn of the reconciler, which hundreds can share; more would only be a longer wait for other changes.
const GROUP: usize = 500;
/// Tenants that are marked as being worked on together. Each group waits for its slowest member, so it is many
/// times as large as [`PARALLEL`].
const MARKED: usize = 64;
/// What was migrated is flipped after this long: a tenant should not wait for its neighbours.
const FLIP_AFTER: Duration = Duration::from_millis(250);
/// Beats in the time of a lease. Four may be late or lost, such as while the control database is started anew.
const BEATS: u32 = 5;
/// Times that a flip is begun again which the engine undid for another's sake; the store pauses between them.
const FLIPS: u32 = 5;

/// Why the work on a run ended before the run.
enum Halt {
    /// Another server has it.
    Lost,
    /// This server is to end.
    Asked,
    Failed(ControlError),
}

impl From<ControlError> for Halt {
    fn from(error: ControlError) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for Halt {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

/// What came of one tenant before it is recorded.
enum Outcome {
    /// It can be flipped; with the schema that it was migrated to.
    Ready(Option<SchemaState>),
    Failed(String),
    Gone,
}

/// The releases that tenants get, or why they can't.
type Targets = HashMap<ReleaseName, Result<Arc<ReleaseRow>, String>>;
type Outcomes = Vec<(ItemRow, Outcome)>;

impl Control {
    /// Works on what is there to be worked on, after whoever does so in this process already.
    pub(crate) async fn work_runs_in_turn(&self) {
        let _turn = self.working.lock().await;
        self.work_runs_one_by_one().await;
    }

    /// Works on what is there to be worked on, unless somebody in this process does so already.
    pub(crate) async fn work_runs(&self) {
        if let Ok(_turn) = self.working.try_lock() {
            self.work_runs_one_by_one().await;
        }
    }

    /// Waits until nobody in this process works on a run, for this long at most. For the server's end.
    pub async fn leave_runs(&self, patience: Duration) {
        if tokio::time::timeout(patience, self.working.lock()).await.is_err() {
            tracing::warn!("a run is left in the middle; it is resumed by the next server");
        }
    }

    async fn work_runs_one_by_one(&self) {
        while !self.is_stopping() {
            let lease = match self.take_run().await {
                Ok(Some(lease)) => lease,
                Ok(None) => return,
                Err(error) => return tracing::warn!(error = %Chain(&error), "look for a run to work on"),
            };
            match self.work_on(&lease).await {
                Ok(()) => {}
                Err(Halt::Lost) => {
                    tracing::warn!(run = %lease.run, "another server took the run");
                    return;
                }
                Err(Halt::Asked) => return self.give_back(&lease).await,
                // The next look, here or on another server, goes on.
                Err(Halt::Failed(error)) => {
                    tracing::error!(run = %lease.run, error = %Chain(&error), "work on a run");
                    return self.give_back(&lease).await;
                }
            }
        }
    }

    /// Takes a run that is free.
    async fn take_run(&self) -> Result<Option<Lease>, ControlError> {
        let (server, time) = (self.config.server, self.config.run_lease);
        for row in self.store.runs_open().await? {
            if !row.is_free_for(server) {
                continue;
            }
            let mut change = self.store.change().await?;
            let Some(lease) = change.take_run(row.id, server, time).await? else { continue };
            change.commit().await?;
            tracing::info!(run = %row.id, release = %row.release, turn = lease.turn, "work on a run");
            return Ok(Some(lease));
        }
        Ok(None)
    }

    async fn give_back(&self, lease: &Lease) {
        let given = async {
            let mut change = self.store.change().await?;
            change.interrupt_run(lease).await?;
            change.commit().await
        };
        if let Err(error) = given.await {
            tracing::warn!(run = %lease.run, error = %Chain(&error), "give a run back; its lease will end");
        }
    }

    /// Works on a run for as long as the lease holds.
    async fn work_on(&self, lease: &Lease) -> Result<(), Halt> {
        tokio::select! {
            done = self.carry_out(lease) => done,
            halt = self.keep_lease(lease) => Err(halt),
        }
    }

    /// Moves the end of the lease on until it is lost.
    async fn keep_lease(&self, lease: &Lease) -> Halt {
        let mut held = Instant::now();
        loop {
            tokio::time::sleep(self.config.run_lease / BEATS).await;
            match self.store.beat(lease, self.config.run_lease).await {
                Ok(true) => held = Instant::now(),
                Ok(false) => return Halt::Lost,
                Err(error) if held.elapsed() >= self.config.run_lease => return error.into(),
                Err(error) => {
                    tracing::warn!(run = %lease.run, error = %Chain(&error), "keep the lease of a run");
                }
            }
        }
    }

    async fn carry_out(&self, lease: &Lease) -> Result<(), Halt> {
        let run = self.store.run(lease.run).await?.ok_or(Halt::Lost)?;
        let back = run.kind == RunKind::Rollback;
        let mut targets = Targets::new();
        loop {
            let items = self.store.run_items_left(lease.run, GROUP).await?;
            if items.is_empty() {
                break;
            }
            self.learn_targets(&items, &mut targets).await?;
            let (settled, mut heavy) = self.sort_items(items, &targets, back).await?;
            self.record_outcomes(lease, settled, &targets).await?;
            while !heavy.is_empty() {
                if self.is_stopping() {
                    return Err(Halt::Asked);
                }
                let rest = heavy.split_off(heavy.len().min(MARKED));
                self.migrate_some(lease, heavy, &targets).await?;
                heavy = rest;
            }
        }
        let mut change = self.store.change().await?;
        if !change.end_run(lease).await? {
            return Err(Halt::Lost);
        }
        change.commit().await?;
        Ok(self.sync().await?)
    }

    /// Makes the releases ready that these tenants get.
    async fn learn_targets(&self, items: &[ItemRow], targets: &mut Targets) -> Result<(), Halt> {
        for item in items {
            if targets.contains_key(&item.to) {
                continue;
            }
            let target = self.make_target(item.to.as_str()).await;
            let target = match target {
                // No fault of the release: the run is given back, and goes on when the database is there.
                Err(error @ ControlError::Database(_)) => return Err(Halt::Failed(error)),
                Err(error) => Err(Chain(&error).to_string()),
                Ok(release) => Ok(release),
            };
            targets.insert(item.to.clone(), target);
        }
        Ok(())
    }

    /// A release that is ready here and, as far as can be waited for, on every other server.
    async fn make_target(&self, name: &str) -> Result<Arc<ReleaseRow>, ControlError> {
        let release = self.known_release(name).await?;
        self.reconciler.prepare(release.digest).await?;
        self.wait_until_ready(release.digest).await?;
        Ok(Arc::new(release))
    }

    /// Tells those whose end is known without their database from those that have to be migrated. A rollback
    /// changes no data: both releases run on the expanded schema.
    async fn sort_items(
        &self,
        items: Vec<ItemRow>,
        targets: &Targets,
        back: bool,
    ) -> Result<(Outcomes, Vec<(ItemRow, TenantRow)>), Halt> {
        let ids: Vec<TenantId> = items.iter().map(|item| item.tenant).collect();
        let rows = self.store.tenants_by_ids(&ids).await?;
        let mut rows: HashMap<TenantId, TenantRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        let (mut settled, mut heavy) = (Vec::new(), Vec::new());
        for item in items {
            let row = rows.remove(&item.tenant).filter(|row| row.state.has_address());
            let outcome = match (row, targets.get(&item.to)) {
                (None, _) => Outcome::Gone,
                (Some(_), None) => Outcome::Failed(format!("there is no release `{}`", item.to)),
                (Some(_), Some(Err(why))) => Outcome::Failed(why.clone()),
                (Some(row), Some(Ok(target))) => match super::super::operations::idle(&row) {
                    Err(busy) => Outcome::Failed(busy.to_string()),
                    Ok(()) if back || is_light(target, row.fingerprint) => Outcome::Ready(None),
                    Ok(()) => {
                        heavy.push((item, row));
                        continue;
                    }
                },
            };
            settled.push((item, outcome));
        }
        Ok((settled, heavy))
    }

    /// Migrates some tenants, a few at a time, and flips what is done. None is begun once the server is to end.
    async fn migrate_some(
        &self,
        lease: &Lease,
        some: Vec<(ItemRow, TenantRow)>,
        targets: &Targets,
    ) -> Result<(), Halt> {
        let ids: Vec<TenantId> = some.iter().map(|(item, _)| item.tenant).collect();
        self.store.begin_items(lease, &ids).await?;
        let outcomes = futures_util::stream::iter(some)
            .take_until(self.stopping())
            .map(|(item, row)| self.migrate_one(item, row, targets))
            .buffer_unordered(PARALLEL);
        let mut outcomes = std::pin::pin!(outcomes);
        let (mut done, mut due) = (Outcomes::new(), Instant::now() + FLIP_AFTER);
        loop {
            let next = tokio::select! {
                next = outcomes.next() => next,
                () = sleep_until(due), if !done.is_empty() => {
                    self.record_outcomes(lease, std::mem::take(&mut done), targets).await?;
                    continue;
                }
            };
            let Some(outcome) = next else { break };
            if done.is_empty() {
                due = Instant::now() + FLIP_AFTER;
            }
            done.push(outcome);
        }
        self.record_outcomes(lease, done, targets).await
    }

    /// Does everything for one tenant that comes before the flip.
    async fn migrate_one(&self, item: ItemRow, row: TenantRow, targets: &Targets) -> (ItemRow, Outcome) {
        let Some(Ok(release)) = targets.get(&item.to) else {
            let why = format!("there is no release `{}`", item.to);
            return (item, Outcome::Failed(why));
        };
        let tenant = self.seen(&row);
        let mut schema = None;
        if row.fingerprint != Some(release.fingerprint) {
            match self.data.migrate(&tenant, &release.migrations).await {
                Ok(reached) => schema = Some(reached),
                Err(error) => return (item, Outcome::Failed(format!("migrate: {error}"))),
            }
        }
        if release.has_upgrade {
            let from = item.from.as_ref().map(ReleaseName::as_str);
            let upgraded = self.modules.upgrade(&tenant, &release.digest, from, release.name.as_str()).await;
            if let Err(error) = upgraded {
                return (item, Outcome::Failed(format!("upgrade: {error}")));
            }
        }
        (item, Outcome::Ready(schema))
    }

    /// Records outcomes and flips those that went well, in one generation.
    async fn record_outcomes(
        &self,
        lease: &Lease,
        outcomes: Outcomes,
        targets: &Targets,
    ) -> Result<(), Halt> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let mut tries = 1;
        loop {
            match self.try_recording(lease, &outcomes, targets).await {
                Err(Halt::Failed(ControlError::Database(error))) if error.is_undone() && tries < FLIPS => {
                    tries += 1;
                }
                Err(halt) => return Err(halt),
                Ok(()) => return Ok(self.sync().await?),
            }
        }
    }

    async fn try_recording(&self, lease: &Lease, outcomes: &Outcomes, targets: &Targets) -> Result<(), Halt> {
        let mut change = self.store.change().await?;
        let ids: Vec<TenantId> = outcomes.iter().map(|(item, _)| item.tenant).collect();
        let here = change.with_address(&ids).await?;
        let mut ready: HashMap<(&ReleaseName, Option<SchemaState>), Vec<TenantId>> = HashMap::new();
        let (mut gone, mut tally) = (Vec::new(), Tally::default());
        for (item, outcome) in outcomes {
            match outcome {
                Outcome::Ready(schema) if here.contains(&item.tenant) => {
                    ready.entry((&item.to, *schema)).or_default().push(item.tenant);
                }
                Outcome::Failed(why) if here.contains(&item.tenant) => {
                    tally.failed += 1;
                    let one = [item.tenant];
                    change.end_items(lease.run, &one, ItemState::Failed, Some(why.as_str())).await?;
                }
                Outcome::Ready(_) | Outcome::Failed(_) | Outcome::Gone => gone.push(item.tenant),
            }
        }
        for ((to, schema), tenants) in ready {
            let Some(Ok(target)) = targets.get(to) else { continue };
            tally.moved += count(&tenants);
            change.flip(&tenants, target, schema).await?;
            change.end_items(lease.run, &tenants, ItemState::Moved, None).await?;
        }
        tally.gone = count(&gone);
        change.end_items(lease.run, &gone, ItemState::Gone, None).await?;
        if !change.advance_run(lease, tally, self.config.run_lease).await? {
            return Err(Halt::Lost);
        }
        Ok(change.commit().await?)
    }
}

fn count(tenants: &[TenantId]) -> u64 {
    u64::try_from(tenants.len()).unwrap_or(u64::MAX)
}
