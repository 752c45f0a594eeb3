//! Stand-ins for the data and guest rooms in tests: they remember what was asked and fail where they are told to.

use crate::ports::{
    CheckError, Kept, Migration, ModuleFacts, PortError, PortFuture, SchemaState, SiteModules, TenantData,
};
use crate::{Control, ControlConfig};
use bytes::Bytes;
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_base::secret::Secret;
use rowhouse_base::{Digest, Hostname};
use rowhouse_identity::{HashCost, Operator};
use rowhouse_tenant::{BaseAddress, Directory, Snapshot, Tenant};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use tempfile::TempDir;

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
    Prepare,
    /// Never returns, as if the process died there.
    HangAt(&'static str),
}

#[derive(Default)]
pub(crate) struct Rooms {
    pub(crate) faults: Mutex<HashSet<Fault>>,
    pub(crate) databases: Mutex<HashMap<TenantId, u32>>,
    pub(crate) ready: Mutex<HashSet<Digest>>,
    pub(crate) calls: Mutex<Vec<String>>,
}

impl Rooms {
    pub(crate) fn fail(&self, fault: Fault) {
        self.faults.lock().insert(fault);
    }

    pub(crate) fn mend(&self) {
        self.faults.lock().clear();
    }

    pub(crate) fn called(&self, what: &str) -> usize {
        self.calls.lock().iter().filter(|call| call.starts_with(what)).count()
    }

    async fn step(&self, name: &'static str, fault: Fault) -> Result<(), PortError> {
        self.calls.lock().push(name.to_owned());
        let hangs = self.faults.lock().contains(&Fault::HangAt(name));
        if hangs {
            std::future::pending::<()>().await;
        }
        if self.faults.lock().contains(&fault) { Err(PortError(format!("{name} is broken"))) } else { Ok(()) }
    }
}

fn fingerprint(migrations: &[Migration]) -> Digest {
    Digest::of(&serde_json::to_vec(migrations).unwrap())
}

impl TenantData for Rooms {
    fn provision<'a>(&'a self, tenant: &'a Arc<Tenant>) -> PortFuture<'a, ()> {
        Box::pin(async move {
            self.databases.lock().entry(tenant.id).or_insert(0);
            self.step("provision", Fault::Provision).await
        })
    }

    fn migrate<'a>(
        &'a self,
        tenant: &'a Arc<Tenant>,
        migrations: &'a [Migration],
    ) -> PortFuture<'a, SchemaState> {
        Box::pin(async move {
            self.step("migrate", Fault::Migrate).await?;
            if self.faults.lock().contains(&Fault::MigrateOf(tenant.name.to_string())) {
                return Err(PortError("syntax error near `TABEL`".into()));
            }
            let version = migrations.last().map_or(0, |migration| migration.version);
            self.databases.lock().insert(tenant.id, version);
            Ok(SchemaState { version, fingerprint: fingerprint(migrations) })
        })
    }

    fn remove(&self, id: TenantId) -> PortFuture<'_, Kept> {
        Box::pin(async move {
            self.step("remove", Fault::Remove).await?;
            let was = self.databases.lock().remove(&id);
            Ok(was.map_or(Kept::default(), |_| Kept { database_bytes: 4096, files: 2, file_bytes: 100 }))
        })
    }

    fn rescan(&self, id: TenantId) -> PortFuture<'_, Kept> {
        Box::pin(async move {
            let left =
                self.faults.lock().contains(&Fault::Leftover) || self.databases.lock().contains_key(&id);
            Ok(if left { Kept { files: 1, ..Kept::default() } } else { Kept::default() })
        })
    }

    fn usage(&self, id: TenantId) -> PortFuture<'_, Kept> {
        Box::pin(async move {
            let there = self.databases.lock().contains_key(&id);
            Ok(if there { Kept { database_bytes: 4096, files: 2, file_bytes: 100 } } else { Kept::default() })
        })
    }

    fn list_ids(&self) -> PortFuture<'_, Vec<TenantId>> {
        Box::pin(async move { Ok(self.databases.lock().keys().copied().collect()) })
    }
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

/// A control plane with a database of its own, gone with it.
pub(crate) struct House {
    pub(crate) control: Arc<Control>,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) operator: Operator,
    pub(crate) token: Secret,
    folder: TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rooms = Arc::new(Rooms::default());
        let control = open(folder.path().join("control.db"), &rooms).await;
        let first = control.bootstrap(None).await.unwrap();
        control.recover().await.unwrap();
        let token = first.operator_token.unwrap();
        let operator = control.identity().operator_by_token(&token).await.unwrap().unwrap();
        Self { control, rooms, operator, token, folder }
    }

    /// The same database and data, opened as after a crash.
    pub(crate) async fn restarted(&self) -> Arc<Control> {
        open(self.folder.path().join("control.db"), &self.rooms).await
    }

    pub(crate) async fn push(&self, version: &str, component: &str) {
        let bytes = Bytes::from(component.to_owned());
        self.control.push_release(&self.operator, "site", version, bytes).await.unwrap();
    }

    pub(crate) async fn create(&self, name: &str) -> Result<crate::types::TenantView, crate::ControlError> {
        let request = crate::types::CreateTenant { name: name.into(), ..Default::default() };
        self.control.create_tenant(&self.operator, request).await
    }

    pub(crate) fn served(&self, name: &str) -> Option<Arc<Tenant>> {
        self.control.directory.snapshot().by_name(name).cloned()
    }

    pub(crate) fn release_of(&self, name: &str) -> Option<String> {
        self.served(name)?.release.as_ref().map(|release| release.name.to_string())
    }
}

async fn open(database: PathBuf, rooms: &Arc<Rooms>) -> Arc<Control> {
    let base = BaseAddress { domain: Hostname::parse("localhost").unwrap(), aliases: vec![] };
    let directory = Arc::new(Directory::new(Snapshot::empty(base)));
    let mut config = ControlConfig::at(database, Some(8080));
    config.hash_cost = HashCost { memory_kib: 64, passes: 1, lanes: 1 };
    Control::open(config, directory, Arc::clone(rooms) as _, Arc::clone(rooms) as _).await.unwrap()
}
