//! One request's use of a mirror: what it has open, what it changed, and what it holds until it has ended.
//!
//! Made for each request; the first call that touches a file brings the mirror up to the count of changes that was read
//! when the request began. Paths come from guests: they are put in order here, and one that leads out of its folder is
//! refused before anything is looked up.

use super::{Mark, Mirror, MirrorError};
use crate::DataError;
use crate::data::aside;
use cap_std::fs::Dir;
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

/// How often a file that is replaced while it is fetched is fetched anew.
const ATTEMPTS: u32 = 3;

/// Files of a folder that are fetched at once, to be renamed.
const AT_ONCE: usize = 8;

/// A request's use of its tenant's files. When it is dropped, others may replace what it held.
pub struct MirrorSession {
    pub(super) mirror: Arc<Mirror>,
    mark: Option<Mark>,
    is_ready: AtomicBool,
    is_counted: AtomicBool,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    /// Paths of what is open, by the guest's handles. A handle that is not among them is the folder itself.
    open: HashMap<u32, String>,
    /// What was changed and is not stored yet.
    dirty: BTreeSet<String>,
    held: HashSet<String>,
}

/// Which files' bytes have to be on this machine before a change.
#[derive(Clone, Copy, Debug)]
pub enum Needs<'a> {
    /// None: the change is about names, or the bytes go away.
    Nothing,
    /// Those of one file.
    File(&'a str),
    /// Those of a file, or of all files below a folder.
    Tree(&'a str),
}

/// While this is held, no file of the tenant is replaced by a newer one of the bucket.
#[must_use]
pub struct Still {
    _guard: Guard,
}

enum Guard {
    Shared { _guard: OwnedRwLockReadGuard<()> },
    Alone { _guard: OwnedRwLockWriteGuard<()> },
}

/// A rename that is about to happen.
#[must_use]
pub struct Renaming {
    from: String,
    to: String,
    moved: Vec<(String, String)>,
}

impl MirrorSession {
    pub(crate) fn new(mirror: &Arc<Mirror>, mark: Option<Mark>) -> Arc<Self> {
        mirror.touch();
        Arc::new(Self {
            mirror: Arc::clone(mirror),
            mark,
            is_ready: AtomicBool::new(false),
            is_counted: AtomicBool::new(false),
            work: Mutex::default(),
        })
    }

    /// Whose files these are.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.mirror.tenant
    }

    /// Where these files are kept.
    pub(crate) fn mirror(&self) -> &Arc<Mirror> {
        &self.mirror
    }

    /// Brings the mirror up to what was known when the request began. Only the first call does anything.
    ///
    /// # Errors
    /// [`MirrorError`] where the bucket can't be listed; the next call tries again.
    pub async fn ready(&self) -> Result<(), MirrorError> {
        if self.is_ready.load(Ordering::Acquire) {
            return Ok(());
        }
        self.mirror.bring_up_to(self.mark).await?;
        if !self.is_counted.swap(true, Ordering::AcqRel) {
            self.mirror.enter();
        }
        self.is_ready.store(true, Ordering::Release);
        Ok(())
    }

    /// The path that a guest means, from the tenant's folder on: `fd` is the folder that it named, `path` what it asked for
    /// there. None where that would lead out of the folder.
    #[must_use]
    pub fn resolve(&self, fd: u32, path: &str) -> Option<String> {
        let work = self.work.lock();
        let base = work.open.get(&fd).map(String::as_str).unwrap_or_default();
        joined(base, path)
    }

    /// The guest has opened a path.
    pub fn opened(&self, fd: u32, path: String) {
        self.work.lock().open.insert(fd, path);
    }

    /// The guest has closed what it had open.
    pub fn closed(&self, fd: u32) {
        self.work.lock().open.remove(&fd);
    }

    /// Where what is open lies.
    #[must_use]
    pub fn path_of(&self, fd: u32) -> Option<String> {
        self.work.lock().open.get(&fd).cloned()
    }

    /// Whether the bucket can have something of this name.
    ///
    /// # Errors
    /// [`MirrorError::Bucket`] where the name is too long for it.
    pub fn fits(&self, path: &str) -> Result<(), MirrorError> {
        Ok(self.mirror.bucket.fits(self.mirror.tenant, path)?)
    }

    /// Keeps everything as it is while others may look and read too.
    pub async fn looking(&self) -> Still {
        let guard = Arc::clone(&self.mirror.shape).read_owned().await;
        Still { _guard: Guard::Shared { _guard: guard } }
    }

    /// The same, with a file's bytes here.
    ///
    /// # Errors
    /// [`MirrorError`] where they can't be fetched.
    pub async fn reading(&self, path: &str) -> Result<Still, MirrorError> {
        for _attempt in 0..ATTEMPTS {
            let still = self.looking().await;
            if self.mirror.state.lock().index.missing(path).is_none() {
                return Ok(still);
            }
            drop(still);
            self.mirror.fetch(path).await?;
        }
        Err(MirrorError::Unsteady(path.to_owned()))
    }

    /// Keeps everything as it is for this request alone, to change what is there.
    ///
    /// # Errors
    /// [`MirrorError`] where bytes that are needed can't be fetched.
    pub async fn changing(&self, needs: Needs<'_>) -> Result<Still, MirrorError> {
        for _attempt in 0..ATTEMPTS {
            let alone = Arc::clone(&self.mirror.shape).write_owned().await;
            let missing = self.mirror.lacking(needs);
            if missing.is_empty() {
                return Ok(Still { _guard: Guard::Alone { _guard: alone } });
            }
            drop(alone);
            self.mirror.fetch_all(&missing, AT_ONCE).await?;
        }
        let (Needs::File(path) | Needs::Tree(path)) = needs else { return Err(MirrorError::Away) };
        Err(MirrorError::Unsteady(path.to_owned()))
    }

    /// What is at this path is changed, or may be in a moment: it is stored at the end, and nobody replaces it until then.
    pub fn note(&self, path: &str) {
        let mut work = self.work.lock();
        if !work.dirty.contains(path) {
            work.dirty.insert(path.to_owned());
        }
        self.hold_with(&mut work, path);
    }

    /// The same for what is written through a handle.
    pub fn note_open(&self, fd: u32) {
        if let Some(path) = self.path_of(fd) {
            self.note(&path);
        }
    }

    /// Notes the folder that a path lies in: what goes away may leave it empty, and it stays.
    pub fn note_parent(&self, path: &str) {
        if let Some((parent, _name)) = path.rsplit_once('/') {
            self.note(parent);
        }
    }

    /// Nobody replaces what is at this path until the request has ended.
    pub fn hold(&self, path: &str) {
        self.hold_with(&mut self.work.lock(), path);
    }

    fn hold_with(&self, work: &mut Work, path: &str) {
        if !work.held.contains(path) {
            work.held.insert(path.to_owned());
            *self.mirror.state.lock().held.entry(path.to_owned()).or_insert(0) += 1;
        }
    }

    /// What is on this machine's disk at a path counts from now on: new bytes, or that there is nothing any more.
    pub fn counts_here(&self, path: &str) {
        self.mirror.state.lock().index.counts_here(path);
    }

    /// Prepares a rename: notes what it moves. To be called while everything stands still for this request alone, with the
    /// bytes of the tree here.
    ///
    /// # Errors
    /// [`MirrorError`] where another request writes to what is to be moved, or a new name doesn't fit.
    pub async fn renaming(&self, from: &str, to: &str) -> Result<Renaming, MirrorError> {
        let mirror = Arc::clone(&self.mirror);
        let start = from.to_owned();
        let paths = aside(move || paths_under(&mirror.root, start)).await?;
        let paths = paths.map_err(DataError::io("walk", from))?;
        let moved: Vec<(String, String)> = paths
            .into_iter()
            .map(|path| {
                let rest = path.strip_prefix(from).unwrap_or_default();
                let target = format!("{to}{rest}");
                (path, target)
            })
            .collect();
        self.refuse_what_others_hold(&moved)?;
        for (_path, target) in &moved {
            self.fits(target)?;
        }
        for (path, target) in &moved {
            self.note(path);
            self.note(target);
        }
        self.note(to);
        self.note_parent(from);
        Ok(Renaming { from: from.to_owned(), to: to.to_owned(), moved })
    }

    /// Their handles would go on writing to a file that has another name by then.
    fn refuse_what_others_hold(&self, moved: &[(String, String)]) -> Result<(), MirrorError> {
        let work = self.work.lock();
        let state = self.mirror.state.lock();
        for (path, _target) in moved {
            let own = u32::from(work.held.contains(path));
            if state.held.get(path).is_some_and(|held| *held > own) {
                return Err(MirrorError::Busy(path.clone()));
            }
        }
        Ok(())
    }

    /// The rename has happened.
    pub fn renamed(&self, renaming: Renaming) {
        let Renaming { from, to, moved } = renaming;
        let mut work = self.work.lock();
        for path in work.open.values_mut() {
            let rest =
                path.strip_prefix(from.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            if let Some(rest) = rest {
                *path = format!("{to}{rest}");
            }
        }
        let mut state = self.mirror.state.lock();
        state.index.counts_here(&to);
        for (path, target) in &moved {
            state.index.counts_here(path);
            state.index.counts_here(target);
        }
    }

    /// True where something was changed that is not stored yet.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        !self.work.lock().dirty.is_empty()
    }

    /// Everything that is to be stored now; it is noted anew where storing it doesn't come to an end.
    pub(super) fn take_dirty(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.work.lock().dirty)
    }

    pub(super) fn put_back(&self, paths: impl IntoIterator<Item = String>) {
        self.work.lock().dirty.extend(paths);
    }
}

