//! What a mirror knows of the bucket, and what has to be done on disk when a new listing says otherwise.
//!
//! Pure: nothing here touches disk or bucket. Invariant: a file's bytes on disk are worth something only where its entry
//! says so (`here`); what is not here is never uploaded and never read.

use crate::home::Contents;
use crate::objects::{Listing, Object, Stored};
use std::collections::HashMap;
use std::time::SystemTime;

/// A file as the bucket had it when it was listed, fetched or stored last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) size: u64,
    /// None where it is not known any more what the bucket has; differs from everything.
    pub(super) etag: Option<String>,
    /// What is on disk counts: its bytes, or that there is nothing. Else there is a placeholder.
    pub(super) here: bool,
}

/// What is known of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) file: Option<Entry>,
    /// Whether the folder has an object of its own; none where no folder is known.
    pub(super) folder: Option<bool>,
}

/// What there is on disk at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    File,
    Folder,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Index {
    files: HashMap<String, Entry>,
    folders: HashMap<String, bool>,
}

/// What to do on disk, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) gone_files: Vec<String>,
    /// What lies deeper comes first.
    pub(super) gone_folders: Vec<String>,
    /// Parents come first.
    pub(super) folders: Vec<String>,
    /// Paths, sizes and times of what is to be there as a placeholder.
    pub(super) placeholders: Vec<(String, u64, SystemTime)>,
    /// Something else was changed in the bucket that a request of ours is changing too. It stays as it is here, and the
    /// listing is worth nothing beyond this moment.
    pub(super) is_partial: bool,
}

impl Index {
    /// Takes a listing over, except what is held by requests that are changing it.
    pub(super) fn adopt(&mut self, listing: Listing, is_held: impl Fn(&str) -> bool) -> Plan {
        let mut plan = Plan::default();
        let Listing { files, folders } = listing;
        self.files.retain(|path, _entry| {
            if files.contains_key(path) {
                return true;
            }
            let held = is_held(path);
            plan.is_partial |= held;
            if !held {
                plan.gone_files.push(path.clone());
            }
            held
        });
        for (path, object) in files {
            self.adopt_file(path, object, &is_held, &mut plan);
        }
        self.folders.retain(|path, _own| {
            let stays = folders.contains_key(path) || is_held(path);
            if !stays {
                plan.gone_folders.push(path.clone());
            }
            stays
        });
        for (path, own) in folders {
            if self.folders.insert(path.clone(), own).is_none() {
                plan.folders.push(path);
            }
        }
        plan.gone_folders.sort_unstable_by(|one, other| other.cmp(one));
        plan.folders.sort_unstable();
        plan
    }

    fn adopt_file(&mut self, path: String, object: Object, is_held: &impl Fn(&str) -> bool, plan: &mut Plan) {
        let known = self.files.get(&path);
        if known.is_some_and(|entry| entry.etag.is_some() && entry.etag == object.etag) {
            return;
        }
        if is_held(&path) {
            plan.is_partial = true;
            return;
        }
        // An empty file is its own placeholder.
        let entry = Entry { size: object.size, etag: object.etag, here: object.size == 0 };
        plan.placeholders.push((path.clone(), object.size, object.modified));
        self.files.insert(path, entry);
    }

    /// The file's entry, where only a placeholder is on disk.
    pub(super) fn missing(&self, path: &str) -> Option<Entry> {
        self.files.get(path).filter(|entry| !entry.here).cloned()
    }

    /// Files at or below a path of which only placeholders are on disk.
    pub(super) fn missing_under(&self, path: &str) -> Vec<String> {
        let missing = self.files.iter().filter(|(file, entry)| !entry.here && is_under(file, path));
        missing.map(|(file, _entry)| file.clone()).collect()
    }

    pub(super) fn known(&self, path: &str) -> Known {
        Known { file: self.files.get(path).cloned(), folder: self.folders.get(path).copied() }
    }

    /// What is on disk at this path counts from now on.
    pub(super) fn counts_here(&mut self, path: &str) {
        if let Some(entry) = self.files.get_mut(path) {
            entry.here = true;
        }
    }

    /// The file was fetched, in place of `wanted`. False where it is not what was wanted any more.
    pub(super) fn may_place(&self, path: &str, wanted: &Entry) -> bool {
        self.files.get(path).is_some_and(|entry| !entry.here && entry.etag == wanted.etag)
    }

    pub(super) fn placed(&mut self, path: &str, object: Object) {
        self.files.insert(path.to_owned(), Entry { size: object.size, etag: object.etag, here: true });
    }

    pub(super) fn stored(&mut self, path: &str, stored: Stored) {
        self.files.insert(path.to_owned(), Entry { size: stored.size, etag: stored.etag, here: true });
    }

    pub(super) fn stored_folder(&mut self, path: &str) {
        self.folders.insert(path.to_owned(), true);
    }

    pub(super) fn removed_file(&mut self, path: &str) {
        self.files.remove(path);
    }

    pub(super) fn removed_folder(&mut self, path: &str) {
        self.folders.remove(path);
    }

    /// Nobody knows any more what the bucket has at a path, and `found` is on disk: the next listing decides.
    pub(super) fn spoil(&mut self, path: &str, found: Found) {
        match found {
            Found::Folder => {
                self.folders.entry(path.to_owned()).or_insert(false);
            }
            Found::Nothing | Found::File => {
                self.folders.remove(path);
            }
        }
        let unknown = Entry { size: 0, etag: None, here: true };
        match self.files.get_mut(path) {
            Some(entry) => entry.etag = None,
            None if found == Found::File => {
                self.files.insert(path.to_owned(), unknown);
            }
            None => {}
        }
    }

