//! [`Control`]: what the services share. Made once by the composition root.

use crate::error::ControlError;
use crate::kept::{self, Keeper};
use crate::link::Link;
use crate::ports::{OutputCache, SiteModules, TenantData};
use crate::services::{Claims, Standing};
use crate::store::{ControlUrl, DatabaseError, Store};
use crate::sync::{Parts, Reconciler};
use rowhouse_base::announce::{Alone, Announce};
use rowhouse_base::id::ServerId;
use rowhouse_base::{DataServerName, Limits, tasks};
use rowhouse_identity::{HashCost, Identity, PasswordError, SignInLimits};
use rowhouse_tenant::Directory;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, Semaphore, oneshot, watch};

/// How often is looked for runs that nobody works on: each look is one small query.
const LOOK_FOR_RUNS: Duration = Duration::from_secs(5);
/// Those who may watch runs at once; each asks the control database twice a second.
const WATCHERS: usize = 64;

/// Without hints, changes of others are looked for this often: one row by its key.
const DEAF_LOOK: Duration = Duration::from_secs(2);
/// A control database that is away is looked for this often.
const AWAY_LOOK: Duration = Duration::from_secs(1);

/// What the operator configured.
#[derive(Clone)]
pub struct ControlConfig {
    /// Which server this is, the same after a restart.
    pub server: ServerId,
    /// What people call this server, of at most 64 bytes.
    pub server_name: String,
    /// Tells other servers of changes.
    pub announce: Arc<dyn Announce>,
    /// Where the snapshot is kept, with which a server starts while the control database is away; none to keep
    /// none.
    pub kept_snapshot: Option<PathBuf>,
    /// Where the control database is.
    pub database: ControlUrl,
    /// Connections to it, where it is on a server.
    pub connections: u32,
    /// `http` or `https`, as visitors use it.
    pub scheme: String,
    /// The port in URLs, where it is not the scheme's own.
    pub port: Option<u16>,
    /// Limits of every tenant.
    pub limits: Limits,
    /// How long a deleted tenant is kept.
    pub trash_period: Duration,
    /// The data servers, as the data room has them.
    pub data_servers: Vec<DataServerName>,
    /// Where tenants are made where nothing is said; one of these.
    pub default_server: DataServerName,
    /// Bytes of an archive that the API takes.
    pub max_archive_bytes: u64,
    /// Folder for content that a restore is replacing.
    pub saved_dir: PathBuf,
    /// How often the reconciler looks by itself while it hears of changes; never less often than every 2 s where it
    /// does not.
    pub sync_interval: Duration,
    /// What a password hash costs.
    pub hash_cost: HashCost,
    /// How many failed sign-ins are taken.
    pub sign_in_limits: SignInLimits,
    /// How long a server that works on a run may be silent before another one takes the run.
    pub run_lease: Duration,
}

impl fmt::Debug for ControlConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (server, name, database) = (&self.server, &self.server_name, &self.database);
        f.debug_struct("ControlConfig")
            .field("server", server)
            .field("server_name", name)
            .field("database", database)
            .finish_non_exhaustive()
    }
}

impl ControlConfig {
    /// The defaults, with the control database in this place, reached at `http` on this port.
    #[must_use]
    pub fn at(database: impl Into<ControlUrl>, port: Option<u16>) -> Self {
        Self {
            server: ServerId::new(),
            server_name: "rowhouse".to_owned(),
            announce: Arc::new(Alone),
            kept_snapshot: None,
            database: database.into(),
            connections: 8,
            scheme: "http".to_owned(),
            port,
            limits: Limits::default(),
            trash_period: Duration::from_secs(7 * 24 * 3600),
            data_servers: vec![DataServerName::local()],
            default_server: DataServerName::local(),
            max_archive_bytes: 16 << 30,
            saved_dir: PathBuf::from("rowhouse-data/saved"),
            sync_interval: Duration::from_secs(5),
            hash_cost: HashCost::default(),
            sign_in_limits: SignInLimits::default(),
            // Twice what a statement waits for a row, so that a server is not taken for dead while it waits.
            run_lease: Duration::from_secs(20),
        }
    }
}

