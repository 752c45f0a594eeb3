//! Moving tenants to a release, and back.
//!
//! Per tenant: migrate (unless its fingerprint says that nothing is pending), run the release's upgrade
//! code, flip. Flips are committed in chunks, each a single generation; requests in flight end on the
//! code they began with. A tenant that fails keeps its release and is listed. The list of moves is in the
//! control database, so a crash costs nothing but a repeat of what was not recorded. One at a time.

use super::import::reference;
use crate::Control;
use crate::error::ControlError;
use crate::ports::SchemaState;
use crate::store::{ActivationRow, Change, MoveRow, MoveState, ReleaseRow, TenantRow};
use crate::types::{ActivationFailure, ActivationView, Page, Paging, StartActivation, rfc3339};
use futures_util::StreamExt as _;
use rowhouse_base::id::ActivationId;
use rowhouse_base::{Chain, TenantName};
use rowhouse_identity::Operator;
use rowhouse_tenant::ReleaseName;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

type Result<T> = std::result::Result<T, ControlError>;

/// Tenants migrated at the same time: enough to hide waiting, few enough to leave cores to visitors.
const PARALLEL: usize = 4;
/// Flips in one commit. A commit costs a sync to disk; 64 make it small per tenant.
const CHUNK: usize = 64;
/// A chunk is committed after this long even when it is not full.
const CHUNK_TIME: Duration = Duration::from_millis(250);

/// How one tenant's move ended, before it is recorded.
type Outcome = (MoveRow, std::result::Result<Option<SchemaState>, String>);

impl Control {
    /// Moves tenants to a release and waits until all are moved or have failed.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for the release, [`ControlError::Invalid`] for unknown tenants,
    /// [`ControlError::Conflict`] while another activation runs.
    pub async fn activate(
        self: &Arc<Self>,
        operator: &Operator,
        request: StartActivation,
    ) -> Result<ActivationView> {
        let actor = operator.writer()?.to_owned();
        let control = Arc::clone(self);
        Self::detached("activate release", async move {
            let release = control.known_release(&request.release).await?;
            let _turn = control.take_turn().await?;
            control.reconciler.prepare(release.digest).await?;
            let activation = control.begin_activation(&actor, &release, &request).await?;
            control.run(&activation).await
        })
        .await
    }

    /// Returns every tenant that an activation moved, and that still runs its release, to the release it ran before.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Conflict`] while an activation runs.
    pub async fn rollback(self: &Arc<Self>, operator: &Operator, id: &str) -> Result<ActivationView> {
        let actor = operator.writer()?.to_owned();
        let undone = self.known_activation(id).await?;
        let control = Arc::clone(self);
        Self::detached("roll back", async move {
            let _turn = control.take_turn().await?;
            let activation = control.begin_rollback(&actor, &undone).await?;
            control.run(&activation).await
        })
        .await
    }

