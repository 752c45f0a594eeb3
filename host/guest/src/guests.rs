//! The room's front: the engines, their modules, and the ways into a guest.

use crate::admission::{Admission, Place};
use crate::changes::Changes;
use crate::config::GuestConfig;
use crate::cpu::{BackLane, Meter, Ticker, TickerGuard};
use crate::host::outgoing::Exits;
use crate::invoke::body::Capped;
use crate::invoke::{Call, Ended, Reply, fast, http02, http03, streamed};
use crate::machine::Machines;
use crate::module::registry::Registry;
use crate::module::{Handler, Module};
use crate::store::{Errand, GuestState};
use crate::trace::Trace;
use crate::warm::{Instance, Kept, Warm};
use crate::{BodyError, GuestError, LimitHit, engine};
use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use rowhouse_base::Limits;
use rowhouse_base::id::RequestId;
use rowhouse_data::Data;
use rowhouse_tenant::Tenant;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

mod prepare;

/// A request waits this long for a module that is being compiled: some of the largest take longer, most none of it.
const COMPILING: Duration = Duration::from_secs(10);

/// Runs guests. One per process.
pub struct Guests {
    machines: Machines,
    modules: Registry<Module>,
    admission: Arc<Admission>,
    warm: Arc<Warm>,
    back: Arc<BackLane>,
    ticker: Arc<Ticker>,
    max_module_bytes: u64,
}

/// Why the room could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("set up the WebAssembly engine: {0}")]
pub struct SetupError(String);

/// What a request begins with: a store of its own, or an instance that has answered the same tenant.
enum Begun<H> {
    Fresh(Store<GuestState>),
    Again(Instance<H>),
}

impl<H> Begun<H> {
    fn meter(&self) -> Arc<Meter> {
        match self {
            Self::Fresh(store) => Arc::clone(&store.data().meter),
            Self::Again(instance) => Arc::clone(&instance.store.data().meter),
        }
    }
}

/// What a guest does for one request. Boxed where it begins: it is large, and is handed on by several.
type Work<T> = Pin<Box<dyn Future<Output = Ended<T>> + Send>>;

/// What a guest holds while it runs.
struct Running {
    _place: Option<Place>,
    _ticker: TickerGuard,
}

impl Guests {
    /// Sets up the engines and the threads.
    ///
    /// # Errors
    /// Where the machine has no room for even a small pool, or the folder of compiled code can't be used.
    pub fn new(config: &GuestConfig, data: Arc<Data>) -> Result<Arc<Self>, SetupError> {
        let io = |error: std::io::Error| SetupError(error.to_string());
        let exits =
            Exits::new(config.outbound_networks.clone()).map_err(|error| SetupError(error.to_string()))?;
        let machines = Machines::new(config, &data, &exits)
            .map_err(|error| SetupError(rowhouse_base::Chain(&error).to_string()))?;
        let patience = Duration::from_millis(config.queue_ms.into());
        Ok(Arc::new(Self {
            modules: Registry::new(),
            admission: Admission::new(machines.running(), patience),
            warm: Arc::new(Warm::new(machines.kept())),
            back: Arc::new(BackLane::start().map_err(io)?),
            ticker: Arc::new(Ticker::start(machines.engines()).map_err(io)?),
            max_module_bytes: config.max_module_bytes,
            machines,
        }))
    }

    /// What this machine would give an engine with these settings. Starts no threads and touches no folder.
    ///
    /// # Errors
    /// Where the machine has no room for even a small pool.
    pub fn look(config: &GuestConfig) -> Result<engine::EngineFacts, SetupError> {
        engine::look(config).map_err(|error| SetupError(format!("{error:#}")))
    }

    /// Lets go of instances that were kept for too long. To be called about once a second.
    pub fn expire(&self) {
        self.warm.expire();
    }

    /// Answers a request.
    ///
    /// Cancel-safe: a visitor who leaves ends their guest, and what it had not committed is undone.
    ///
    /// # Errors
    /// [`GuestError`] says whether a limit, the guest, the load or the host is the cause.
    pub async fn handle(&self, call: Call) -> Result<Reply, GuestError> {
        let digest = call.tenant.release.as_ref().ok_or(GuestError::NoRelease)?.digest;
        let module = match self.modules.get(&digest) {
            Some(module) => module,
            // Boxed: it is nearly always there.
            None => {
                let soon = Box::pin(self.modules.get_soon(&digest, call.tenant.id, COMPILING)).await;
                soon.ok_or(GuestError::NotReady(digest))?
            }
        };
        match &module.handler {
            Handler::Fast(_) => self.handle_fast(module, call).await,
            Handler::Http02(_) | Handler::Http03(_) => self.handle_http(module, call).await,
        }
    }

