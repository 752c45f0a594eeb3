//! What a guest's store holds. It is built from one tenant for one piece of work and dropped with it:
//! no field is ever set to another tenant's.

use crate::changes::Changes;
use crate::cpu::Meter;
use crate::host::files::FilesMeterSlot;
use crate::host::outgoing::{Exits, Outgoing};
use crate::limiter::MemoryLimiter;
use crate::log::GuestLog;
use crate::trace::Trace;
use crate::{GuestError, LimitHit};
use rowhouse_base::id::{RequestId, UserId};
use rowhouse_base::{Limits, Shares};
use rowhouse_data::{Data, Hold, Mirror, MirrorSession, TenantDb};
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, Trap, UpdateDeadline};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// What a host function copies of a guest's lists and strings in one call, beyond the largest body that
/// the tenant's limits allow: the parameters of a statement, the fields of a response.
const HOSTCALL_BYTES: u64 = 1 << 20;

/// How the engine words that a call copied too much.
const HOSTCALL_EXHAUSTED: &str = "fuel allocated for hostcalls has been exhausted";

/// Random bytes a guest may ask for in one call.
const RANDOM_BYTES: u64 = 64 << 10;

/// Who looks at the site, and from where.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// `https://host[:port]` as the visitor used it.
    pub origin: String,
    /// What precedes the path in the visitor's URL: empty, or `/NAME`.
    pub base_path: String,
    /// The signed-in user of this site.
    pub user: Option<SignedInUser>,
}

/// A signed-in user as a guest may see them.
#[derive(Clone, Debug)]
pub struct SignedInUser {
    /// The user.
    pub id: UserId,
    /// The name they sign in with.
    pub name: String,
    /// `owner`, `editor`.
    pub roles: Vec<String>,
}

/// The tenant a guest works for, and what it did so far.
pub(crate) struct Scope {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) db: TenantDb,
    pub(crate) user: Option<SignedInUser>,
    pub(crate) tags: Vec<String>,
    /// Tags purged so far.
    pub(crate) purges: u32,
    pub(crate) trace: Option<Arc<Trace>>,
    pub(crate) changes: Arc<Changes>,
}

/// For whom a guest works.
pub(crate) struct Errand {
    pub(crate) tenant: Arc<Tenant>,
    /// None for work that no visitor asked for.
    pub(crate) request: Option<RequestId>,
    pub(crate) user: Option<SignedInUser>,
    /// What the answer is made from, where somebody wants to know.
    pub(crate) trace: Option<Arc<Trace>>,
    /// What is changed on the way.
    pub(crate) changes: Arc<Changes>,
}

/// The data of a guest's store.
pub(crate) struct GuestState {
    scope: Option<Scope>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    pub(crate) files: Option<FilesMeterSlot>,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: MemoryLimiter,
    pub(crate) meter: Arc<Meter>,
    log: Option<GuestLog>,
}

/// Makes stores.
pub(crate) struct StoreMaker {
    pub(crate) engine: Engine,
    pub(crate) data: Arc<Data>,
    pub(crate) shares: Arc<Shares>,
    pub(crate) exits: Arc<Exits>,
}

impl StoreMaker {
    /// A store for a piece of work of this tenant. `with_files` where the module can open files.
    ///
    /// # Errors
    /// [`GuestError::Host`] where the tenant's folder can't be opened.
    pub(crate) async fn for_tenant(
        &self,
        errand: Errand,
        with_files: bool,
    ) -> Result<Store<GuestState>, GuestError> {
        let tenant = &Arc::clone(&errand.tenant);
        let (mut wasi, log) = sandbox_of(tenant, errand.request);
        let mut files = None;
        if with_files {
            let folder = Box::pin(self.data.files(tenant)).await.map_err(|error| host_error(&error))?;
            wasi.preopened_dir(&folder.path, "/files", FsPerms::ReadWrite)
                .map_err(|error| GuestError::Host(format!("open the tenant's files: {error:#}")))?;
            let session = self.begin_files(&errand, folder.mirror.as_ref()).await;
            files = Some(FilesMeterSlot::new(folder.meter, folder.mirror, session, &errand));
        }
        let (scope, meter) = self.scope(errand);
        let mut store = self.assemble(wasi, meter, &tenant.limits);
        let state = store.data_mut();
        state.outgoing.begin(tenant);
        state.scope = Some(scope);
        state.files = files;
        state.log = Some(log);
        Ok(store)
    }

    /// Makes a store that has served a request ready for another one of the same tenant: everything that
    /// belongs to one request is made anew, as for a new store.
    pub(crate) async fn renew(&self, store: &mut Store<GuestState>, errand: Errand) {
        let mirror = store.data().files.as_ref().and_then(FilesMeterSlot::mirror);
        let session = self.begin_files(&errand, mirror.as_ref()).await;
        let state = store.data_mut();
        if let Some(files) = &mut state.files {
            files.renew(session, &errand);
        }
        if let Some(log) = &state.log {
            log.refill(errand.request, errand.tenant.limits.log_bytes);
        }
        state.outgoing.begin(&errand.tenant);
        let (scope, meter) = self.scope(errand);
        state.scope = Some(scope);
        state.meter = meter;
        store.set_epoch_deadline(1);
    }

    /// A request's use of its tenant's mirror, where there is one. What it writes is stored with its other changes.
    async fn begin_files(&self, errand: &Errand, mirror: Option<&Arc<Mirror>>) -> Option<Arc<MirrorSession>> {
        let session = Box::pin(self.data.begin_files(&errand.tenant, mirror?)).await;
        errand.changes.watch(&session);
        Some(session)
    }

