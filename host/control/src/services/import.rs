//! Making a tenant from an archive, and from another tenant, which is an archive that is never kept.
//!
//! The new tenant is recorded as provisioning with the operation, so no request reaches it before its content
//! is in and compared. A failure or a crash takes back all of it: nobody can say how much was loaded.
//! It begins suspended unless asked otherwise; guests have no outbound calls, mail or jobs that it could
//! repeat in the original's name.

use super::export::{exportable, facts, told};
use crate::Control;
use crate::error::ControlError;
use crate::ports::{ArchiveFacts, PortError, StageError, StagedArchive};
use crate::store::{Operation, ReleaseRow, TenantRow};
use crate::types::{CloneTenant, CreateTenant, ImportTenant, TenantView};
use futures_util::future::join;
use rowhouse_base::Chain;
use rowhouse_identity::Operator;
use rowhouse_tenant::{ReleaseName, ReleaseRef, TenantState};
use std::io::Read;
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

/// How a tenant made from an archive differs from the one in it.
struct Wish {
    operation: Operation,
    action: &'static str,
    name: Option<String>,
    title: Option<String>,
    data_server: Option<String>,
    /// Whether it takes the addresses too.
    addresses: bool,
    /// Whether it is served at once.
    resume: bool,
}

impl Control {
    /// Takes an archive in and verifies all of it; nothing is made of it yet.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with what is wrong with it.
    pub(crate) async fn stage(
        &self,
        operator: &Operator,
        from: Box<dyn Read + Send>,
    ) -> Result<Box<dyn StagedArchive>> {
        operator.writer()?;
        Ok(self.data.stage(from).await?)
    }

