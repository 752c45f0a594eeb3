//! What the control plane asks of the room: check a component, make it ready, run its upgrade step.

use super::{Guests, Running};
use crate::invoke::Ended;
use crate::machine::{Concurrency, Machine};
use crate::module::check::{Faults, ModuleFacts, Names, SCHEMA, UPGRADE};
use crate::store::Errand;
use crate::{GuestError, Lane};
use bytes::Bytes;
use rowhouse_base::{Digest, Limits};
use rowhouse_bindings::site::schema::SchemaPre;
use rowhouse_data::{MigrateError, Migration};
use rowhouse_tenant::Tenant;
use std::collections::HashSet;
use std::sync::Arc;
use wasmtime::component::Component;

/// An upgrade step may work through all of a tenant's rows, so it gets more than a request does.
const UPGRADE_CPU_MS: u32 = 30_000;
const UPGRADE_WALL_MS: u32 = 120_000;
const UPGRADE_STATEMENTS: u32 = 100_000;

impl Guests {
    /// Checks a component before it is stored: it is valid, exports a way to answer, imports nothing
    /// the host lacks, and its migrations make sense. It is compiled on the way, so that using it
    /// later costs nothing.
    ///
    /// # Errors
    /// Every fault at once.
    pub async fn check(self: &Arc<Self>, bytes: Bytes) -> Result<ModuleFacts, Faults> {
        let size = bytes.len() as u64;
        if size > self.max_module_bytes {
            return Err(one_fault(format!(
                "is {size} bytes, more than the {} allowed",
                self.max_module_bytes
            )));
        }
        if !bytes.starts_with(b"\0asm") {
            return Err(one_fault("is not a WebAssembly component: it does not begin with \\0asm".into()));
        }
        let digest = Digest::of(&bytes);
        let (machine, component) =
            self.component(digest, bytes).await.map_err(|error| one_fault(error.to_string()))?;
        let names = Names::of(&component);
        let mut faults = names.faults();
        let lane = names.lane();
        if faults.is_empty()
            && let Some(lane) = lane
            && let Err(error) = machine.link(&component, lane)
        {
            faults.push(format!("can't be linked: {error:#}"));
        }
        let (true, Some(lane)) = (faults.is_empty(), lane) else { return Err(Faults(faults)) };
        let migrations = self
            .migrations(&machine, &component, &names)
            .await
            .map_err(|error| one_fault(error.to_string()))?;
        if let Err(error) = rowhouse_data::migrate::validate(&migrations) {
            return Err(match error {
                MigrateError::Invalid(problems) => Faults(problems),
                other => one_fault(other.to_string()),
            });
        }
        Ok(ModuleFacts {
            digest,
            size,
            lane,
            has_upgrade: names.exports_track(UPGRADE),
            exports: names.exports,
            imports: names.imports,
            migrations,
        })
    }

    async fn migrations(
        &self,
        machine: &Machine,
        component: &Component,
        names: &Names,
    ) -> Result<Vec<Migration>, GuestError> {
        if !names.exports_track(SCHEMA) {
            return Ok(Vec::new());
        }
        let linked = |error: wasmtime::Error| GuestError::Host(format!("link the schema: {error:#}"));
        let pre = machine.linker().instantiate_pre(component).and_then(SchemaPre::new).map_err(linked)?;
        let limits = Limits::default();
        let mut store = machine.store_for_nobody(&limits);
        let meter = Arc::clone(&store.data().meter);
        let wall = limits.wall();
        let work = async move {
            let called = async {
                let instance = pre.instantiate_async(&mut store).await?;
                instance.rowhouse_site_schema().call_migrations(&mut store).await
            };
            called.await.map_err(|error| store.data().explain(&error, &limits))
        };
        let found = self.limited(meter, wall, self.unqueued(), None, Box::pin(work)).await?;
        Ok(found
            .into_iter()
            .map(|one| Migration {
                version: one.version,
                name: one.name,
                sqlite: one.sqlite,
                postgresql: one.postgresql,
                mysql: one.mysql,
            })
            .collect())
    }

    /// The control plane's own work does not queue behind visitors; it is bounded by its callers.
    fn unqueued(&self) -> Running {
        Running { _place: None, _ticker: self.ticker.guard() }
    }

    /// True where requests can be answered with this release.
    #[must_use]
    pub fn is_ready(&self, digest: &Digest) -> bool {
        self.modules.get(digest).is_some()
    }

    /// A release is going to be ready: requests for it wait for a moment.
    pub fn expect(&self, digest: &Digest) {
        self.modules.expect(*digest);
    }