    /// Where the changes of a piece of work are gathered.
    pub(crate) fn changes(&self, tenant: &Arc<Tenant>) -> Arc<Changes> {
        Changes::new(Arc::clone(&self.data), Arc::clone(tenant))
    }

    fn scope(&self, errand: Errand) -> (Scope, Arc<Meter>) {
        let Errand { tenant, user, trace, changes, .. } = errand;
        let share = self.shares.of(tenant.id);
        let (mut db, hold) = self.data.open(&tenant).billed_to(Arc::clone(&share)).held();
        if let Some(trace) = &trace {
            db = db.logged_to(Arc::clone(trace.reads()));
        }
        let meter = Meter::new(tenant.limits.cpu(), Some(share), hold);
        (Scope { db, tenant, user, tags: Vec::new(), purges: 0, trace, changes }, meter)
    }

    /// A store that belongs to no tenant, for reading a module's schema: every host call traps in it.
    pub(crate) fn for_nobody(&self, limits: &Limits) -> Store<GuestState> {
        self.assemble(sandbox(), Meter::new(limits.cpu(), None, Hold::default()), limits)
    }

    fn assemble(
        &self,
        mut wasi: wasmtime_wasi::WasiCtxBuilder,
        meter: Arc<Meter>,
        limits: &Limits,
    ) -> Store<GuestState> {
        let mut http = WasiHttpCtx::new();
        // The in-memory form of a field map is about four times the bytes on the wire.
        http.set_field_size_limit(
            usize::try_from(limits.header_bytes).unwrap_or(usize::MAX).saturating_mul(4),
        );
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.resources).unwrap_or(usize::MAX));
        let state = GuestState {
            scope: None,
            wasi: wasi.build(),
            http,
            outgoing: Outgoing::new(Arc::clone(&self.exits)),
            files: None,
            table,
            limiter: MemoryLimiter::new(limits),
            meter,
            log: None,
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        let body = limits.response_bytes.max(limits.result_bytes);
        let copied = usize::try_from(body.saturating_add(HOSTCALL_BYTES)).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(copied);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            if context.data().meter.may_go_on() {
                Ok(UpdateDeadline::Yield(1))
            } else {
                Ok(UpdateDeadline::Interrupt)
            }
        });
        store
    }
}

fn sandbox() -> wasmtime_wasi::WasiCtxBuilder {
    let mut wasi = WasiCtx::builder();
    wasi.allow_tcp(false).allow_udp(false).max_random_size(RANDOM_BYTES);
    wasi
}

fn sandbox_of(tenant: &Tenant, request: Option<RequestId>) -> (wasmtime_wasi::WasiCtxBuilder, GuestLog) {
    let log = GuestLog::new(tenant.name.clone(), request, tenant.limits.log_bytes);
    let mut wasi = sandbox();
    wasi.stdout(log.clone()).stderr(log.clone());
    (wasi, log)
}

fn host_error(error: &(dyn std::error::Error + 'static)) -> GuestError {
    GuestError::Host(rowhouse_base::Chain(error).to_string())
}

impl GuestState {
    /// The tenant this store was built from.
    ///
    /// # Errors
    /// A trap, where the module calls the host while only its schema is being read.
    pub(crate) fn scope(&mut self) -> wasmtime::Result<&mut Scope> {
        self.scope.as_mut().ok_or_else(|| {
            wasmtime::format_err!(
                "the host was called while reading the schema, which must not need a tenant"
            )
        })
    }

    /// True where the guest holds nothing of the host's and was refused nothing.
    pub(crate) fn is_clean(&self) -> bool {
        self.table.is_empty() && self.limiter.refused().is_none() && !self.meter.is_exhausted()
    }

    /// True where the guest has a wasi:http 0.2 body that it has not finished.
    pub(crate) fn is_writing(&mut self) -> bool {
        self.table.iter_mut().any(|entry| entry.is::<HostOutgoingBody>())
    }

    /// Lets go of everything that belongs to the request that was answered.
    pub(crate) fn end_request(&mut self) {
        self.scope = None;
        if let Some(files) = &mut self.files {
            files.rest();
        }
        self.outgoing.end();
    }

    /// Outbound HTTP requests of the request being served, refused ones included. A page that sent any depends
    /// on more than its tenant's data.
    pub(crate) fn outbound_requests(&self) -> u32 {
        self.outgoing.requests()
    }

    /// The tags of the page, leaving none behind.
    pub(crate) fn take_tags(&mut self) -> Vec<String> {
        self.scope.as_mut().map(|scope| std::mem::take(&mut scope.tags)).unwrap_or_default()
    }

    /// The tenant's database session, where there is a tenant.
    pub(crate) fn db(&self) -> Option<&TenantDb> {
        self.scope.as_ref().map(|scope| &scope.db)
    }

    /// Says why a guest ended: a limit where one was hit, else its trap.
    pub(crate) fn explain(&self, error: &wasmtime::Error, limits: &Limits) -> GuestError {
        if self.meter.is_exhausted() {
            return GuestError::Limit(LimitHit::Cpu(limits.cpu_ms));
        }
        if let Some(refused) = self.limiter.refused() {
            return GuestError::Limit(refused);
        }
        if error.downcast_ref::<Trap>() == Some(&Trap::StackOverflow) {
            return GuestError::Limit(LimitHit::Stack);
        }
        if let Some(wasmtime::component::ResourceTableError::Full) = error.downcast_ref() {
            return GuestError::Limit(LimitHit::Resources(limits.resources));
        }
        // The engine's own type for this is private: its text is all there is to know it by.
        if error.root_cause().to_string().contains(HOSTCALL_EXHAUSTED) {
            return GuestError::Limit(LimitHit::ResponseBytes(limits.response_bytes));
        }
        GuestError::Trap(format!("{error:#}"))
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}
