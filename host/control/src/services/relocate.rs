//! Moving a tenant to another data server.
//!
//! Visitors get 503 from the first change to the flip. Before the flip the old server has the data and the
//! copy is thrown away where anything fails; after it the new one has, and what is left on the old one is
//! removed, now or later. The flip is one change, so there is no moment at which both or neither count.
//! Files are in the data folder whatever the server, and stay there.

use super::operations::Claim;
use crate::Control;
use crate::error::ControlError;
use crate::store::{Operation, TenantRow};
use crate::types::{MoveTenant, TenantView};
use rowhouse_base::{Chain, DataServerName};
use rowhouse_identity::Operator;
use rowhouse_tenant::TenantState;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// Moves a tenant's database to another data server and waits until it is served from there.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] for a server that is not configured, [`ControlError::Conflict`] where it is there
    /// already or something else is under way, [`ControlError::Refused`] where the copy failed; it is served
    /// from the old server then.
    pub async fn move_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        name: &str,
        request: MoveTenant,
    ) -> Result<TenantView> {
        let actor = operator.writer()?.to_owned();
        let row = self.row(name).await?;
        if request.data_server.is_empty() {
            return Err(ControlError::field("data_server", "name the data server to move to"));
        }
        let to = self.data_server(Some(&request.data_server))?;
        if to == row.data_server {
            return Err(ControlError::Conflict(format!("tenant `{}` is on `{to}` already", row.name)));
        }
        let claim = self.claim(&row, "move")?;
        let control = Arc::clone(self);
        Self::detached("move tenant", async move { control.relocate(&actor, &row, to, claim).await }).await
    }

    async fn relocate(
        &self,
        actor: &str,
        row: &TenantRow,
        to: DataServerName,
        _claim: Claim,
    ) -> Result<TenantView> {
        let before = self.directory.snapshot().by_id(row.id).map(Arc::downgrade);
        let from = row.data_server.clone();
        let was = row.state;
        let operation = Operation::Move { to: to.clone(), was };
        let states = [TenantState::Active, TenantState::Suspended];
        let row = self.begin(actor, row, &states, operation, &format!("{from} to {to}")).await?;
        if let Some(before) = before {
            self.settle(before).await;
        }
        if let Err(error) = self.copy_to(&row, &to).await {
            let why = Chain(&error).to_string();
            self.undo_move(&row, &to, was, &why).await?;
            return Err(error);
        }
        let flipped = self
            .advance_to(actor, &row, "tenant.moved", &format!("{from} to {to}"), |row| {
                row.data_server = to;
                row.state = was;
                row.operation = Some(Operation::Leave { from: from.clone() });
            })
            .await?;
        match self.finish_leaving(&flipped, &from).await {
            Ok(()) => Ok(self.view(&self.row(flipped.name.as_str()).await?)),
            Err(error) => {
                // It is served from the new server; what is left is tried again by the hour.
                tracing::error!(tenant = %flipped.id, server = %from, error = %Chain(&error), "remove a moved database");
                Ok(self.view(&flipped))
            }
        }
    }

    /// Makes the database on the other server, whole and compared.
    async fn copy_to(&self, row: &TenantRow, to: &DataServerName) -> Result<()> {
        let ran = row.release.as_ref().map(|release| release.name.as_str());
        let schema = self.schema_of(row.fingerprint, row.schema_version, ran).await?;
        let (here, there) = (self.seen(row), self.seen_on(row, to));
        // A copy that was cut short and could not be thrown away.
        let cleared = self.data.remove_database(&there).await;
        cleared.map_err(ControlError::port("clear the other server"))?;
        self.data.provision(&there).await.map_err(ControlError::port("make the database there"))?;
        if let Some(schema) = schema {
            let migrated = self.data.migrate(&there, &schema.migrations).await;
            migrated.map_err(ControlError::port("migrate the database there"))?;
        }
        self.data.transfer(&here, &there).await.map_err(ControlError::port("copy the rows"))?;
        let read = "read the tables of both servers";
        let before = self.data.content(&here).await.map_err(ControlError::port(read))?;
        let after = self.data.content(&there).await.map_err(ControlError::port(read))?;
        if before == after {
            return Ok(());
        }
        let other = before.iter().find(|table| !after.contains(table)).or_else(|| after.first());
        let table = other.map(|table| table.name.as_str()).unwrap_or_default();
        Err(ControlError::Conflict(format!("the copy differs from the original in table `{table}`")))
    }

    /// Throws the copy away and serves the tenant from where it was.
    pub(super) async fn undo_move(
        &self,
        row: &TenantRow,
        to: &DataServerName,
        was: TenantState,
        why: &str,
    ) -> Result<()> {
        // A server that is away must not keep the tenant off the air: what is left there is removed later.
        let left = self.data.remove_database(&self.seen_on(row, to)).await;
        if let Err(error) = &left {
            tracing::warn!(tenant = %row.id, server = %to, %error, "throw a copy away");
        }
        let back = |row: &mut TenantRow| {
            row.state = was;
            row.operation = left.is_err().then(|| Operation::Leave { from: to.clone() });
        };
        self.advance_to(super::recover::SERVER, row, "tenant.move-undone", why, back).await.map(drop)
    }

    /// Removes what a moved tenant left behind.
    pub(super) async fn finish_leaving(&self, row: &TenantRow, from: &DataServerName) -> Result<()> {
        if self.config.data_servers.contains(from) {
            let left = self.data.remove_database(&self.seen_on(row, from)).await;
            left.map_err(ControlError::port("remove the database from the old server"))?;
        } else {
            tracing::warn!(tenant = %row.id, server = %from, "the old server is not configured any more");
        }
        let detail = format!("nothing is left on {from}");
        let end = |row: &mut TenantRow| row.operation = None;
        self.advance_to(super::recover::SERVER, row, "tenant.move-done", &detail, end).await.map(drop)
    }
}