    /// A page of activations, newest first.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn activations(&self, _operator: &Operator, paging: &Paging) -> Result<Page<ActivationView>> {
        let limit = paging.limit();
        let rows = self.store.activations_page(paging.cursor(), limit + 1).await?;
        let page = Page::cut(rows, limit, |row| row.id.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for row in &page.items {
            items.push(self.activation_view(row).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// One activation.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn activation(&self, _operator: &Operator, id: &str) -> Result<ActivationView> {
        let row = self.known_activation(id).await?;
        self.activation_view(&row).await
    }

    /// Goes on with what a crash left running.
    pub(crate) async fn resume_activations(&self) {
        if let Err(error) = self.take_turn().await {
            tracing::error!(error = %Chain(&error), "resume activations");
        }
    }

    /// Waits for nothing: an activation that runs in this process keeps others out. One that is recorded
    /// as running but has nobody, because the process or its database failed under it, is finished first.
    async fn take_turn(&self) -> Result<OwnedMutexGuard<()>> {
        let busy = || ControlError::Conflict("an activation is running; one runs at a time".to_owned());
        let turn = Arc::clone(&self.activating).try_lock_owned().map_err(|_held| busy())?;
        for activation in self.store.activations_running().await? {
            tracing::info!(activation = %activation.id, release = %activation.release, "resume an activation");
            self.run(&activation).await?;
        }
        Ok(turn)
    }

    async fn known_activation(&self, text: &str) -> Result<ActivationRow> {
        let missing = || ControlError::not_found("activation", text.chars().take(80).collect::<String>());
        let id: ActivationId = text.parse().map_err(|_no_id| missing())?;
        self.store.activation(id).await?.ok_or_else(missing)
    }

    /// Records what is to be moved. New tenants get the release from here on, if they are to.
    pub(crate) async fn begin_activation(
        &self,
        actor: &str,
        release: &ReleaseRow,
        request: &StartActivation,
    ) -> Result<ActivationRow> {
        let mut change = begin(&self.store).await?;
        if change.release(&release.name).await?.is_none() {
            return Err(ControlError::not_found("release", &release.name));
        }
        let tenants = change.tenants_to_move(&release.digest, &release.name).await?;
        let tenants = match &request.tenants {
            None => tenants,
            Some(names) => self.named(names, tenants).await?,
        };
        let moves: Vec<MoveRow> = tenants.iter().map(|row| step(row, release.name.clone())).collect();
        let mut previous_default = None;
        if request.default.unwrap_or(request.tenants.is_none()) {
            previous_default = default_release(&mut change).await?;
            change.set(super::DEFAULT_RELEASE, Some(release.name.as_str())).await?;
        }
        let activation = record("activate", release.name.clone(), &moves, previous_default, None, &change);
        change.add_activation(&activation, &moves).await?;
        let detail = format!("{} tenant(s)", moves.len());
        change.audit(actor, "release.activate", release.name.as_str(), None, &detail).await?;
        change.commit().await?;
        Ok(activation)
    }

    /// The rows of these tenants; those that run the release already are left out. All unknown ones are named.
    async fn named(&self, names: &[String], movable: Vec<TenantRow>) -> Result<Vec<TenantRow>> {
        let mut wanted = HashSet::new();
        let mut wrong = Vec::new();
        for (index, text) in names.iter().enumerate() {
            let row = match TenantName::parse(text) {
                Ok(name) => self.store.tenant_by_name(&name).await?,
                Err(_) => None,
            };
            match row.filter(|row| row.state.has_address()) {
                Some(row) => {
                    wanted.insert(row.id);
                }
                None => wrong.push(crate::FieldError {
                    field: format!("tenants[{index}]"),
                    detail: format!(
                        "there is no active or suspended tenant `{}`",
                        text.chars().take(80).collect::<String>()
                    ),
                }),
            }
        }
        if wrong.is_empty() {
            Ok(movable.into_iter().filter(|row| wanted.contains(&row.id)).collect())
        } else {
            Err(ControlError::Invalid(wrong))
        }
    }

    async fn begin_rollback(&self, actor: &str, undone: &ActivationRow) -> Result<ActivationRow> {
        let moved = self.store.moves(undone.id, MoveState::Moved).await?;
        let mut change = begin(&self.store).await?;
        if undone.finished_at.is_none() {
            return Err(ControlError::Conflict("the activation is still running".to_owned()));
        }
        let mut moves = Vec::new();
        for done in moved {
            let Some(row) = change.tenant(done.tenant).await? else { continue };
            let still = row.release.as_ref().is_some_and(|release| release.name == done.to);
            // A tenant that had no release before has nothing to return to.
            if let (true, Some(from)) = (still && row.state.has_address(), done.from) {
                moves.push(step(&row, from));
            }
        }
        if let Some(previous) = &undone.previous_default
            && default_release(&mut change).await?.as_ref() == Some(&undone.release)
        {
            change.set(super::DEFAULT_RELEASE, Some(previous.as_str())).await?;
        }
        let activation = record("rollback", undone.release.clone(), &moves, None, Some(undone.id), &change);
        change.add_activation(&activation, &moves).await?;
        let detail = format!("{} tenant(s), activation {}", moves.len(), undone.id);
        change.audit(actor, "release.rollback", undone.release.as_str(), None, &detail).await?;
        change.commit().await?;
        Ok(activation)
    }

    /// Makes all pending moves of an activation, a few at a time, and closes it.
    pub(crate) async fn run(&self, activation: &ActivationRow) -> Result<ActivationView> {
        let pending = self.store.moves(activation.id, MoveState::Pending).await?;
        let mut targets = HashMap::new();
        for name in pending.iter().map(|step| &step.to).collect::<HashSet<_>>() {
            let target = match self.known_release(name.as_str()).await {
                Ok(release) => self.reconciler.prepare(release.digest).await.map(|()| release),
                Err(error) => Err(error),
            };
            targets.insert(name.clone(), target.map_err(|error| Chain(&error).to_string()));
        }
        let back = activation.kind == "rollback";
        let outcomes = futures_util::stream::iter(pending)
            .map(|step| self.advance(step, &targets, back))
            .buffer_unordered(PARALLEL);
        let mut outcomes = std::pin::pin!(outcomes);
        let mut chunk: Vec<Outcome> = Vec::with_capacity(CHUNK);
        let mut began = tokio::time::Instant::now();
        while let Some(outcome) = outcomes.next().await {
            chunk.push(outcome);
            if chunk.len() >= CHUNK || began.elapsed() >= CHUNK_TIME {
                self.flip(activation, std::mem::take(&mut chunk), &targets).await?;
                began = tokio::time::Instant::now();
            }
        }
        self.flip(activation, chunk, &targets).await?;
        let failed = self.store.move_count(activation.id, MoveState::Failed).await?;
        let mut change = self.store.change().await?;
        let state = if failed == 0 { "done" } else { "failed-partly" };
        change.end_activation(activation.id, state).await?;
        change.commit().await?;
        self.sync().await?;
        let row = self.known_activation(&activation.id.to_string()).await?;
        self.activation_view(&row).await
    }

    /// Does everything for one tenant that comes before the flip. A rollback changes no data: both releases run
    /// on the expanded schema.
    async fn advance(
        &self,
        step: MoveRow,
        targets: &HashMap<ReleaseName, std::result::Result<ReleaseRow, String>>,
        back: bool,
    ) -> Outcome {
        let done = match targets.get(&step.to) {
            Some(Ok(_)) if back => Ok(None),
            Some(Ok(release)) => self.ready_for(&step, release).await,
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("there is no release `{}`", step.to)),
        };
        (step, done)
    }

    async fn ready_for(
        &self,
        step: &MoveRow,
        release: &ReleaseRow,
    ) -> std::result::Result<Option<SchemaState>, String> {
        let row = match self.store.tenant_by_id(step.tenant).await {
            Ok(Some(row)) if row.state.has_address() => row,
            Ok(_) => return Err("the tenant was deleted meanwhile".to_owned()),
            Err(error) => return Err(Chain(&error).to_string()),
        };
        super::operations::idle(&row).map_err(|error| error.to_string())?;
        let tenant = self.seen(&row);
        let mut schema = None;
        if row.fingerprint != Some(release.fingerprint) {
            let migrated = self.data.migrate(&tenant, &release.migrations).await;
            schema = Some(migrated.map_err(|error| format!("migrate: {error}"))?);
        }
        if release.has_upgrade {
            let from = step.from.as_ref().map(ReleaseName::as_str);
            let upgraded = self.modules.upgrade(&tenant, &release.digest, from, release.name.as_str()).await;
            upgraded.map_err(|error| format!("upgrade: {error}"))?;
        }
        Ok(schema)
    }

    /// Records a chunk of outcomes and flips those that succeeded, in one generation.
    async fn flip(
        &self,
        activation: &ActivationRow,
        chunk: Vec<Outcome>,
        targets: &HashMap<ReleaseName, std::result::Result<ReleaseRow, String>>,
    ) -> Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        let mut change = self.store.change().await?;
        for (step, outcome) in chunk {
            let row = change.tenant(step.tenant).await?.filter(|row| row.state.has_address());
            let outcome = match (row, outcome, targets.get(&step.to)) {
                (Some(mut row), Ok(schema), Some(Ok(target))) => {
                    row.previous_release = row.release.map(|release| release.name);
                    row.release = Some(reference(target));
                    if let Some(schema) = schema {
                        row.schema_version = schema.version;
                        row.fingerprint = Some(schema.fingerprint);
                    }
                    change.put_tenant(&mut row).await?;
                    Ok(())
                }
                (_, Err(why), _) => Err(why),
                (None, ..) => Err("the tenant was deleted meanwhile".to_owned()),
                (_, Ok(_), _) => Err(format!("there is no release `{}`", step.to)),
            };
            let state = if outcome.is_ok() { MoveState::Moved } else { MoveState::Failed };
            change.end_move(activation.id, step.tenant, state, outcome.err().as_deref()).await?;
        }
        change.commit().await?;
        self.sync().await
    }

