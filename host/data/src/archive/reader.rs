//! Reads an archive into a staging folder and checks every sum in it. What comes out, [`StagedArchive`],
//! is the proof: nothing of an archive that was not checked whole ever gets near a tenant.

use super::container::{ArchiveLimits, Member, read_exactly, read_members};
use super::content::{RowHasher, TableContent};
use super::manifest::{MANIFEST, MOST_MANIFEST, Manifest, MemberSum, SUM_BYTES, SUMS, Sums, table_member};
use super::rows::{BLOCK_ROWS, RowReader};
use super::staging::Staging;
use super::tree::folders;
use super::{ArchiveError, ArchiveFacts};
use rowhouse_base::Digest;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};

/// An archive, unpacked and checked. Dropping it removes what was unpacked; that blocks for as long.
pub struct StagedArchive {
    pub(super) staging: Staging,
    pub(super) manifest: Manifest,
    pub(super) tables: Vec<StagedTable>,
    pub(super) files: Vec<StagedFile>,
}

/// One table's rows.
pub(super) struct StagedTable {
    /// Names in the staging folder, in order.
    pub(super) parts: Vec<String>,
    pub(super) content: TableContent,
}

/// One of the tenant's files or folders.
pub(super) struct StagedFile {
    /// Relative to the tenant's folder.
    pub(super) path: String,
    /// Its name in the staging folder; none for a folder.
    pub(super) staged: Option<String>,
    pub(super) size: u64,
}

impl StagedArchive {
    /// What it says of the tenant it came from.
    #[must_use]
    pub fn facts(&self) -> &ArchiveFacts {
        &self.manifest.tenant
    }

    /// The engine it came from: `sqlite`, `postgresql` or `mysql`.
    #[must_use]
    pub fn engine(&self) -> &str {
        &self.manifest.engine
    }

    /// The version that a tenant's schema must have before an import.
    #[must_use]
    pub fn schema_version(&self) -> u32 {
        self.manifest.schema_version
    }

    /// The tables with what they hold.
    pub fn tables(&self) -> impl Iterator<Item = &TableContent> {
        self.tables.iter().map(|table| &table.content)
    }

    /// Number and bytes of the files, folders not counted.
    #[must_use]
    pub fn files(&self) -> (u64, u64) {
        let files = self.files.iter().filter(|file| file.staged.is_some());
        files.fold((0, 0), |(count, bytes), file| (count + 1, bytes.saturating_add(file.size)))
    }

    /// Tables that the export left out.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.manifest.left_out
    }
}

/// Unpacks and checks. Blocks.
pub(super) fn read(
    from: impl Read,
    staging: Staging,
    limits: &ArchiveLimits,
) -> Result<StagedArchive, ArchiveError> {
    let mut reader = Reader {
        staging,
        limits: *limits,
        manifest: None,
        sums: None,
        found: Vec::new(),
        names: HashSet::new(),
        parts: HashMap::new(),
        files: Vec::new(),
    };
    read_members(from, limits, &mut |member, bytes| reader.take(member, bytes))?;
    reader.finish()
}

struct Reader {
    staging: Staging,
    limits: ArchiveLimits,
    manifest: Option<Manifest>,
    sums: Option<Sums>,
    found: Vec<MemberSum>,
    names: HashSet<String>,
    /// Names of parts of tables, and where they are staged.
    parts: HashMap<String, String>,
    files: Vec<StagedFile>,
}

impl Reader {
    fn take(&mut self, member: &Member, bytes: &mut dyn Read) -> Result<(), ArchiveError> {
        let name = member.name.as_str();
        let refused = |reason: &str| Err(ArchiveError::refused(name, reason));
        if self.sums.is_some() {
            return refused("it follows the checksums, which come last");
        }
        if self.manifest.is_none() && name != MANIFEST {
            return refused("the manifest comes first");
        }
        // Tools add the folders they packed.
        if member.is_folder && matches!(name, "tables" | "files") {
            return Ok(());
        }
        if !self.names.insert(name.to_owned()) {
            return refused("it comes twice");
        }
        if member.is_folder {
            let Some(path) = name.strip_prefix("files/") else {
                return refused("no such folder belongs in an archive");
            };
            self.files.push(StagedFile { path: path.to_owned(), staged: None, size: 0 });
            self.found.push(MemberSum { name: name.to_owned(), size: 0, sha256: None });
            return Ok(());
        }
        match name {
            MANIFEST => {
                let text = self.whole(member, bytes, MOST_MANIFEST)?;
                self.manifest = Some(Manifest::read(&text)?);
                Ok(())
            }
            SUMS => {
                let most = self.limits.members.saturating_mul(SUM_BYTES);
                let text = self.whole(member, bytes, most)?;
                self.found.pop();
                let sums = serde_json::from_slice(&text);
                self.sums = Some(sums.map_err(|error| ArchiveError::refused(SUMS, error.to_string()))?);
                Ok(())
            }
            _ if name.starts_with("tables/") => {
                let staged = self.stage(member, bytes)?;
                self.parts.insert(name.to_owned(), staged);
                Ok(())
            }
            _ => {
                let Some(path) = name.strip_prefix("files/") else {
                    return refused("no such member belongs in an archive");
                };
                let staged = Some(self.stage(member, bytes)?);
                self.files.push(StagedFile { path: path.to_owned(), staged, size: member.size });
                Ok(())
            }
        }
    }

