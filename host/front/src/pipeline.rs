//! The order a request takes: resolve → session → cache → guest → fill → reply. Nobody else knows it.

use crate::arriving::{self, Arriving};
use crate::body::OutgoingBody;
use crate::cached::{Pages, Wish};
use crate::facts::{Facts, InvalidRequest};
use crate::health::Readiness;
use crate::mark::Mark;
use crate::proxies::{self, TrustedProxies};
use crate::reply::{self, Answer};
use crate::sign_in::{self, CONSOLE, Desk};
use crate::visitor;
use axum::Router;
use http::header::{self, HeaderValue};
use http::{StatusCode, Uri, Version, uri::PathAndQuery};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rowhouse_base::{Origin, TenantName};
use rowhouse_guest::{BodyError, Visitor};
use rowhouse_identity::{Identity, Scope};
use rowhouse_tenant::{Directory, Resolution, Tenant, TenantState};
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;
use tower::ServiceExt;
use tracing::Instrument as _;

/// What the operator decides about the way in.
#[derive(Clone, Debug)]
pub struct FrontConfig {
    /// `http` or `https`, as visitors use it. TLS ends at the proxy in front.
    pub scheme: String,
    /// Whose word counts about the visitor's address, scheme and host.
    pub proxies: TrustedProxies,
    /// What answers tell of this server.
    pub mark: Mark,
}

/// Looks whether other servers made a site that nobody here knows yet. Never fails: the answer is in the directory.
pub type LookAgain = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// What every request needs.
pub struct Front {
    /// See [`FrontConfig`].
    pub config: FrontConfig,
    /// Who is where.
    pub directory: Arc<Directory>,
    /// Who is signed in.
    pub identity: Arc<Identity>,
    /// Who answers.
    pub pages: Pages,
    /// The console and the API, on the base host.
    pub console: Router,
    /// Whether balancers should send requests here.
    pub readiness: Readiness,
    /// Asked before a host is said to belong to nobody; none where there are no other servers.
    pub look_again: Option<LookAgain>,
}

type Request = http::Request<Arriving>;

