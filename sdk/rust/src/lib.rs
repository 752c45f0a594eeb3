//! The Rust SDK of Rowhouse: a site module in twenty lines.
//!
//! A site is a type that implements [`Site`]: routes, a schema, and perhaps code for upgrades. It is
//! compiled for `wasm32-wasip2` as a `cdylib` and pushed to Rowhouse, which runs it for every tenant,
//! each with its own database. The same site runs natively in tests, over an in-memory database.
//!
//! ```
//! use rowhouse_sdk::prelude::*;
//!
//! #[derive(Row)]
//! struct Note { text: String }
//!
//! #[derive(Template)]
//! #[template(askama = rowhouse_sdk::askama, ext = "html", source = r#"
//!     <!doctype html><title>Notes</title>
//!     <form method="post" action="{{ urls.to("/") }}"><input name="text"><button>Add</button></form>
//!     <ul>{% for note in notes %}<li>{{ note.text }}</li>{% endfor %}</ul>"#)]
//! struct Home { urls: Urls, notes: Vec<Note> }
//!
//! fn home(request: &Request) -> Result {
//!     let notes = sql::query_as("SELECT text FROM notes ORDER BY id DESC LIMIT 50", params![])?;
//!     Response::page(&Home { urls: request.urls(), notes })
//! }
//!
//! fn add(request: &Request) -> Result {
//!     let mut form = request.form()?;
//!     let text = form.required("text", 200, "Write something.");
//!     if form.is_valid() {
//!         sql::execute("INSERT INTO notes (text) VALUES ($1)", params![text])?;
//!     }
//!     Ok(Response::see_other(request.urls().to("/")))
//! }
//!
//! struct Notes;
//!
//! impl Site for Notes {
//!     fn routes() -> Router { Router::new().get("/", home).post("/", add) }
//!
//!     fn migrations() -> Vec<Migration> {
//!         vec![Migration::new(1, "create notes")
//!             .sqlite(["CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"])
//!             .postgresql(["CREATE TABLE notes (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text TEXT NOT NULL)"])
//!             .mysql(["CREATE TABLE notes (id BIGINT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(200) NOT NULL)"])]
//!     }
//! }
//!
//! rowhouse_sdk::export!(Notes);
//! ```
//!
//! What the SDK refuses: statements glued together from values (there is only `$1` and `params!`), links
//! without the base path (there is only [`Urls`]), and a way to name another tenant (there is none).
//! Forms need no token against cross-site requests: the host refuses those before a guest sees them.

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
mod error;
pub mod files;
mod form;
#[doc(hidden)]
pub mod host;
pub mod identity;
pub mod log;
mod migration;
pub mod pages;
mod request;
mod response;
mod router;
mod site;
pub mod sql;
pub mod tenant;
#[cfg(all(feature = "testing", not(target_family = "wasm")))]
pub mod testing;
pub mod url;

pub use askama;
pub use askama::Template;
pub use error::{Error, Result};
pub use form::Form;
pub use migration::Migration;
pub use request::Request;
pub use response::{Cache, IntoResponse, Response};
pub use router::{Handler, Router};
pub use rowhouse_sdk_macros::Row;
pub use site::Site;
pub use url::{Link, Urls};

/// What most sites need: `use rowhouse_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Cache, Error, Form, Migration, Request, Response, Result, Router, Row, Site, Template, Urls,
        identity, params, sql, sql::Timestamp, tenant,
    };
}

/// Makes the component's exports from a type that implements [`Site`]. Once in a crate.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export {
    ($site:ty) => {
        type RowhouseComponent = $crate::host::Component<$site>;
        $crate::bindings::export_site!(RowhouseComponent with_types_in $crate::bindings);
    };
}

/// Makes the component's exports from a type that implements [`Site`]. Once in a crate. Natively there
/// is nothing to export: it only checks that the type is a site.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export {
    ($site:ty) => {
        const _: fn() -> $crate::Router = <$site as $crate::Site>::routes;
    };
}
