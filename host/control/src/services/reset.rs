//! Emptying a suspended tenant: database and files as on its first day, at the release it runs.
//!
//! It can't be undone, so the name is asked for. Once recorded it is finished, after a crash at the next
//! start; one that failed may be asked for again, and nothing else can be done with the tenant until then.

use crate::Control;
use crate::error::ControlError;
use crate::store::{Operation, TenantRow};
use crate::types::TenantView;
use rowhouse_identity::Operator;
use rowhouse_tenant::TenantState;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// Empties a suspended tenant; `confirm` is its name, typed again.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] where the name doesn't match, [`ControlError::Conflict`] where it is not suspended.
    pub async fn reset_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        name: &str,
        confirm: &str,
    ) -> Result<TenantView> {
        let actor = operator.writer()?.to_owned();
        let row = self.row(name).await?;
        if confirm != row.name.as_str() {
            return Err(ControlError::field("confirm", format!("type the name `{}` to confirm", row.name)));
        }
        let claim = self.claim(&row, "reset")?;
        let control = Arc::clone(self);
        Self::detached("reset tenant", async move {
            let row = control.begin(&actor, &row, &[TenantState::Suspended], Operation::Reset, "").await?;
            let row = control.finish_reset(&actor, &row).await?;
            drop(claim);
            Ok(control.view(&row))
        })
        .await
    }

    /// Empties the tenant and brings it to its release. May be repeated.
    pub(super) async fn finish_reset(&self, actor: &str, row: &TenantRow) -> Result<TenantRow> {
        let tenant = self.seen(row);
        self.data.reset(&tenant).await.map_err(ControlError::port("empty the tenant"))?;
        let reached = self.equip(row).await?;
        self.advance_to(actor, row, "tenant.emptied", "", |row| {
            row.operation = None;
            row.schema_version = reached.map_or(0, |schema| schema.version);
            row.fingerprint = reached.map(|schema| schema.fingerprint);
        })
        .await
    }
}