    async fn handle_fast(&self, module: Arc<Module>, call: Call) -> Result<Reply, GuestError> {
        let Call { id, tenant, visitor, trace, request } = call;
        let limits = Arc::clone(&tenant.limits);
        let (parts, body) = request.into_parts();
        // The body is read before a place is taken: a slow visitor must not hold one.
        let body = collect(body, &limits).await?;
        let running = self.enter(&tenant).await?;
        let stores = &module.machine.stores;
        let changes = stores.changes(&tenant);
        let errand = errand(id, &tenant, &visitor, trace.as_ref(), &changes);
        let begun = match self.warm.take(&tenant, trace.as_ref()) {
            Some(Kept::Fast(mut instance)) => {
                stores.renew(&mut instance.store, errand).await;
                Begun::Again(instance)
            }
            Some(Kept::Http02(_)) | None => Begun::Fresh(stores.for_tenant(errand, module.uses_files).await?),
        };
        let meter = begun.meter();
        let request = fast::request(&parts, visitor, body);
        let wall = limits.wall();
        let warm = Arc::clone(&self.warm);
        let work: Work<_> = Box::pin(async move {
            let Handler::Fast(pre) = &module.handler else { return Err(lane_changed()) };
            let mut instance = match begun {
                Begun::Again(instance) => instance,
                Begun::Fresh(store) => fast::instantiate(pre, store, &limits).await?,
            };
            let answer = fast::run(&mut instance, request, &limits).await?;
            warm.keep(&tenant, trace, Kept::Fast(instance));
            Ok(answer)
        });
        let (response, usage) = self.limited(meter, wall, running, Some(Arc::clone(&changes)), work).await?;
        Ok(Reply { response, usage: Some(usage), cause: changes.take_failed() })
    }

    async fn handle_http(&self, module: Arc<Module>, call: Call) -> Result<Reply, GuestError> {
        let Call { id, tenant, visitor, trace, request } = call;
        let limits = Arc::clone(&tenant.limits);
        let running = self.enter(&tenant).await?;
        let stores = &module.machine.stores;
        let changes = stores.changes(&tenant);
        let errand = errand(id, &tenant, &visitor, trace.as_ref(), &changes);
        let begun = match self.warm.take(&tenant, trace.as_ref()) {
            Some(Kept::Http02(mut instance)) => {
                stores.renew(&mut instance.store, errand).await;
                Begun::Again(instance)
            }
            Some(Kept::Fast(_)) | None => Begun::Fresh(stores.for_tenant(errand, module.uses_files).await?),
        };
        let meter = begun.meter();
        let (scheme, request) = for_wasi(request, &visitor, &limits)?;
        let (head, answer) = oneshot::channel();
        let wall = limits.wall();
        let theirs = Arc::clone(&limits);
        let warm = Arc::clone(&self.warm);
        let is_queued = matches!(module.handler, Handler::Http02(_));
        let whose = streamed::Whose { request: id, tenant: tenant.name.clone(), is_queued };
        let work: Work<_> = Box::pin(async move {
            match (&module.handler, begun) {
                (Handler::Http02(pre), begun) => {
                    let mut instance = match begun {
                        Begun::Again(instance) => instance,
                        Begun::Fresh(store) => http02::instantiate(pre, store, &theirs).await?,
                    };
                    let usage = http02::run(&mut instance, request, scheme, head, &theirs).await?;
                    warm.keep(&tenant, trace, Kept::Http02(instance));
                    Ok(usage)
                }
                (Handler::Http03(pre), Begun::Fresh(store)) => {
                    http03::run(pre.clone(), store, request, head, &theirs).await
                }
                (Handler::Http03(_), Begun::Again(_)) | (Handler::Fast(_), _) => Err(lane_changed()),
            }
        });
        let guest = Box::pin(self.limited(meter, wall, running, Some(Arc::clone(&changes)), work));
        let (response, usage) = streamed::answer(guest, answer, whose, &changes, &limits).await?;
        Ok(Reply { response, usage, cause: changes.take_failed() })
    }

