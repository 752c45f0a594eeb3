//! What a site is, and how a request becomes an answer.
//!
//! The order is fixed: route, answer, and an error page for what went wrong. Invariant: an internal
//! error is logged here once, with its sources, and its text never reaches the visitor. Called by the
//! exports in `host/wasm.rs` and by `testing`.

use crate::{
    error::{Error, Result},
    log,
    migration::Migration,
    request::Request,
    response::{Cache, Response},
    router::Router,
};

/// A site module. Implement it for an empty struct and name that in `rowhouse_sdk::export!`.
pub trait Site: 'static {
    /// The routes. Asked for every request, so keep it to building the router.
    fn routes() -> Router;

    /// The schema, oldest step first. Asked once, when the module is pushed.
    fn migrations() -> Vec<Migration> {
        Vec::new()
    }

    /// Code for each tenant after its migrations. `from` is the release before, none for a new tenant.
    /// It must be repeatable.
    ///
    /// # Errors
    /// A text for the operator; the tenant stays on its old release.
    fn upgrade(from: Option<&str>, to: &str) -> std::result::Result<(), String> {
        let _ = (from, to);
        Ok(())
    }

    /// The page for an error. Status and fields that the error needs are set afterwards.
    ///
    /// # Errors
    /// Its own; a plain page is shown then.
    fn error_page(request: &Request, error: &Error) -> Result<Response> {
        let _ = request;
        Ok(plain_page(error))
    }
}

/// Answers a request, whatever happens.
#[cfg_attr(
    not(any(target_family = "wasm", feature = "testing")),
    expect(dead_code, reason = "natively, only tests answer requests")
)]
pub(crate) fn answer<S: Site>(request: &Request) -> Response {
    match S::routes().dispatch(request) {
        Ok(response) => response,
        Err(error) => failure::<S>(request, &error),
    }
}

fn failure<S: Site>(request: &Request, error: &Error) -> Response {
    if let Error::SignIn { location } = error {
        return Response::new(303).header("location", location.clone()).cache(Cache::NoStore);
    }
    if error.status() >= 500 {
        log::line(format_args!("{} {}: {}", request.method(), request.path(), error.chain()));
    }
    let page = S::error_page(request, error).unwrap_or_else(|second| {
        log::line(format_args!("the error page failed: {}", second.chain()));
        plain_page(error)
    });
    let mut page = page.status(error.status()).cache(Cache::NoStore);
    if let Error::MethodNotAllowed(allowed) = error {
        page = page.header("allow", allowed.clone());
    }
    if error.status() == 503 {
        page = page.header("retry-after", "1");
    }
    if request.method() == "HEAD" { page.without_body() } else { page }
}

fn plain_page(error: &Error) -> Response {
    Response::text(format!("{}\n", error.public_text()))
}
