//! Everything that a tenant has in the bucket, copied into a folder of this machine, for an archive.

use super::{Bucket, BucketError};
use crate::DataError;
use crate::data::aside;
use crate::home::make_folder;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rowhouse_base::id::TenantId;
use std::io;
use std::sync::Arc;

/// Files that are fetched at once.
const AT_ONCE: usize = 8;

impl Bucket {
    /// Copies a tenant's files and folders, as they are found, into an empty folder.
    pub(crate) async fn copy_to(self: &Arc<Self>, id: TenantId, to: Dir) -> Result<(), DataError> {
        let listing = self.list(id).await?;
        let to = Arc::new(to);
        // Parents come first.
        let mut folders: Vec<String> = listing.folders.into_keys().collect();
        folders.sort_unstable();
        let above = Arc::clone(&to);
        let made = aside(move || folders.iter().try_for_each(|folder| make_folder(&above, folder))).await?;
        made.map_err(DataError::io("copy the folders of", id.to_string()))?;
        let bucket = Arc::clone(self);
        let copies = stream::iter(listing.files).map(move |(path, object)| {
            let (bucket, to) = (Arc::clone(&bucket), Arc::clone(&to));
            async move { bucket.copy_file(id, path, object.size, to).await }
        });
        copies.buffer_unordered(AT_ONCE).try_for_each(|()| std::future::ready(Ok(()))).await
    }

    async fn copy_file(&self, id: TenantId, path: String, size: u64, to: Arc<Dir>) -> Result<(), DataError> {
        let (folder, at) = (Arc::clone(&to), path.clone());
        let made = aside(move || -> io::Result<std::fs::File> {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            Ok(folder.open_with(&at, &options)?.into_std())
        });
        let disk = |source| BucketError::Disk { object: path.clone(), source };
        let file = made.await?.map_err(disk)?;
        if self.get(id, &path, file, size).await?.is_none() {
            // It was removed since it was listed.
            let at = path.clone();
            aside(move || to.remove_file(&at)).await?.map_err(disk)?;
        }
        Ok(())
    }
}