    /// As it is counted against a quota.
    pub(super) fn contents(&self) -> Contents {
        let mut found = Contents::default();
        self.files.values().for_each(|entry| found.add(entry.size));
        found.entries = found.entries.saturating_add(u64::try_from(self.folders.len()).unwrap_or(u64::MAX));
        found
    }

    /// Bytes that are on disk.
    pub(super) fn bytes_here(&self) -> u64 {
        let here = self.files.values().filter(|entry| entry.here);
        here.fold(0, |sum, entry| sum.saturating_add(entry.size))
    }
}

/// True for the path itself and for what lies below it.
fn is_under(path: &str, above: &str) -> bool {
    match path.strip_prefix(above) {
        Some(rest) => above.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn listing(files: &[(&str, u64, &str)], folders: &[&str]) -> Listing {
        let object = |size, etag: &str| Object { size, etag: Some(etag.into()), modified: UNIX_EPOCH };
        Listing {
            files: files.iter().map(|(path, size, etag)| ((*path).into(), object(*size, etag))).collect(),
            folders: folders.iter().map(|path| ((*path).into(), true)).collect(),
        }
    }

    fn nobody(_path: &str) -> bool {
        false
    }

    #[test]
    fn what_differs_becomes_a_placeholder_and_what_is_gone_goes() {
        let mut index = Index::default();
        let plan =
            index.adopt(listing(&[("a/b", 5, "1"), ("note", 3, "2"), ("nil", 0, "3")], &["a"]), nobody);
        assert_eq!(plan.folders, ["a"]);
        assert_eq!(plan.placeholders.len(), 3);
        assert_eq!(index.contents(), Contents { entries: 4, bytes: 8 });
        assert!(index.missing("nil").is_none(), "nothing is missing of an empty file");
        let wanted = index.missing("note").unwrap();
        assert!(index.may_place("note", &wanted));
        index.placed("note", Object { size: 3, etag: Some("2".into()), modified: UNIX_EPOCH });
        assert!(index.missing("note").is_none());
        assert_eq!(index.bytes_here(), 3);

        let plan = index.adopt(listing(&[("note", 3, "2"), ("nil", 0, "9")], &[]), nobody);
        assert_eq!(plan.gone_files, ["a/b"]);
        assert_eq!(plan.gone_folders, ["a"]);
        assert_eq!(plan.placeholders, [("nil".to_owned(), 0, UNIX_EPOCH)]);
        assert!(!plan.is_partial);
        assert!(index.missing("note").is_none(), "what is the same stays here");
    }

    #[test]
    fn what_was_replaced_meanwhile_is_not_placed() {
        let mut index = Index::default();
        index.adopt(listing(&[("note", 3, "1")], &[]), nobody);
        let wanted = index.missing("note").unwrap();
        index.adopt(listing(&[("note", 4, "2")], &[]), nobody);
        assert!(!index.may_place("note", &wanted));
        index.counts_here("note");
        assert!(!index.may_place("note", &index.known("note").file.unwrap()));
    }

    #[test]
    fn what_is_held_stays_as_it_is() {
        let mut index = Index::default();
        index.adopt(listing(&[("mine", 3, "1"), ("gone", 3, "1")], &["folder"]), nobody);
        let held = |path: &str| ["mine", "gone", "new", "folder"].contains(&path);
        let plan = index.adopt(listing(&[("mine", 4, "2"), ("new", 5, "1")], &[]), held);
        assert_eq!(plan, Plan { is_partial: true, ..Plan::default() });
        // Nothing was changed elsewhere: nothing is in doubt.
        let plan = index.adopt(listing(&[("mine", 3, "1"), ("gone", 3, "1")], &["folder"]), held);
        assert_eq!(plan, Plan::default());
    }

    #[test]
    fn what_could_not_be_stored_is_replaced_by_what_the_bucket_has() {
        let mut index = Index::default();
        index.adopt(listing(&[("changed", 3, "1"), ("removed", 3, "1")], &["kept"]), nobody);
        index.counts_here("changed");
        index.spoil("changed", Found::File);
        index.spoil("removed", Found::Nothing);
        index.spoil("new", Found::File);
        index.spoil("made", Found::Folder);
        index.spoil("kept", Found::Nothing);
        let plan = index.adopt(listing(&[("changed", 3, "1"), ("removed", 3, "1")], &["kept"]), nobody);
        let mut placeholders: Vec<_> = plan.placeholders.iter().map(|(path, ..)| path.as_str()).collect();
        placeholders.sort_unstable();
        assert_eq!(placeholders, ["changed", "removed"]);
        assert_eq!(plan.gone_files, ["new"]);
        assert_eq!(plan.gone_folders, ["made"]);
        assert_eq!(plan.folders, ["kept"]);
    }

    #[test]
    fn a_tree_is_the_path_and_what_lies_below() {
        let mut index = Index::default();
        index.adopt(listing(&[("a", 1, "1"), ("a.txt", 1, "1"), ("ab/c", 1, "1")], &["ab"]), nobody);
        assert_eq!(index.missing_under("a"), ["a"]);
        assert_eq!(index.missing_under("ab"), ["ab/c"]);
        assert_eq!(index.missing_under("").len(), 3);
    }
}
