//! Runs: moving a set of tenants to a release, and back.
//!
//! A run is recorded with its tenants before anything is done, and whoever recorded it does not wait for it:
//! `work` carries it out, on this server or, where this one ends, on another. One runs at a time. What is
//! here records runs, puts the failed tenants of one in line again, and tells how far they are.

mod work;

use crate::Control;
use crate::error::ControlError;
use crate::store::{Change, ItemRow, ItemState, ReleaseRow, RunKind, RunRow, RunState};
use crate::types::{Page, Paging, RunDetail, RunItemView, RunView, StartRun, rfc3339};
use rowhouse_base::id::{RunId, TenantId};
use rowhouse_base::{TenantName, tasks};
use rowhouse_identity::Operator;
use rowhouse_tenant::ReleaseName;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// Records a run that moves tenants to a release, and begins it. It goes on when this returns.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for the release, [`ControlError::Invalid`] for unknown tenants,
    /// [`ControlError::Conflict`] while another run is under way, [`ControlError::Refused`] where the module can't be
    /// made ready.
    pub async fn activate(self: &Arc<Self>, operator: &Operator, request: StartRun) -> Result<RunView> {
        let actor = operator.writer()?.to_owned();
        let control = Arc::clone(self);
        Self::detached("record a run", async move {
            let id = control.record_activation(&actor, &request).await?;
            control.begun(id).await
        })
        .await
    }

    /// Records a run that returns every tenant that a run moved, and that still runs what it gave them, to the
    /// release it ran before, and begins it.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Conflict`] while a run is under way.
    pub async fn rollback(self: &Arc<Self>, operator: &Operator, id: &str) -> Result<RunView> {
        let actor = operator.writer()?.to_owned();
        let undone = self.known_run(id).await?;
        let control = Arc::clone(self);
        Self::detached("record a run", async move {
            let id = control.record_rollback(&actor, &undone).await?;
            control.begun(id).await
        })
        .await
    }

    /// Tries the failed tenants of a run again, or goes on with one that was interrupted.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Conflict`] while a run is under way or where nothing is left.
    pub async fn resume_run(self: &Arc<Self>, operator: &Operator, id: &str) -> Result<RunView> {
        let actor = operator.writer()?.to_owned();
        let row = self.known_run(id).await?;
        let control = Arc::clone(self);
        Self::detached("resume a run", async move {
            match row.state_now() {
                RunState::Failed => control.reopen(&actor, &row).await?,
                RunState::Interrupted => {}
                RunState::Finished => {
                    return Err(ControlError::Conflict(
                        "the run is finished; nothing is left to do".to_owned(),
                    ));
                }
                RunState::Queued | RunState::Running => return Err(under_way(row.id)),
            }
            control.begun(row.id).await
        })
        .await
    }

    /// A page of runs, newest first.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn runs(&self, _operator: &Operator, paging: &Paging) -> Result<Page<RunView>> {
        let limit = paging.limit();
        let rows = self.store.runs_page(paging.cursor(), limit + 1).await?;
        let page = Page::cut(rows, limit, |row| row.id.to_string());
        Ok(Page { items: page.items.iter().map(run_view).collect(), next: page.next })
    }

    /// One run, without its tenants.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn run(&self, _operator: &Operator, id: &str) -> Result<RunView> {
        Ok(run_view(&self.known_run(id).await?))
    }

    /// One run with a page of its tenants, those in one state where one is named.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Invalid`] for an unknown state.
    pub async fn run_detail(
        &self,
        _operator: &Operator,
        id: &str,
        paging: &Paging,
        state: Option<&str>,
    ) -> Result<RunDetail> {
        let state = state.filter(|text| !text.is_empty()).map(str::parse::<ItemState>);
        let state = state.transpose().map_err(|known| ControlError::field("state", known))?;
        let row = self.known_run(id).await?;
        let limit = paging.limit();
        let items = self.store.run_items(row.id, state, paging.cursor(), limit + 1).await?;
        let page = Page::cut(items, limit, |item| item.tenant.to_string());
        let items = page.items.into_iter().map(item_view).collect();
        Ok(RunDetail { run: run_view(&row), items, next: page.next })
    }

    /// Has the run worked on here, unless another server is faster, and gives how it stands.
    async fn begun(self: &Arc<Self>, id: RunId) -> Result<RunView> {
        let row = self.known_run(&id.to_string()).await?;
        let control = Arc::clone(self);
        tasks::spawn("work on runs", async move { control.work_runs_in_turn().await });
        Ok(run_view(&row))
    }

    async fn known_run(&self, text: &str) -> Result<RunRow> {
        let missing = || ControlError::not_found("run", text.chars().take(80).collect::<String>());
        let id: RunId = text.parse().map_err(|_no_id| missing())?;
        self.store.run(id).await?.ok_or_else(missing)
    }

    /// Records what is to be moved. New tenants get the release from here on, if they are to.
    pub(crate) async fn record_activation(&self, actor: &str, request: &StartRun) -> Result<RunId> {
        let release = self.known_release(&request.release).await?;
        let wanted = match &request.tenants {
            Some(names) => Some(self.named(names).await?),
            None => None,
        };
        // A module that can't be made ready is told at once, not once for each tenant.
        self.reconciler.prepare(release.digest).await?;
        let mut change = self.begin_run().await?;
        let Some(release) = change.release(&release.name).await? else {
            return Err(ControlError::not_found("release", &release.name));
        };
        let mut previous_default = None;
        if request.default.unwrap_or(request.tenants.is_none()) {
            previous_default = default_release(&mut change).await?;
            change.set(super::DEFAULT_RELEASE, Some(release.name.as_str())).await?;
        }
        let run = RunRow { previous_default, ..record(RunKind::Activation, &release.name, actor, &change) };
        change.add_run(&run).await?;
        let total = match wanted {
            Some(ids) => change.add_some_items(&run, &release, &ids).await?,
            None => change.add_items(&run, &release).await?,
        };
        change.set_total(run.id, total).await?;
        let detail = format!("{total} tenant(s), run {}", run.id);
        change.audit(actor, "release.activate", release.name.as_str(), &detail).await?;
        change.commit().await?;
        Ok(run.id)
    }

    /// Records which tenants return to what they ran before.
    pub(crate) async fn record_rollback(&self, actor: &str, undone: &RunRow) -> Result<RunId> {
        let mut change = self.begin_run().await?;
        if let Some(previous) = &undone.previous_default
            && default_release(&mut change).await?.as_ref() == Some(&undone.release)
        {
            change.set(super::DEFAULT_RELEASE, Some(previous.as_str())).await?;
        }
        let run = RunRow {
            rollback_of: Some(undone.id),
            ..record(RunKind::Rollback, &undone.release, actor, &change)
        };
        change.add_run(&run).await?;
        let total = change.add_items_back(&run, undone.id).await?;
        change.set_total(run.id, total).await?;
        let detail = format!("{total} tenant(s), run {} takes back run {}", run.id, undone.id);
        change.audit(actor, "release.rollback", undone.release.as_str(), &detail).await?;
        change.commit().await?;
        Ok(run.id)
    }

    /// Puts the failed tenants of a run in line again.
    async fn reopen(&self, actor: &str, row: &RunRow) -> Result<()> {
        let mut change = self.begin_run().await?;
        let again = change.retry_items(row.id).await?;
        if again == 0 {
            let text =
                "nothing is left to do: the tenants that failed are gone or run another release by now";
            return Err(ControlError::Conflict(text.to_owned()));
        }
        change.reopen_run(row.id, again).await?;
        let detail = format!("{again} tenant(s), run {}", row.id);
        change.audit(actor, "run.resume", row.release.as_str(), &detail).await?;
        Ok(change.commit().await?)
    }

    /// Begins a change where no run is under way.
    async fn begin_run(&self) -> Result<Change> {
        let mut change = self.store.change().await?;
        match change.open_run().await? {
            Some(open) => Err(under_way(open)),
            None => Ok(change),
        }
    }

    /// The ids of these tenants. All unknown ones are named.
    async fn named(&self, names: &[String]) -> Result<Vec<TenantId>> {
        let (mut wanted, mut wrong) = (Vec::new(), Vec::new());
        for (index, text) in names.iter().enumerate() {
            let row = match TenantName::parse(text) {
                Ok(name) => self.store.tenant_by_name(&name).await?,
                Err(_) => None,
            };
            match row.filter(|row| row.state.has_address()) {
                Some(row) => wanted.push(row.id),
                None => wrong.push(crate::FieldError {
                    field: format!("tenants[{index}]"),
                    detail: format!(
                        "there is no active or suspended tenant `{}`",
                        text.chars().take(80).collect::<String>()
                    ),
                }),
            }
        }
        // One that is named twice is moved once.
        wanted.sort_unstable();
        wanted.dedup();
        if wrong.is_empty() { Ok(wanted) } else { Err(ControlError::Invalid(wrong)) }
    }
}