    async fn enter(&self, tenant: &Tenant) -> Result<Running, GuestError> {
        let place = self.admission.enter(tenant.id, &tenant.limits).await?;
        Ok(Running { _place: Some(place), _ticker: self.ticker.guard() })
    }

    /// Wraps a guest's work in its limits: panics stop here, the wall clock ends it, CPU time is
    /// counted, what it changed is made known, and what it holds is given back at its end, however that
    /// comes.
    fn limited<T: Send + 'static>(
        &self,
        meter: Arc<Meter>,
        wall: Duration,
        running: Running,
        changes: Option<Arc<Changes>>,
        work: Work<T>,
    ) -> impl Future<Output = Ended<T>> + Send + 'static {
        let back = Arc::clone(&self.back);
        async move {
            let caught = AssertUnwindSafe(work).catch_unwind();
            let ended = within(wall, back.drive(&meter, caught)).await;
            drop(running);
            if let Some(changes) = changes {
                // An answer that speaks of what is stored nowhere must not leave.
                changes.settle().await?;
            }
            match ended {
                Some(Some(Ok(ended))) => ended,
                Some(Some(Err(panic))) => Err(GuestError::Host(format!("panicked: {}", panic_text(&*panic)))),
                Some(None) => Err(GuestError::Host("the guest's thread is gone".into())),
                None => {
                    let millis = u32::try_from(wall.as_millis()).unwrap_or(u32::MAX);
                    Err(GuestError::Limit(LimitHit::Wall(millis)))
                }
            }
        }
    }
}

/// What the work comes to; none where the wall clock ended it. Most guests end at their first poll, before there
/// is a timer.
async fn within<F: Future>(wall: Duration, work: F) -> Option<F::Output> {
    let mut work = std::pin::pin!(work);
    match std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => tokio::time::timeout(wall, work).await.ok(),
    }
}

fn errand(
    id: RequestId,
    tenant: &Arc<Tenant>,
    visitor: &crate::Visitor,
    trace: Option<&Arc<Trace>>,
    changes: &Arc<Changes>,
) -> Errand {
    Errand {
        tenant: Arc::clone(tenant),
        request: Some(id),
        user: visitor.user.clone(),
        trace: trace.map(Arc::clone),
        changes: Arc::clone(changes),
    }
}

fn lane_changed() -> GuestError {
    GuestError::Host("the module's lane changed under a request".into())
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "without a text",
    }
}

async fn collect(body: crate::RequestBody, limits: &Limits) -> Result<Bytes, GuestError> {
    use http_body::Body;
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let capped = Capped::new(body, limits.request_bytes);
    match tokio::time::timeout(limits.wall(), capped.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(BodyError::Limit(limit))) => Err(GuestError::Limit(limit)),
        Ok(Err(error)) => Err(GuestError::RequestBody(error.to_string())),
        Err(_elapsed) => Err(GuestError::RequestBody(format!("it took longer than {} ms", limits.wall_ms))),
    }
}

/// The request as wasi:http guests get it: an absolute URI, and the base path in `x-forwarded-prefix`.
fn for_wasi(
    request: http::Request<crate::RequestBody>,
    visitor: &crate::Visitor,
    limits: &Limits,
) -> Result<(Scheme, http::Request<wasmtime_wasi_http::WasiBody>), GuestError> {
    let bad = |error: http::Error| GuestError::Host(format!("build the guest's request: {error}"));
    let (mut parts, body) = request.into_parts();
    let (scheme, authority) = visitor.origin.split_once("://").unwrap_or(("http", "localhost"));
    let path = parts.uri.path_and_query().map_or("/", |both| both.as_str());
    parts.uri =
        http::Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().map_err(bad)?;
    if !visitor.base_path.is_empty()
        && let Ok(prefix) = http::HeaderValue::from_str(&visitor.base_path)
    {
        parts.headers.insert("x-forwarded-prefix", prefix);
    }
    let body = Capped::new(body, limits.request_bytes).map_err(Into::into).boxed_unsync();
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    Ok((scheme, http::Request::from_parts(parts, body)))
}
