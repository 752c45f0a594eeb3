//! Puts the rooms together and runs them until the process is told to stop.

use crate::config::{Config, Mode};
use crate::farm::{self, Ears};
use crate::measures::{CachePort, Meters};
use crate::{descriptors, listen, secrets, shipped};
use anyhow::Context;
use rowhouse_base::Announce;
use rowhouse_base::id::ServerId;
use rowhouse_base::secret::Secret;
use rowhouse_cache::{Cache, CacheConfig};
use rowhouse_control::adapters::{DataPort, GuestPort};
use rowhouse_control::{Control, ControlConfig, ControlUrl, FirstStart, SingleSite};
use rowhouse_data::{BucketSettings, Data, DataConfig};
use rowhouse_front::{Front, FrontConfig, LookAgain, Mark, Pages, Readiness, ServerConfig};
use rowhouse_guest::{GuestConfig, Guests};
use rowhouse_tenant::{BaseAddress, Directory, Snapshot};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Which server this is, the same after a restart: it goes on at once with what it had begun.
const SERVER_FILE: &str = "server.id";
/// The snapshot with which the server starts while the control database is away.
const SNAPSHOT_FILE: &str = "tenants.snapshot";
/// How long the end waits for migrations that are under way; one that takes longer is cut short and repeated.
const RUNS_LEAVE: Duration = Duration::from_secs(10);
/// The token of this machine's operator, for the command line.
const TOKEN_FILE: &str = "operator.token";

/// A server that listens but doesn't serve yet.
pub(crate) struct Server {
    pub(crate) control: Arc<Control>,
    pub(crate) first: FirstStart,
    /// The site that the base domain leads to, in single-site mode.
    pub(crate) single: Option<SingleSite>,
    /// Speaks for this machine's operator.
    pub(crate) operator_token: Secret,
    front: Arc<Front>,
    guests: Arc<Guests>,
    data: Arc<Data>,
    listener: TcpListener,
    serving: ServerConfig,
    drain_wait: Duration,
    unready_after: Option<Duration>,
    /// Held until the end: two servers on one folder would destroy each other's work.
    _lock: File,
}

impl Server {
    /// Takes the data folder, opens the rooms, and listens.
    pub(crate) async fn prepare(config: &Config) -> anyhow::Result<Self> {
        let dir = &config.data_dir;
        let lock = take_folder(dir)?;
        descriptors::raise();
        // Listening comes early: a taken port should be said before anything is made.
        let listener = listen::listener(config)
            .with_context(|| format!("listen on {}: choose another address with --listen", config.listen))?;
        let local = listener.local_addr().context("learn the listener's address")?;

        let ears = Ears::default();
        let voice = farm::announcer(config, &ears);
        let data = open_data(config, &voice.announce)?;
        ears.give_data(&data);
        let guests = Guests::new(&guest_config(config), Arc::clone(&data)).context("start the engine")?;
        let level = farm::second_level(config);
        let cache = Cache::new(cache_config(config), level.clone().map(|level| level as _));
        let meters = Arc::new(Meters { level, announcer: voice.redis });
        let base = BaseAddress { domain: config.base_domain.clone(), aliases: config.base_hosts.clone() };
        let directory = Arc::new(Directory::new(Snapshot::empty(base)));
        let control = Control::open(
            ControlConfig {
                server: server_id(dir)?,
                announce: voice.announce,
                ..control_config(config, local)
            },
            Arc::clone(&directory),
            Arc::new(DataPort(Arc::clone(&data))),
            Arc::new(GuestPort(Arc::clone(&guests))),
            Arc::new(CachePort { cache: Arc::clone(&cache), data: Arc::clone(&data) }),
        )
        .await
        .context("open the control plane")?;
        ears.give_control(&control);
        let first =
            control.bootstrap(Some(&shipped::module()?)).await.context("make the first start's things")?;
        let operator_token = keep_token(dir, &control, first.operator_token.as_ref()).await?;
        control.recover().await.context("finish what the last run left half done")?;

        let single = match config.mode {
            Mode::Multi => None,
            Mode::Single => Some(single_site(config, &control).await?),
        };

        let front = Front {
            config: front_config(config),
            directory,
            identity: Arc::clone(control.identity()),
            pages: Pages { cache, guests: Arc::clone(&guests), data: Arc::clone(&data) },
            console: console(&control, meters),
            readiness: Readiness::default(),
            look_again: look_again(config, &control),
        };
        Ok(Self {
            control,
            first,
            single,
            operator_token,
            front: Arc::new(front),
            guests,
            data,
            listener,
            serving: serving_config(config),
            drain_wait: config.drain_wait,
            unready_after: config.farm.unready_after,
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
        rowhouse_base::tasks::spawn(
            "housekeeping",
            keep_house(self.guests, Arc::clone(&self.data), ended.clone()),
        );
        self.front.readiness.set_ready();
        self.control.set_serving();
        if let Some(most) = self.unready_after {
            let watched = watch_age(Arc::clone(&self.control), self.front.readiness.clone(), most, ended);
            rowhouse_base::tasks::spawn("watch the age of the control state", watched);
        }
        let readiness = self.front.readiness.clone();
        let wait = self.drain_wait;
        let control = Arc::clone(&self.control);
        let drained = async move {
            tokio::select! {
                () = stop => {}
                () = control.asked_to_leave() => tracing::info!("an operator asked this server to leave"),
            }
            tracing::info!("draining");
            readiness.set_draining();
            control.set_draining();
            tokio::time::sleep(wait).await;
        };
        rowhouse_front::serve(self.listener, self.front, self.serving, drained).await;
        // Background work that nobody waits for any more ends with the sender.
        drop(end);
        // What is begun for a tenant is ended; the next server goes on with the rest.
        self.control.leave_runs(RUNS_LEAVE).await;
        self.control.leave().await;
        self.data.close().await;
        tracing::info!("stopped");
    }
}

/// Says that the server is behind where the control database has not answered for so long; sites are served all the same.
async fn watch_age(
    control: Arc<Control>,
    readiness: Readiness,
    most: Duration,
    mut ended: watch::Receiver<bool>,
) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            // Told or abandoned: either way the server has ended.
            _ended = ended.changed() => return,
            _now = second.tick() => readiness.set_behind(control.silent_for() > most),
        }
    }
}

