//! What binds this process to the control database and to the other servers: whether the database answers, whom to
//! tell of a change, and who is to wake because of one.
//!
//! Shared by the store, which tells after each commit, and the control plane, which looks when it is woken.
//! While the database is known to be away, requests that need it are refused at once instead of after a
//! timeout each: pages of sites must not wait for sessions that nobody can look up.

use parking_lot::Mutex;
use rowhouse_base::announce::Announce;
use rowhouse_base::id::ServerId;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// See the module.
pub(crate) struct Link {
    /// Which server this is.
    pub(crate) server: ServerId,
    announce: Arc<dyn Announce>,
    /// The control database is on a server; a file is never away.
    is_shared: bool,
    /// The reconciler sleeps here.
    wake: Notify,
    /// The beat sleeps here.
    applied: Notify,
    /// Who makes releases ready sleeps here.
    news: Notify,
    /// Who makes ready what tenants wait for sleeps here.
    modules: Notify,
    away: AtomicBool,
    /// When the control database was last known to answer.
    heard_at: Mutex<Instant>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("server", &self.server).field("away", &self.away).finish_non_exhaustive()
    }
}

impl Link {
    pub(crate) fn new(server: ServerId, announce: Arc<dyn Announce>, is_shared: bool) -> Self {
        Self {
            server,
            announce,
            is_shared,
            wake: Notify::new(),
            applied: Notify::new(),
            news: Notify::new(),
            modules: Notify::new(),
            away: AtomicBool::new(false),
            heard_at: Mutex::new(Instant::now()),
        }
    }

    /// A change was committed here, or may have been: others are told, and the reconciler looks.
    pub(crate) fn moved(&self, generation: u64) {
        self.announce.generation(generation);
        self.look();
    }

    /// Wakes the reconciler. One that is at work looks once more.
    pub(crate) fn look(&self) {
        self.wake.notify_one();
    }

    /// Waits until somebody says that there is something to look at. Cancel-safe.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Another generation is in force here: the next beat should say so.
    pub(crate) fn applied(&self) {
        self.applied.notify_one();
    }

    /// Waits until the beat has something to say. Cancel-safe.
    pub(crate) async fn to_say(&self) {
        self.applied.notified().await;
    }

    /// The control state moved: there may be releases that are not ready here.
    pub(crate) fn brought_news(&self) {
        self.news.notify_one();
    }

    /// Waits until there may be such releases. Cancel-safe.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// There are tenants whose module is not ready here.
    pub(crate) fn want_modules(&self) {
        self.modules.notify_one();
    }

    /// Waits until there are such tenants. Cancel-safe.
    pub(crate) async fn modules_wanted(&self) {
        self.modules.notified().await;
    }

    /// True while what others change is told at once.
    pub(crate) fn is_hearing(&self) -> bool {
        !self.announce.is_alone() && self.announce.is_hearing()
    }

    /// The control database answered.
    pub(crate) fn answered(&self) {
        *self.heard_at.lock() = Instant::now();
        if self.away.swap(false, Ordering::SeqCst) {
            tracing::info!("the control database is back");
        }
    }

    /// The control database did not answer.
    pub(crate) fn lost(&self) {
        if self.is_shared && !self.away.swap(true, Ordering::SeqCst) {
            tracing::warn!("the control database is away: sites go on, what needs it is refused");
        }
    }

    /// True while the control database is known not to answer.
    pub(crate) fn is_away(&self) -> bool {
        self.away.load(Ordering::SeqCst)
    }

    /// How long ago the control database last answered.
    pub(crate) fn silent_for(&self) -> Duration {
        self.heard_at.lock().elapsed()
    }
}
