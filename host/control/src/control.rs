//! [`Control`]: what the services share. Made once by the composition root.

use crate::error::ControlError;
use crate::ports::{SiteModules, TenantData};
use crate::services::Claims;
use crate::store::{ControlUrl, DatabaseError, Store};
use crate::sync::Reconciler;
use rowhouse_base::{DataServerName, Limits, tasks};
use rowhouse_identity::{HashCost, Identity, PasswordError, SignInLimits};
use rowhouse_tenant::Directory;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, oneshot, watch};

/// What the operator configured.
#[derive(Clone, Debug)]
pub struct ControlConfig {
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
    /// How often the reconciler looks by itself.
    pub sync_interval: Duration,
    /// What a password hash costs.
    pub hash_cost: HashCost,
    /// How many failed sign-ins are taken.
    pub sign_in_limits: SignInLimits,
}

impl ControlConfig {
    /// The defaults, with the control database in this place, reached at `http` on this port.
    #[must_use]
    pub fn at(database: impl Into<ControlUrl>, port: Option<u16>) -> Self {
        Self {
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
            sync_interval: Duration::from_secs(2),
            hash_cost: HashCost::default(),
            sign_in_limits: SignInLimits::default(),
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
    pub(crate) reconciler: Reconciler,
    /// Held while an activation runs in this process.
    pub(crate) activating: Arc<Mutex<()>>,
    /// Tenants that this process works for.
    pub(crate) claims: Claims,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Control {
    /// Opens the control database and makes the identity room. Nothing is loaded yet: `recover` does that.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(
        config: ControlConfig,
        directory: Arc<Directory>,
        data: Arc<dyn TenantData>,
        modules: Arc<dyn SiteModules>,
    ) -> Result<Arc<Self>, OpenError> {
        let store = Store::open(&config.database, config.connections).await?;
        let identity =
            Arc::new(Identity::new(Arc::new(store.clone()), config.hash_cost, config.sign_in_limits)?);
        let reconciler = Reconciler::new(
            store.clone(),
            Arc::clone(&directory),
            Arc::clone(&modules),
            Arc::clone(&identity),
            Arc::new(config.limits.clone()),
        );
        let (activating, claims) = (Arc::default(), Claims::default());
        Ok(Arc::new(Self {
            config,
            store,
            directory,
            identity,
            data,
            modules,
            reconciler,
            activating,
            claims,
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

    /// Starts the background work; it ends when `stop` becomes true or its sender is gone.
    pub fn start(self: &Arc<Self>, stop: watch::Receiver<bool>) {
        let control = Arc::clone(self);
        let mut ended = stop.clone();
        tasks::spawn("reconcile", async move {
            while !wait(&mut ended, control.config.sync_interval).await {
                if let Err(error) = control.sync().await {
                    tracing::warn!(error = %rowhouse_base::Chain(&error), "reconcile with the control state");
                }
            }
        });
        let control = Arc::clone(self);
        let mut ended = stop;
        tasks::spawn("housekeeping", async move {
            control.resume_activations().await;
            while !wait(&mut ended, Duration::from_secs(3600)).await {
                control.keep_house().await;
            }
        });
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

/// Waits for the time or the end; true at the end.
async fn wait(stop: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => false,
        ended = stop.wait_for(|stop| *stop) => { drop(ended); true }
    }
}
