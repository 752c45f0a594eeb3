//! Stand-ins for the data and guest rooms in tests: they remember what was asked and fail where they are told to.

use crate::link::Link;
use crate::ports::{
    CacheNumbers, CheckError, Migration, ModuleFacts, OutputCache, PagePlace, PortError, PortFuture,
    SiteModules,
};
use crate::tests::{Database, TestDatabase};
use crate::{Control, ControlConfig, ControlUrl};
use bytes::Bytes;
use parking_lot::Mutex;
use rowhouse_base::announce::Alone;
use rowhouse_base::id::{ServerId, TenantId};
use rowhouse_base::secret::Secret;
use rowhouse_base::{DataServerName, Digest, Hostname};
use rowhouse_identity::{HashCost, Operator};
use rowhouse_tenant::{BaseAddress, Directory, Snapshot, Tenant};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::Notify;

/// Where a stub fails.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    Provision,
    Migrate,
    /// For the tenant of this name only.
    MigrateOf(String),
    Upgrade,
    Remove,
    /// Something is left after a removal.
    Leftover,
    RemoveDatabase,
    Export,
    Load,
    Transfer,
    /// A row is lost on the way.
    Lossy,
    Reset,
    Move,
    Prepare,
    /// Every step fails for now: the data server is away.
    Away,
    /// Never returns, as if the process died there.
    HangAt(&'static str),
}

/// Cloning shares what is in them.
#[derive(Clone, Default)]
pub(crate) struct Rooms {
    pub(crate) faults: Arc<Mutex<HashSet<Fault>>>,
    pub(crate) databases: Arc<Mutex<HashMap<(TenantId, DataServerName), Database>>>,
    pub(crate) files: Arc<Mutex<HashMap<TenantId, Vec<String>>>>,
    pub(crate) ready: Arc<Mutex<HashSet<Digest>>>,
    pub(crate) calls: Arc<Mutex<Vec<String>>>,
    /// What the output cache counts for each tenant.
    pub(crate) cached: Arc<Mutex<HashMap<TenantId, CacheNumbers>>>,
    /// Told when a step hangs.
    hung: Arc<Notify>,
    /// Faults of a step that begin after so many calls of it, and hold for one or for good.
    planned: Arc<Mutex<Vec<Planned>>>,
}

/// A fault of one step.
struct Planned {
    step: &'static str,
    skip: usize,
    fault: Fault,
    once: bool,
}

impl Rooms {
    pub(crate) fn fail(&self, fault: Fault) {
        self.faults.lock().insert(fault);
    }

    /// Fails at the next call of this step, and no more.
    pub(crate) fn fail_once(&self, fault: Fault, step: &'static str) {
        self.planned.lock().push(Planned { step, skip: 0, fault, once: true });
    }

    /// Fails from this step's call after so many.
    pub(crate) fn fail_later(&self, fault: Fault, step: &'static str, skip: usize) {
        self.planned.lock().push(Planned { step, skip, fault, once: false });
    }

    /// Hangs at this step's call after so many.
    pub(crate) fn hang_at(&self, step: &'static str, skip: usize) {
        self.planned.lock().push(Planned { step, skip, fault: Fault::HangAt(step), once: false });
    }

    pub(crate) fn mend(&self) {
        self.faults.lock().clear();
        self.planned.lock().clear();
    }

    /// Whether a planned fault is due with this call of a step.
    fn due(&self, step: &str) -> Option<Fault> {
        let mut planned = self.planned.lock();
        let position = planned.iter().position(|fault| fault.step == step)?;
        if planned[position].skip > 0 {
            planned[position].skip -= 1;
            return None;
        }
        if planned[position].once {
            return Some(planned.swap_remove(position).fault);
        }
        Some(planned[position].fault.clone())
    }

    pub(crate) fn called(&self, what: &str) -> usize {
        self.calls.lock().iter().filter(|call| call.starts_with(what)).count()
    }

    /// Does work until a step in it hangs, as if the process died there.
    pub(crate) async fn cut<T>(&self, work: impl Future<Output = T>) {
        tokio::select! {
            _ = work => unreachable!("no step hung"),
            () = self.hung.notified() => {}
        }
    }

