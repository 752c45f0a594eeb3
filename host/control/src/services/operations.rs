//! What is under way with a tenant: one operation at a time, recorded before it is done.
//!
//! An operation stands in the tenant's row from its first change to its last, and every service that would
//! get into its way looks there. Beside it the process remembers whom it works for just now, so that
//! nobody finishes what is still being done; an export, which changes nothing, is only remembered.

use crate::Control;
use crate::error::ControlError;
use crate::store::{Change, Operation, ReleaseRow, TenantRow};
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Chain, DataServerName};
use rowhouse_tenant::{Tenant, TenantState};
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

type Result<T> = std::result::Result<T, ControlError>;

/// A request that began before a tenant was taken off the air may wait in a queue and send its body slowly
/// before its own wall time begins.
const STRAGGLERS: Duration = Duration::from_secs(30);
/// How often is looked whether the last of them is done.
const LOOK: Duration = Duration::from_millis(20);

/// Tenants that this process works for, each with what is being done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims(Arc<Mutex<HashMap<TenantId, &'static str>>>);

/// A tenant is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Claims,
    tenant: TenantId,
}

impl Claims {
    /// Takes a tenant, or says what is being done with it.
    fn take(&self, row: &TenantRow, doing: &'static str) -> Result<Claim> {
        let mut held = self.0.lock();
        if let Some(other) = held.get(&row.id) {
            return Err(busy(row, other));
        }
        held.insert(row.id, doing);
        Ok(Claim { claims: self.clone(), tenant: row.id })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().remove(&self.tenant);
    }
}

fn busy(row: &TenantRow, doing: &str) -> ControlError {
    ControlError::Conflict(format!("tenant `{}` is busy: {doing} is under way", row.name))
}

/// Refuses where an operation is recorded.
pub(super) fn idle(row: &TenantRow) -> Result<()> {
    match &row.operation {
        Some(operation) => Err(busy(row, operation.as_str())),
        None => Ok(()),
    }
}

impl Control {
    /// Takes a tenant for this process, or says what is being done with it.
    pub(super) fn claim(&self, row: &TenantRow, doing: &'static str) -> Result<Claim> {
        self.claims.take(row, doing)
    }

    /// Records that an operation begins. The tenant has to be in one of these states with nothing under way; only
    /// what was begun before may be begun again.
    pub(super) async fn begin(
        &self,
        actor: &str,
        row: &TenantRow,
        states: &[TenantState],
        operation: Operation,
        detail: &str,
    ) -> Result<TenantRow> {
        let mut change = self.store.change().await?;
        let missing = || ControlError::not_found("tenant", &row.name);
        let mut row = change.tenant(row.id).await?.ok_or_else(missing)?;
        if row.operation.as_ref() != Some(&operation) {
            idle(&row)?;
        }
        if !states.contains(&row.state) {
            let right: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
            let (name, state, right) = (&row.name, row.state, right.join(" or "));
            let text =
                format!("tenant `{name}` is {state}; a {} needs one that is {right}", operation.as_str());
            return Err(ControlError::Conflict(text));
        }
        // It would migrate the database that is about to be left or emptied.
        if let Some(run) = change.open_run().await? {
            return Err(super::runs::under_way(run));
        }
        let action = match &operation {
            Operation::Move { .. } => "tenant.move",
            Operation::Save => "tenant.restore",
            _ => "tenant.reset",
        };
        if let Operation::Move { to, was } = &operation {
            if *to == row.data_server || *was != row.state {
                let text = format!("tenant `{}` was changed meanwhile; look at it and ask again", row.name);
                return Err(ControlError::Conflict(text));
            }
            row.state = TenantState::Moving;
        }
        row.operation = Some(operation);
        change.put_tenant(&mut row).await?;
        change.audit(actor, action, &row, detail).await?;
        change.commit().await?;
        self.sync().await?;
        Ok(row)
    }

    /// Records the next step of an operation, or its end, with what it changed of the tenant.
    pub(super) async fn advance_to(
        &self,
        actor: &str,
        row: &TenantRow,
        action: &'static str,
        detail: &str,
        edit: impl FnOnce(&mut TenantRow),
    ) -> Result<TenantRow> {
        let mut change = self.store.change().await?;
        let mut row = present(&mut change, row).await?;
        edit(&mut row);
        change.put_tenant(&mut row).await?;
        change.audit(actor, action, &row, detail).await?;
        change.commit().await?;
        self.sync().await?;
        Ok(row)
    }