/// True for what belongs to the host on every site. The console's cookie is sent to all of it, `/-` itself included.
fn is_hosts(path: &str) -> bool {
    path.strip_prefix("/-").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Front {
    /// Answers a request. Never fails: what goes wrong is an answer too.
    pub(crate) async fn handle(&self, request: http::Request<Incoming>, peer: IpAddr) -> Answer {
        let (request, rest) = arriving::watched(request);
        let mut answer = self.answered(request, peer).await;
        if !rest.read().await {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn answered(&self, mut request: Request, peer: IpAddr) -> Answer {
        let begun = Instant::now();
        let arrival = self.config.proxies.receive(&mut request, peer);
        let facts = match Facts::read(&request, &self.config.scheme, &arrival) {
            Ok(facts) => facts,
            // HTTP/1.0 has no hosts, and some balancers ask for readiness in it.
            Err(InvalidRequest::NoHost) if request.version() == Version::HTTP_10 => {
                let answer = self.probe(request.uri().path());
                return answer.unwrap_or_else(|| reply::invalid(&InvalidRequest::NoHost));
            }
            Err(problem) => return reply::invalid(&problem),
        };
        // One meaning of the host for all that follows: what resolves, what pages are kept under, what guests see.
        proxies::adopt(&mut request, facts.authority());
        let line = AccessLine::of(&request);
        let (version, is_missing) = (request.version(), self.config.mark.is_missing(request.headers()));
        let found = self.resolve(&facts, request.uri().path()).await;
        let mut answer = match found {
            Resolution::UnknownHost => match self.probe(request.uri().path()) {
                // Balancers ask by address, whatever host they put in.
                Some(answer) => answer,
                None => reply::unknown_host(&facts),
            },
            // Boxed, here and below: a request for a kept page should not carry the room for what few requests need.
            Resolution::Console => Box::pin(self.console(&facts, request)).await,
            Resolution::Host(tenant) => self.site(&facts, tenant, request, String::new()).await,
            Resolution::Prefix(tenant) => self.prefixed(&facts, tenant, request).await,
        };
        reply::stamp(&mut answer, facts.id);
        self.config.mark.put(&mut answer, version, &self.readiness, is_missing);
        line.log(&facts, &answer, begun);
        answer
    }

    /// Finds where a request leads. A site that was made on another server a moment ago is found too.
    async fn resolve(&self, facts: &Facts, path: &str) -> Resolution {
        let found = self.directory.with(|all| all.resolve(&facts.host, path));
        let Some(look) = &self.look_again else { return found };
        let may_be_new = match &found {
            Resolution::UnknownHost => !path.starts_with("/-/"),
            Resolution::Console => path.split('/').nth(1).is_some_and(|name| TenantName::parse(name).is_ok()),
            Resolution::Host(_) | Resolution::Prefix(_) => false,
        };
        if !may_be_new {
            return found;
        }
        look().await;
        self.directory.with(|all| all.resolve(&facts.host, path))
    }

    fn probe(&self, path: &str) -> Option<Answer> {
        match path {
            "/-/healthz" => Some(reply::text(StatusCode::OK, "alive\n")),
            "/-/readyz" => Some(match self.readiness.reason() {
                None => reply::text(StatusCode::OK, "ready\n"),
                Some(reason) => reply::text(StatusCode::SERVICE_UNAVAILABLE, reason),
            }),
            _ => None,
        }
    }

    async fn console(&self, facts: &Facts, request: Request) -> Answer {
        let path = request.uri().path().to_owned();
        if let Some(answer) = self.probe(&path) {
            return answer;
        }
        if path == "/" {
            return reply::see_other(CONSOLE);
        }
        if let Some(form) = path.strip_prefix("/-/console/").filter(|form| sign_in::is_form(form)) {
            let cookies = visitor::session_cookies(request.headers());
            let desk = Desk::of_console(&self.identity, facts);
            let answer = desk.answer(form, request, cookies.as_deref()).await;
            return answer.unwrap_or_else(|| reply::not_found(facts.id));
        }
        if path.starts_with("/-/console") || path.starts_with("/-/api/") || path == "/-/metrics" {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(facts.id);
            parts.extensions.insert(Origin(facts.origin.clone()));
            let request = http::Request::from_parts(parts, axum::body::Body::new(body));
            // What is told on the way is found by the request's number.
            let span = tracing::error_span!("operator", request = %facts.id);
            return match self.console.clone().oneshot(request).instrument(span).await {
                Ok(answer) => answer.map(OutgoingBody::Router),
                Err(never) => match never {},
            };
        }
        // Where a site's forms are, people may look for the console's.
        match path.strip_prefix("/-/").filter(|form| sign_in::is_form(form)) {
            Some(form) => {
                let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
                reply::permanent(&format!("{CONSOLE}/{form}{query}"))
            }
            None => reply::not_found(facts.id),
        }
    }

    /// A site under `/NAME/`: the prefix is taken off, and there is one way to write it.
    async fn prefixed(&self, facts: &Facts, tenant: Arc<Tenant>, mut request: Request) -> Answer {
        let base_path = ["/", tenant.name.as_str()].concat();
        let path = request.uri().path();
        let written = path.get(..base_path.len()).unwrap_or_default();
        let rest = path.get(base_path.len()..).unwrap_or_default();
        if written != base_path || rest.is_empty() {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            let rest = if rest.is_empty() { "/" } else { rest };
            return reply::permanent(&format!("{base_path}{rest}{query}"));
        }
        let within = request.uri().path_and_query().and_then(|whole| whole.as_str().get(base_path.len()..));
        match within.map(PathAndQuery::try_from) {
            Some(Ok(within)) => *request.uri_mut() = Uri::from(within),
            None | Some(Err(_)) => return reply::not_found(facts.id),
        }
        self.site(facts, tenant, request, base_path).await
    }

    async fn site(&self, facts: &Facts, tenant: Arc<Tenant>, request: Request, base_path: String) -> Answer {
        let path = request.uri().path();
        if is_hosts(path)
            && let Some(answer) = self.probe(path)
        {
            return answer;
        }
        match tenant.state {
            TenantState::Suspended => return reply::suspended(facts.id),
            TenantState::Moving => return reply::moving(facts.id),
            _ => {}
        }
        let scope = Scope::Tenant(tenant.id);
        let cookies = visitor::session_cookies(request.headers());
        if is_hosts(path) {
            return Box::pin(self.desk(facts, &tenant, request, &base_path, cookies.as_deref())).await;
        }
        // Without a session there is nothing that another site could act with.
        if cookies.is_some() && visitor::is_cross_site(&request, facts, true) {
            return reply::cross_site(facts.id);
        }
        let mut user = None;
        let (mut parts, body) = request.into_parts();
        if let Some(cookies) = &cookies {
            let looked_up = Box::pin(visitor::signed_in(&self.identity, scope, Some(cookies)));
            user = visitor::for_guest(looked_up.await.as_ref());
            visitor::hide_session(&mut parts.headers, cookies);
        }
        let visitor = Visitor { origin: facts.origin.clone(), base_path, user };
        let body = body.map_err(|error| BodyError::Visitor(error.to_string())).boxed_unsync();
        // Before the cache sees them: a page must not depend on a field that its guest is not shown.
        rowhouse_guest::strip_fields(&mut parts.headers);
        let wish = Wish { id: facts.id, tenant: Arc::clone(&tenant), visitor, parts, body };
        match self.pages.answer(wish).await {
            Ok(answer) => answer,
            Err(problem) => reply::guest_error(facts.id, &tenant, &problem),
        }
    }

    async fn desk(
        &self,
        facts: &Facts,
        tenant: &Tenant,
        request: Request,
        base_path: &str,
        cookies: Option<&str>,
    ) -> Answer {
        let path = request.uri().path().to_owned();
        let form = path.strip_prefix("/-/").unwrap_or_default();
        let desk = Desk::of_site(&self.identity, facts, tenant, base_path);
        match desk.answer(form, request, cookies).await {
            Some(answer) => answer,
            None => reply::not_found(facts.id),
        }
    }
}

/// One line of the access log, written only where somebody reads it.
struct AccessLine(Option<(http::Method, String)>);

impl AccessLine {
    fn of(request: &Request) -> Self {
        let is_read = tracing::enabled!(target: "access", tracing::Level::INFO);
        Self(is_read.then(|| (request.method().clone(), request.uri().path().to_owned())))
    }

    fn log(self, facts: &Facts, answer: &Answer, begun: Instant) {
        if let Some((method, path)) = self.0 {
            let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            tracing::info!(
                target: "access", request = %facts.id, host = %facts.host, %method, path,
                status = answer.status().as_u16(), micros,
            );
        }
    }
}