impl Drop for MirrorSession {
    fn drop(&mut self) {
        self.mirror.touch();
        let work = self.work.get_mut();
        self.mirror.leave(&work.held, *self.is_counted.get_mut());
    }
}

impl Mirror {
    /// A request has touched the files. Where it is the only one, everything is stored, and the count against the quota is
    /// made exact: bytes that overwrote others were counted twice.
    fn enter(&self) {
        let state = &mut *self.state.lock();
        state.sessions += 1;
        if state.sessions == 1 {
            self.meter.recount(state.index.contents());
        }
    }

    fn leave(&self, held: &HashSet<String>, was_counted: bool) {
        let state = &mut *self.state.lock();
        if was_counted {
            state.sessions = state.sessions.saturating_sub(1);
        }
        for path in held {
            if let Some(count) = state.held.get_mut(path) {
                *count -= 1;
                if *count == 0 {
                    state.held.remove(path);
                }
            }
        }
    }

    /// Files of which only placeholders are here.
    fn lacking(&self, needs: Needs<'_>) -> Vec<String> {
        let state = self.state.lock();
        match needs {
            Needs::Nothing => Vec::new(),
            Needs::File(path) => {
                state.index.missing(path).map(|_entry| path.to_owned()).into_iter().collect()
            }
            Needs::Tree(path) => state.index.missing_under(path),
        }
    }
}