    /// It is not, for now: requests for it are refused at once.
    pub fn give_up(&self, digest: &Digest) {
        self.modules.give_up(digest);
    }

    /// Makes a release ready from compiled code on disk. False where there is none.
    pub async fn load_cached(self: &Arc<Self>, digest: Digest) -> bool {
        if self.is_ready(&digest) {
            return true;
        }
        let guests = Arc::clone(self);
        // Each machine has compiled what it runs and nothing else.
        let loaded =
            tokio::task::spawn_blocking(move || {
                guests.machines.all().into_iter().find_map(|machine| {
                    machine.load(&digest).map(|component| (Arc::clone(machine), component))
                })
            });
        match loaded.await {
            Ok(Some((machine, component))) => self.link(digest, &machine, &component).is_ok(),
            Ok(None) | Err(_) => false,
        }
    }

    /// Makes a release ready, compiling it where needed.
    ///
    /// # Errors
    /// Where it can't be compiled or linked.
    pub async fn prepare(self: &Arc<Self>, digest: Digest, bytes: Bytes) -> Result<(), GuestError> {
        if self.is_ready(&digest) {
            return Ok(());
        }
        let (machine, component) = self.component(digest, bytes).await?;
        self.link(digest, &machine, &component)
    }

    fn link(&self, digest: Digest, machine: &Arc<Machine>, component: &Component) -> Result<(), GuestError> {
        let lane: Lane = Names::of(component)
            .lane()
            .ok_or_else(|| GuestError::Host(format!("release {digest} exports no handler")))?;
        let module = machine
            .link(component, lane)
            .map_err(|error| GuestError::Host(format!("link release {digest}: {error:#}")))?;
        self.modules.insert(digest, Arc::new(module));
        Ok(())
    }

    /// Compiled code, and the machine that it is for.
    async fn component(
        self: &Arc<Self>,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<(Arc<Machine>, Component), GuestError> {
        let guests = Arc::clone(self);
        let compiled = tokio::task::spawn_blocking(move || {
            let machine = guests.machines.of(Concurrency::needed_by(&bytes));
            machine.compile(&digest, &bytes).map(|component| (Arc::clone(machine), component))
        });
        match compiled.await {
            Ok(Ok(compiled)) => Ok(compiled),
            Ok(Err(error)) => Err(GuestError::Trap(format!("can't be compiled: {error:#}"))),
            Err(error) => Err(GuestError::Host(format!("the compiler's thread ended: {error}"))),
        }
    }

    /// Lets go of every release that is not in `keep`.
    pub fn retire(&self, keep: &HashSet<Digest>) {
        self.modules.retain(keep);
    }

    /// Runs the release's `upgrade` step for a tenant; does nothing where it has none.
    ///
    /// # Errors
    /// [`GuestError::Upgrade`] with the release's own text, or why it could not be run.
    pub async fn upgrade(
        &self,
        tenant: &Arc<Tenant>,
        digest: &Digest,
        from: Option<&str>,
        to: &str,
    ) -> Result<(), GuestError> {
        let module = self.modules.get(digest).ok_or(GuestError::NotReady(*digest))?;
        let Some(pre) = module.upgrade.clone() else { return Ok(()) };
        let mut roomy = Tenant::clone(tenant);
        let limits = Limits {
            cpu_ms: UPGRADE_CPU_MS,
            wall_ms: UPGRADE_WALL_MS,
            statements: UPGRADE_STATEMENTS,
            ..Limits::clone(&tenant.limits)
        };
        roomy.limits = Arc::new(limits.clone());
        let stores = &module.machine.stores;
        let changes = stores.changes(tenant);
        let errand = Errand {
            tenant: Arc::new(roomy),
            request: None,
            user: None,
            trace: None,
            changes: Arc::clone(&changes),
        };
        let mut store = stores.for_tenant(errand, module.uses_files).await?;
        let meter = Arc::clone(&store.data().meter);
        let (from, to) = (from.map(str::to_owned), to.to_owned());
        let wall = limits.wall();
        let work = async move {
            let called = async {
                let instance = pre.instantiate_async(&mut store).await?;
                instance.rowhouse_site_upgrade().call_upgrade(&mut store, from.as_deref(), &to).await
            };
            called.await.map_err(|error| store.data().explain(&error, &limits))
        };
        let outcome: Ended<Result<(), String>> =
            self.limited(meter, wall, self.unqueued(), Some(changes), Box::pin(work)).await;
        outcome?.map_err(GuestError::Upgrade)
    }
}

fn one_fault(text: String) -> Faults {
    Faults(vec![text])
}
