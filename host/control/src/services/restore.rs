//! Putting an archive in place of a suspended tenant's content.
//!
//! Names of databases and folders come from the tenant's id, so the new content can't be made beside the old.
//! The old content is therefore saved first, as an archive in the data folder; then the tenant is emptied
//! and filled. Whatever fails, or a crash, puts back what was saved. What an archive says of release, title,
//! settings, language and time zone is restored with it; name, addresses and people stay the tenant's own.

use super::export::{facts, told};
use super::import::reference;
use crate::Control;
use crate::error::ControlError;
use crate::ports::{PortError, SchemaState, StagedArchive};
use crate::store::{Operation, ReleaseRow, TenantRow};
use crate::types::TenantView;
use rowhouse_base::Chain;
use rowhouse_identity::Operator;
use rowhouse_tenant::TenantState;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Result<T> = std::result::Result<T, ControlError>;

impl Control {
    /// Replaces a suspended tenant's content as a whole.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] where it is not suspended or the archive's release is not here;
    /// [`ControlError::Refused`] where the archive could not be loaded; the old content is there then.
    pub(crate) async fn restore_tenant(
        self: &Arc<Self>,
        operator: &Operator,
        name: &str,
        archive: Box<dyn StagedArchive>,
    ) -> Result<TenantView> {
        let actor = operator.writer()?.to_owned();
        let row = self.row(name).await?;
        let claim = self.claim(&row, "restore")?;
        let control = Arc::clone(self);
        Self::detached("restore tenant", async move {
            let row = control.replace(&actor, &row, archive).await?;
            drop(claim);
            Ok(control.view(&row))
        })
        .await
    }

    async fn replace(
        &self,
        actor: &str,
        row: &TenantRow,
        archive: Box<dyn StagedArchive>,
    ) -> Result<TenantRow> {
        let told_of = archive.facts().clone();
        let release = self.release_of(&told_of).await?;
        let ran = told_of.release.as_deref();
        let schema = self.schema_of(told_of.fingerprint, told_of.schema_version, ran).await?;
        if let Some(release) = &release {
            self.reconciler.prepare(release.digest).await?;
        }
        let row = self.begin(actor, row, &[TenantState::Suspended], Operation::Save, &told_of.name).await?;
        if let Err(error) = self.save(&row).await {
            self.undo_save(&row).await?;
            return Err(error);
        }
        let saved = |row: &mut TenantRow| row.operation = Some(Operation::Restore);
        let row = self.advance_to(actor, &row, "tenant.saved", "the old content is saved", saved).await?;
        match self.load(&row, archive, schema.as_ref()).await {
            Ok((reached, detail)) => {
                let edit = |row: &mut TenantRow| {
                    row.operation = None;
                    row.title.clone_from(&told_of.title);
                    row.settings.clone_from(&told_of.settings);
                    row.locale.clone_from(&told_of.locale);
                    row.time_zone.clone_from(&told_of.time_zone);
                    row.previous_release = row.release.take().map(|release| release.name);
                    row.release = release.as_ref().map(reference);
                    row.schema_version = reached.map_or(0, |schema| schema.version);
                    row.fingerprint = reached.map(|schema| schema.fingerprint);
                };
                let row = self.advance_to(actor, &row, "tenant.restored", &detail, edit).await?;
                self.forget_saved(&row);
                Ok(row)
            }
            Err(error) => {
                let why = Chain(&error).to_string();
                self.put_back(&row, &why).await?;
                Err(error)
            }
        }
    }

    /// Empties the tenant and fills it.
    async fn load(
        &self,
        row: &TenantRow,
        archive: Box<dyn StagedArchive>,
        schema: Option<&ReleaseRow>,
    ) -> Result<(Option<SchemaState>, String)> {
        let tenant = self.seen(row);
        self.data.reset(&tenant).await.map_err(ControlError::port("empty the tenant"))?;
        let mut reached = None;
        if let Some(schema) = schema {
            let migrated = self.data.migrate(&tenant, &schema.migrations).await;
            reached = Some(migrated.map_err(ControlError::port("migrate the tenant's database"))?);
        }
        let counts = archive.load(&tenant).await.map_err(ControlError::port("load the archive"))?;
        Ok((reached, told(&counts)))
    }

    /// Saves the content that is about to be replaced.
    async fn save(&self, row: &TenantRow) -> Result<()> {
        let path = self.saved(row);
        let failed = |error: io::Error| {
            let text = format!("{}: {error}", path.display());
            ControlError::port("save the old content")(PortError::lasting(text))
        };
        let file = create(&path).map_err(failed)?;
        let tenant = self.seen(row);
        let written = self.data.export(&tenant, facts(row), Box::new(Durable(file))).await;
        written.map(drop).map_err(ControlError::port("save the old content"))
    }

    /// Ends a restore that changed nothing yet.
    pub(super) async fn undo_save(&self, row: &TenantRow) -> Result<()> {
        let end = |row: &mut TenantRow| row.operation = None;
        let why = "the old content could not be saved";
        self.advance_to(super::recover::SERVER, row, "tenant.restore-undone", why, end).await?;
        self.forget_saved(row);
        Ok(())
    }

    /// Puts back what was saved.
    pub(super) async fn put_back(&self, row: &TenantRow, why: &str) -> Result<()> {
        let path = self.saved(row);
        let file = File::open(&path).map_err(|error| {
            let text = format!("{}: {error}", path.display());
            ControlError::port("open the saved content")(PortError::lasting(text))
        })?;
        let archive = self.data.stage(Box::new(file)).await?;
        let ran = row.release.as_ref().map(|release| release.name.as_str());
        let schema = self.schema_of(row.fingerprint, row.schema_version, ran).await?;
        self.load(row, archive, schema.as_ref()).await?;
        let end = |row: &mut TenantRow| row.operation = None;
        self.advance_to(super::recover::SERVER, row, "tenant.restore-undone", why, end).await?;
        self.forget_saved(row);
        Ok(())
    }

    fn saved(&self, row: &TenantRow) -> PathBuf {
        self.config.saved_dir.join(format!("{}.tar.zst", row.id))
    }

    fn forget_saved(&self, row: &TenantRow) {
        let path = self.saved(row);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "remove saved content");
            }
            _ => {}
        }
    }
}

/// A file for its owner alone, in place of any older one. Its folder is made and written to disk too.
fn create(path: &Path) -> io::Result<File> {
    let dir = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    File::open(dir)?.sync_all()?;
    Ok(file)
}

/// A file whose bytes are on the disk once it was flushed.
struct Durable(File);

impl Write for Durable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}
