//! The folders of the tenants, `tenants/ID/site.db` and `tenants/ID/files/`, the files that tenants of one data
//! server share, `servers/NAME.db`, and beside them `staging/` and, where files are in a bucket, `mirrors/`, which are
//! emptied at every start.
//!
//! All paths are made from a tenant's id inside one folder that was opened once; nothing here follows a
//! link out of it. Folders are 0700, files 0600. Everything here blocks.

use crate::DataError;
use crate::archive::Staging;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use rowhouse_base::DataServerName;
use rowhouse_base::id::TenantId;
use std::io;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The database's file in a tenant's folder.
pub(crate) const DATABASE: &str = "site.db";

const FILES: &str = "files";
const TENANTS: &str = "tenants";
const STAGING: &str = "staging";
const SERVERS: &str = "servers";
const MIRRORS: &str = "mirrors";

/// Files and folders that a walk visits at most, so that one tenant can't make the server walk for ever.
const MOST_ENTRIES: u64 = 1_000_000;

/// The folder of all tenants.
pub(crate) struct Home {
    root: Dir,
    tenants: Dir,
    staging: Dir,
    path: PathBuf,
}

/// What a folder holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Files and folders, without the folder itself.
    pub(crate) entries: u64,
    /// Sum of the sizes of the files.
    pub(crate) bytes: u64,
}

impl Contents {
    /// Counts one more, of this size.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Home {
    /// Opens the data folder, made where it doesn't exist.
    pub(crate) fn open(dir: &Path) -> Result<Self, DataError> {
        let shown = || dir.display().to_string();
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(dir).map_err(DataError::io("make", shown()))?;
        let canonical = dir.canonicalize().map_err(DataError::io("open", shown()))?;
        let root =
            Dir::open_ambient_dir(&canonical, ambient_authority()).map_err(DataError::io("open", shown()))?;
        make_folder(&root, TENANTS).map_err(DataError::io("make", TENANTS))?;
        let tenants = root.open_dir(TENANTS).map_err(DataError::io("open", TENANTS))?;
        // What a crash left there belongs to nobody.
        let staging = emptied(&root, STAGING)?;
        sync(&root).map_err(DataError::io("sync", shown()))?;
        Ok(Self { root, tenants, staging, path: canonical.join(TENANTS) })
    }

    /// The folder of all tenants, absolute and without links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the mirrors, empty: what a process knew of them ended with it. To be called once, before any is
    /// made. With its path, absolute and without links.
    pub(crate) fn mirrors(&self) -> Result<(Dir, PathBuf), DataError> {
        Ok((emptied(&self.root, MIRRORS)?, self.path.with_file_name(MIRRORS)))
    }

    /// Makes a tenant's folder, its files' folder and, where it is to have one, an empty database file. What
    /// is there stays.
    pub(crate) fn make(&self, id: TenantId, database: bool) -> Result<(), DataError> {
        let name = id.to_string();
        let make = || -> io::Result<()> {
            make_folder(&self.tenants, &name)?;
            let folder = self.tenants.open_dir(&name)?;
            make_folder(&folder, FILES)?;
            if database {
                make_file(&folder, DATABASE)?;
            }
            sync(&folder)?;
            sync(&self.tenants)
        };
        make().map_err(DataError::io("make the folder of", name.clone()))
    }

