//! The console, `/-/console`: what operators do in a browser, over the same services as the API.
//!
//! Server-rendered, without scripts. `gate` lets nobody in but a Super User with a session of the console,
//! and no change that another site made a browser send; the services ask for the permit that only the
//! gate hands on. A change ends in a redirect to a page that says what was done, or in the form it came
//! from with what is wrong. Mounted by the composition root on the console's host.

mod answer;
mod gate;
mod operations;
mod overview;
mod people;
mod releases;
mod runs;
mod servers;
mod site;
mod sites;
mod views;

use crate::Control;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{any, get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use rowhouse_identity::Identity;
use std::sync::Arc;

/// Where the console is on its host.
pub const BASE: &str = "/-/console";
/// Bytes of a form without a file: the longest is a list of sites to activate.
const FORM_BYTES: usize = 256 << 10;

type State = axum::extract::State<Arc<Control>>;

/// The console over these services: `/`, which leads to it, and everything below [`BASE`].
///
/// The caller may put an [`rowhouse_base::Origin`] into the request's extensions; without it the origin
/// is read from scheme and host. There is no fallback, so that the API's router can be merged with this one.
pub fn router(control: Arc<Control>, identity: Arc<Identity>) -> Router {
    let pages = Router::new()
        .route("/-/console/", get(overview::show))
        .route("/-/console/audit", get(overview::audit))
        .route("/-/console/tenants", get(sites::list))
        .route("/-/console/tenants/new", get(sites::form).post(sites::create))
        .route("/-/console/tenants/{name}", get(site::show))
        .route("/-/console/tenants/{name}/properties", post(site::change_properties))
        .route("/-/console/tenants/{name}/addresses", post(site::change_addresses))
        .route("/-/console/tenants/{name}/settings", post(site::change_settings))
        .route("/-/console/tenants/{name}/outbound", post(site::change_outbound))
        .route("/-/console/tenants/{name}/members", post(site::change_members))
        .route("/-/console/tenants/{name}/release", post(site::move_to_release))
        .route("/-/console/tenants/{name}/flush", post(operations::flush))
        .route("/-/console/tenants/{name}/suspend", get(sites::ask_suspend).post(sites::suspend))
        .route("/-/console/tenants/{name}/resume", post(sites::resume))
        .route("/-/console/tenants/{name}/clone", post(operations::clone))
        .route("/-/console/tenants/{name}/move", get(operations::ask_move).post(operations::relocate))
        .route("/-/console/tenants/{name}/reset", get(operations::ask_reset).post(operations::reset))
        .route("/-/console/tenants/{name}/delete", get(sites::ask_delete).post(sites::delete))
        .route("/-/console/releases/{release}", get(releases::show))
        .route("/-/console/releases/{release}/activate", get(releases::ask_activate).post(releases::activate))
        .route("/-/console/releases/{release}/delete", get(releases::ask_delete).post(releases::delete))
        .route("/-/console/runs", get(runs::list))
        .route("/-/console/runs/{id}", get(runs::show))
        .route("/-/console/runs/{id}/resume", post(runs::resume))
        .route("/-/console/runs/{id}/rollback", get(runs::ask_rollback).post(runs::rollback))
        .route("/-/console/servers", get(servers::list))
        .route("/-/console/data-servers", get(servers::data))
        .route("/-/console/servers/{id}/drain", get(servers::ask_drain).post(servers::drain))
        .route("/-/console/users", get(people::users).post(people::create_user))
        .route("/-/console/users/{name}", get(people::user))
        .route("/-/console/users/{name}/delete", get(people::ask_delete_user).post(people::delete_user))
        .route("/-/console/users/{name}/{change}", get(people::ask_change).post(people::change_user))
        .route("/-/console/tokens", get(people::tokens).post(people::create_token))
        .route("/-/console/tokens/{id}/revoke", get(people::ask_revoke).post(people::revoke))
        .layer(DefaultBodyLimit::max(FORM_BYTES));
    let uploads = Router::new()
        .route("/-/console/releases", get(releases::list).post(releases::upload))
        .layer(DefaultBodyLimit::max(releases::UPLOAD_BYTES));
    let gated = pages
        .merge(uploads)
        .route("/-/console/{*rest}", any(overview::not_found))
        .layer(middleware::from_fn_with_state(
            gate::Gate { control: Arc::clone(&control), identity },
            gate::pass,
        ))
        .layer(middleware::from_fn(answer::protect));
    Router::new()
        .route("/", get(|| async { Redirect::to("/-/console/") }))
        .route("/-/console", get(|| async { Redirect::to("/-/console/") }))
        .route(views::STYLESHEET_PATH, get(stylesheet))
        .route(views::ICON_PATH, get(icon))
        .merge(gated)
        .with_state(control)
}

/// The style sheet needs no session: the sign-in page of a browser that fetched it early would break otherwise.
async fn stylesheet() -> impl IntoResponse {
    let fields =
        [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (fields, views::STYLESHEET)
}

/// The icon is the same for everyone too; its name doesn't change with it, so it is asked for once a day.
async fn icon() -> impl IntoResponse {
    ([(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, "public, max-age=86400")], views::ICON)
}

#[cfg(test)]
mod tests;
