//! The order of an export and of an import, over any engine. Called by the room's door with the engine
//! and the folders chosen.

use super::container::ArchiveLimits;
use super::content::TableContent;
use super::load::{self, Pair};
use super::manifest::{ArchivedTable, Manifest};
use super::reader::{self, StagedArchive};
use super::staging::Staging;
use super::tree::{paths, place, remove_all};
use super::writer::{ArchiveSummary, ArchiveWriter};
use super::{AnyExport, AnyImport, ArchiveError, ArchiveFacts, blocking};
use crate::MirrorSession;
use crate::files::TenantFiles;
use crate::transfer::{Export as _, Import as _};
use cap_std::fs::Dir;
use std::io::{Read, Write};
use std::sync::Arc;

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSummary {
    /// The tables that were filled, by the names they have here, with what they hold now.
    pub tables: Vec<TableContent>,
    /// Tables of the tenant that the archive does not have. They are empty.
    pub emptied: Vec<String>,
    /// Number of files, folders not counted.
    pub files: u64,
    /// Sum of the sizes of the files.
    pub file_bytes: u64,
}

/// A folder whose files go into an archive, and what it is kept in for as long as that takes.
pub(crate) struct Source {
    pub(crate) dir: Dir,
    pub(crate) _kept: Option<Staging>,
}

/// Where an archive's files go.
pub(crate) struct Target {
    pub(crate) files: TenantFiles,
    /// Where the folder is a mirror: what is put there is stored through it.
    pub(crate) session: Option<Arc<MirrorSession>>,
}

/// One tenant's database, opened as often as the work needs it, and its files.
pub(crate) trait Opens: Sync {
    fn files(&self) -> impl Future<Output = Result<Source, ArchiveError>> + Send;
    fn import(&self) -> impl Future<Output = Result<AnyImport, ArchiveError>> + Send;
    fn export(&self) -> impl Future<Output = Result<AnyExport, ArchiveError>> + Send;
    fn schema_version(&self) -> impl Future<Output = Result<u32, ArchiveError>> + Send;
}

/// Writes an archive, the tenant's files too where they are asked for.
pub(crate) async fn export<W: Write + Send + 'static>(
    opens: &impl Opens,
    facts: ArchiveFacts,
    with_files: bool,
    to: W,
) -> Result<ArchiveSummary, ArchiveError> {
    let version = opens.schema_version().await?;
    let mut export = opens.export().await?;
    let tables = export
        .tables()
        .iter()
        .map(|shape| ArchivedTable { shape: shape.clone(), sequence: export.sequence(&shape.name) });
    let manifest = Manifest::new(export.dialect(), version, facts, tables.collect(), export.left_out());
    let writer = blocking(move || ArchiveWriter::begin(to, &manifest)).await?;
    let mut writer = load::write_tables(&mut export, writer).await?;
    // The snapshot is no longer needed while the files are copied, and its connection may be the only one.
    drop(export);
    if opens.schema_version().await? != version {
        return Err(ArchiveError::Migrating);
    }
    // After the rows: a file that a row speaks of was there before the row.
    let files = if with_files { Some(opens.files().await?) } else { None };
    blocking(move || {
        if let Some(files) = &files {
            writer.files(&files.dir)?;
        }
        writer.finish()
    })
    .await
}

/// Unpacks and checks an archive.
pub(crate) async fn read(
    from: impl Read + Send + 'static,
    staging: Staging,
    limits: ArchiveLimits,
) -> Result<StagedArchive, ArchiveError> {
    blocking(move || reader::read(from, staging, &limits)).await
}

/// Counts and hashes every table.
pub(crate) async fn content(mut export: AnyExport) -> Result<Vec<TableContent>, ArchiveError> {
    load::content(&mut export).await
}

/// Fills a tenant's tables and folder; the tables alone where no folder is given. Where it fails, both are
/// empty, or as they were.
pub(crate) async fn import(
    opens: &impl Opens,
    archive: StagedArchive,
    files: Option<Target>,
) -> Result<ImportSummary, ArchiveError> {
    let archive = Arc::new(archive);
    let result = fill(opens, &archive, files.map(Arc::new)).await;
    // Removing what was unpacked blocks. Where it fails, the next start removes it.
    let _removed = blocking(move || {
        drop(archive);
        Ok(())
    })
    .await;
    result
}