    /// A member that is needed in memory.
    fn whole(&mut self, member: &Member, bytes: &mut dyn Read, most: u64) -> Result<Vec<u8>, ArchiveError> {
        if member.size > most {
            let limit = format!("{most} bytes for this member");
            return Err(ArchiveError::TooLarge { member: member.name.clone(), limit });
        }
        let mut text = Vec::new();
        read_exactly(bytes, member, |bytes| {
            text.extend_from_slice(bytes);
            Ok(())
        })?;
        self.note(member, Digest::of(&text));
        Ok(text)
    }

    /// A member that is kept in a file.
    fn stage(&mut self, member: &Member, bytes: &mut dyn Read) -> Result<String, ArchiveError> {
        let (mut file, staged) = self.staging.create()?;
        let mut sum = Sha256::new();
        let staging = &self.staging;
        read_exactly(bytes, member, |bytes| {
            sum.update(bytes);
            file.write_all(bytes).map_err(|error| staging.failed("write")(error).into())
        })?;
        self.note(member, Digest::from(<[u8; 32]>::from(sum.finalize())));
        Ok(staged)
    }

    fn note(&mut self, member: &Member, sha256: Digest) {
        self.found.push(MemberSum { name: member.name.clone(), size: member.size, sha256: Some(sha256) });
    }

    fn finish(self) -> Result<StagedArchive, ArchiveError> {
        let missing = |name: &str| ArchiveError::refused(name, "it is missing");
        let manifest = self.manifest.ok_or_else(|| missing(MANIFEST))?;
        let sums = self.sums.ok_or_else(|| missing(SUMS))?;
        compare(&self.found, &sums.members)?;
        let mut parts = self.parts;
        let mut tables = Vec::new();
        let mut contents = sums.tables.into_iter();
        for table in &manifest.tables {
            let name = &table.shape.name;
            let content = contents.next().filter(|content| content.table == *name);
            let content = content
                .ok_or_else(|| ArchiveError::refused(SUMS, format!("it has no sum for table {name}")))?;
            let mut staged = Vec::new();
            while let Some(part) = parts.remove(&table_member(name, staged.len() + 1)) {
                staged.push(part);
            }
            if staged.is_empty() {
                return Err(missing(&table_member(name, 1)));
            }
            tables.push(StagedTable { parts: staged, content });
        }
        if let Some(stranger) = parts.keys().min() {
            return Err(ArchiveError::refused(stranger.as_str(), "no table of the manifest has such a part"));
        }
        if let Some(table) = contents.next() {
            let reason = format!("the manifest has no table {}", table.table);
            return Err(ArchiveError::refused(SUMS, reason));
        }
        let archive = StagedArchive { staging: self.staging, manifest, tables, files: self.files };
        check_files(&archive.files)?;
        for (place, table) in archive.tables.iter().enumerate() {
            check_rows(&archive, place, table)?;
        }
        Ok(archive)
    }
}

fn compare(found: &[MemberSum], claimed: &[MemberSum]) -> Result<(), ArchiveError> {
    let mut claims: HashMap<&str, &MemberSum> = HashMap::new();
    for claim in claimed {
        if claims.insert(&claim.name, claim).is_some() {
            return Err(ArchiveError::refused(SUMS, format!("it has `{}` twice", claim.name)));
        }
    }
    for member in found {
        match claims.remove(member.name.as_str()) {
            Some(claim) if claim == member => {}
            Some(_other) => {
                return Err(ArchiveError::refused(
                    member.name.as_str(),
                    "its bytes are not those that were written: the checksum differs",
                ));
            }
            None => return Err(ArchiveError::refused(member.name.as_str(), "it has no checksum")),
        }
    }
    match claims.keys().min() {
        Some(missing) => Err(ArchiveError::refused(*missing, "it is missing")),
        None => Ok(()),
    }
}

/// No file may be where another has its folder.
fn check_files(files: &[StagedFile]) -> Result<(), ArchiveError> {
    let folders = folders(files);
    match files.iter().find(|file| file.staged.is_some() && folders.contains(file.path.as_str())) {
        Some(file) => {
            Err(ArchiveError::refused(format!("files/{}", file.path), "it is both a file and a folder"))
        }
        None => Ok(()),
    }
}

/// Every row reads, and together they are what the sums say.
fn check_rows(archive: &StagedArchive, place: usize, table: &StagedTable) -> Result<(), ArchiveError> {
    let Some(archived) = archive.manifest.tables.get(place) else { return Ok(()) };
    let mut hasher = RowHasher::new(archived.shape.columns.iter().map(|column| column.name.as_str()));
    let mut rows = RowReader::open(archive, place)?;
    loop {
        let block = rows.next(BLOCK_ROWS)?;
        if block.is_empty() {
            break;
        }
        block.iter().for_each(|row| hasher.add(row));
    }
    let content = hasher.finish(&table.content.table);
    if content != table.content {
        let reason = format!(
            "it has {} rows with the sum {}, and {SUMS} says {} with {}",
            content.rows,
            content.content.short(),
            table.content.rows,
            table.content.content.short()
        );
        return Err(ArchiveError::refused(table_member(&content.table, 1), reason));
    }
    Ok(())
}
