//! Turns every way a request can end into an answer: the only place that maps errors to statuses.
//!
//! The public text says what the visitor can do; what happened goes to the log, once, with the request
//! id that the page shows: as an error where the status is 500, whoever gave it. Nothing of a tenant's inside is ever
//! in the public text.

use crate::body::OutgoingBody;
use crate::facts::{Facts, InvalidRequest};
use crate::pages::ErrorPage;
use askama::Template;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use rowhouse_base::Chain;
use rowhouse_base::id::RequestId;
use rowhouse_data::SqlError;
use rowhouse_guest::{GuestError, LimitHit};
use rowhouse_tenant::Tenant;
use std::time::Duration;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long a visitor of a suspended site is told to wait.
const SUSPENDED_RETRY: Duration = Duration::from_secs(3600);
/// How long a visitor of a site on its way to another data server is told to wait. Most sites take less.
const MOVING_RETRY: Duration = Duration::from_secs(30);

pub(crate) type Answer = Response<OutgoingBody>;

/// An answer that is one of the server's own pages.
pub(crate) fn page(status: StatusCode, html: Result<String, askama::Error>) -> Answer {
    let (status, html) = match html {
        Ok(html) => (status, html),
        Err(error) => {
            tracing::error!(%error, "render a page");
            (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong.".to_owned())
        }
    };
    let mut answer = Response::new(OutgoingBody::full(html));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}

/// A page that says why there is none.
pub(crate) fn error(id: RequestId, status: StatusCode, title: &str, text: &str) -> Answer {
    page(status, ErrorPage::new(status.as_u16(), title, text, id.to_string()).render())
}

/// 404.
pub(crate) fn not_found(id: RequestId) -> Answer {
    error(id, StatusCode::NOT_FOUND, "Page not found", "There is nothing at this address.")
}

/// The host belongs to nobody here.
pub(crate) fn unknown_host(facts: &Facts) -> Answer {
    error(
        facts.id,
        StatusCode::NOT_FOUND,
        "No site here",
        "There is no site at this address. Check that it is spelled right.",
    )
}

/// The site is suspended.
pub(crate) fn suspended(id: RequestId) -> Answer {
    let text = "This site is not available at the moment. Please come back later.";
    let mut answer = error(id, StatusCode::SERVICE_UNAVAILABLE, "Temporarily closed", text);
    retry_after(&mut answer, SUSPENDED_RETRY);
    answer
}

/// The site is on its way to another data server.
pub(crate) fn moving(id: RequestId) -> Answer {
    let text = "This site is being moved and will be back in a moment.";
    let mut answer = error(id, StatusCode::SERVICE_UNAVAILABLE, "Back in a moment", text);
    retry_after(&mut answer, MOVING_RETRY);
    answer
}

/// The request can't be understood.
pub(crate) fn invalid(problem: &InvalidRequest) -> Answer {
    let id = RequestId::new();
    tracing::debug!(request = %id, error = %Chain(problem), "refuse a request");
    let text = "The request could not be understood.";
    let mut answer = error(id, StatusCode::BAD_REQUEST, "Bad request", text);
    stamp(&mut answer, id);
    answer
}

/// Another site tried to act in the visitor's name.
pub(crate) fn cross_site(id: RequestId) -> Answer {
    let text = "This request came from another site. Open the page here and try again.";
    error(id, StatusCode::FORBIDDEN, "Refused", text)
}

/// The server itself failed. The cause was logged by the caller.
pub(crate) fn failed(id: RequestId) -> Answer {
    let text =
        "The server could not answer. Please try again; if it stays this way, tell us the request number.";
    error(id, StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", text)
}

/// To another address, with GET.
pub(crate) fn see_other(location: &str) -> Answer {
    redirect(StatusCode::SEE_OTHER, location)
}

/// To another address for good, with the same method.
pub(crate) fn permanent(location: &str) -> Answer {
    redirect(StatusCode::PERMANENT_REDIRECT, location)
}

fn redirect(status: StatusCode, location: &str) -> Answer {
    let mut answer = Response::new(OutgoingBody::full(""));
    *answer.status_mut() = status;
    if let Ok(location) = HeaderValue::from_str(location) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A short text for programs.
pub(crate) fn text(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(OutgoingBody::full(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A guest gave no answer.
pub(crate) fn guest_error(id: RequestId, tenant: &Tenant, problem: &GuestError) -> Answer {
    log(id, tenant, problem);
    let busy = "Too many people are here at the same moment. Please try again shortly.";
    let too_long = "The site took too long to answer. Please try again.";
    match problem {
        GuestError::Overloaded { retry_after: after } => {
            let mut answer = error(id, StatusCode::SERVICE_UNAVAILABLE, "Very busy", busy);
            retry_after(&mut answer, *after);
            answer
        }
        GuestError::NoRelease | GuestError::NotReady(_) => {
            let text = "The site is being set up. Please try again shortly.";
            let mut answer = error(id, StatusCode::SERVICE_UNAVAILABLE, "Almost there", text);
            retry_after(&mut answer, Duration::from_secs(5));
            answer
        }
        GuestError::Limit(LimitHit::RequestBytes(_)) => {
            let text = "What you sent is larger than this site accepts.";
            error(id, StatusCode::PAYLOAD_TOO_LARGE, "Too large", text)
        }
        GuestError::Limit(LimitHit::Wall(_)) => error(id, StatusCode::GATEWAY_TIMEOUT, "Too slow", too_long),
        GuestError::RequestBody(_) => {
            error(id, StatusCode::BAD_REQUEST, "Bad request", "What you sent did not arrive in full.")
        }
        GuestError::BadResponse(_) => error(
            id,
            StatusCode::BAD_GATEWAY,
            "Something went wrong",
            "The site's answer could not be understood.",
        ),
        GuestError::Limit(_) | GuestError::Trap(_) | GuestError::Upgrade(_) | GuestError::Host(_) => {
            failed(id)
        }
    }
}

/// Tells the operator why a guest gave no answer.
pub(crate) fn log(id: RequestId, tenant: &Tenant, problem: &GuestError) {
    let (name, release) = (tenant.name.as_str(), release(tenant));
    match problem {
        GuestError::Limit(hit @ (LimitHit::RequestBytes(_) | LimitHit::Wall(_))) => {
            tracing::warn!(request = %id, tenant = name, release, limit = hit.name(), hit = %hit, "a limit ended a request");
        }
        GuestError::Limit(hit) => {
            tracing::error!(request = %id, tenant = name, release, limit = hit.name(), hit = %hit, "a limit ended a request");
        }
        GuestError::Trap(_) | GuestError::Upgrade(_) | GuestError::Host(_) => {
            tracing::error!(request = %id, tenant = name, release, error = %Chain(problem), "answer a request");
        }
        _ => {
            tracing::warn!(request = %id, tenant = name, release, error = %Chain(problem), "answer a request")
        }
    }
}

/// Letters of a cause that the log shows.
const MOST_OF_A_CAUSE: usize = 300;

/// Tells the operator that a site answered that it failed. Its visitor gets that answer; `cause` is the last of its
/// statements that failed.
pub(crate) fn log_own_failure(id: RequestId, tenant: &Tenant, status: StatusCode, cause: Option<&SqlError>) {
    let (name, release) = (tenant.name.as_str(), release(tenant));
    // An engine quotes what the guest sent it: a part of it, and no line of its own.
    let cause = cause.map(|cause| cause.to_string().chars().take(MOST_OF_A_CAUSE).collect::<String>());
    let cause = cause.as_deref().map(tracing::field::debug);
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(request = %id, tenant = name, release, %status, cause, "a site answered that it failed");
    } else {
        tracing::warn!(request = %id, tenant = name, release, %status, cause, "a site answered that it failed");
    }
}

fn release(tenant: &Tenant) -> &str {
    tenant.release.as_ref().map(|release| release.name.as_str()).unwrap_or_default()
}

pub(crate) fn retry_after(answer: &mut Answer, after: Duration) {
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
}

/// Puts the request's number on every answer.
pub(crate) fn stamp(answer: &mut Answer, id: RequestId) {
    let mut text = [0; RequestId::TEXT_BYTES];
    if let Ok(value) = HeaderValue::from_str(id.write_to(&mut text)) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
}
