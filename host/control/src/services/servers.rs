//! Servers of a farm: this one among the others, who is there, and how one is told to leave.
//!
//! A server enters when it starts, beats every two seconds and with each new generation, and leaves when it ends; who
//! is silent for long is forgotten. Nothing of this decides what is served: it tells operators who is
//! behind, and whether somebody's work may be taken over.

use super::bootstrap::ShippedModule;
use super::recover::SERVER;
use crate::Control;
use crate::control::{told, wait};
use crate::error::ControlError;
use crate::store::{Beat, DatabaseError, ServerRow, ServerState};
use crate::types::{AppliedView, ServerList, ServerView, rfc3339};
use parking_lot::Mutex;
use rowhouse_base::{Chain, Digest};
use rowhouse_identity::Operator;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

type Result<T> = std::result::Result<T, ControlError>;

/// How often a server says that it is there.
const BEAT: Duration = Duration::from_secs(2);
/// Beats for new generations come no faster: a flood of changes costs ten small statements a second.
pub(super) const BEAT_PAUSE: Duration = Duration::from_millis(100);
/// A server that missed five beats is not waited for.
pub(crate) const LIVE: Duration = Duration::from_secs(10);
/// Counts of sign-ins that ended, and servers that are gone, are looked for this often.
const SWEEP: Duration = Duration::from_secs(30);
/// A server that was silent for this long is forgotten; until then operators see that it is missing.
const GONE: Duration = Duration::from_secs(600);
/// How often is looked whether all servers have a generation, or a module.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// Unknown hosts lead to at most this many looks at the control database a second, however many ask.
const STRANGER_LOOK: Duration = Duration::from_millis(250);
/// Requests for unknown hosts that wait for a look at most; further ones are answered at once.
const STRANGERS: usize = 256;

/// How this server stands with the others.
pub(crate) struct Standing {
    state: Mutex<ServerState>,
    /// Becomes true when an operator tells this server to leave.
    asked: watch::Sender<bool>,
    /// It took leave of the others; nothing enters it again.
    left: AtomicBool,
    /// The start is not finished because the control database is away.
    early: AtomicBool,
    /// Modules that could serve here at once, of those that may be activated next.
    ready: Mutex<Vec<Digest>>,
    /// What the unfinished start is to push.
    shipped: Mutex<Option<ShippedModule>>,
    /// When the last look for an unknown host began; held while one is under way.
    looked: tokio::sync::Mutex<Option<Instant>>,
    strangers: tokio::sync::Semaphore,
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing")
            .field("state", &self.state)
            .field("early", &self.early)
            .finish_non_exhaustive()
    }
}

impl Standing {
    pub(crate) fn new(early: bool) -> Self {
        Self {
            state: Mutex::new(ServerState::Starting),
            asked: watch::Sender::new(false),
            left: AtomicBool::new(false),
            early: AtomicBool::new(early),
            ready: Mutex::default(),
            shipped: Mutex::new(None),
            looked: tokio::sync::Mutex::new(None),
            strangers: tokio::sync::Semaphore::new(STRANGERS),
        }
    }

    /// True until the control database answered for the first time.
    pub(super) fn is_early(&self) -> bool {
        self.early.load(Ordering::SeqCst)
    }

    /// Takes over what is ready here. True where it was something else.
    pub(super) fn set_ready(&self, ready: Vec<Digest>) -> bool {
        let mut known = self.ready.lock();
        if *known == ready {
            return false;
        }
        *known = ready;
        true
    }

    pub(super) fn keep_shipped(&self, shipped: Option<&ShippedModule>) {
        *self.shipped.lock() = shipped.cloned();
    }
}

