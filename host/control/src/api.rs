//! The API, `/-/api/v1`: one file per resource, one function per verb, each a few lines over a service.
//!
//! Every handler but the OpenAPI document's takes a `auth::Permit`, so none runs without one. Errors are
//! RFC 9457 problem details, whatever made them. What a test of coverage walks is the OpenAPI document.

mod archives;
mod auth;
mod cache;
mod document;
mod events;
mod farm;
mod input;
mod limits;
mod metrics;
mod people;
mod problem;
mod releases;
mod runs;
mod servers;
mod status;
mod stream;
mod tenants;
mod tokens;

pub use document::document;
pub use farm::{BEHIND, GENERATION};
pub use metrics::metrics_router;
pub use problem::Problem;
pub(crate) use problem::RETRY;

use crate::Control;
use axum::Router;
use axum::middleware;
use axum::routing::{delete, get, post, put};
use std::sync::Arc;

/// Where the API is on the console's host.
pub const BASE: &str = "/-/api/v1";

type State = axum::extract::State<Arc<Control>>;
type Answer<T> = Result<T, Problem>;

/// The API over these services, all of it below [`BASE`].
///
/// The caller may put a [`rowhouse_base::id::RequestId`] and an [`rowhouse_base::Origin`] into the request's
/// extensions; without them an id is made and the origin read from scheme and host.
pub fn router(control: Arc<Control>) -> Router {
    let routes = Router::new()
        .route("/openapi.json", get(document::show))
        .route("/status", get(status::show))
        .route("/limits", get(limits::list))
        .route("/audit", get(people::audit))
        .route("/receipts", get(tenants::receipts))
        .route("/tenants", get(tenants::list).post(tenants::create))
        .route("/tenants/{name}", get(tenants::show).patch(tenants::change).delete(tenants::remove))
        .route("/tenants/{name}/suspend", post(tenants::suspend))
        .route("/tenants/{name}/resume", post(tenants::resume))
        .route("/tenants/{name}/usage", get(tenants::usage))
        .route("/tenants/import", post(archives::import))
        .route("/tenants/{name}/archive", get(archives::export).put(archives::restore))
        .route("/tenants/{name}/clone", post(archives::clone))
        .route("/tenants/{name}/move", post(archives::relocate))
        .route("/tenants/{name}/reset", post(archives::reset))
        .route("/tenants/{name}/cache", get(cache::show))
        .route("/tenants/{name}/cache/flush", post(cache::flush))
        .route("/cache", get(cache::list))
        .route("/data-servers", get(servers::list))
        .route("/servers", get(farm::list))
        .route("/servers/{id}/drain", post(farm::drain))
        .route("/tenants/{name}/members", get(people::members))
        .route("/tenants/{name}/members/{user}", put(people::set_member).delete(people::remove_member))
        .route("/releases", get(releases::list).post(releases::push))
        .route("/releases/{release}", get(releases::show).delete(releases::remove))
        .route("/runs", get(runs::list).post(runs::start))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/events", get(events::follow))
        .route("/runs/{id}/resume", post(runs::resume))
        .route("/runs/{id}/rollback", post(runs::rollback))
        .route("/users", get(people::list).post(people::create))
        .route("/users/{name}", axum::routing::patch(people::change).delete(people::remove))
        .route("/users/{name}/reset-password", post(people::reset_password))
        .route("/users/{name}/sessions", delete(people::end_sessions))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}", delete(tokens::remove))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed);
    Router::new()
        .nest(BASE, routes)
        .fallback(problem::not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&control), farm::wait))
        .layer(middleware::from_fn(problem::finish))
        .with_state(control)
}

#[cfg(test)]
mod tests;
