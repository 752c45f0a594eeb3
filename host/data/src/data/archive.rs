//! The door for archives: chooses the tenant's engine and folders, and hands over.

use super::{Data, blocking};
use crate::DataError;
use crate::archive::{
    self, AnyExport, AnyImport, ArchiveError, ArchiveFacts, ArchiveSummary, ImportSummary, Source,
    StagedArchive, TableContent, Target,
};
use crate::mirrors::Mirrors;
use rowhouse_base::Subject;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use std::io::{self, Read, Write};
use std::sync::Arc;

impl Data {
    /// Writes an archive of a tenant: its rows over one snapshot, then its files as they are found. The
    /// tenant may go on meanwhile. Where the future is dropped, `to` has an archive that no reader takes.
    ///
    /// # Errors
    /// [`ArchiveError`]; what was written until then is not accepted by any reader.
    pub async fn export(
        &self,
        tenant: &Arc<Tenant>,
        facts: ArchiveFacts,
        to: impl Write + Send + 'static,
    ) -> Result<ArchiveSummary, ArchiveError> {
        archive::export(&Opened { data: self, tenant }, facts, true, to).await
    }

    /// Unpacks an archive into a folder of its own and checks every sum. No tenant is touched.
    ///
    /// # Errors
    /// [`ArchiveError`] naming the member; nothing is left then.
    pub async fn read_archive(
        &self,
        from: impl Read + Send + 'static,
    ) -> Result<StagedArchive, ArchiveError> {
        let home = Arc::clone(&self.home);
        let staging = blocking(move || home.stage()).await?;
        archive::read(from, staging, self.config.archive).await
    }

    /// Fills a tenant from an archive. The tenant is provisioned, migrated to the archive's schema version
    /// and not served; its rows are replaced, files it may not have. What was stored is read back and
    /// compared. Dropping the future may leave files behind: remove or reset the tenant then.
    ///
    /// # Errors
    /// [`ArchiveError`]; the tenant's tables and folder are empty then, or as they were.
    pub async fn import(
        &self,
        tenant: &Arc<Tenant>,
        archive: StagedArchive,
    ) -> Result<ImportSummary, ArchiveError> {
        let files = self.target(tenant).await?;
        let working = self.working(tenant);
        let result = archive::import(&Opened { data: self, tenant }, archive, Some(files)).await;
        working.settled().await;
        result
    }

    /// Rows and hash of each of a tenant's tables, to compare tenants on whichever engines.
    ///
    /// # Errors
    /// [`ArchiveError`] where a table can't be read.
    pub async fn content(&self, tenant: &Arc<Tenant>) -> Result<Vec<TableContent>, ArchiveError> {
        archive::content(self.exporter(tenant).await?).await
    }

    /// Empties a tenant's database: no tables, no migrations applied. Its files stay. Doing it again is
    /// harmless.
    ///
    /// # Errors
    /// [`DataError::Busy`] where connections stayed in use; nothing was changed then.
    pub async fn reset_database(&self, tenant: &Arc<Tenant>) -> Result<(), DataError> {
        let (id, waited) = (tenant.id, self.config.removal_wait);
        let database = |source| DataError::Database { tenant: id, source };
        let engine = self.engines.of(tenant).map_err(database)?;
        let working = self.working(tenant);
        let result = engine.reset(tenant, waited).await;
        working.settled().await;
        if result.map_err(database)? { Ok(()) } else { Err(DataError::Busy { tenant: id, waited }) }
    }

    /// Empties a tenant: no tables, no migrations applied, no files.
    ///
    /// # Errors
    /// As for [`Data::reset_database`]; the files stay then. Also where the bucket can't be emptied.
    pub async fn reset(&self, tenant: &Arc<Tenant>) -> Result<(), DataError> {
        self.reset_database(tenant).await?;
        if let Some(mirrors) = &self.mirrors {
            mirrors.forget(tenant.id);
            mirrors.bucket().delete_all(tenant.id).await?;
            // Who listed in between lists again.
            let moved = self.move_subjects(tenant, &[Subject::files()]).await;
            moved.map_err(|source| DataError::Database { tenant: tenant.id, source })?;
        }
        let (home, id) = (Arc::clone(&self.home), tenant.id);
        blocking(move || home.empty_files(id)).await?;
        self.meters.lock().remove(&id);
        Ok(())
    }