/// A path put in order below another one; none where it would lead out of that one. There are no links in a mirror, so `..`
/// is the folder above.
fn joined(base: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut below: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                below.pop()?;
            }
            name => below.push(name),
        }
    }
    let parts = base.split('/').filter(|name| !name.is_empty()).chain(below);
    Some(parts.collect::<Vec<_>>().join("/"))
}

/// A path and everything below it, as it is on disk. Nothing where there is nothing.
fn paths_under(root: &Dir, start: String) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut left = vec![start];
    while let Some(path) = left.pop() {
        let facts = match root.symlink_metadata(&path) {
            Ok(facts) => facts,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if facts.is_dir() {
            for entry in root.read_dir(&path)? {
                // A guest's names are text.
                if let Some(name) = entry?.file_name().to_str() {
                    left.push(format!("{path}/{name}"));
                }
            }
        }
        found.push(path);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_in_order_and_never_lead_out() {
        for (base, path, expected) in [
            ("", "note", Some("note")),
            ("", "./a//b/", Some("a/b")),
            ("a", "b/../c", Some("a/c")),
            ("a", ".", Some("a")),
            ("", ".", Some("")),
            ("a", "../a", None),
            ("", "..", None),
            ("a/b", "c/../../d", None),
            ("a", "/etc/passwd", None),
            ("a", "...", Some("a/...")),
        ] {
            assert_eq!(joined(base, path).as_deref(), expected, "{base:?} {path:?}");
        }
    }
}
