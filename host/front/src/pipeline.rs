//! The order a request takes: resolve → session → guest → reply. Nobody else knows it.

use crate::body::OutgoingBody;
use crate::facts::Facts;
use crate::health::Readiness;
use crate::reply::{self, Answer};
use crate::sign_in::Desk;
use crate::visitor;
use axum::Router;
use http::{StatusCode, Uri, uri::PathAndQuery};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rowhouse_base::Origin;
use rowhouse_guest::{BodyError, Call, Guests, Visitor};
use rowhouse_identity::{Identity, Scope};
use rowhouse_tenant::{Directory, Resolution, Tenant, TenantState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tower::ServiceExt;

/// What the operator decides about the way in.
#[derive(Clone, Debug)]
pub struct FrontConfig {
    /// `http` or `https`, as visitors use it. TLS ends at the proxy in front.
    pub scheme: String,
}

/// What every request needs.
pub struct Front {
    /// See [`FrontConfig`].
    pub config: FrontConfig,
    /// Who is where.
    pub directory: Arc<Directory>,
    /// Who is signed in.
    pub identity: Arc<Identity>,
    /// Who answers.
    pub guests: Arc<Guests>,
    /// The console and the API, on the base host.
    pub console: Router,
    /// Whether balancers should send requests here.
    pub readiness: Readiness,
}

type Request = http::Request<Incoming>;

impl Front {
    /// Answers a request. Never fails: what goes wrong is an answer too.
    pub(crate) async fn handle(&self, request: Request, client: IpAddr) -> Answer {
        let begun = Instant::now();
        let facts = match Facts::read(&request, &self.config.scheme, client) {
            Ok(facts) => facts,
            Err(problem) => return reply::invalid(&problem),
        };
        let line = AccessLine::of(&request);
        let mut answer = match self.directory.with(|all| all.resolve(&facts.host, request.uri().path())) {
            Resolution::UnknownHost => match self.probe(request.uri().path()) {
                // Balancers ask by address, whatever host they put in.
                Some(answer) => answer,
                None => reply::unknown_host(&facts),
            },
            Resolution::Console => self.console(&facts, request).await,
            Resolution::Host(tenant) => self.site(&facts, tenant, request, String::new()).await,
            Resolution::Prefix(tenant) => self.prefixed(&facts, tenant, request).await,
        };
        reply::stamp(&mut answer, facts.id);
        line.log(&facts, &answer, begun);
        answer
    }

    fn probe(&self, path: &str) -> Option<Answer> {
        match path {
            "/-/healthz" => Some(reply::text(StatusCode::OK, "alive\n")),
            "/-/readyz" if self.readiness.is_ready() => Some(reply::text(StatusCode::OK, "ready\n")),
            "/-/readyz" => Some(reply::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")),
            _ => None,
        }
    }

    async fn console(&self, facts: &Facts, request: Request) -> Answer {
        let path = request.uri().path().to_owned();
        if let Some(answer) = self.probe(&path) {
            return answer;
        }
        if path == "/" {
            return reply::see_other("/-/console");
        }
        if path.starts_with("/-/console") || path.starts_with("/-/api/") {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(facts.id);
            parts.extensions.insert(Origin(facts.origin.clone()));
            let request = http::Request::from_parts(parts, axum::body::Body::new(body));
            return match self.console.clone().oneshot(request).await {
                Ok(answer) => answer.map(OutgoingBody::Router),
                Err(never) => match never {},
            };
        }
        let cookies = visitor::session_cookies(request.headers());
        let desk = Desk {
            identity: &self.identity,
            facts,
            scope: Scope::Console,
            title: "Rowhouse console",
            base_path: "",
            landing: "/-/console".to_owned(),
        };
        match desk.answer(&path, request, cookies.as_deref()).await {
            Some(answer) => answer,
            None => reply::not_found(facts.id),
        }
    }

    /// A site under `/NAME/`: the prefix is taken off, and there is one way to write it.
    async fn prefixed(&self, facts: &Facts, tenant: Arc<Tenant>, mut request: Request) -> Answer {
        let base_path = format!("/{}", tenant.name);
        let path = request.uri().path();
        let written = path.get(..base_path.len()).unwrap_or_default();
        let rest = path.get(base_path.len()..).unwrap_or_default();
        if written != base_path || rest.is_empty() {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            let rest = if rest.is_empty() { "/" } else { rest };
            return reply::permanent(&format!("{base_path}{rest}{query}"));
        }
        let within = match request.uri().query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        };
        match PathAndQuery::try_from(within) {
            Ok(within) => *request.uri_mut() = Uri::from(within),
            Err(_never) => return reply::not_found(facts.id),
        }
        self.site(facts, tenant, request, base_path).await
    }

    async fn site(&self, facts: &Facts, tenant: Arc<Tenant>, request: Request, base_path: String) -> Answer {
        let path = request.uri().path();
        if path.starts_with("/-/")
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
        if path.starts_with("/-/") {
            return self.desk(facts, &tenant, request, &base_path, cookies.as_deref()).await;
        }
        // Without a session there is nothing that another site could act with.
        if cookies.is_some() && visitor::is_cross_site(&request, facts, true) {
            return reply::cross_site(facts.id);
        }
        let mut user = None;
        let (mut parts, body) = request.into_parts();
        if let Some(cookies) = &cookies {
            user =
                visitor::for_guest(visitor::signed_in(&self.identity, scope, Some(cookies)).await.as_ref());
            visitor::hide_session(&mut parts.headers, cookies);
        }
        let visitor = Visitor { origin: facts.origin.clone(), base_path, user };
        let body = body.map_err(|error| BodyError::Visitor(error.to_string())).boxed_unsync();
        let request = http::Request::from_parts(parts, body);
        match self.guests.handle(Call { tenant: Arc::clone(&tenant), visitor, request }).await {
            Ok(reply) => {
                let mut answer = reply.response.map(OutgoingBody::Guest);
                visitor::keep_own_cookie(answer.headers_mut());
                answer
            }
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
        let desk = Desk {
            identity: &self.identity,
            facts,
            scope: Scope::Tenant(tenant.id),
            title: &tenant.title,
            base_path,
            landing: format!("{base_path}/manage"),
        };
        match desk.answer(&path, request, cookies).await {
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