async fn fill(
    opens: &impl Opens,
    archive: &Arc<StagedArchive>,
    files: Option<Arc<Target>>,
) -> Result<ImportSummary, ArchiveError> {
    let version = opens.schema_version().await?;
    if version != archive.schema_version() {
        return Err(ArchiveError::Schema { archive: archive.schema_version(), tenant: version });
    }
    let mut import = opens.import().await?;
    let targets: Vec<_> = import.tables().iter().map(|shape| shape.name.clone()).collect();
    let pairs = load::pair(archive, import.tables())?;
    let loose = import.is_loose();
    let sequence = |pair: &Pair| archive.manifest.tables.get(pair.place).and_then(|table| table.sequence);
    let sequences =
        pairs.iter().filter_map(|pair| sequence(pair).map(|highest| (pair.table.clone(), highest))).collect();
    import.set_sequences(sequences).await.map_err(ArchiveError::sql("set the counters of keys"))?;
    let expected = load::load(&mut import, archive, &pairs, loose).await?;
    if let Some(files) = &files {
        put_files(archive, files).await?;
    }
    // From here on there is something to take back.
    let finished = import.finish().await.map_err(ArchiveError::sql("commit the rows"));
    let committed = finished.is_ok();
    let result = match finished {
        Ok(()) => verify(opens, &pairs, &expected).await,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        take_back(opens, committed, Arc::clone(archive), files).await;
        return Err(error);
    }
    let emptied = targets.into_iter().filter(|name| !pairs.iter().any(|pair| pair.table == *name)).collect();
    let (count, file_bytes) = archive.files();
    Ok(ImportSummary { tables: expected, emptied, files: count, file_bytes })
}

async fn verify(opens: &impl Opens, pairs: &[Pair], expected: &[TableContent]) -> Result<(), ArchiveError> {
    load::verify(&mut opens.export().await?, pairs, expected).await
}

/// Puts the archive's files where they belong: all of them, or none.
async fn put_files(archive: &Arc<StagedArchive>, target: &Arc<Target>) -> Result<(), ArchiveError> {
    let (staged, placed) = (Arc::clone(archive), Arc::clone(target));
    blocking(move || place(&staged.files, &staged.staging, &placed.files)).await?;
    let Err(error) = store(archive, target).await else { return Ok(()) };
    if let Err(error) = take_files_back(archive, target).await {
        tracing::error!(%error, "files of an import that failed are left: reset the tenant");
    }
    Err(error)
}

/// Makes a bucket have what the folder has, of all that the archive speaks of.
async fn store(archive: &StagedArchive, target: &Target) -> Result<(), ArchiveError> {
    let Some(session) = &target.session else { return Ok(()) };
    paths(&archive.files).for_each(|path| session.note(path));
    Ok(session.push().await?)
}

async fn take_files_back(archive: &Arc<StagedArchive>, target: &Arc<Target>) -> Result<(), ArchiveError> {
    let (staged, placed) = (Arc::clone(archive), Arc::clone(target));
    blocking(move || {
        remove_all(&staged.files, &placed.files);
        Ok(())
    })
    .await?;
    store(archive, target).await
}

async fn take_back(
    opens: &impl Opens,
    committed: bool,
    archive: Arc<StagedArchive>,
    files: Option<Arc<Target>>,
) {
    let removed = async {
        match &files {
            Some(files) => take_files_back(&archive, files).await,
            None => Ok(()),
        }
    };
    let cleared = async {
        if committed {
            let mut import = opens.import().await?;
            import.clear().await.map_err(ArchiveError::sql("clear the tables"))?;
            import.finish().await.map_err(ArchiveError::sql("commit the clearing"))?;
        }
        Ok::<(), ArchiveError>(())
    };
    let (removed, cleared) = (removed.await, cleared.await);
    if let Err(error) = removed.and(cleared) {
        tracing::error!(%error, "an import that failed was not taken back whole: reset the tenant");
    }
}