/// How requests come in, and what answers tell of this server.
fn front_config(config: &Config) -> FrontConfig {
    let name = &config.farm.name;
    FrontConfig {
        scheme: config.scheme.clone(),
        proxies: config.farm.proxies.clone(),
        mark: Mark {
            served_by: config.farm.served_by.then(|| name.parse().ok()).flatten(),
            affinity: config.farm.affinity_cookie.then(|| name.clone()),
        },
    }
}

fn serving_config(config: &Config) -> ServerConfig {
    ServerConfig {
        connections: config.connections,
        header_timeout: config.header_timeout,
        header_bytes: usize::try_from(config.limits.header_bytes).unwrap_or(usize::MAX),
        drain_timeout: config.drain_timeout,
        proxy_protocol: config.farm.proxy_protocol,
    }
}

/// A site may have been made on another server a moment ago, where there are others.
fn look_again(config: &Config, control: &Arc<Control>) -> Option<LookAgain> {
    if config.is_alone() {
        return None;
    }
    let control = Arc::clone(control);
    Some(Arc::new(move || {
        let control = Arc::clone(&control);
        let look: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(async move { control.look_again().await });
        look
    }))
}

/// The bucket of sites' files with its key, where they are in one.
pub(crate) fn bucket(config: &Config) -> anyhow::Result<Option<BucketSettings>> {
    let file = config.files.credentials_file.as_deref();
    config.files.settings(|| secrets::bucket_key(file, |name| std::env::var(name).ok()))
}

fn open_data(config: &Config, announce: &Arc<dyn Announce>) -> anyhow::Result<Arc<Data>> {
    let open_connections = descriptors::affordable(config, descriptors::allowed());
    if open_connections < config.open_connections {
        tracing::warn!(
            open_connections,
            configured = config.open_connections,
            "too few file descriptors for all tenant databases that may be open: `rowhouse doctor` says more"
        );
    }
    Data::new(DataConfig {
        announce: Arc::clone(announce),
        bucket: bucket(config)?,
        servers: config.data_servers.clone(),
        key: secrets::data_key(&config.data_dir, config.key_file.as_deref())?,
        sql_threads: config.sql_threads,
        open_connections,
        lock_databases: config.lock_databases,
        ..DataConfig::new(&config.data_dir)
    })
    .context("open the tenants' data")
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
            _now = spares.tick() => {
                data.keep_spares().await;
                data.shrink_mirrors().await;
            }
        }
    }
}

/// The site that the base domain is to lead to.
async fn single_site(config: &Config, control: &Control) -> anyhow::Result<SingleSite> {
    let found = control.single_site(&config.single).await;
    found.context(
        "find the one site: name it with --single=NAME or as `site` in [single]; or run all sites, \
         without --single and with mode = \"multi\"",
    )
}

pub(crate) fn guest_config(config: &Config) -> GuestConfig {
    GuestConfig {
        instances: config.instances,
        max_memory_bytes: config.max_memory_bytes,
        queue_ms: u32::try_from(config.queue.as_millis()).unwrap_or(u32::MAX),
        compiled_dir: config.data_dir.join("compiled"),
        outbound_networks: config.outbound_networks.clone(),
        ..GuestConfig::default()
    }
}

/// What operators reach on the base host: the API, the metrics and the console.
fn console(control: &Arc<Control>, meters: Arc<Meters>) -> axum::Router {
    let identity = Arc::clone(control.identity());
    rowhouse_control::router(Arc::clone(control))
        .merge(rowhouse_control::metrics_router(Arc::clone(control), meters))
        .merge(rowhouse_control::console::router(Arc::clone(control), identity))
}

fn cache_config(config: &Config) -> CacheConfig {
    CacheConfig {
        memory_bytes: config.cache_bytes,
        tenant_share: f64::from(config.cache_tenant_percent) / 100.0,
        max_page_bytes: config.cache_page_bytes,
        ..CacheConfig::default()
    }
}

/// Where the control database is.
pub(crate) fn control_url(config: &Config) -> ControlUrl {
    config.control_url.clone().unwrap_or_else(|| ControlUrl::file(config.data_dir.join("control.db")))
}

fn control_config(config: &Config, local: SocketAddr) -> ControlConfig {
    let own = if config.scheme == "https" { 443 } else { 80 };
    let port = Some(config.public_port.unwrap_or(local.port())).filter(|port| *port != own);
    let database = control_url(config);
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
        server_name: config.farm.name.clone(),
        kept_snapshot: config.control_url.is_some().then(|| config.data_dir.join(SNAPSHOT_FILE)),
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

/// The server's id from its file; a new one where there is no file.
fn server_id(dir: &Path) -> anyhow::Result<ServerId> {
    let path = dir.join(SERVER_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().with_context(|| format!("read {}: it holds no id", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = ServerId::new();
            // A crash in between leaves no half an id.
            let new = path.with_extension("new");
            fs::write(&new, format!("{id}\n")).with_context(|| format!("write {}", new.display()))?;
            fs::rename(&new, &path).with_context(|| format!("write {}", path.display()))?;
            Ok(id)
        }
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
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
