//! Runs guests: site modules in a sandbox of their own per request.
//!
//! wasmtime lives here and nowhere else. A store is built *from* a tenant and dropped after the
//! request, so there is nothing to set before a call and nothing to clear after it. The front room
//! calls [`Guests::handle`]; the control room calls `check`, `prepare` and `upgrade`. Nothing here
//! knows statuses or pages: a request that can't be answered ends as a [`GuestError`].

mod admission;
mod changes;
mod config;
mod cpu;
mod engine;
mod error;
mod guests;
mod host;
mod invoke;
mod limiter;
mod linker;
mod log;
mod machine;
mod module;
mod nudge;
mod store;
mod trace;
mod warm;

pub use config::GuestConfig;
pub use engine::EngineFacts;
pub use error::{GuestError, LimitHit};
pub use guests::Guests;
pub use invoke::body::{BodyError, RequestBody, ResponseBody};
pub use invoke::fields::strip_fields;
pub use invoke::{Call, Reply, Usage};
pub use module::check::{Faults, Lane, ModuleFacts};
pub use store::{SignedInUser, Visitor};
pub use trace::Trace;
