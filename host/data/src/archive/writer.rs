//! Writes an archive to any stream, in constant memory: rows are kept until they make a part of some
//! megabytes, files are copied through.
//!
//! Blocks on the stream. Where it is dropped before [`ArchiveWriter::finish`], what was written has no
//! sums and no reader takes it.

use super::content::{RowHasher, TableContent};
use super::manifest::{MANIFEST, Manifest, MemberSum, SUMS, Sums, table_member};
use super::tree::{Found, walk};
use super::{ArchiveError, cell};
use crate::Value;
use cap_std::fs::Dir;
use rowhouse_base::Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};
use tar::{Builder, EntryType, Header};
use zstd::stream::write::Encoder;

/// Bytes of a part of a table. A tar member needs its size before its bytes, so a part is kept in memory.
const PART: usize = 4 << 20;

/// The compression's own default: faster than most networks.
const LEVEL: i32 = 3;

/// What an export wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// The tables, with what they hold.
    pub tables: Vec<TableContent>,
    /// Number of files, folders not counted.
    pub files: u64,
    /// Sum of the sizes of the files.
    pub file_bytes: u64,
    /// Tables and files that are not in the archive.
    pub left_out: Vec<String>,
}

/// An archive being written.
pub(super) struct ArchiveWriter<W: Write> {
    tar: Builder<Encoder<'static, W>>,
    sums: Sums,
    table: Option<OpenTable>,
    left_out: Vec<String>,
    files: u64,
    file_bytes: u64,
}

struct OpenTable {
    name: String,
    part: usize,
    bytes: Vec<u8>,
    hasher: RowHasher,
}

impl<W: Write> ArchiveWriter<W> {
    /// Writes the manifest.
    pub(super) fn begin(to: W, manifest: &Manifest) -> Result<Self, ArchiveError> {
        let mut encoder = Encoder::new(to, LEVEL).map_err(ArchiveError::Output)?;
        encoder.include_checksum(true).map_err(ArchiveError::Output)?;
        let mut writer = Self {
            tar: Builder::new(encoder),
            sums: Sums::default(),
            table: None,
            left_out: manifest.left_out.clone(),
            files: 0,
            file_bytes: 0,
        };
        let mut bytes = serde_json::to_vec_pretty(manifest).map_err(json)?;
        bytes.push(b'\n');
        writer.member(MANIFEST, &bytes)?;
        Ok(writer)
    }

    /// Begins a table.
    pub(super) fn begin_table<'a>(&mut self, name: &str, columns: impl Iterator<Item = &'a str>) {
        let hasher = RowHasher::new(columns);
        self.table = Some(OpenTable { name: name.to_owned(), part: 1, bytes: Vec::new(), hasher });
    }

    /// Writes rows of the table that was begun.
    pub(super) fn rows(&mut self, rows: &[Vec<Value>]) -> Result<(), ArchiveError> {
        let Some(mut table) = self.table.take() else { return Ok(()) };
        for row in rows {
            table.hasher.add(row);
            cell::write_row(&mut table.bytes, row).map_err(json)?;
            if table.bytes.len() >= PART {
                self.part(&mut table)?;
            }
        }
        self.table = Some(table);
        Ok(())
    }

    /// Ends the table.
    pub(super) fn end_table(&mut self) -> Result<(), ArchiveError> {
        let Some(mut table) = self.table.take() else { return Ok(()) };
        // A table without rows has a part without bytes.
        if table.part == 1 || !table.bytes.is_empty() {
            self.part(&mut table)?;
        }
        self.sums.tables.push(table.hasher.finish(&table.name));
        Ok(())
    }

    fn part(&mut self, table: &mut OpenTable) -> Result<(), ArchiveError> {
        self.member(&table_member(&table.name, table.part), &table.bytes)?;
        table.part += 1;
        table.bytes.clear();
        Ok(())
    }

    /// Writes everything below a tenant's folder. Links and names that are no text are left out.
    pub(super) fn files(&mut self, dir: &Dir) -> Result<(), ArchiveError> {
        let mut left_out = Vec::new();
        walk(dir, &mut |found| match found {
            Found::Folder(path) => self.folder(&format!("files/{path}")),
            Found::File(path, file) => self.file(&path, file),
            Found::Other(path) => {
                left_out.push(format!("files/{path}"));
                Ok(())
            }
        })?;
        self.left_out.append(&mut left_out);
        Ok(())
    }

    fn folder(&mut self, name: &str) -> Result<(), ArchiveError> {
        let mut header = header(0, EntryType::Directory);
        let appended = self.tar.append_data(&mut header, format!("{name}/"), io::empty());
        appended.map_err(ArchiveError::Output)?;
        self.sums.members.push(MemberSum { name: name.to_owned(), size: 0, sha256: None });
        Ok(())
    }

    fn file(&mut self, path: &str, file: cap_std::fs::File) -> Result<(), ArchiveError> {
        let metadata = file.metadata().map_err(ArchiveError::file("read", path))?;
        let size = metadata.len();
        let name = format!("files/{path}");
        // A file that grows meanwhile is taken as long as it was.
        let mut source = Copied { from: file.take(size), sum: Sha256::new(), failed: None };
        let mut header = header(size, EntryType::Regular);
        let appended = self.tar.append_data(&mut header, &name, &mut source);
        if let Some(error) = source.failed {
            return Err(ArchiveError::file("read", path)(error));
        }
        appended.map_err(ArchiveError::Output)?;
        if source.from.limit() > 0 {
            return Err(ArchiveError::Shrunk(path.to_owned()));
        }
        let sha256 = Some(Digest::from(<[u8; 32]>::from(source.sum.finalize())));
        self.sums.members.push(MemberSum { name, size, sha256 });
        self.files += 1;
        self.file_bytes = self.file_bytes.saturating_add(size);
        Ok(())
    }

    /// Writes the sums. The archive is whole when this returns.
    pub(super) fn finish(mut self) -> Result<ArchiveSummary, ArchiveError> {
        let bytes = serde_json::to_vec(&self.sums).map_err(json)?;
        self.append(SUMS, &bytes)?;
        let encoder = self.tar.into_inner().map_err(ArchiveError::Output)?;
        encoder.finish().and_then(|mut to| to.flush()).map_err(ArchiveError::Output)?;
        Ok(ArchiveSummary {
            tables: self.sums.tables,
            files: self.files,
            file_bytes: self.file_bytes,
            left_out: self.left_out,
        })
    }

    fn member(&mut self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.append(name, bytes)?;
        let (size, sha256) = (bytes.len() as u64, Some(Digest::of(bytes)));
        self.sums.members.push(MemberSum { name: name.to_owned(), size, sha256 });
        Ok(())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        let mut header = header(bytes.len() as u64, EntryType::Regular);
        self.tar.append_data(&mut header, name, bytes).map_err(ArchiveError::Output)
    }
}

fn header(size: u64, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(if kind == EntryType::Directory { 0o700 } else { 0o600 });
    header
}

fn json(error: serde_json::Error) -> ArchiveError {
    ArchiveError::Output(error.into())
}

/// Sums up what is read through it, and tells the source's errors from the target's.
struct Copied<R> {
    from: R,
    sum: Sha256,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Copied<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.from.read(buffer) {
            Ok(read) => {
                self.sum.update(buffer.get(..read).unwrap_or_default());
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.failed = Some(error);
                Err(kind.into())
            }
        }
    }
}
