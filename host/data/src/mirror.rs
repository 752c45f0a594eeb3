//! A tenant's files on this machine where the truth is a bucket: a real folder, because guests are given one.
//!
//! The bucket is listed when the tenant's count of changes to its files is another one than at the last listing. What
//! differs is replaced by a sparse placeholder of the right length, so that sizes, lists and the quota are right without a
//! download; a file's bytes are fetched when it is opened. What a request changes is noted, and stored at its end, before
//! the count moves: whoever sees the new count finds the new bytes.
//!
//! Locks, always taken in this order: `listed` (who lists, or moves the count), a path's turn (who fetches or stores it),
//! `shape` (shared by those who open files, alone for those who put others in their place), `state`. Guests compute under
//! none of them. Invariants: placeholders are neither read nor uploaded; what a request holds is replaced by nobody else.

mod fetch;
mod index;
mod push;
mod session;

use crate::DataError;
use crate::data::aside;
use crate::files::FilesMeter;
use crate::home::{Contents, make_folder, walk};
use crate::objects::{Bucket, BucketError, Listing};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use index::{Found, Index, Plan};
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Subject, Versions, tasks};
use std::collections::HashMap;
use std::fs::FileTimes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::RwLock;
use uuid::Uuid;

pub use session::{MirrorSession, Needs, Renaming, Still};

/// A listing is looked at anew after this, whatever the count says: a server that died between storing and counting leaves
/// the others behind for no longer. Twelve lists an hour for a busy tenant.
const TRUSTED: Duration = Duration::from_secs(300);

/// After a list that failed, the next one waits for this long, so that a bucket that is away isn't asked by each request.
const PAUSE: Duration = Duration::from_secs(1);

/// Turns that are kept before those are cleared out that nobody holds.
const SPARE_TURNS: usize = 256;

const FILES: &str = "files";
const SPARE: &str = "new";

/// Why a tenant's files could not be reached or stored.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The bucket.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The mirror on this machine's disk.
    #[error(transparent)]
    Disk(#[from] DataError),
    /// The bucket could not be listed a moment ago.
    #[error("the bucket could not be listed a moment ago")]
    Away,
    /// A file was replaced each time it was fetched.
    #[error("`{0}` was replaced again and again while it was fetched")]
    Unsteady(String),
    /// Another request is writing what is to be renamed.
    #[error("another request is writing `{0}`")]
    Busy(String),
}

/// How often a tenant's files were changed, as far as a listing has to know it. Counts of one database only go up, and the
/// first one is of the time at which the database was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    everything: u64,
    files: u64,
}

impl Mark {
    pub(crate) fn of(versions: &Versions) -> Self {
        Self { everything: versions.of(&Subject::everything()), files: versions.of(&Subject::files()) }
    }

    /// True where a listing of this mark has what one of `wanted` would have.
    fn covers(self, wanted: Self) -> bool {
        self.everything == wanted.everything && self.files >= wanted.files
    }

    fn is_next_after(self, before: Self) -> bool {
        self.everything == before.everything && before.files.checked_add(1) == Some(self.files)
    }
}

/// What the last listing is worth.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    at: Option<Mark>,
    since: Option<Instant>,
    failed: Option<Instant>,
    /// How many doubts there were before it began.
    doubts: u64,
}

impl Listed {
    fn serves(&self, wanted: Option<Mark>, doubts: u64) -> bool {
        let (Some(at), Some(wanted), Some(since)) = (self.at, wanted, self.since) else { return false };
        at.covers(wanted) && since.elapsed() < TRUSTED && self.doubts == doubts
    }

    /// The count was moved by us and is `now`. Where nobody else moved it, the listing is still all there is.
    pub(crate) fn moved_to(&mut self, now: Option<Mark>) {
        self.at = match (self.at, now) {
            (Some(before), Some(now)) if now.is_next_after(before) => Some(now),
            _ => None,
        };
    }
}

#[derive(Default)]
struct State {
    index: Index,
    /// Paths that requests have changed or may change, and how many do.
    held: HashMap<String, u32>,
    /// Requests that have touched the files and go on.
    sessions: u32,
    /// How often it became unknown what the bucket has, because something could not be stored.
    doubts: u64,
}

