//! A site's answer: from the output cache, else from the guest, which then makes it for everybody who waits.
//!
//! The tenant's versions are read first, before the cache is looked at and before a guest begins; what is
//! stored later carries their stamp. Invariant: the cache sees answers after the host's own cookie was kept out
//! of them, and requests after it was hidden. Called by the pipeline, once a request.

use crate::body::{OutgoingBody, Told};
use crate::{reply, visitor};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, response};
use http_body_util::BodyExt;
use rowhouse_base::id::RequestId;
use rowhouse_base::{Chain, Versions};
use rowhouse_cache::{Asked, Begun, Cache, Fill, Finished, Looked, Pass, Site};
use rowhouse_data::Data;
use rowhouse_guest::{Call, GuestError, Guests, Reply, RequestBody, ResponseBody, Trace, Visitor};
use rowhouse_tenant::Tenant;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Reading versions takes a round trip. A database that takes longer is left to the guest, which waits in its
/// tenant's queue.
const VERSIONS: Duration = Duration::from_secs(1);

type Answer = Response<OutgoingBody>;
type Answered = Result<Answer, GuestError>;

/// Who makes a site's answers. Clones are cheap.
#[derive(Clone)]
pub struct Pages {
    /// What is kept.
    pub cache: Arc<Cache>,
    /// Who makes what isn't.
    pub guests: Arc<Guests>,
    /// Who knows what has changed.
    pub data: Arc<Data>,
}

/// A request for a site, its session looked up and hidden.
pub(crate) struct Wish {
    pub(crate) id: RequestId,
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) visitor: Visitor,
    pub(crate) parts: Parts,
    pub(crate) body: RequestBody,
}

/// Of which request a line of the log tells.
#[derive(Clone)]
struct Whose {
    id: RequestId,
    tenant: Arc<Tenant>,
}

impl Wish {
    fn whose(&self) -> Whose {
        Whose { id: self.id, tenant: Arc::clone(&self.tenant) }
    }
}

impl Pages {
    /// Answers.
    ///
    /// Cancel-safe: a visitor who leaves ends their guest, unless it makes a page that is going to be kept.
    ///
    /// # Errors
    /// The guest's, where nothing that is stored may be shown instead.
    pub(crate) async fn answer(&self, wish: Wish) -> Answered {
        let Some(release) = wish.tenant.release.as_ref() else { return Err(GuestError::NoRelease) };
        let versions = self.versions(&wish.tenant, &wish.parts.method).await;
        let site = Site { tenant: wish.tenant.id, revision: wish.tenant.revision, digest: release.digest };
        let asked = Asked {
            site,
            method: &wish.parts.method,
            origin: &wish.visitor.origin,
            base_path: &wish.visitor.base_path,
            uri: &wish.parts.uri,
            headers: &wish.parts.headers,
        };
        match self.cache.look(&asked, versions.as_ref()).await {
            Looked::Answer(answer) => Ok(whole(answer)),
            Looked::Stale { answer, fill } => {
                if let Some(fill) = fill {
                    let whose = wish.whose();
                    // Nobody waits for it; its end is the cache's to tell.
                    go_on(Box::pin(self.clone().fill(fill, wish, versions)), whose);
                }
                Ok(whole(answer))
            }
            // Boxed: a hit should not carry the room for it.
            Looked::Pass(pass) => Box::pin(self.pass(pass, wish, versions)).await,
            Looked::Fill(fill) => {
                let whose = wish.whose();
                let filling: Filling = Box::pin(self.clone().fill(fill, wish, versions));
                Unstoppable { filling: Some(filling), whose }.await
            }
        }
    }

