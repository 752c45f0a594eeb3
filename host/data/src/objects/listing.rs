//! What a tenant has in the bucket, as files and folders.

use super::names::{self, Name};
use super::transfer::Object;
use crate::home::Contents;
use rowhouse_base::id::TenantId;
use std::collections::HashMap;

/// Files and folders by their paths.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) files: HashMap<String, Object>,
    /// Whether the folder has an object of its own; one that is there only for its files has none.
    pub(crate) folders: HashMap<String, bool>,
}

impl Listing {
    /// Adds an object. One whose name is not ours is left out.
    pub(super) fn take(&mut self, key: &str, object: Object) {
        match names::read(key) {
            Some(Name::File(path)) => {
                self.files.insert(path, object);
            }
            Some(Name::Folder(path)) => {
                self.folders.insert(path, true);
            }
            None => tracing::debug!(key, "an object in a tenant's prefix is none of its files"),
        }
    }

    /// Adds the folders that lie above, and leaves out what can't lie in a folder: a file where there is a folder.
    pub(super) fn complete(&mut self, id: TenantId) {
        let Self { files, folders } = self;
        let marked: Vec<String> = folders.keys().cloned().collect();
        for path in files.keys().chain(&marked) {
            let mut path = path.as_str();
            while let Some((parent, _name)) = path.rsplit_once('/') {
                if folders.contains_key(parent) {
                    break;
                }
                folders.insert(parent.to_owned(), false);
                path = parent;
            }
        }
        files.retain(|path, _object| {
            let fits = !folders.contains_key(path);
            if !fits {
                tracing::warn!(tenant = %id, path, "the bucket has a file where it has a folder: the folder counts");
            }
            fits
        });
    }

    /// As they are counted against a quota.
    pub(crate) fn contents(&self) -> Contents {
        let mut found = Contents::default();
        self.files.values().for_each(|object| found.add(object.size));
        found.entries = found.entries.saturating_add(u64::try_from(self.folders.len()).unwrap_or(u64::MAX));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn listing(keys: &[&str]) -> Listing {
        let mut listing = Listing::default();
        for key in keys {
            listing.take(key, Object { size: 3, etag: None, modified: UNIX_EPOCH });
        }
        listing.complete(TenantId::new());
        listing
    }

    #[test]
    fn folders_are_there_by_themselves_and_for_their_files() {
        let listing = listing(&["a/b/c", "empty/~", "deep/er/~", "../x", "note"]);
        let mut folders: Vec<_> = listing.folders.iter().map(|(path, own)| (path.as_str(), *own)).collect();
        folders.sort_unstable();
        assert_eq!(
            folders,
            [("a", false), ("a/b", false), ("deep", false), ("deep/er", true), ("empty", true)]
        );
        assert_eq!(listing.files.len(), 2);
        assert_eq!(listing.contents(), Contents { entries: 7, bytes: 6 });
    }

    #[test]
    fn a_file_where_there_is_a_folder_is_left_out() {
        let listing = listing(&["a", "a/b", "c", "c/~"]);
        assert_eq!(listing.files.keys().collect::<Vec<_>>(), ["a/b"]);
    }
}