/// A tenant's files here.
pub struct Mirror {
    bucket: Arc<Bucket>,
    tenant: TenantId,
    /// What the guest is given.
    root: Dir,
    /// Files on their way to it.
    spare: Dir,
    /// The folder of both.
    parent: Arc<Dir>,
    name: String,
    path: PathBuf,
    meter: Arc<FilesMeter>,
    pub(crate) listed: tokio::sync::Mutex<Listed>,
    shape: Arc<RwLock<()>>,
    state: Mutex<State>,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    used: Mutex<Instant>,
}

impl Mirror {
    /// An empty one that knows nothing. In a folder of its own, because the last one of the same tenant may not be gone yet.
    pub(crate) fn make(
        bucket: Arc<Bucket>,
        tenant: TenantId,
        parent: &Arc<Dir>,
        path: &Path,
    ) -> Result<Arc<Self>, DataError> {
        let name = format!("{tenant}.{}", Uuid::new_v4());
        let make = || -> io::Result<(Dir, Dir)> {
            make_folder(parent, &name)?;
            let folder = parent.open_dir(&name)?;
            make_folder(&folder, FILES)?;
            make_folder(&folder, SPARE)?;
            Ok((folder.open_dir(FILES)?, folder.open_dir(SPARE)?))
        };
        let (root, spare) = make().map_err(DataError::io("make the mirror", name.clone()))?;
        let path = path.join(&name).join(FILES);
        Ok(Arc::new(Self {
            bucket,
            tenant,
            root,
            spare,
            parent: Arc::clone(parent),
            name,
            path,
            meter: Arc::new(FilesMeter::new(Contents::default(), 0, 0)),
            listed: tokio::sync::Mutex::default(),
            shape: Arc::default(),
            state: Mutex::default(),
            turns: Mutex::default(),
            used: Mutex::new(Instant::now()),
        }))
    }

    /// The folder that a guest is given.
    pub(crate) fn dir(&self) -> io::Result<Dir> {
        self.root.try_clone()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    pub(crate) fn meter(&self) -> &Arc<FilesMeter> {
        &self.meter
    }

    /// Somebody uses it now.
    pub(crate) fn touch(&self) {
        *self.used.lock() = Instant::now();
    }

    pub(crate) fn last_used(&self) -> Instant {
        *self.used.lock()
    }

    /// Bytes that it takes on this machine's disk.
    pub(crate) fn bytes_here(&self) -> u64 {
        self.state.lock().index.bytes_here()
    }

    /// Lists the bucket, unless what is known is as new as `wanted`.
    ///
    /// Cancel-safe: what was begun on disk goes on, and the next one lists again.
    async fn bring_up_to(self: &Arc<Self>, wanted: Option<Mark>) -> Result<(), MirrorError> {
        let mut listed = self.listed.lock().await;
        // What becomes doubtful from here on is so for the listing that begins now.
        let (doubts, since) = (self.state.lock().doubts, Instant::now());
        if listed.serves(wanted, doubts) {
            return Ok(());
        }
        if listed.failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
            return Err(MirrorError::Away);
        }
        let is_partial = match self.list_again().await {
            Ok(is_partial) => is_partial,
            Err(error) => {
                listed.failed = Some(Instant::now());
                return Err(error);
            }
        };
        *listed = Listed { at: wanted.filter(|_| !is_partial), since: Some(since), failed: None, doubts };
        Ok(())
    }

    /// True where something had to be left as it was.
    async fn list_again(self: &Arc<Self>) -> Result<bool, MirrorError> {
        let listing = self.bucket.list(self.tenant).await?;
        let alone = Arc::clone(&self.shape).write_owned().await;
        let mirror = Arc::clone(self);
        let adopted = aside(move || {
            let adopted = mirror.adopt(listing);
            drop(alone);
            adopted
        });
        Ok(adopted.await??)
    }