    pub(crate) async fn step(&self, name: &'static str, fault: Fault) -> Result<(), PortError> {
        self.calls.lock().push(name.to_owned());
        let due = self.due(name);
        let hangs = self.faults.lock().contains(&Fault::HangAt(name));
        if hangs || due == Some(Fault::HangAt(name)) {
            self.hung.notify_one();
            std::future::pending::<()>().await;
        }
        if self.faults.lock().contains(&Fault::Away) {
            return Err(PortError { text: format!("{name}: the server is away"), passing: true });
        }
        if due.as_ref() == Some(&fault) || self.faults.lock().contains(&fault) {
            Err(PortError::lasting(format!("{name} is broken")))
        } else {
            Ok(())
        }
    }
}

pub(crate) fn fingerprint(migrations: &[Migration]) -> Digest {
    Digest::of(&serde_json::to_vec(migrations).unwrap())
}

impl SiteModules for Rooms {
    /// The text of a stub's component is its faults, or its number of migrations and `upgrade`.
    fn check(&self, bytes: Bytes) -> PortFuture<'_, ModuleFacts, CheckError> {
        Box::pin(async move {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            if let Some(faults) = text.strip_prefix("bad ") {
                return Err(CheckError::Faults(faults.split(' ').map(str::to_owned).collect()));
            }
            let number: u32 = text.split(' ').nth(1).unwrap_or("0").parse().unwrap();
            let migrations: Vec<Migration> = (1..=number)
                .map(|version| Migration {
                    version,
                    name: format!("step {version}"),
                    sqlite: vec!["CREATE TABLE a (b)".into()],
                    postgresql: vec![],
                    mysql: vec![],
                })
                .collect();
            self.ready.lock().insert(Digest::of(&bytes));
            Ok(ModuleFacts {
                lane: "fast".into(),
                exports: vec!["rowhouse:site/handler@0.1.0".into()],
                imports: vec![],
                has_upgrade: text.contains("upgrade"),
                fingerprint: fingerprint(&migrations),
                migrations,
            })
        })
    }

    fn prepare(&self, digest: Digest, bytes: Bytes) -> PortFuture<'_, ()> {
        Box::pin(async move {
            assert_eq!(Digest::of(&bytes), digest);
            self.step("prepare", Fault::Prepare).await?;
            self.ready.lock().insert(digest);
            Ok(())
        })
    }

    fn is_ready(&self, digest: &Digest) -> bool {
        self.ready.lock().contains(digest)
    }

    fn load_cached(&self, _digest: Digest) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async { false })
    }

    fn expect(&self, digest: &Digest) {
        self.calls.lock().push(format!("expect {digest}"));
    }

    fn give_up(&self, digest: &Digest) {
        self.calls.lock().push(format!("give-up {digest}"));
    }

    fn upgrade<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        _digest: &'a Digest,
        from: Option<&'a str>,
        to: &'a str,
    ) -> PortFuture<'a, ()> {
        Box::pin(async move {
            self.step("upgrade", Fault::Upgrade).await?;
            self.calls.lock().push(format!("upgraded {} {} {to}", tenant.name, from.unwrap_or("-")));
            Ok(())
        })
    }

    fn retire(&self, keep: &HashSet<Digest>) {
        self.ready.lock().retain(|digest| keep.contains(digest));
    }
}

impl OutputCache for Rooms {
    fn totals(&self) -> CacheNumbers {
        let bytes = self.cached.lock().values().map(|numbers| numbers.bytes).sum();
        CacheNumbers { bytes, ..CacheNumbers::default() }
    }

    fn of(&self, tenant: TenantId) -> CacheNumbers {
        self.cached.lock().get(&tenant).copied().unwrap_or_default()
    }

    fn tenants(&self) -> Vec<(TenantId, CacheNumbers)> {
        self.cached.lock().iter().map(|(id, numbers)| (*id, *numbers)).collect()
    }

    fn forget(&self, tenant: &Tenant, place: PagePlace<'_>) {
        let PagePlace { origin, base_path, path } = place;
        self.calls.lock().push(format!("forgotten {} {origin} {base_path} {path}", tenant.name));
    }

    fn forget_tenant(&self, tenant: TenantId) {
        self.cached.lock().remove(&tenant);
    }
}

