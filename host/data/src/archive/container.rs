//! The outer layers of an archive, read: Zstandard around tar.
//!
//! Everything in them is hostile: sizes are refused before they are read, names before they are used, and
//! of all that tar can express only plain files and folders are taken. Long names come in GNU's or POSIX'
//! way, read here with a bound, because the library reads them whole.

use super::ArchiveError;
use std::io::{self, Read};
use tar::{Archive, Entry, EntryType, PaxExtensions};

/// How much this server unpacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of all members, unpacked.
    pub bytes: u64,
    /// Members.
    pub members: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        // A tenant has a gigabyte of rows and one of files by default; rows as text take up to four times
        // their size. Of files and folders it has 100,000 by default.
        Self { bytes: 16 << 30, members: 250_000 }
    }
}

/// A file or folder in the archive, its name checked.
pub(super) struct Member {
    /// Relative, without `.` and `..`; folders without a slash at the end.
    pub(super) name: String,
    pub(super) is_folder: bool,
    pub(super) size: u64,
}

/// Window of the compression: bounds the memory of the decoder to 8 MiB, which all levels up to 19 keep to.
const WINDOW_LOG: u32 = 23;

/// Bytes of a long name with its record.
const MOST_NAME: u64 = 64 << 10;

/// Zeros after the last member: tar fills its last record of up to 10 KiB, some tools more.
const MOST_TAIL: u64 = 1 << 20;

/// Calls `each` for every member in order, with its bytes.
pub(super) fn read_members(
    from: impl Read,
    limits: &ArchiveLimits,
    each: &mut dyn FnMut(&Member, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut at = "the beginning".to_owned();
    let unreadable = |at: &str| {
        let member = at.to_owned();
        move |source| ArchiveError::Unreadable { member, source }
    };
    let mut decoder = zstd::Decoder::new(from).map_err(unreadable(&at))?;
    decoder.window_log_max(WINDOW_LOG).map_err(unreadable(&at))?;
    let mut archive = Archive::new(decoder);
    let mut left = *limits;
    let mut long_name = None;
    for entry in archive.entries().map_err(unreadable(&at))?.raw(true) {
        let mut entry = entry.map_err(unreadable(&at))?;
        left.members = left.members.checked_sub(1).ok_or_else(|| ArchiveError::TooLarge {
            member: at.clone(),
            limit: format!("{} members", limits.members),
        })?;
        match entry.header().entry_type() {
            EntryType::GNULongName | EntryType::XHeader | EntryType::XGlobalHeader => {
                if let Some(name) = long(&mut entry, &at)? {
                    long_name = Some(name);
                }
                continue;
            }
            _ => {}
        }
        let member = member(&entry, long_name.take())?;
        left.bytes = left.bytes.checked_sub(member.size).ok_or_else(|| ArchiveError::TooLarge {
            member: member.name.clone(),
            limit: format!("{} bytes", limits.bytes),
        })?;
        at.clone_from(&member.name);
        each(&member, &mut entry)?;
    }
    if long_name.is_some() {
        return Err(ArchiveError::refused(at, "a long name follows that belongs to nothing"));
    }
    // What the loop did not read is still checked: the sum of the compression, and that nothing follows.
    let mut tail = archive.into_inner().take(MOST_TAIL);
    let mut bytes = Vec::new();
    tail.read_to_end(&mut bytes).map_err(unreadable(&at))?;
    if tail.limit() == 0 || bytes.iter().any(|byte| *byte != 0) {
        return Err(ArchiveError::refused(at, "something follows the last member"));
    }
    Ok(())
}

/// A name in a member of its own, where it holds one.
fn long(entry: &mut Entry<'_, impl Read>, at: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
    let kind = entry.header().entry_type();
    if entry.size() > MOST_NAME {
        return Err(ArchiveError::refused(at, "the next member has too long a name"));
    }
    let mut bytes = Vec::new();
    let read = entry.read_to_end(&mut bytes);
    read.map_err(|source| ArchiveError::Unreadable { member: at.to_owned(), source })?;
    match kind {
        EntryType::GNULongName => {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            bytes.truncate(end);
            Ok(Some(bytes))
        }
        EntryType::XGlobalHeader => Ok(None),
        _ => {
            let mut name = None;
            for record in PaxExtensions::new(&bytes) {
                let record =
                    record.map_err(|source| ArchiveError::Unreadable { member: at.to_owned(), source })?;
                match record.key_bytes() {
                    b"path" => name = Some(record.value_bytes().to_vec()),
                    // These change how the member's bytes are to be read.
                    b"size" | b"linkpath" => {
                        return Err(ArchiveError::refused(at, "the next member has records not allowed"));
                    }
                    key if key.starts_with(b"GNU.sparse") => {
                        return Err(ArchiveError::refused(at, "the next member is a sparse file"));
                    }
                    _ => {}
                }
            }
            Ok(name)
        }
    }
}

fn member(entry: &Entry<'_, impl Read>, long_name: Option<Vec<u8>>) -> Result<Member, ArchiveError> {
    let raw = long_name.unwrap_or_else(|| entry.path_bytes().into_owned());
    let shown = String::from_utf8_lossy(&raw).chars().take(200).collect::<String>();
    let refused = |reason: &str| ArchiveError::refused(shown.clone(), reason);
    let is_folder = match entry.header().entry_type() {
        EntryType::Regular => false,
        EntryType::Directory => true,
        EntryType::Symlink | EntryType::Link => return Err(refused("links are not allowed")),
        _ => return Err(refused("only files and folders are allowed")),
    };
    let size = entry.size();
    if is_folder && size != 0 {
        return Err(refused("a folder has no size"));
    }
    let mut name =
        String::from_utf8(raw.clone()).map_err(|error| refused(&error.utf8_error().to_string()))?;
    if is_folder && name.ends_with('/') {
        name.pop();
    }
    check_name(&name).map_err(refused)?;
    Ok(Member { name, is_folder, size })
}

/// A name that stays below the folder it is put in, whatever the system makes of it.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > 4096 {
        return Err("its name is longer than 4096 bytes");
    }
    if name.contains('\0') {
        return Err("its name holds a NUL");
    }
    for part in name.split('/') {
        match part {
            "" => return Err("its name is absolute or has an empty part"),
            "." | ".." => return Err("its name has a part `.` or `..`"),
            part if part.len() > 255 => return Err("a part of its name is longer than 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}

/// Reads all of a member, and its declared size at that.
pub(super) fn read_exactly(
    from: &mut dyn Read,
    member: &Member,
    mut take: impl FnMut(&[u8]) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut left = member.size;
    let mut buffer = vec![0; 64 << 10];
    while left > 0 {
        let unreadable = |source| ArchiveError::Unreadable { member: member.name.clone(), source };
        let read = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other.map_err(unreadable)?,
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        left = left
            .checked_sub(read as u64)
            .filter(|_| read > 0)
            .ok_or_else(|| unreadable(io::Error::from(io::ErrorKind::UnexpectedEof)))?;
        take(bytes)?;
    }
    Ok(())
}