/// The control plane could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database failed.
    #[error("open the control database")]
    Database(#[from] DatabaseError),
    /// Passwords can't be hashed at the configured cost.
    #[error("prepare password hashing")]
    Password(#[from] PasswordError),
}

/// The control plane of one server.
pub struct Control {
    pub(crate) config: ControlConfig,
    pub(crate) store: Store,
    pub(crate) directory: Arc<Directory>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) data: Arc<dyn TenantData>,
    pub(crate) modules: Arc<dyn SiteModules>,
    pub(crate) cache: Arc<dyn OutputCache>,
    pub(crate) reconciler: Reconciler,
    pub(crate) link: Arc<Link>,
    pub(crate) keeper: Arc<Keeper>,
    /// How this server stands with the others.
    pub(crate) standing: Standing,
    /// Held while this process works on a run.
    pub(crate) working: Mutex<()>,
    /// Becomes true, or loses its sender, when the server is to end; none before it began.
    stop: OnceLock<watch::Receiver<bool>>,
    /// Places for those who watch runs.
    pub(crate) watchers: Arc<Semaphore>,
    /// Tenants that this process works for.
    pub(crate) claims: Claims,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Control {
    /// Opens the control database and makes the identity room. Nothing is loaded yet: `recover` does that. Where the
    /// database is on a server that does not answer and a snapshot was kept, that one is served until it does.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        config: ControlConfig,
        directory: Arc<Directory>,
        data: Arc<dyn TenantData>,
        modules: Arc<dyn SiteModules>,
        cache: Arc<dyn OutputCache>,
    ) -> Result<Arc<Self>, OpenError> {
        let link =
            Arc::new(Link::new(config.server, Arc::clone(&config.announce), config.database.is_shared()));
        let keeper =
            Arc::new(Keeper::new(config.kept_snapshot.clone(), &config.database, Arc::clone(&directory)));
        let opened = Store::open(&config.database, config.connections, Arc::clone(&link)).await;
        let (store, error) = match opened {
            Ok(store) => (store, None),
            Err(error) if error.is_transient() => {
                let later = Store::later(&config.database, config.connections, Arc::clone(&link));
                let Some(store) = later else { return Err(error.into()) };
                link.lost();
                (store, Some(error))
            }
            Err(error) => return Err(error.into()),
        };
        let identity =
            Arc::new(Identity::new(Arc::new(store.clone()), config.hash_cost, config.sign_in_limits)?);
        let reconciler = Reconciler::new(Parts {
            store: store.clone(),
            directory: Arc::clone(&directory),
            modules: Arc::clone(&modules),
            cache: Arc::clone(&cache),
            identity: Arc::clone(&identity),
            limits: Arc::new(config.limits.clone()),
            link: Arc::clone(&link),
            keeper: Arc::clone(&keeper),
        });
        if let Some(error) = error {
            if !reconciler.load_kept().await {
                return Err(error.into());
            }
            tracing::warn!(error = %rowhouse_base::Chain(&error), "start from the snapshot on disk");
        }
        let standing = Standing::new(link.is_away());
        Ok(Arc::new(Self {
            config,
            store,
            directory,
            identity,
            data,
            modules,
            cache,
            reconciler,
            link,
            keeper,
            standing,
            working: Mutex::default(),
            stop: OnceLock::new(),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            claims: Claims::default(),
        }))
    }

    /// The identity room, for the front room and the console.
    #[must_use]
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// What the operator configured.
    #[must_use]
    pub fn config(&self) -> &ControlConfig {
        &self.config
    }

    /// Brings the snapshot up to the control state. Harmless at any time.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn sync(&self) -> Result<(), ControlError> {
        self.reconciler.sync().await
    }

    /// Tells the reconciler that the control state has this generation now, as another server said. Does not wait.
    pub fn hint(&self, generation: u64) {
        if generation > self.directory.with(rowhouse_tenant::Snapshot::generation) {
            self.link.look();
        }
    }

    /// Tells the reconciler that hints may have been missed. Does not wait.
    pub fn doubt(&self) {
        self.link.look();
    }

    /// Starts the background work; it ends when `stop` becomes true or its sender is gone.
    pub fn start(self: &Arc<Self>, stop: watch::Receiver<bool>) {
        let (control, ended) = (Arc::clone(self), stop.clone());
        tasks::spawn("reconcile", async move { control.reconcile(ended).await });
        let (control, ended) = (Arc::clone(self), stop.clone());
        tasks::spawn("beat", async move { control.beat_on(ended).await });
        let (control, ended) = (Arc::clone(self), stop.clone());
        tasks::spawn("make releases ready", async move { control.make_ready_on(ended).await });
        let (control, ended) = (Arc::clone(self), stop.clone());
        tasks::spawn("make modules ready", async move { control.make_modules_ready_on(ended).await });
        let (keeper, mut ended) = (Arc::clone(&self.keeper), stop.clone());
        tasks::spawn("keep the snapshot", async move {
            loop {
                tokio::select! {
                    () = told(&mut ended) => break,
                    () = keeper.to_keep() => {}
                }
                keeper.keep().await;
                if wait(&mut ended, kept::REST).await {
                    break;
                }
            }
            keeper.keep().await;
        });
        // A second start would be a second server; the first one's end counts.
        let _first = self.stop.set(stop.clone());
        let control = Arc::clone(self);
        let mut ended = stop.clone();
        tasks::spawn("work on runs", async move {
            loop {
                // What needs the control database waits for it.
                if !control.link.is_away() {
                    control.work_runs().await;
                }
                if wait(&mut ended, LOOK_FOR_RUNS).await {
                    return;
                }
            }
        });
        let control = Arc::clone(self);
        let mut ended = stop;
        tasks::spawn("housekeeping", async move {
            control.arrived().await;
            while !wait(&mut ended, Duration::from_secs(3600)).await {
                control.keep_house().await;
            }
        });
    }

    /// Looks when it is woken and by the timer, until the server ends.
    async fn reconcile(self: Arc<Self>, mut ended: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = told(&mut ended) => return,
                () = self.link.woken() => {}
                () = tokio::time::sleep(self.look_interval()) => {}
            }
            // One that is away was told of once.
            if let Err(error) = self.turn().await
                && !self.link.is_away()
            {
                tracing::warn!(error = %rowhouse_base::Chain(&error), "reconcile with the control state");
            }
        }
    }

    /// How long the reconciler sleeps by itself.
    fn look_interval(&self) -> Duration {
        let most = if self.link.is_away() {
            AWAY_LOOK
        } else if self.link.is_hearing() || !self.config.database.is_shared() {
            self.config.sync_interval
        } else {
            DEAF_LOOK
        };
        self.config.sync_interval.min(most)
    }

    /// True once the server is to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.get().is_some_and(|stop| *stop.borrow() || stop.has_changed().is_err())
    }

    /// Waits until the server is to end.
    pub(crate) async fn stopping(&self) {
        match self.stop.get().cloned() {
            // Told or abandoned: either way the server is to end.
            Some(mut stop) => drop(stop.wait_for(|stop| *stop).await),
            None => std::future::pending().await,
        }
    }

    /// Runs work to its end even when the caller goes away: a client that hangs up leaves nothing half made.
    pub(crate) async fn detached<T: Send + 'static>(
        name: &'static str,
        work: impl Future<Output = Result<T, ControlError>> + Send + 'static,
    ) -> Result<T, ControlError> {
        let (tell, told) = oneshot::channel();
        tasks::spawn(name, async move {
            if tell.send(work.await).is_err() {
                tracing::debug!(task = name, "nobody waited for the answer");
            }
        });
        told.await.map_err(|_gone| ControlError::Stopped)?
    }
}

/// Waits for the end. Told or abandoned: either way the server ends.
pub(crate) async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

/// Waits for the time or the end; true at the end.
pub(crate) async fn wait(stop: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => false,
        () = told(stop) => true,
    }
}
