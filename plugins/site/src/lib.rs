//! The shipped site module: a site for a group, from its home page to its dashboard.
//!
//! It is a product and a guest like any other: it knows only what the SDK gives it. It refuses scripts,
//! third-party loads and raw HTML. Invariant: everything under `/manage` is behind one guard here, so no
//! page of the dashboard can forget it. Called by Rowhouse, once a request.

mod assets;
mod calendar;
mod manage;
mod markdown;
mod public;
mod schema;
mod slug;
mod starter;
mod store;
mod theme;

use rowhouse_sdk::prelude::*;

/// The site.
pub struct GroupSite;

impl Site for GroupSite {
    fn routes() -> Router {
        // The dashboard first: the public `/{slug}` would take `/manage` for a page.
        public::routes(manage::routes(Router::new().guard("/manage", manage::guard)))
    }

    fn migrations() -> Vec<Migration> {
        schema::migrations()
    }

    fn upgrade(_from: Option<&str>, _to: &str) -> std::result::Result<(), String> {
        starter::prepare().map_err(|error| error.to_string())
    }

    fn error_page(request: &Request, error: &Error) -> Result {
        public::error_page(request, error)
    }
}

rowhouse_sdk::export!(GroupSite);
