//! Reads the rows of a staged table, block by block. Blocks on the disk.

use super::manifest::table_member;
use super::reader::StagedArchive;
use super::{ArchiveError, cell};
use crate::transfer::RowBlock;
use cap_std::fs::{Dir, File};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

/// Rows of one block at most.
pub(super) const BLOCK_ROWS: usize = 500;

/// Bytes of lines after which a block ends.
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes of one line: a row of the largest values that engines take from guests, as text.
const MOST_LINE: u64 = 256 << 20;

/// The rows of one table, in the order of the archive.
pub(super) struct RowReader {
    dir: Dir,
    table: String,
    columns: usize,
    /// Staged parts still to be read.
    parts: VecDeque<String>,
    part: usize,
    open: Option<BufReader<File>>,
    /// Rows so far, for messages.
    row: u64,
}

impl RowReader {
    pub(super) fn open(archive: &StagedArchive, place: usize) -> Result<Self, ArchiveError> {
        let (Some(shape), Some(staged)) = (archive.manifest.tables.get(place), archive.tables.get(place))
        else {
            return Err(ArchiveError::refused("tables", "there is no such table"));
        };
        let dir = archive.staging.dir().try_clone().map_err(archive.staging.failed("open"))?;
        Ok(Self {
            dir,
            table: shape.shape.name.clone(),
            columns: shape.shape.columns.len(),
            parts: staged.parts.iter().cloned().collect(),
            part: 0,
            open: None,
            row: 0,
        })
    }

    /// The next rows; none at the end.
    pub(super) fn next(&mut self, most: usize) -> Result<RowBlock, ArchiveError> {
        let mut block = RowBlock::new();
        let mut bytes = 0;
        let mut line = Vec::new();
        while block.len() < most && bytes < BLOCK_BYTES && self.line(&mut line)? {
            self.row += 1;
            bytes += line.len();
            let row = cell::read_row(&line, self.columns).map_err(|reason| {
                let member = table_member(&self.table, self.part);
                ArchiveError::refused(member, format!("row {} of the table: {reason}", self.row))
            })?;
            block.push(row);
        }
        Ok(block)
    }

    /// The next line without its end; false at the end of the last part.
    fn line(&mut self, line: &mut Vec<u8>) -> Result<bool, ArchiveError> {
        loop {
            if self.open.is_none() {
                let Some(part) = self.parts.pop_front() else { return Ok(false) };
                self.part += 1;
                let file = self.dir.open(&part).map_err(|error| self.failed(error))?;
                self.open = Some(BufReader::with_capacity(64 << 10, file));
            }
            let Some(open) = &mut self.open else { return Ok(false) };
            line.clear();
            let read = open.by_ref().take(MOST_LINE).read_until(b'\n', line);
            let read = read.map_err(|error| self.failed(error))?;
            if read == 0 {
                self.open = None;
                continue;
            }
            if line.pop() != Some(b'\n') {
                let member = table_member(&self.table, self.part);
                return Err(ArchiveError::refused(member, "its last line has no end"));
            }
            return Ok(true);
        }
    }

    fn failed(&self, source: std::io::Error) -> ArchiveError {
        ArchiveError::Unreadable { member: table_member(&self.table, self.part), source }
    }
}