    /// Makes a tenant from an archive and waits until its content is compared.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] for a name or address that is taken, or a release that is not here;
    /// [`ControlError::Refused`] where it could not be made; nothing half made stays.
    pub(crate) async fn import_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        archive: Box<dyn StagedArchive>,
        request: ImportTenant,
    ) -> Result<TenantView> {
        let actor = operator.writer()?.to_owned();
        let control = Arc::clone(self);
        Self::detached("import tenant", async move {
            let wish = Wish {
                operation: Operation::Import,
                action: "tenant.import",
                name: request.name,
                title: None,
                data_server: request.data_server,
                addresses: request.addresses.unwrap_or(true),
                resume: request.resume.unwrap_or(false),
            };
            control.make_from(&actor, archive, wish).await
        })
        .await
    }

    /// Makes a tenant with the content of another one, without its addresses and people.
    ///
    /// # Errors
    /// As for an import; [`ControlError::Conflict`] too while something else is under way with the other one.
    pub async fn clone_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        name: &str,
        request: CloneTenant,
    ) -> Result<TenantView> {
        let actor = operator.writer()?.to_owned();
        let row = self.row(name).await?;
        let claim = self.claim(&row, "clone")?;
        exportable(&row)?;
        let control = Arc::clone(self);
        Self::detached("clone tenant", async move {
            let archive = control.copied(&row).await?;
            drop(claim);
            let wish = Wish {
                operation: Operation::Clone,
                action: "tenant.clone",
                name: Some(request.name),
                title: request.title,
                data_server: Some(request.data_server.unwrap_or_else(|| row.data_server.to_string())),
                addresses: false,
                resume: request.resume.unwrap_or(false),
            };
            control.make_from(&actor, archive, wish).await
        })
        .await
    }

    /// A tenant's archive, from the export straight into the staging.
    async fn copied(&self, row: &TenantRow) -> Result<Box<dyn StagedArchive>> {
        let failed = ControlError::port("copy the tenant");
        let (read, write) = match std::io::pipe() {
            Ok(ends) => ends,
            Err(error) => return Err(failed(PortError::lasting(error.to_string()))),
        };
        let tenant = self.seen(row);
        let export = self.data.export(&tenant, facts(row), Box::new(write));
        match join(export, self.data.stage(Box::new(read))).await {
            (Ok(_), Ok(archive)) => Ok(archive),
            (Ok(_), Err(error)) => Err(failed(PortError::lasting(error.to_string()))),
            (Err(error), Ok(_)) => Err(failed(error)),
            // Either may be what the other one stumbled over.
            (Err(export), Err(stage)) => {
                let text = format!("{export}; {stage}");
                Err(failed(PortError { text, passing: export.passing }))
            }
        }
    }

    async fn make_from(
        &self,
        actor: &str,
        archive: Box<dyn StagedArchive>,
        wish: Wish,
    ) -> Result<TenantView> {
        let facts = archive.facts().clone();
        let release = self.release_of(&facts).await?;
        let schema =
            self.schema_of(facts.fingerprint, facts.schema_version, facts.release.as_deref()).await?;
        if let Some(release) = &release {
            self.reconciler.prepare(release.digest).await?;
        }
        let request = CreateTenant {
            name: wish.name.filter(|name| !name.is_empty()).unwrap_or_else(|| facts.name.clone()),
            title: Some(wish.title.unwrap_or_else(|| facts.title.clone())),
            release: None,
            addresses: if wish.addresses { facts.addresses.clone() } else { Vec::new() },
            url_prefix: Some(facts.url_prefix),
            locale: Some(facts.locale.clone()),
            time_zone: Some(facts.time_zone.clone()),
            settings: facts.settings.clone(),
            // The operator of this server decides; so a clone sends nothing until it is allowed to.
            outbound: Vec::new(),
            data_server: wish.data_server,
        };
        let mut row = self.draft(request).await?;
        row.release = release.as_ref().map(reference);
        row.operation = Some(wish.operation);
        let row = self.reserve(actor, row, wish.action).await?;
        let state = if wish.resume { TenantState::Active } else { TenantState::Suspended };
        let made = self.fill(actor, &row, archive, schema.as_ref(), state).await;
        match made {
            Ok(row) => Ok(self.view(&row)),
            Err(error) => {
                self.take_back(actor, &row, &error).await;
                Err(error)
            }
        }
    }

    /// Makes what the tenant needs, loads the content, and ends the operation.
    async fn fill(
        &self,
        actor: &str,
        row: &TenantRow,
        archive: Box<dyn StagedArchive>,
        schema: Option<&ReleaseRow>,
        state: TenantState,
    ) -> Result<TenantRow> {
        let tenant = self.seen(row);
        self.data.provision(&tenant).await.map_err(ControlError::port("make the tenant's database"))?;
        let mut reached = None;
        if let Some(schema) = schema {
            let migrated = self.data.migrate(&tenant, &schema.migrations).await;
            reached = Some(migrated.map_err(ControlError::port("migrate the tenant's database"))?);
        }
        let counts = archive.load(&tenant).await.map_err(ControlError::port("load the archive"))?;
        self.advance_to(actor, row, "tenant.activate", &told(&counts), |row| {
            row.state = state;
            row.operation = None;
            row.schema_version = reached.map_or(0, |schema| schema.version);
            row.fingerprint = reached.map(|schema| schema.fingerprint);
        })
        .await
    }

    /// Takes back a tenant that could not be made; what fails here is tried again at the next start.
    pub(super) async fn take_back(&self, actor: &str, row: &TenantRow, error: &ControlError) {
        let why = Chain(error).to_string();
        let Err(failure) = self.abandon(actor, row, &why).await else { return };
        tracing::error!(tenant = %row.id, error = %Chain(&failure), "clean up a half-made tenant");
        // Its name is free, and the housekeeping goes on with it.
        if let Err(failure) = self.give_up(actor, row).await {
            tracing::error!(tenant = %row.id, error = %Chain(&failure), "give up a half-made tenant");
        }
    }

    /// The release that an archive's tenant ran. Its bytes count, under whatever name they are here.
    pub(super) async fn release_of(&self, facts: &ArchiveFacts) -> Result<Option<ReleaseRow>> {
        let Some(ran) = &facts.release else { return Ok(None) };
        if let Ok(name) = ran.parse::<ReleaseName>()
            && let Some(release) = self.store.release(&name).await?
            && facts.release_digest.is_none_or(|digest| digest == release.digest)
        {
            return Ok(Some(release));
        }
        if let Some(digest) = &facts.release_digest
            && let Some(release) = self.store.release_with_bytes(digest).await?
        {
            return Ok(Some(release));
        }
        let digest = facts.release_digest.map(|digest| format!(" ({})", digest.short())).unwrap_or_default();
        let ran: String = ran.chars().take(140).collect();
        Err(ControlError::Conflict(format!(
            "the archive's tenant ran the release `{ran}`{digest}, which is not here: push it first"
        )))
    }
}

/// A release as a tenant runs it.
pub(super) fn reference(release: &ReleaseRow) -> ReleaseRef {
    ReleaseRef { name: release.name.clone(), digest: release.digest, reuse: None }
}

impl From<StageError> for ControlError {
    fn from(error: StageError) -> Self {
        match error {
            StageError::Faulty(why) => Self::field("archive", why),
            StageError::Port(source) => Self::Refused { doing: "take the archive in", source },
        }
    }
}
