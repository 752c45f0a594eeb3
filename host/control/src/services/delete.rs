//! Deleting a tenant: to the trash first, then deleting, then gone with a receipt.
//!
//! Each state is committed and out of the snapshot before the work it names begins; each step may be
//! repeated after a crash. A purge that a crash cut short counts in its receipt what the last run removed.

use super::operations::idle;
use crate::Control;
use crate::error::ControlError;
use crate::ports::Kept;
use crate::store::{Change, ReceiptRow, TenantRow};
use crate::types::{DeleteOutcome, FoundView, Page, Paging, ReceiptView, RemovedView, TrashedView, rfc3339};
use rowhouse_identity::Operator;
use rowhouse_tenant::TenantState;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// Deletes a tenant; `confirm` is its name, typed again. With `now` it is gone when this returns, else it is
    /// kept in the trash; its name and addresses are free at once either way.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] where the name doesn't match, [`ControlError::Conflict`] where it is being made.
    pub async fn delete_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        name: &str,
        confirm: &str,
        now: bool,
    ) -> Result<DeleteOutcome> {
        let actor = operator.writer()?.to_owned();
        let row = self.row(name).await?;
        if confirm != row.name.as_str() {
            let detail = format!("type the name `{}` to confirm", row.name);
            return Err(ControlError::field("confirm", detail));
        }
        let control = Arc::clone(self);
        Self::detached("delete tenant", async move {
            if now {
                return control.purge(&actor, &row).await.map(DeleteOutcome::Gone);
            }
            let trashed = control.trash(&actor, &row).await?;
            let until = trashed.trash_until.map(rfc3339).unwrap_or_default();
            Ok(DeleteOutcome::Trashed(TrashedView { state: trashed.state.to_string(), trash_until: until }))
        })
        .await
    }

    /// A page of deletion receipts, newest tenant first.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn receipts(&self, _operator: &Operator, paging: &Paging) -> Result<Page<ReceiptView>> {
        let limit = paging.limit();
        let rows = self.store.receipts_page(paging.cursor(), limit + 1).await?;
        let page = Page::cut(rows, limit, |row| row.tenant.to_string());
        let items = page
            .items
            .iter()
            .filter_map(|row| match serde_json::from_str(&row.receipt) {
                Ok(receipt) => Some(receipt),
                Err(error) => {
                    tracing::error!(tenant = %row.tenant, %error, "read a receipt");
                    None
                }
            })
            .collect();
        Ok(Page { items, next: page.next })
    }

    async fn trash(&self, actor: &str, row: &TenantRow) -> Result<TenantRow> {
        let mut change = self.store.change().await?;
        let missing = || ControlError::not_found("tenant", &row.name);
        let mut row = change.tenant(row.id).await?.ok_or_else(missing)?;
        match row.state {
            TenantState::Active | TenantState::Suspended => {}
            TenantState::Trashed => return Ok(row),
            TenantState::Provisioning | TenantState::Moving | TenantState::Deleting => {
                return Err(ControlError::Conflict(format!("tenant `{}` is {}", row.name, row.state)));
            }
        }
        idle(&row)?;
        row.state = TenantState::Trashed;
        row.trash_until = Some(change.at().after(self.config.trash_period));
        change.put_tenant(&mut row).await?;
        change.put_addresses(&row).await?;
        change.audit(actor, "tenant.trash", &row, &row.id.to_string()).await?;
        change.commit().await?;
        self.sync().await?;
        Ok(row)
    }

    /// Removes everything of a tenant, looks again, and leaves a receipt.
    pub(crate) async fn purge(&self, actor: &str, row: &TenantRow) -> Result<ReceiptView> {
        // An export that is under way would break off.
        let _claim = self.claim(row, "deletion")?;
        let row = self.mark_deleting(actor, row).await?;
        let tenant = self.seen(&row);
        let removed =
            self.data.remove(&tenant).await.map_err(ControlError::port("remove the tenant's data"))?;
        let found = self.data.rescan(&tenant).await.map_err(ControlError::port("look for anything left"))?;
        if found != Kept::default() {
            // It stays in the state deleting; the next start or the housekeeping tries again.
            let left = format!(
                "{} bytes and {} files are left of `{}`",
                found.database_bytes + found.file_bytes,
                found.files,
                row.name
            );
            return Err(ControlError::Conflict(left));
        }
        let mut change = self.store.change().await?;
        if change.tenant(row.id).await?.is_none() {
            return Err(ControlError::not_found("tenant", &row.name));
        }
        let (sessions, memberships) = change.remove_tenant(&row).await?;
        let receipt = ReceiptView {
            tenant: row.id.to_string(),
            name: row.name.to_string(),
            removed: RemovedView {
                database_bytes: removed.database_bytes,
                files: removed.files,
                file_bytes: removed.file_bytes,
                sessions,
                memberships,
                addresses: u64::try_from(row.addresses.len()).unwrap_or(u64::MAX),
            },
            found_after: FoundView {
                database_bytes: found.database_bytes,
                files: found.files,
                file_bytes: found.file_bytes,
            },
            at: rfc3339(change.at()),
        };
        let text =
            serde_json::to_string(&receipt).map_err(|error| ControlError::Conflict(error.to_string()))?;
        change
            .add_receipt(&ReceiptRow { tenant: row.id, name: row.name.to_string(), receipt: text.clone() })
            .await?;
        change.audit(actor, "tenant.delete", &row, &text).await?;
        change.commit().await?;
        self.sync().await?;
        Ok(receipt)
    }

    /// Records that removal begins, and takes the tenant out of the snapshot.
    async fn mark_deleting(&self, actor: &str, row: &TenantRow) -> Result<TenantRow> {
        let mut change = self.store.change().await?;
        let missing = || ControlError::not_found("tenant", &row.name);
        let row = change.tenant(row.id).await?.ok_or_else(missing)?;
        match row.state {
            TenantState::Provisioning => {
                return Err(ControlError::Conflict(format!("tenant `{}` is being made", row.name)));
            }
            TenantState::Moving => {
                return Err(ControlError::Conflict(format!("tenant `{}` is being moved", row.name)));
            }
            TenantState::Deleting => return Ok(row),
            TenantState::Active | TenantState::Suspended | TenantState::Trashed => {}
        }
        idle(&row)?;
        self.end(actor, change, row).await
    }

    /// Marks a half-made tenant whose data can't be removed just now.
    pub(super) async fn give_up(&self, actor: &str, row: &TenantRow) -> Result<()> {
        let mut change = self.store.change().await?;
        match change.tenant(row.id).await? {
            Some(row) if row.state == TenantState::Provisioning => {
                self.end(actor, change, row).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn end(&self, actor: &str, mut change: Change, mut row: TenantRow) -> Result<TenantRow> {
        row.state = TenantState::Deleting;
        row.operation = None;
        change.put_tenant(&mut row).await?;
        change.put_addresses(&row).await?;
        change.audit(actor, "tenant.deleting", &row, "").await?;
        change.commit().await?;
        self.sync().await?;
        Ok(row)
    }
}
