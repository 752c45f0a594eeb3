//! Where an archive is unpacked until every sum was checked: a private folder beside the tenants'.
//!
//! Its files have numbers for names, so that no name from an archive is ever a path before it was checked.
//! It is removed with the value; what a crash left is removed at the next start.

use crate::DataError;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File, OpenOptions, OpenOptionsExt};
use std::io;
use uuid::Uuid;

/// A folder of numbered files.
pub(crate) struct Staging {
    parent: Dir,
    name: String,
    dir: Dir,
    next: u64,
}

impl Staging {
    /// Makes one in the folder for all of them.
    pub(crate) fn make(parent: &Dir) -> Result<Self, DataError> {
        let name = Uuid::now_v7().to_string();
        let make = || -> io::Result<Self> {
            let mut builder = DirBuilder::new();
            builder.mode(0o700);
            parent.create_dir_with(&name, &builder)?;
            Ok(Self {
                parent: parent.try_clone()?,
                dir: parent.open_dir(&name)?,
                name: name.clone(),
                next: 1,
            })
        };
        make().map_err(DataError::io("make", format!("staging/{name}")))
    }

    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// A new file, and its name in the folder.
    pub(super) fn create(&mut self) -> Result<(File, String), DataError> {
        let name = self.next.to_string();
        self.next += 1;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = self.dir.open_with(&name, &options);
        file.map(|file| (file, name)).map_err(self.failed("make a file in"))
    }

    /// Names the folder in an error.
    pub(super) fn failed(&self, action: &'static str) -> impl FnOnce(io::Error) -> DataError {
        DataError::io(action, format!("staging/{}", self.name))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = self.parent.remove_dir_all(&self.name) {
            tracing::warn!(%error, name = self.name, "a staging folder stays until the next start");
        }
    }
}