/// Why nothing else may touch schemas or releases now.
pub(super) fn under_way(run: RunId) -> ControlError {
    ControlError::Conflict(format!("run {run} is under way; wait until it has ended"))
}

async fn default_release(change: &mut Change) -> Result<Option<ReleaseName>> {
    Ok(change.setting(super::DEFAULT_RELEASE).await?.and_then(|text| text.parse().ok()))
}

/// A run that nobody works on yet.
fn record(kind: RunKind, release: &ReleaseName, actor: &str, change: &Change) -> RunRow {
    RunRow {
        // Those who look for the newest run find this one.
        id: RunId::at(change.at()),
        kind,
        release: release.clone(),
        state: RunState::Queued,
        total: 0,
        moved: 0,
        failed: 0,
        gone: 0,
        previous_default: None,
        rollback_of: None,
        actor: actor.to_owned(),
        owner: None,
        turn: 0,
        until: None,
        now: change.at(),
        started_at: change.at(),
        ended_at: None,
    }
}

fn run_view(row: &RunRow) -> RunView {
    let state = row.state_now();
    let ended = row.moved.saturating_add(row.failed).saturating_add(row.gone);
    RunView {
        id: row.id.to_string(),
        kind: row.kind.as_str().to_owned(),
        release: row.release.to_string(),
        state: state.as_str().to_owned(),
        total: row.total,
        moved: row.moved,
        failed: row.failed,
        gone: row.gone,
        left: row.total.saturating_sub(ended),
        actor: row.actor.clone(),
        rollback_of: row.rollback_of.map(|id| id.to_string()),
        server: row.owner.filter(|_| state == RunState::Running).map(|id| id.to_string()),
        turns: u64::try_from(row.turn).unwrap_or(0),
        started_at: rfc3339(row.started_at),
        ended_at: row.ended_at.map(rfc3339),
    }
}

fn item_view(row: ItemRow) -> RunItemView {
    RunItemView {
        tenant: row.name,
        id: row.tenant.to_string(),
        from: row.from.map(|name| name.to_string()),
        to: row.to.to_string(),
        state: row.state.as_str().to_owned(),
        attempts: row.attempts,
        // What an attempt before the last one said is no news once it moved.
        error: row.error,
        ended_at: row.ended_at.map(rfc3339),
    }
}

/// True where the release's work on this tenant is the flip alone.
fn is_light(release: &ReleaseRow, fingerprint: Option<rowhouse_base::Digest>) -> bool {
    fingerprint == Some(release.fingerprint) && !release.has_upgrade
}