    /// Brings the disk to what was listed. The shape is the caller's alone.
    fn adopt(&self, listing: Listing) -> Result<bool, DataError> {
        let plan = {
            let state = &mut *self.state.lock();
            let held = &state.held;
            state.index.adopt(listing, |path| held.contains_key(path))
        };
        let mut is_partial = plan.is_partial;
        let done = self.carry_out(&plan).and_then(|skipped| {
            is_partial |= !skipped.is_empty();
            self.spoil(&skipped);
            let root = self.root.open_dir(".")?;
            self.meter.recount(walk(root)?);
            Ok(())
        });
        if done.is_err() {
            self.spoil(&plan.gone_files);
            let placed: Vec<String> = plan.placeholders.into_iter().map(|(path, ..)| path).collect();
            self.spoil(&placed);
        }
        done.map_err(DataError::io("bring the mirror up to date", self.name.clone()))?;
        Ok(is_partial)
    }

    /// Returns what could not be put in its place, because something of a request is there.
    fn carry_out(&self, plan: &Plan) -> io::Result<Vec<String>> {
        for path in &plan.gone_files {
            let _gone_or_a_folder_by_now = self.root.remove_file(path);
        }
        for path in &plan.gone_folders {
            let _gone_or_not_empty = self.root.remove_dir(path);
        }
        for path in &plan.folders {
            // Where a file is in the way, what is to be in the folder is skipped below.
            let _made_or_there = make_folder(&self.root, path);
        }
        let mut skipped = Vec::new();
        for (path, size, modified) in &plan.placeholders {
            match self.place_holder(path, *size, *modified) {
                Ok(()) => {}
                Err(error) if is_in_the_way(&error) => skipped.push(path.clone()),
                Err(error) => return Err(error),
            }
        }
        Ok(skipped)
    }

    /// Puts a file of this length and no bytes in the place of whatever is there.
    fn place_holder(&self, path: &str, size: u64, modified: SystemTime) -> io::Result<()> {
        let (spare, file) = self.spare_file()?;
        file.set_len(size)?;
        file.set_times(FileTimes::new().set_modified(modified))?;
        let placed = self.spare.rename(&spare, &self.root, path);
        if placed.is_err() {
            let _gone = self.spare.remove_file(&spare);
        }
        placed
    }

    /// A new file beside the guest's folder, and its name there.
    fn spare_file(&self) -> io::Result<(String, std::fs::File)> {
        let name = Uuid::new_v4().to_string();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = self.spare.open_with(&name, &options)?;
        Ok((name, file.into_std()))
    }

    /// What is known of these paths is worth nothing: the next listing decides about them.
    fn spoil(&self, paths: &[String]) {
        let found: Vec<Found> = paths.iter().map(|path| self.found(path)).collect();
        let mut state = self.state.lock();
        state.doubts += u64::from(!paths.is_empty());
        for (path, found) in paths.iter().zip(found) {
            state.index.spoil(path, found);
        }
    }

    fn found(&self, path: &str) -> Found {
        match self.root.symlink_metadata(path) {
            Ok(facts) if facts.is_dir() => Found::Folder,
            Ok(_) => Found::File,
            Err(_) => Found::Nothing,
        }
    }

    /// Who fetches or stores a path, one after the other.
    fn turn(&self, path: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock();
        if let Some(turn) = turns.get(path).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() > SPARE_TURNS {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        turns.insert(path.to_owned(), Arc::downgrade(&turn));
        turn
    }

    #[cfg(test)]
    pub(crate) fn is_missing(&self, path: &str) -> bool {
        self.state.lock().index.missing(path).is_some()
    }
}

/// A folder where a file is to be, or the other way round, or no folder for it.
fn is_in_the_way(error: &io::Error) -> bool {
    use io::ErrorKind::{
        AlreadyExists, DirectoryNotEmpty, InvalidFilename, IsADirectory, NotADirectory, NotFound,
    };
    matches!(
        error.kind(),
        NotFound | NotADirectory | IsADirectory | AlreadyExists | DirectoryNotEmpty | InvalidFilename
    )
}

impl Drop for Mirror {
    fn drop(&mut self) {
        let (parent, name) = (Arc::clone(&self.parent), std::mem::take(&mut self.name));
        // Without a runtime the process is ending, and the next start removes it.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let _until_it_ends = tasks::spawn("remove a mirror", async move {
            let removed = aside(move || parent.remove_dir_all(&name)).await;
            if let Ok(Err(error)) = removed {
                tracing::warn!(%error, "a mirror stays on disk until the next start");
            }
        });
    }
}

#[cfg(test)]
mod tests;