    /// Removes a tenant's database file and what belongs to it. Nothing happens where there is none.
    pub(crate) fn remove_database(&self, id: TenantId) -> Result<(), DataError> {
        for suffix in ["-wal", "-shm", ""] {
            let name = format!("{id}/{DATABASE}{suffix}");
            match self.tenants.remove_file(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(DataError::io("remove", name)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The file that the tenants of a data server share, made empty where it is missing. Its absolute path,
    /// without links.
    pub(crate) fn shared_file(&self, server: &DataServerName) -> Result<PathBuf, DataError> {
        let name = format!("{server}.db");
        let make = || -> io::Result<()> {
            make_folder(&self.root, SERVERS)?;
            let folder = self.root.open_dir(SERVERS)?;
            make_file(&folder, &name)?;
            sync(&folder)?;
            sync(&self.root)
        };
        make().map_err(DataError::io("make the shared file", name.clone()))?;
        Ok(self.path.with_file_name(SERVERS).join(name))
    }

    /// Ids of all tenants that have a folder, whether it is complete or not.
    pub(crate) fn ids(&self) -> Result<Vec<TenantId>, DataError> {
        let list = || -> io::Result<Vec<TenantId>> {
            let mut ids = Vec::new();
            for entry in self.tenants.entries()? {
                ids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<TenantId>().ok()));
            }
            Ok(ids)
        };
        list().map_err(DataError::io("list", TENANTS))
    }

    /// What a tenant's folder holds. Nothing where there is none.
    pub(crate) fn contents(&self, id: TenantId) -> Result<Contents, DataError> {
        self.walk_from(&id.to_string())
    }

    /// What a tenant's files' folder holds. Nothing where there is none.
    pub(crate) fn files_contents(&self, id: TenantId) -> Result<Contents, DataError> {
        self.walk_from(&format!("{id}/{FILES}"))
    }

    /// Size of a tenant's database with what belongs to it.
    pub(crate) fn database_bytes(&self, id: TenantId) -> u64 {
        ["", "-wal", "-shm"]
            .iter()
            .filter_map(|suffix| self.tenants.metadata(format!("{id}/{DATABASE}{suffix}")).ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    /// The folder of a tenant's files, and its path. Where another server made the tenant and shares no folder with
    /// this one, it is made here.
    pub(crate) fn files(&self, id: TenantId, made_elsewhere: bool) -> Result<(Dir, PathBuf), DataError> {
        let name = format!("{id}/{FILES}");
        let opened = match self.tenants.open_dir(&name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && made_elsewhere => {
                self.make(id, false)?;
                self.tenants.open_dir(&name)
            }
            opened => opened,
        };
        let dir = opened.map_err(DataError::io("open", name.clone()))?;
        Ok((dir, self.path.join(name)))
    }

    /// A new folder for an archive, beside the tenants.
    pub(crate) fn stage(&self) -> Result<Staging, DataError> {
        Staging::make(&self.staging)
    }

    /// A file without a name, to write and, by the second handle, to read from its beginning.
    pub(crate) fn scratch(&self) -> Result<(std::fs::File, std::fs::File), DataError> {
        let name = format!("{}.scratch", Uuid::new_v4());
        let make = || -> io::Result<_> {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let written = self.staging.open_with(&name, &options)?;
            let read = self.staging.open(&name)?;
            self.staging.remove_file(&name)?;
            Ok((written.into_std(), read.into_std()))
        };
        make().map_err(DataError::io("make a file in", STAGING))
    }

    /// Removes what is in a tenant's files' folder. Nothing happens where there is none.
    pub(crate) fn empty_files(&self, id: TenantId) -> Result<(), DataError> {
        let name = format!("{id}/{FILES}");
        let empty = || -> io::Result<()> {
            let folder = self.tenants.open_dir(id.to_string())?;
            match folder.remove_dir_all(FILES) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            make_folder(&folder, FILES)?;
            sync(&folder)
        };
        empty().map_err(DataError::io("empty", name))
    }

    /// Removes a tenant's folder. Nothing happens where there is none.
    pub(crate) fn remove(&self, id: TenantId) -> Result<(), DataError> {
        let name = id.to_string();
        match self.tenants.remove_dir_all(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(DataError::io("remove", name)(error))
            }
            _ => sync(&self.tenants).map_err(DataError::io("sync", TENANTS)),
        }
    }

    fn walk_from(&self, name: &str) -> Result<Contents, DataError> {
        match self.tenants.open_dir(name) {
            Ok(dir) => walk(dir).map_err(DataError::io("walk", name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Contents::default()),
            Err(error) => Err(DataError::io("open", name)(error)),
        }
    }
}

/// Counts without recursion: the depth is the tenant's choice.
pub(crate) fn walk(dir: Dir) -> io::Result<Contents> {
    let mut found = Contents::default();
    let mut left = vec![dir];
    while let Some(dir) = left.pop() {
        for entry in dir.entries()? {
            let entry = entry?;
            found.entries += 1;
            if found.entries >= MOST_ENTRIES {
                return Ok(found);
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                left.push(entry.open_dir()?);
            } else if kind.is_file() {
                found.bytes = found.bytes.saturating_add(entry.metadata()?.len());
            }
        }
    }
    Ok(found)
}

/// An empty file, where there is none.
fn make_file(parent: &Dir, name: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match parent.open_with(name, &options) {
        Ok(file) => file.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// A folder with nothing in it, whatever there was.
fn emptied(parent: &Dir, name: &'static str) -> Result<Dir, DataError> {
    match parent.remove_dir_all(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(DataError::io("empty", name)(error));
        }
        _ => make_folder(parent, name).map_err(DataError::io("make", name))?,
    }
    parent.open_dir(name).map_err(DataError::io("open", name))
}

pub(crate) fn make_folder(parent: &Dir, name: &str) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    match parent.create_dir_with(name, &builder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Makes the names in a folder last through a crash of the system. The folder's own handle is good for
/// looking up names alone, so it is opened once more.
fn sync(dir: &Dir) -> io::Result<()> {
    dir.open(".")?.sync_all()
}
