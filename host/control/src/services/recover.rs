//! What the start and every hour put right: the half made, the half moved, the half deleted, the trash that
//! is due.

use crate::Control;
use crate::error::ControlError;
use crate::store::TenantRow;
use rowhouse_base::{Chain, Timestamp};
use rowhouse_tenant::TenantState;
use std::time::Duration;

/// A server that has been silent for this long is not at work any more: thirty beats, and longer than any statement may
/// wait.
const SILENT_WORKER: Duration = Duration::from_secs(60);

type Result<T> = std::result::Result<T, ControlError>;

/// Who the audit trail names for what nobody asked for just now.
pub(crate) const SERVER: &str = "server";

/// Tombstones are kept this long: any server that was away for less catches up by them alone.
const TOMBSTONES: Duration = Duration::from_secs(7 * 24 * 3600);

/// Runs are kept this long after their end: a row for each tenant of each run must not pile up for ever.
const RUNS: Duration = Duration::from_secs(90 * 24 * 3600);

impl Control {
    /// Loads the snapshot, finishes what a crash left half done, and makes ready what is to be served. Called once, before
    /// anything is served.
    ///
    /// # Errors
    /// [`ControlError::Database`]; what fails for one tenant is logged and left for the next time.
    pub async fn recover(&self) -> Result<()> {
        if self.standing.is_early() {
            // The control database is away; this is done when it is back.
            return Ok(());
        }
        self.put_right().await?;
        self.reconciler.make_modules_ready().await;
        self.sync().await
    }

    /// The same, without waiting for modules.
    pub(super) async fn put_right(&self) -> Result<()> {
        self.enter().await?;
        for row in self.store.tenants_in(TenantState::Provisioning).await? {
            if self.may_take_over(&row).await {
                self.finish_making(&row).await;
            }
        }
        self.sync().await?;
        self.look_for_servers().await?;
        self.look_for_orphans().await;
        self.keep_house().await;
        Ok(())
    }

    /// Completes a half-made tenant, or takes it back.
    async fn finish_making(&self, row: &TenantRow) {
        if let Some(operation) = &row.operation {
            // Nobody has the rest of its content any more.
            let cut = ControlError::Conflict(format!("the {} was cut short", operation.as_str()));
            return self.take_back(SERVER, row, &cut).await;
        }
        let Err(error) = self.complete(SERVER, row).await else { return };
        let why = Chain(&error).to_string();
        tracing::warn!(tenant = %row.id, name = %row.name, error = %why, "complete a half-made tenant");
        self.take_back(SERVER, row, &error).await;
    }

    /// Says which tenants can't be served because nobody knows their data server.
    async fn look_for_servers(&self) -> Result<()> {
        for (server, tenants) in self.store.tenants_by_server().await? {
            if !self.config.data_servers.contains(&server) {
                tracing::error!(%server, tenants, "tenants are on a data server that is not configured");
            }
        }
        Ok(())
    }

    /// What is due by the hour.
    pub(crate) async fn keep_house(&self) {
        self.settle_operations().await;
        let now = Timestamp::now();
        match self.store.tenants_in(TenantState::Deleting).await {
            Ok(half_gone) => {
                for row in half_gone {
                    self.try_purge(&row).await;
                }
            }
            Err(error) => tracing::warn!(error = %Chain(&error), "look for tenants that are half gone"),
        }
        match self.store.trash_due(now).await {
            Ok(due) => {
                for row in due {
                    self.try_purge(&row).await;
                }
            }
            Err(error) => tracing::warn!(error = %Chain(&error), "look for trash that is due"),
        }
        if let Err(error) = self.store.drop_old_sign_ins().await {
            tracing::warn!(error = %Chain(&error), "drop old counts of sign-ins");
        }
        if let Err(error) = self.store.drop_old_sessions(now).await {
            tracing::warn!(error = %Chain(&error), "drop old sessions");
        }
        if let Err(error) = self.store.compact(before(now, TOMBSTONES)).await {
            tracing::warn!(error = %Chain(&error), "drop old tombstones");
        }
        if let Err(error) = self.store.drop_old_runs(before(now, RUNS)).await {
            tracing::warn!(error = %Chain(&error), "drop old runs");
        }
    }

    /// True where no other server that lives works on the tenant; then this one does.
    pub(super) async fn may_take_over(&self, row: &TenantRow) -> bool {
        match self.store.take_over(row.id, SILENT_WORKER).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(tenant = %row.id, error = %Chain(&error), "look who works on a tenant");
                false
            }
        }
    }

    async fn try_purge(&self, row: &TenantRow) {
        if !self.may_take_over(row).await {
            return;
        }
        if let Err(error) = self.purge(SERVER, row).await {
            tracing::error!(tenant = %row.id, error = %Chain(&error), "go on deleting a tenant");
        }
    }

    /// Removes what is left of tenants that are gone. A folder that the control database does not know at
    /// all is kept and reported: it can only come from another control database, an older backup for one,
    /// and then it may be somebody's site.
    async fn look_for_orphans(&self) {
        let kept = match self.data.list_ids().await {
            Ok(kept) => kept,
            Err(error) => return tracing::warn!(%error, "list tenant folders"),
        };
        for id in kept {
            let known = self.store.is_known(id).await;
            let gone = self.store.is_tombstoned(id).await;
            match (known, gone) {
                (Ok(true), _) => {}
                (Ok(false), Ok(true)) => {
                    if let Err(error) = self.data.sweep(id).await {
                        tracing::warn!(tenant = %id, %error, "remove what is left of a tenant");
                    }
                }
                (Ok(false), Ok(false)) => {
                    tracing::warn!(tenant = %id, "a tenant folder is unknown to the control database; it is kept");
                }
                (Err(error), _) | (_, Err(error)) => {
                    return tracing::warn!(error = %Chain(&error), "look for orphan tenant folders");
                }
            }
        }
    }
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX)))
}
