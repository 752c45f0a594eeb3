//! Making a tenant: recorded as provisioning first, then made, then active in one commit.
//!
//! A crash at any moment leaves a provisioning row, which no request can reach; [`Control::recover`] then
//! completes or cleans it. A failure is cleaned up at once. Work runs detached: a client that hangs up
//! changes nothing.

use super::import::reference;
use super::tenants::{
    check_settings, check_title, check_words, hold_addresses, read_addresses, read_outbound,
};
use crate::Control;
use crate::error::{ControlError, FieldError};
use crate::ports::SchemaState;
use crate::store::{ReleaseRow, TenantRow};
use crate::types::{CreateTenant, TenantView};
use rowhouse_base::id::TenantId;
use rowhouse_base::{TenantName, Timestamp};
use rowhouse_identity::Operator;
use rowhouse_tenant::{ReleaseName, TenantState};
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// Makes a tenant and waits until it is served.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with every wrong field, [`ControlError::Conflict`] for a name or address that is
    /// taken, [`ControlError::Refused`] where it could not be made; nothing half made stays.
    pub async fn create_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        request: CreateTenant,
    ) -> Result<TenantView> {
        let actor = operator.writer()?.to_owned();
        let control = Arc::clone(self);
        Self::detached("create tenant", async move {
            let row = control.draft(request).await?;
            let row = control.reserve(&actor, row, "tenant.create").await?;
            match control.complete(&actor, &row).await {
                Ok(row) => Ok(control.view(&row)),
                Err(error) => {
                    control.take_back(&actor, &row, &error).await;
                    Err(error)
                }
            }
        })
        .await
    }

    /// Checks a request whole and makes a row of it.
    pub(super) async fn draft(&self, request: CreateTenant) -> Result<TenantRow> {
        let mut wrong = Vec::new();
        let name = TenantName::parse(&request.name)
            .map_err(|error| wrong.push(FieldError { field: "name".into(), detail: error.to_string() }))
            .ok();
        let addresses = read_addresses(&request.addresses, &mut wrong);
        let outbound = read_outbound(&request.outbound, &mut wrong);
        check_words(request.locale.as_deref(), request.time_zone.as_deref(), &mut wrong);
        let title = request.title.unwrap_or_else(|| request.name.clone());
        check_title(&title, &mut wrong);
        check_settings(&request.settings, &mut wrong);
        let data_server = match self.data_server(request.data_server.as_deref()) {
            Ok(server) => server,
            Err(ControlError::Invalid(faults)) => {
                wrong.extend(faults);
                self.config.default_server.clone()
            }
            Err(other) => return Err(other),
        };
        let wanted = match request.release {
            Some(text) => Some(text),
            None => self.store.setting(super::DEFAULT_RELEASE).await?,
        };
        let release = match wanted {
            None => None,
            Some(text) => match self.known_release(&text).await {
                Ok(release) => Some(reference(&release)),
                Err(ControlError::NotFound { .. }) => {
                    let detail = format!("there is no release `{text}`");
                    wrong.push(FieldError { field: "release".into(), detail });
                    None
                }
                Err(other) => return Err(other),
            },
        };
        let (Some(name), true) = (name, wrong.is_empty()) else { return Err(ControlError::Invalid(wrong)) };
        Ok(TenantRow {
            id: TenantId::new(),
            name,
            title,
            state: TenantState::Provisioning,
            addresses,
            url_prefix: request.url_prefix.unwrap_or(true),
            settings: request.settings,
            outbound,
            locale: request.locale.unwrap_or_else(|| "en".into()),
            time_zone: request.time_zone.unwrap_or_else(|| "UTC".into()),
            release,
            previous_release: None,
            schema_version: 0,
            fingerprint: None,
            created_at: Timestamp::now(),
            trash_until: None,
            data_server,
            operation: None,
            revision: 0,
        })
    }

    /// Records that a tenant is about to be made. Its name and addresses are its own from here on.
    pub(super) async fn reserve(
        &self,
        actor: &str,
        mut row: TenantRow,
        action: &'static str,
    ) -> Result<TenantRow> {
        let mut change = self.store.change().await?;
        if change.name_is_taken(&row.name).await? {
            return Err(ControlError::Conflict(format!("there is a tenant `{}` already", row.name)));
        }
        if let Some(release) = &row.release
            && change.release(&release.name).await?.is_none()
        {
            return Err(ControlError::Conflict(format!("release `{}` was just deleted", release.name)));
        }
        change.add_tenant(&mut row).await?;
        hold_addresses(&mut change, &row).await?;
        change.audit(actor, action, &row, &row.id.to_string()).await?;
        change.commit().await?;
        Ok(row)
    }

    /// Makes what a provisioning tenant needs and lets it be served. May be repeated.
    pub(crate) async fn complete(&self, actor: &str, row: &TenantRow) -> Result<TenantRow> {
        let tenant = self.seen(row);
        self.data.provision(&tenant).await.map_err(ControlError::port("make the tenant's database"))?;
        let reached = self.equip(row).await?;
        let mut made = row.clone();
        if let Some(schema) = reached {
            made.schema_version = schema.version;
            made.fingerprint = Some(schema.fingerprint);
        }
        let mut change = self.store.change().await?;
        made.state = TenantState::Active;
        change.put_tenant(&mut made).await?;
        change.audit(actor, "tenant.activate", &made, "").await?;
        change.commit().await?;
        self.sync().await?;
        Ok(made)
    }

    /// Brings an empty database to the tenant's release, and runs that release's upgrade code. May be repeated.
    pub(super) async fn equip(&self, row: &TenantRow) -> Result<Option<SchemaState>> {
        let Some(release) = &row.release else { return Ok(None) };
        let tenant = self.seen(row);
        let release = self.known_release(release.name.as_str()).await?;
        self.reconciler.prepare(release.digest).await?;
        let migrated = self.data.migrate(&tenant, &release.migrations).await;
        let schema = migrated.map_err(ControlError::port("migrate the tenant's database"))?;
        if release.has_upgrade {
            self.modules
                .upgrade(&tenant, &release.digest, None, release.name.as_str())
                .await
                .map_err(ControlError::port("run the release's upgrade code"))?;
        }
        Ok(Some(schema))
    }

    /// Takes back a tenant that could not be made.
    pub(crate) async fn abandon(&self, actor: &str, row: &TenantRow, why: &str) -> Result<()> {
        let tenant = self.seen(row);
        self.data.remove(&tenant).await.map_err(ControlError::port("remove the half-made database"))?;
        let mut change = self.store.change().await?;
        change.remove_tenant(row).await?;
        change.audit(actor, "tenant.abandon", row, why).await?;
        change.commit().await?;
        self.sync().await
    }

    /// The release of this name.
    pub(crate) async fn known_release(&self, text: &str) -> Result<ReleaseRow> {
        let missing = || ControlError::not_found("release", text.chars().take(140).collect::<String>());
        let name: ReleaseName = text.parse().map_err(|_no_name| missing())?;
        self.store.release(&name).await?.ok_or_else(missing)
    }
}
