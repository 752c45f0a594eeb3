//! Puts the rooms together and runs them until the process is told to stop.

use crate::config::Config;
use crate::{secrets, shipped};
use anyhow::Context;
use rowhouse_base::secret::Secret;
use rowhouse_control::adapters::{DataPort, GuestPort};
use rowhouse_control::{Control, ControlConfig, ControlUrl, FirstStart};
use rowhouse_data::{Data, DataConfig};
use rowhouse_front::{Front, FrontConfig, Readiness, ServerConfig};
use rowhouse_guest::{GuestConfig, Guests};
use rowhouse_tenant::{BaseAddress, Directory, Snapshot};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// The token of this machine's operator, for the command line.
const TOKEN_FILE: &str = "operator.token";

/// A server that listens but doesn't serve yet.
pub(crate) struct Server {
    pub(crate) control: Arc<Control>,
    pub(crate) first: FirstStart,
    /// Speaks for this machine's operator.
    pub(crate) operator_token: Secret,
    front: Arc<Front>,
    guests: Arc<Guests>,
    data: Arc<Data>,
    listener: TcpListener,
    serving: ServerConfig,
    drain_wait: Duration,
    /// Held until the end: two servers on one folder would destroy each other's work.
    _lock: File,
}

impl Server {
    /// Takes the data folder, opens the rooms, and listens.
    pub(crate) async fn prepare(config: &Config) -> anyhow::Result<Self> {
        let dir = &config.data_dir;
        let lock = take_folder(dir)?;
        // Listening comes early: a taken port should be said before anything is made.
        let listener = TcpListener::bind(config.listen)
            .await
            .with_context(|| format!("listen on {}: choose another address with --listen", config.listen))?;
        let local = listener.local_addr().context("learn the listener's address")?;

        let data = Data::new(DataConfig {
            servers: config.data_servers.clone(),
            key: secrets::data_key(dir, config.key_file.as_deref())?,
            sql_threads: config.sql_threads,
            open_connections: config.open_connections,
            ..DataConfig::new(dir)
        })
        .context("open the tenants' data")?;
        let guests = Guests::new(&guest_config(config), Arc::clone(&data)).context("start the engine")?;
        let base = BaseAddress { domain: config.base_domain.clone(), aliases: config.base_hosts.clone() };
        let directory = Arc::new(Directory::new(Snapshot::empty(base)));
        let control = Control::open(
            control_config(config, local),
            Arc::clone(&directory),
            Arc::new(DataPort(Arc::clone(&data))),
            Arc::new(GuestPort(Arc::clone(&guests))),
        )
        .await
        .context("open the control plane")?;
        let first =
            control.bootstrap(Some(&shipped::module()?)).await.context("make the first start's things")?;
        let operator_token = keep_token(dir, &control, first.operator_token.as_ref()).await?;
        control.recover().await.context("finish what the last run left half done")?;

        let identity = Arc::clone(control.identity());
        let front = Front {
            config: FrontConfig { scheme: config.scheme.clone() },
            directory,
            identity: Arc::clone(&identity),
            guests: Arc::clone(&guests),
            console: rowhouse_control::router(Arc::clone(&control))
                .merge(rowhouse_control::console::router(Arc::clone(&control), identity)),
            readiness: Readiness::default(),
        };
        let serving = ServerConfig {
            connections: config.connections,
            header_timeout: config.header_timeout,
            header_bytes: usize::try_from(config.limits.header_bytes).unwrap_or(usize::MAX),
            drain_timeout: config.drain_timeout,
        };
        Ok(Self {
            control,
            first,
            operator_token,
            front: Arc::new(front),
            guests,
            data,
            listener,
            serving,
            drain_wait: config.drain_wait,
            _lock: lock,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.listener.local_addr().context("learn the listener's address")
    }

    /// Serves until `stop` is done; then is not ready for a while, and finishes what is in flight.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        let (end, ended) = watch::channel(false);
        self.control.start(ended.clone());
        rowhouse_base::tasks::spawn("housekeeping", keep_house(self.guests, Arc::clone(&self.data), ended));
        self.front.readiness.set_ready();
        let readiness = self.front.readiness.clone();
        let wait = self.drain_wait;
        let drained = async move {
            stop.await;
            tracing::info!("draining");
            readiness.set_draining();
            tokio::time::sleep(wait).await;
        };
        rowhouse_front::serve(self.listener, self.front, self.serving, drained).await;
        // Background work that nobody waits for any more ends with the sender.
        drop(end);
        self.data.close().await;
        tracing::info!("stopped");
    }
}

/// Lets go of what was kept for a while and not used again, until the server stops.
async fn keep_house(guests: Arc<Guests>, data: Arc<Data>, mut ended: watch::Receiver<bool>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    // Asks servers over the network.
    let mut spares = tokio::time::interval(Duration::from_secs(15));
    spares.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // Told or abandoned: either way the server has ended.
            _ended = ended.changed() => return,
            _now = second.tick() => {
                guests.expire();
                data.close_idle();
            }
            _now = spares.tick() => data.keep_spares().await,
        }
    }
}

fn guest_config(config: &Config) -> GuestConfig {
    GuestConfig {
        instances: config.instances,
        max_memory_bytes: config.max_memory_bytes,
        queue_ms: u32::try_from(config.queue.as_millis()).unwrap_or(u32::MAX),
        compiled_dir: config.data_dir.join("compiled"),
        ..GuestConfig::default()
    }
}

fn control_config(config: &Config, local: SocketAddr) -> ControlConfig {
    let own = if config.scheme == "https" { 443 } else { 80 };
    let port = Some(config.public_port.unwrap_or(local.port())).filter(|port| *port != own);
    let database =
        config.control_url.clone().unwrap_or_else(|| ControlUrl::file(config.data_dir.join("control.db")));
    ControlConfig {
        scheme: config.scheme.clone(),
        connections: config.control_connections,
        limits: config.limits.clone(),
        trash_period: config.trash_period,
        data_servers: config.data_servers.iter().map(|server| server.name.clone()).collect(),
        default_server: config.default_server.clone(),
        max_archive_bytes: config.max_archive_bytes,
        saved_dir: config.data_dir.join("saved"),
        sync_interval: config.sync_interval,
        ..ControlConfig::at(database, port)
    }
}

/// Makes the data folder where there is none and locks it for this process.
fn take_folder(dir: &Path) -> anyhow::Result<File> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("make the data folder {}", dir.display()))?;
    let path = dir.join("server.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => anyhow::bail!(
            "the data folder {} is in use by another server: stop it, or name another folder with --data",
            dir.display()
        ),
        Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

/// The operator's token from its file; a new one where there is no file.
async fn keep_token(dir: &Path, control: &Control, new: Option<&Secret>) -> anyhow::Result<Secret> {
    let path = dir.join(TOKEN_FILE);
    let token = match (new, fs::read_to_string(&path)) {
        (Some(token), _) => token.clone(),
        (None, Ok(text)) => return Ok(Secret::from_text(text.trim())),
        (None, Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            control.renew_operator_token().await.context("make a new operator token")?
        }
        (None, Err(error)) => return Err(error).with_context(|| format!("read {}", path.display())),
    };
    secrets::write(&path, &token)?;
    Ok(token)
}