    /// The tenant as requests see it.
    pub(super) fn seen(&self, row: &TenantRow) -> Arc<Tenant> {
        self.reconciler.tenant(row)
    }

    /// The tenant as it would be on another data server.
    pub(super) fn seen_on(&self, row: &TenantRow, server: &DataServerName) -> Arc<Tenant> {
        self.seen(&TenantRow { data_server: server.clone(), ..row.clone() })
    }

    /// Waits until no request works with the tenant as it was: each holds a share of it. Waits no longer than a
    /// request can last, for what else may hold one does nothing with it.
    pub(super) async fn settle(&self, was: Weak<Tenant>) {
        let most = self.config.limits.wall().saturating_add(STRAGGLERS);
        let gone = async {
            while was.strong_count() > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(most, gone).await.is_err() {
            tracing::debug!("a tenant as it was is still held by somebody");
        }
    }

    /// A data server that is configured; the default one where none is named.
    pub(super) fn data_server(&self, wanted: Option<&str>) -> Result<DataServerName> {
        let Some(text) = wanted.filter(|text| !text.is_empty()) else {
            return Ok(self.config.default_server.clone());
        };
        let known = &self.config.data_servers;
        known.iter().find(|name| name.as_str() == text).cloned().ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(DataServerName::as_str).collect();
            let shown: String = text.chars().take(40).collect();
            ControlError::field(
                "data_server",
                format!("there is no data server `{shown}`; there are: {}", names.join(", ")),
            )
        })
    }

    /// The release whose migrations make the schema that a tenant or an archive has; none where it has none.
    pub(super) async fn schema_of(
        &self,
        fingerprint: Option<rowhouse_base::Digest>,
        version: u32,
        ran: Option<&str>,
    ) -> Result<Option<ReleaseRow>> {
        let Some(fingerprint) = fingerprint else { return Ok(None) };
        let found = self.store.release_with_schema(&fingerprint).await?;
        found.map(Some).ok_or_else(|| {
            let push = ran.map_or_else(|| "the release it ran".to_owned(), |name| format!("`{name}`"));
            ControlError::Conflict(format!(
                "no release here makes the schema it has (version {version}): push {push} first"
            ))
        })
    }

    /// Finishes or takes back what a crash, or a data server that was away, left under way. A failure is logged
    /// and left for the next time.
    pub(crate) async fn settle_operations(&self) {
        let rows = match self.store.tenants_busy().await {
            Ok(rows) => rows,
            Err(error) => return tracing::warn!(error = %Chain(&error), "look for operations to finish"),
        };
        for row in rows {
            let Ok(_claim) = self.claim(&row, "recovery") else { continue };
            if !self.may_take_over(&row).await {
                continue;
            }
            // Read again under the claim: its own work may have ended between.
            let row = match self.store.tenant_by_id(row.id).await {
                Ok(Some(row)) => row,
                Ok(None) => continue,
                Err(error) => return tracing::warn!(error = %Chain(&error), "look for operations to finish"),
            };
            let Some(operation) = row.operation.clone() else { continue };
            let done = match operation {
                // A tenant that is being made is taken back with all it has.
                Operation::Import | Operation::Clone => continue,
                Operation::Move { to, was } => self.undo_move(&row, &to, was, "cut short").await,
                Operation::Leave { from } => self.finish_leaving(&row, &from).await,
                Operation::Save => self.undo_save(&row).await,
                Operation::Restore => self.put_back(&row, "cut short").await,
                Operation::Reset => self.finish_reset(super::recover::SERVER, &row).await.map(drop),
            };
            if let Err(error) = done {
                let (operation, error) = (row.operation.as_ref().map(Operation::as_str), Chain(&error));
                tracing::error!(tenant = %row.id, name = %row.name, operation, %error, "finish an operation");
            }
        }
    }
}

/// The tenant as the change sees it, in any state.
pub(super) async fn present(change: &mut Change, row: &TenantRow) -> Result<TenantRow> {
    change.tenant(row.id).await?.ok_or_else(|| ControlError::not_found("tenant", &row.name))
}