    async fn activation_view(&self, row: &ActivationRow) -> Result<ActivationView> {
        let failed = self.store.moves(row.id, MoveState::Failed).await?;
        Ok(ActivationView {
            id: row.id.to_string(),
            kind: row.kind.clone(),
            release: row.release.to_string(),
            state: row.state.clone(),
            total: row.total,
            moved: self.store.move_count(row.id, MoveState::Moved).await?,
            failed: failed
                .into_iter()
                .map(|step| ActivationFailure { tenant: step.name, error: step.error.unwrap_or_default() })
                .collect(),
            rollback_of: row.rollback_of.map(|id| id.to_string()),
            started_at: rfc3339(row.started_at),
            finished_at: row.finished_at.map(rfc3339),
        })
    }
}

/// Begins a change where no activation is running.
async fn begin(store: &crate::store::Store) -> Result<Change> {
    let mut change = store.change().await?;
    if change.activation_runs().await? {
        return Err(ControlError::Conflict("an activation is running; one runs at a time".to_owned()));
    }
    Ok(change)
}

async fn default_release(change: &mut Change) -> Result<Option<ReleaseName>> {
    Ok(change.setting(super::DEFAULT_RELEASE).await?.and_then(|text| text.parse().ok()))
}

fn step(row: &TenantRow, to: ReleaseName) -> MoveRow {
    MoveRow {
        tenant: row.id,
        name: row.name.to_string(),
        from: row.release.as_ref().map(|release| release.name.clone()),
        to,
        error: None,
    }
}

fn record(
    kind: &str,
    release: ReleaseName,
    moves: &[MoveRow],
    previous_default: Option<ReleaseName>,
    rollback_of: Option<ActivationId>,
    change: &Change,
) -> ActivationRow {
    ActivationRow {
        id: ActivationId::new(),
        kind: kind.to_owned(),
        release,
        state: "running".to_owned(),
        total: u64::try_from(moves.len()).unwrap_or(u64::MAX),
        previous_default,
        rollback_of,
        started_at: change.at(),
        finished_at: None,
    }
}