    /// The tenant's versions as of now; none where they can't be read, or where nobody would look at them.
    async fn versions(&self, tenant: &Arc<Tenant>, method: &Method) -> Option<Arc<Versions>> {
        if let Some(known) = self.data.known_versions(tenant) {
            return Some(known);
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        match tokio::time::timeout(VERSIONS, Box::pin(self.data.versions(tenant))).await {
            Ok(Ok(versions)) => Some(versions),
            Err(_elapsed) => {
                tracing::warn!(tenant = %tenant.name, "the tenant's versions take too long to read");
                None
            }
            Ok(Err(error)) => {
                tracing::warn!(tenant = %tenant.name, error = %Chain(&error), "read the tenant's versions");
                None
            }
        }
    }

    /// Asks the guest, past the cache.
    async fn pass(&self, pass: Pass, wish: Wish, versions: Option<Arc<Versions>>) -> Answered {
        let trace = versions.map(Trace::new);
        let (head, body) = self.ask(wish, trace).await?;
        Ok(passed(pass, head, body.into()))
    }

    /// Asks the guest for a page and keeps it where that may be done.
    async fn fill(self, fill: Fill, mut wish: Wish, versions: Option<Arc<Versions>>) -> Answered {
        let trace = versions.map(Trace::new);
        let whose = wish.whose();
        fill.prepare(&mut wish.parts.headers);
        let (mut head, body) = match self.ask(wish, trace.clone()).await {
            Ok(answer) => answer,
            Err(error) => {
                let Some(old) = fill.failed() else { return Err(error) };
                // The visitor sees nothing of it.
                reply::log(whose.id, &whose.tenant, &error);
                return Ok(whole(old));
            }
        };
        let stamp = || trace.as_deref().and_then(Trace::stamp);
        let mut storing = match fill.begin(&head, stamp) {
            Begun::Answer(answer) => return Ok(whole(answer)),
            Begun::Pass(pass) => return Ok(passed(pass, head, body.into())),
            Begun::Store(storing) => storing,
        };
        match body {
            ResponseBody::Full(bytes) => {
                // Too large is told by `finish`.
                let _fits = storing.push(&bytes);
                Ok(match storing.finish(stamp()) {
                    Finished::Stored(answer) => whole(answer),
                    Finished::Passed(pass) => passed(pass, head, OutgoingBody::full(bytes)),
                })
            }
            ResponseBody::Streaming(rest) => {
                storing.dress(&mut head);
                let body =
                    OutgoingBody::Told(Told::new(ResponseBody::Streaming(rest), &head, storing, trace));
                Ok(Response::from_parts(head, body))
            }
        }
    }

    async fn ask(
        &self,
        wish: Wish,
        trace: Option<Arc<Trace>>,
    ) -> Result<(response::Parts, ResponseBody), GuestError> {
        let whose = wish.whose();
        let Wish { id, tenant, visitor, parts, body } = wish;
        let request = http::Request::from_parts(parts, body);
        let asked = self.guests.handle(Call { id, tenant, visitor, trace, request });
        let Reply { response, cause, .. } = asked.await?;
        let (mut head, body) = response.into_parts();
        if head.status.is_server_error() {
            reply::log_own_failure(whose.id, &whose.tenant, head.status, cause.as_ref());
        }
        visitor::keep_own_cookie(&mut head.headers);
        Ok((head, body))
    }
}

fn whole(answer: Response<Bytes>) -> Answer {
    answer.map(OutgoingBody::full)
}

fn passed(pass: Pass, mut head: response::Parts, body: OutgoingBody) -> Answer {
    pass.answered(&mut head);
    Response::from_parts(head, body)
}

type Filling = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// A fill that its visitor began and that goes on without them: others may wait for the page, and it would be
/// asked for again anyway.
struct Unstoppable {
    /// None once it has ended.
    filling: Option<Filling>,
    whose: Whose,
}

impl Future for Unstoppable {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        let Some(filling) = &mut self.filling else { return Poll::Pending };
        let polled = filling.as_mut().poll(cx);
        if polled.is_ready() {
            self.filling = None;
        }
        polled
    }
}

impl Drop for Unstoppable {
    fn drop(&mut self) {
        if let Some(filling) = self.filling.take() {
            go_on(filling, self.whose.clone());
        }
    }
}

/// Finishes a fill, its body included, in a task of its own. The guest's limits bound it.
fn go_on(filling: Filling, whose: Whose) {
    if tokio::runtime::Handle::try_current().is_err() {
        return;
    }
    let work = async move {
        match filling.await {
            // A streamed page is stored when its body has been read to the end.
            Ok(answer) => drop(answer.into_body().collect().await),
            Err(error) => reply::log(whose.id, &whose.tenant, &error),
        }
    };
    drop(rowhouse_base::tasks::spawn("page-fill", work));
}