impl Control {
    /// All servers that are known.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn servers(&self, _operator: &Operator) -> Result<ServerList> {
        let generation = self.store.generation().await?;
        let rows = self.store.servers().await?;
        let items = rows.iter().map(|row| self.server_view(row, generation)).collect();
        Ok(ServerList { generation, items })
    }

    fn server_view(&self, row: &ServerRow, generation: u64) -> ServerView {
        let state = match row.state {
            _ if row.silent_for > LIVE => "silent",
            ServerState::Serving if row.drain => ServerState::Draining.as_str(),
            state => state.as_str(),
        };
        ServerView {
            id: row.id.to_string(),
            name: row.name.clone(),
            version: row.version.clone(),
            state: state.to_owned(),
            applied: row.applied,
            behind: generation.saturating_sub(row.applied),
            started_at: rfc3339(row.started_at),
            silent_ms: u64::try_from(row.silent_for.as_millis()).unwrap_or(u64::MAX),
            is_this: row.id == self.link.server,
        }
    }

    /// Tells a server to finish what is in flight and to go, by its id or by a name that only one has.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Conflict`] where several have the name.
    pub async fn drain_server(&self, operator: &Operator, id_or_name: &str) -> Result<ServerView> {
        let actor = operator.writer()?;
        let rows = self.store.servers().await?;
        let named: Vec<&ServerRow> =
            rows.iter().filter(|row| row.id.to_string() == id_or_name || row.name == id_or_name).collect();
        let missing = || ControlError::not_found("server", id_or_name.chars().take(80).collect::<String>());
        let row = match named.as_slice() {
            [] => return Err(missing()),
            [only] => *only,
            several => {
                let ids: Vec<String> = several.iter().map(|row| row.id.to_string()).collect();
                let text = format!("{} servers have this name; use an id: {}", ids.len(), ids.join(", "));
                return Err(ControlError::Conflict(text));
            }
        };
        let mut change = self.store.change().await?;
        if !change.drain_server(row.id).await? {
            return Err(missing());
        }
        change.audit(actor, "server.drain", row.name.as_str(), &row.id.to_string()).await?;
        change.commit().await?;
        if row.id == self.link.server {
            self.standing.asked.send_replace(true);
        }
        let generation = self.store.generation().await?;
        Ok(self.server_view(&ServerRow { drain: true, ..row.clone() }, generation))
    }

    /// Waits until every live server has what is in force now, no longer than this. A server that is starting is not
    /// waited for: it serves nobody before it has everything.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn wait_applied(&self, most: Duration) -> Result<AppliedView> {
        let generation = self.store.generation().await?;
        let end = Instant::now() + most;
        loop {
            let rows = self.store.servers().await?;
            let behind: Vec<String> = rows
                .iter()
                .filter(|row| row.silent_for <= LIVE && row.state != ServerState::Starting)
                .filter(|row| row.applied < generation)
                .map(|row| row.name.clone())
                .collect();
            if behind.is_empty() || Instant::now() >= end {
                return Ok(AppliedView { generation, behind });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// This server serves from now on.
    pub fn set_serving(&self) {
        self.set_state(ServerState::Serving);
    }

    /// This server finishes what is in flight and goes.
    pub fn set_draining(&self) {
        self.set_state(ServerState::Draining);
    }

    fn set_state(&self, state: ServerState) {
        *self.standing.state.lock() = state;
        self.link.applied();
    }

    /// Done once an operator told this server to leave.
    pub async fn asked_to_leave(&self) {
        let mut asked = self.standing.asked.subscribe();
        // The sender is a part of this: it is not gone before us.
        drop(asked.wait_for(|asked| *asked).await);
    }

    /// Keeps the snapshot for the next start, and tells the others that they need not wait for this server any more. What
    /// fails is logged: they forget it in time.
    pub async fn leave(&self) {
        self.standing.left.store(true, Ordering::SeqCst);
        self.keeper.keep().await;
        if self.link.is_away() {
            return;
        }
        if let Err(error) = self.store.leave_server(self.link.server).await {
            tracing::warn!(error = %Chain(&error), "take leave of the other servers");
        }
    }

    /// How long ago the control database last answered.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        self.link.silent_for()
    }

    /// Looks at the control state because a visitor asked for a host that nobody here knows. Those who ask at the
    /// same time share one look that began after each of them asked. Waits no longer than a look and the pause
    /// before it, and for nothing while the database is away or too many wait. Cancel-safe.
    pub async fn look_again(&self) {
        if self.link.is_away() || !self.config.database.is_shared() {
            return;
        }
        let Ok(_place) = self.standing.strangers.try_acquire() else { return };
        let asked = Instant::now();
        let mut looked = self.standing.looked.lock().await;
        if looked.is_some_and(|at| at >= asked) {
            return;
        }
        if let Some(rest) = looked.and_then(|at| STRANGER_LOOK.checked_sub(at.elapsed())) {
            tokio::time::sleep(rest).await;
        }
        *looked = Some(Instant::now());
        if let Err(error) = self.sync().await {
            tracing::debug!(error = %Chain(&error), "look for an unknown host");
        }
    }

    /// Enters this server among the others.
    pub(super) async fn enter(&self) -> Result<()> {
        Ok(self.store.enter_server(&self.own_beat()).await?)
    }

    fn own_beat(&self) -> Beat {
        Beat {
            id: self.link.server,
            name: self.config.server_name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: *self.standing.state.lock(),
            applied: self.directory.with(rowhouse_tenant::Snapshot::generation),
            ready: self.standing.ready.lock().clone(),
        }
    }

    /// Says that this server is there, and hears whether it is to leave.
    pub(crate) async fn beat(&self) -> std::result::Result<(), DatabaseError> {
        match self.store.beat_server(&self.own_beat()).await? {
            Some(true) => {
                self.standing.asked.send_replace(true);
            }
            Some(false) => {}
            None if self.standing.left.load(Ordering::SeqCst) => {}
            // Forgotten while it stood still.
            None => self.store.enter_server(&self.own_beat()).await?,
        }
        Ok(())
    }

    /// Beats until the server ends.
    pub(crate) async fn beat_on(self: Arc<Self>, mut ended: watch::Receiver<bool>) {
        let mut swept = Instant::now();
        loop {
            if !self.link.is_away() && !self.standing.is_early() {
                if let Err(error) = self.beat().await {
                    tracing::debug!(error = %Chain(&error), "tell the others that this server is there");
                }
                if swept.elapsed() >= SWEEP {
                    swept = Instant::now();
                    self.sweep().await;
                }
            }
            if wait(&mut ended, BEAT_PAUSE).await {
                return;
            }
            tokio::select! {
                () = told(&mut ended) => return,
                () = self.link.to_say() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }

    async fn sweep(&self) {
        if let Err(error) = self.store.drop_old_sign_ins().await {
            tracing::warn!(error = %Chain(&error), "drop old counts of sign-ins");
        }
        match self.store.forget_servers(GONE).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "forget servers that were silent for long"),
            Err(error) => tracing::warn!(error = %Chain(&error), "forget servers that are gone"),
        }
    }

    /// One turn of the reconciler, with what a start had to leave undone.
    pub(crate) async fn turn(&self) -> Result<()> {
        if self.standing.is_early() {
            self.arrive().await?;
        }
        self.sync().await?;
        // A change may have been the order to leave.
        self.link.applied();
        Ok(())
    }

    /// Finishes a start that found no control database.
    async fn arrive(&self) -> Result<()> {
        match self.store.arrive().await {
            Ok(()) => self.link.answered(),
            Err(error) => return Err(error.into()),
        }
        self.standing.early.store(false, Ordering::SeqCst);
        let shipped = self.standing.shipped.lock().take();
        let done = async {
            self.bootstrap(shipped.as_ref()).await?;
            self.put_right().await
        };
        if let Err(error) = done.await {
            self.standing.early.store(true, Ordering::SeqCst);
            self.standing.keep_shipped(shipped.as_ref());
            return Err(error);
        }
        tracing::info!(actor = SERVER, "finish the start: the control database is there");
        Ok(())
    }

    /// Waits until the start is finished.
    pub(crate) async fn arrived(&self) {
        while self.standing.is_early() {
            tokio::time::sleep(BEAT).await;
        }
    }
}
