//! Archives of tenants: made while the tenant is served, from one moment's snapshot.
//!
//! An export changes nothing of the tenant, so it is remembered while it lasts but not recorded: after a
//! crash there is nothing to undo. It may be asked for with a permit that only reads; it reads everything.

use super::operations::{Claim, idle};
use crate::Control;
use crate::error::ControlError;
use crate::ports::{ArchiveFacts, Counts};
use crate::store::TenantRow;
use rowhouse_identity::Operator;
use rowhouse_tenant::TenantState;
use std::io::Write;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

/// An export that may begin: the tenant is there and nothing else is under way with it.
pub(crate) struct Export {
    control: Arc<Control>,
    row: TenantRow,
    actor: String,
    _claim: Claim,
}

impl Control {
    /// Prepares an export of a tenant in any state but while it is made or removed.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Conflict`] where it can't be exported now.
    pub(crate) async fn export(self: &Arc<Self>, operator: &Operator, name: &str) -> Result<Export> {
        let row = self.row(name).await?;
        let claim = self.claim(&row, "export")?;
        // Read again under the claim: what began before it is recorded by now.
        let missing = || ControlError::not_found("tenant", &row.name);
        let row = self.store.tenant_by_id(row.id).await?.ok_or_else(missing)?;
        exportable(&row)?;
        Ok(Export { control: Arc::clone(self), row, actor: operator.reader().to_owned(), _claim: claim })
    }
}

/// Refuses a tenant that has no whole content.
pub(super) fn exportable(row: &TenantRow) -> Result<()> {
    match row.state {
        TenantState::Active | TenantState::Suspended | TenantState::Trashed => idle(row),
        TenantState::Provisioning | TenantState::Moving | TenantState::Deleting => {
            Err(ControlError::Conflict(format!("tenant `{}` is {}", row.name, row.state)))
        }
    }
}

impl Export {
    /// Writes the archive. `to` is used on threads that may block.
    ///
    /// # Errors
    /// [`ControlError::Refused`]; what was written is not an archive then.
    pub(crate) async fn run(self, to: Box<dyn Write + Send>) -> Result<Counts> {
        let (control, row) = (&self.control, &self.row);
        let tenant = control.seen(row);
        let written = control.data.export(&tenant, facts(row), to).await;
        let counts = written.map_err(ControlError::port("write the archive"))?;
        let mut change = control.store.change().await?;
        change.audit(&self.actor, "tenant.export", row, &told(&counts)).await?;
        change.commit().await?;
        Ok(counts)
    }

    /// The tenant's name.
    pub(crate) fn name(&self) -> &str {
        self.row.name.as_str()
    }
}

/// What an archive says of a tenant.
pub(super) fn facts(row: &TenantRow) -> ArchiveFacts {
    ArchiveFacts {
        name: row.name.to_string(),
        title: row.title.clone(),
        addresses: row.addresses.iter().map(ToString::to_string).collect(),
        url_prefix: row.url_prefix,
        settings: row.settings.clone(),
        locale: row.locale.clone(),
        time_zone: row.time_zone.clone(),
        release: row.release.as_ref().map(|release| release.name.to_string()),
        release_digest: row.release.as_ref().map(|release| release.digest),
        schema_version: row.schema_version,
        fingerprint: row.fingerprint,
    }
}

/// How much it was, for the trail.
pub(super) fn told(counts: &Counts) -> String {
    format!(
        "{} rows in {} tables, {} bytes in {} files",
        counts.rows, counts.tables, counts.file_bytes, counts.files
    )
}