    /// Fills the empty, migrated database of `to` with the rows of `from`, the same tenant on another data
    /// server, and compares what both hold. Neither is served meanwhile. Files stay where they are.
    ///
    /// # Errors
    /// [`ArchiveError`]; `to` holds nothing then.
    pub async fn transfer(&self, from: &Arc<Tenant>, to: &Arc<Tenant>) -> Result<(), ArchiveError> {
        let home = Arc::clone(&self.home);
        let (file, again) = blocking(move || home.scratch()).await?;
        let facts = ArchiveFacts::of(from, None);
        archive::export(&Opened { data: self, tenant: from }, facts, false, file).await?;
        let staged = self.read_archive(again).await?;
        let working = self.working(to);
        let result = archive::import(&Opened { data: self, tenant: to }, staged, None).await.map(drop);
        working.settled().await;
        result
    }

    /// Where the files of an archive go.
    async fn target(&self, tenant: &Arc<Tenant>) -> Result<Target, ArchiveError> {
        let files = self.files(tenant).await?;
        let session = match &files.mirror {
            Some(mirror) => {
                let session = self.begin_files(tenant, mirror).await;
                session.ready().await?;
                Some(session)
            }
            None => None,
        };
        Ok(Target { files, session })
    }

    /// Where the files for an archive come from.
    async fn source(&self, tenant: &Arc<Tenant>) -> Result<Source, ArchiveError> {
        if let Some(mirrors) = &self.mirrors {
            return self.copied(mirrors, tenant.id).await;
        }
        let (home, id) = (Arc::clone(&self.home), tenant.id);
        let elsewhere = !self.engines.has_file(tenant);
        let (dir, _path) = blocking(move || home.files(id, elsewhere)).await?;
        Ok(Source { dir, _kept: None })
    }

    /// A copy of what the bucket has, for a mirror has placeholders and may change meanwhile.
    async fn copied(&self, mirrors: &Mirrors, id: TenantId) -> Result<Source, ArchiveError> {
        let home = Arc::clone(&self.home);
        let (kept, dir, to) = blocking(move || {
            let kept = home.stage()?;
            let open = || -> io::Result<_> { Ok((kept.dir().try_clone()?, kept.dir().try_clone()?)) };
            let (dir, to) = open().map_err(DataError::io("open", "staging"))?;
            Ok((kept, dir, to))
        })
        .await?;
        mirrors.bucket().copy_to(id, to).await?;
        Ok(Source { dir, _kept: Some(kept) })
    }

    async fn exporter(&self, tenant: &Arc<Tenant>) -> Result<AnyExport, ArchiveError> {
        let sql = |source| ArchiveError::Sql { action: "begin the export".into(), source };
        self.engines.of(tenant).map_err(sql)?.export(tenant).await.map_err(sql)
    }

    async fn importer(&self, tenant: &Arc<Tenant>) -> Result<AnyImport, ArchiveError> {
        let sql = |source| ArchiveError::Sql { action: "begin the import".into(), source };
        self.engines.of(tenant).map_err(sql)?.import(tenant).await.map_err(sql)
    }
}

/// A tenant's database, to be opened as often as the work needs it.
struct Opened<'a> {
    data: &'a Data,
    tenant: &'a Arc<Tenant>,
}

impl archive::Opens for Opened<'_> {
    async fn files(&self) -> Result<Source, ArchiveError> {
        self.data.source(self.tenant).await
    }

    async fn import(&self) -> Result<AnyImport, ArchiveError> {
        self.data.importer(self.tenant).await
    }

    async fn export(&self) -> Result<AnyExport, ArchiveError> {
        self.data.exporter(self.tenant).await
    }

    async fn schema_version(&self) -> Result<u32, ArchiveError> {
        let version = self.data.schema_version(self.tenant).await;
        version.map_err(|source| ArchiveError::Sql { action: "read the ledger of migrations".into(), source })
    }
}
