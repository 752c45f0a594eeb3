//! A tenant's files, walked for an export and put in their places by an import.
//!
//! Both stay inside the tenant's folder by the folder's own handle. No recursion: the depth is the
//! tenant's choice.

use super::ArchiveError;
use super::reader::StagedFile;
use super::staging::Staging;
use crate::files::TenantFiles;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File};
use std::collections::BTreeSet;
use std::io;

/// What a walk comes by; paths are relative to where it began.
pub(super) enum Found {
    Folder(String),
    File(String, File),
    /// A link, a device, or something whose name is no text.
    Other(String),
}

/// Visits everything below a folder, each folder before what is in it, in the order of names.
pub(super) fn walk(
    dir: &Dir,
    visit: &mut dyn FnMut(Found) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut left = vec![String::new()];
    while let Some(folder) = left.pop() {
        let failed = || ArchiveError::file("list", folder.clone());
        let at = if folder.is_empty() { "." } else { &folder };
        let entries = dir.read_dir(at).map_err(failed())?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed())?;
            let kind = entry.file_type().map_err(failed())?;
            found.push((entry.file_name(), kind));
        }
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut folders = Vec::new();
        for (name, kind) in found {
            let Some(name) = name.to_str() else {
                visit(Found::Other(join(&folder, &name.to_string_lossy())))?;
                continue;
            };
            let path = join(&folder, name);
            if kind.is_dir() {
                visit(Found::Folder(path.clone()))?;
                folders.push(path);
            } else if kind.is_file() {
                match dir.open(&path) {
                    Ok(file) => visit(Found::File(path, file))?,
                    // The site may remove files while they are listed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(ArchiveError::file("open", path)(error)),
                }
            } else {
                visit(Found::Other(path))?;
            }
        }
        left.extend(folders.into_iter().rev());
    }
    Ok(())
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The folders that these files and folders need, parents first.
pub(super) fn folders(files: &[StagedFile]) -> BTreeSet<&str> {
    let mut folders = BTreeSet::new();
    for file in files {
        let mut path = file.path.as_str();
        if file.staged.is_none() {
            folders.insert(path);
        }
        while let Some((parent, _name)) = path.rsplit_once('/') {
            folders.insert(parent);
            path = parent;
        }
    }
    folders
}

/// Everything that these files and folders take a place for.
pub(super) fn paths(files: &[StagedFile]) -> impl Iterator<Item = &str> {
    let names = files.iter().filter(|file| file.staged.is_some()).map(|file| file.path.as_str());
    folders(files).into_iter().chain(names)
}

/// Moves staged files to their places in a folder that must be empty, within the tenant's quota. Durable
/// when it returns; where it fails the folder is empty again and nothing is counted.
pub(super) fn place(files: &[StagedFile], staging: &Staging, to: &TenantFiles) -> Result<(), ArchiveError> {
    let mut entries = to.dir.entries().map_err(ArchiveError::file("list", ""))?;
    if entries.next().is_some() {
        return Err(ArchiveError::NotEmpty);
    }
    let folders = folders(files);
    let moved = files.iter().filter(|file| file.staged.is_some()).count() + folders.len();
    let mut counted = 0;
    let mut result = Ok(());
    for _each in 0..moved {
        result = to.meter.add_file();
        if result.is_err() {
            break;
        }
        counted += 1;
    }
    let bytes = files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
    let result = result.and_then(|()| to.meter.grow(bytes));
    if let Err(over) = result {
        (0..counted).for_each(|_each| to.meter.remove_file());
        return Err(over.into());
    }
    let placed = move_all(files, &folders, staging, &to.dir);
    if placed.is_err() {
        remove_all(files, to);
    }
    placed
}

/// Takes back what [`place`] did.
pub(super) fn remove_all(files: &[StagedFile], to: &TenantFiles) {
    let folders = folders(files);
    for file in files.iter().filter(|file| file.staged.is_some()) {
        let _gone = to.dir.remove_file(&file.path);
        to.meter.remove_file();
        to.meter.shrink(file.size);
    }
    for folder in folders.iter().rev() {
        let _gone = to.dir.remove_dir(folder);
        to.meter.remove_file();
    }
}

fn move_all(
    files: &[StagedFile],
    folders: &BTreeSet<&str>,
    staging: &Staging,
    to: &Dir,
) -> Result<(), ArchiveError> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    for folder in folders {
        to.create_dir_with(folder, &builder).map_err(ArchiveError::file("make the folder of", *folder))?;
    }
    for file in files {
        let Some(staged) = &file.staged else { continue };
        let place = || -> io::Result<()> {
            staging.dir().open(staged)?.sync_all()?;
            staging.dir().rename(staged, to, &file.path)
        };
        place().map_err(ArchiveError::file("place", file.path.clone()))?;
    }
    for folder in folders.iter().copied().chain(["."]) {
        let sync = || to.open_dir(folder)?.open(".")?.sync_all();
        sync().map_err(ArchiveError::file("sync the folder of", folder))?;
    }
    Ok(())
}
