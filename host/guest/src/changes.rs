//! What a guest changed besides its tables, made known before its answer leaves; and what failed under it, for the log.
//!
//! Statements make their own changes known as they commit. Files and purged tags are gathered here and moved
//! together: at the end of the guest, and before an answer leaves whose guest runs on. Files that belong into a bucket are
//! stored first; an answer whose files could not be stored doesn't leave, and one that has begun breaks off. Where the work
//! is dropped meanwhile, a task does it. Invariant: nothing that was noted is left unmoved, whichever way the guest ends.

use crate::GuestError;
use parking_lot::Mutex;
use rowhouse_base::{Chain, Subject};
use rowhouse_data::{Data, MirrorSession, SqlError};
use rowhouse_tenant::Tenant;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// What one piece of work changed. Shared by the store and those who watch over its end.
pub(crate) struct Changes {
    data: Arc<Data>,
    tenant: Arc<Tenant>,
    noted: Mutex<BTreeSet<Subject>>,
    files: OnceLock<Arc<MirrorSession>>,
    /// Files are stored one time after the other: whoever comes second hears what became of those of the first.
    turn: tokio::sync::Mutex<()>,
    /// Why files could not be stored. The whole work has failed from then on.
    lost: Arc<OnceLock<String>>,
    /// The last statement that failed.
    failed: Mutex<Option<SqlError>>,
}

impl Changes {
    pub(crate) fn new(data: Arc<Data>, tenant: Arc<Tenant>) -> Arc<Self> {
        Arc::new(Self::with(data, tenant, BTreeSet::new(), OnceLock::new()))
    }

    fn with(
        data: Arc<Data>,
        tenant: Arc<Tenant>,
        noted: BTreeSet<Subject>,
        files: OnceLock<Arc<MirrorSession>>,
    ) -> Self {
        let (turn, lost, failed) = (tokio::sync::Mutex::default(), Arc::default(), Mutex::default());
        Self { data, tenant, noted: Mutex::new(noted), files, turn, lost, failed }
    }

    /// Notes a change that has begun.
    pub(crate) fn note(&self, subject: Subject) {
        self.noted.lock().insert(subject);
    }

    /// Notes that a statement failed.
    pub(crate) fn suffered(&self, error: &SqlError) {
        *self.failed.lock() = Some(error.clone());
    }

    /// The last statement that failed.
    pub(crate) fn take_failed(&self) -> Option<SqlError> {
        self.failed.lock().take()
    }

    /// What the work writes through this is stored with its other changes.
    pub(crate) fn watch(&self, files: &Arc<MirrorSession>) {
        // A piece of work begins once.
        let _first = self.files.set(Arc::clone(files));
    }

    /// For who tells a visitor the end of an answer. None where files are in a folder of this machine.
    pub(crate) fn outcome(self: &Arc<Self>) -> Option<Outcome> {
        self.files.get()?;
        Some(Outcome { changes: Arc::downgrade(self), lost: Arc::clone(&self.lost) })
    }

    /// Stores what was written to files so far, and makes known what was noted.
    ///
    /// Cancel-safe: what was not made known when it is dropped is noted again.
    ///
    /// # Errors
    /// [`GuestError::Host`] where files could not be stored, now or before; what was noted is known all the same.
    pub(crate) async fn settle(&self) -> Result<(), GuestError> {
        let files = self.files.get();
        let _turn = match files {
            Some(_) => Some(self.turn.lock().await),
            None => None,
        };
        let mut taken = std::mem::take(&mut *self.noted.lock());
        if files.is_some_and(|files| files.is_dirty()) {
            taken.insert(Subject::files());
        }
        if taken.is_empty() {
            return said(&self.lost);
        }
        let mut pending = Pending { changes: self, subjects: taken.into_iter().collect() };
        // Boxed: what stores in a bucket is large, and most requests never come here.
        let settled = Box::pin(self.data.settle(&self.tenant, files, &pending.subjects)).await;
        if let Err(error) = settled.told {
            // Another writer holds the database, or it is away: the answer leaves, and a task goes on trying.
            tracing::warn!(tenant = %self.tenant.name, error = %Chain(&error), "tell what a guest changed");
            let subjects = std::mem::take(&mut pending.subjects);
            let again = try_again(Arc::clone(&self.data), Arc::clone(&self.tenant), subjects);
            drop(rowhouse_base::tasks::spawn("guest-changes", again));
        }
        pending.subjects.clear();
        if let Err(error) = settled.stored {
            let _first = self.lost.set(format!("store the site's files: {}", Chain(&error)));
        }
        said(&self.lost)
    }
}

fn said(lost: &OnceLock<String>) -> Result<(), GuestError> {
    match lost.get() {
        Some(why) => Err(GuestError::Host(why.clone())),
        None => Ok(()),
    }
}

/// What becomes of the files that a piece of work writes. It holds on to none of them: while a slow visitor reads, others
/// may have what the work has let go of.
#[derive(Clone)]
pub(crate) struct Outcome {
    changes: Weak<Changes>,
    lost: Arc<OnceLock<String>>,
}

impl Outcome {
    /// Stores what was written so far. Where the work has ended, that was done or has failed.
    ///
    /// # Errors
    /// [`GuestError::Host`] where files could not be stored, now or before.
    pub(crate) async fn settle(self) -> Result<(), GuestError> {
        match self.changes.upgrade() {
            Some(changes) => changes.settle().await,
            None => said(&self.lost),
        }
    }

    /// Of work that has ended.
    #[cfg(test)]
    pub(crate) fn ended(lost: Option<&str>) -> Self {
        let lost = lost.map_or_else(OnceLock::new, |why| OnceLock::from(why.to_owned()));
        Self { changes: Weak::new(), lost: Arc::new(lost) }
    }
}

/// Between attempts: the first pause, doubled each time. Ten of them are about eight minutes.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const ATTEMPTS: u32 = 10;

/// Makes changes known that could not be at once.
async fn try_again(data: Arc<Data>, tenant: Arc<Tenant>, subjects: Vec<Subject>) {
    let mut pause = FIRST_PAUSE;
    for _attempt in 0..ATTEMPTS {
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2);
        if data.move_subjects(&tenant, &subjects).await.is_ok() {
            return;
        }
    }
    tracing::error!(tenant = %tenant.name, "pages may be older than what a guest changed: flush the site's pages");
}

/// Notes its subjects again where it is dropped with any.
struct Pending<'a> {
    changes: &'a Changes,
    subjects: Vec<Subject>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.changes.noted.lock().extend(self.subjects.drain(..));
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let noted = std::mem::take(self.noted.get_mut());
        let files = std::mem::take(&mut self.files);
        let is_dirty = files.get().is_some_and(|files| files.is_dirty());
        if (noted.is_empty() && !is_dirty) || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (data, tenant) = (Arc::clone(&self.data), Arc::clone(&self.tenant));
        let left = Self::with(data, tenant, noted, files);
        let _until_it_ends = rowhouse_base::tasks::spawn("guest-changes", async move {
            if let Err(error) = left.settle().await {
                tracing::error!(tenant = %left.tenant.name, %error, "store what a guest wrote that nobody waits for");
            }
        });
    }
}