/// A control plane with a database of its own, gone with it.
pub(crate) struct House {
    pub(crate) control: Arc<Control>,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) operator: Operator,
    pub(crate) token: Secret,
    database: TestDatabase,
    saved: TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::new().await;
        let rooms = Arc::new(Rooms::default());
        let saved = tempfile::tempdir().unwrap();
        let control = open(database.url(), &rooms, saved.path(), ServerId::new()).await;
        let first = control.bootstrap(None).await.unwrap();
        control.recover().await.unwrap();
        let token = first.operator_token.unwrap();
        let operator = control.identity().operator_by_token(&token).await.unwrap().unwrap();
        Self { control, rooms, operator, token, database, saved }
    }

    /// The same server on the same database and data, opened as after a crash.
    pub(crate) async fn restarted(&self) -> Arc<Control> {
        open(self.database.url(), &self.rooms, self.saved.path(), self.control.config().server).await
    }

    /// Another server on the same database and data.
    pub(crate) async fn another(&self) -> Arc<Control> {
        let control = open(self.database.url(), &self.rooms, self.saved.path(), ServerId::new()).await;
        control.recover().await.unwrap();
        control
    }

    /// Where the control database is.
    pub(crate) fn url(&self) -> ControlUrl {
        self.database.url()
    }

    pub(crate) async fn push(&self, version: &str, component: &str) {
        let bytes = Bytes::from(component.to_owned());
        self.control.push_release(&self.operator, "site", version, None, bytes).await.unwrap();
    }

    pub(crate) async fn create(&self, name: &str) -> Result<crate::types::TenantView, crate::ControlError> {
        let request = crate::types::CreateTenant { name: name.into(), ..Default::default() };
        self.control.create_tenant(&self.operator, request).await
    }

    /// Starts a run and waits for its end.
    pub(crate) async fn activate(&self, release: &str) -> crate::types::RunView {
        let all = crate::types::StartRun { release: release.into(), tenants: None, default: None };
        let run = self.control.activate(&self.operator, all).await.unwrap();
        self.run_ended(&run.id).await
    }

    /// Waits until a run is over.
    pub(crate) async fn run_ended(&self, id: &str) -> crate::types::RunView {
        loop {
            let run = self.control.run(&self.operator, id).await.unwrap();
            if !run.is_open() {
                // Who worked on it looks for another one before it leaves.
                self.control.leave_runs(std::time::Duration::from_secs(60)).await;
                return run;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    /// Waits until every run is over.
    pub(crate) async fn runs_ended(&self) {
        for run in self.control.runs(&self.operator, &Default::default()).await.unwrap().items {
            self.run_ended(&run.id).await;
        }
    }

    pub(crate) fn served(&self, name: &str) -> Option<Arc<Tenant>> {
        self.control.directory.snapshot().by_name(name).cloned()
    }

    /// What the folder for content that is being replaced holds.
    pub(crate) fn saved(&self) -> usize {
        std::fs::read_dir(self.saved.path().join("saved")).map_or(0, Iterator::count)
    }

    pub(crate) fn release_of(&self, name: &str) -> Option<String> {
        self.served(name)?.release.as_ref().map(|release| release.name.to_string())
    }
}

/// What a store without a control plane is bound to.
pub(crate) fn alone() -> Arc<Link> {
    Arc::new(Link::new(ServerId::new(), Arc::new(Alone), true))
}

async fn open(database: ControlUrl, rooms: &Arc<Rooms>, saved: &Path, server: ServerId) -> Arc<Control> {
    open_with(config(database, saved, server), rooms).await.unwrap()
}

/// A cheap configuration.
pub(crate) fn config(database: ControlUrl, saved: &Path, server: ServerId) -> ControlConfig {
    let mut config = ControlConfig::at(database, Some(8080));
    config.server = server;
    config.data_servers = ["local", "other"].map(|name| name.parse().unwrap()).into();
    config.saved_dir = saved.join("saved");
    config.max_archive_bytes = 64 << 10;
    config.hash_cost = HashCost { memory_kib: 64, passes: 1, lanes: 1 };
    config
}

/// A control plane with this configuration.
pub(crate) async fn open_with(
    config: ControlConfig,
    rooms: &Arc<Rooms>,
) -> Result<Arc<Control>, crate::OpenError> {
    let base = BaseAddress { domain: Hostname::parse("localhost").unwrap(), aliases: vec![] };
    let directory = Arc::new(Directory::new(Snapshot::empty(base)));
    let (data, modules, cache) = (Arc::clone(rooms), Arc::clone(rooms), Arc::clone(rooms));
    Control::open(config, directory, data, modules, cache).await
}
