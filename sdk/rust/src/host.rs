//! The one place where the SDK meets its host.
//!
//! In WebAssembly that is Rowhouse, through the generated bindings; natively it is whatever
//! `testing` installed for the thread. Both sides offer the same functions and types, and
//! nothing else in the SDK knows which one it has. Called by `sql`, `tenant`, `identity` and `pages`.

#[cfg(not(target_family = "wasm"))]
mod native;
#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
pub(crate) use native::*;
#[cfg(target_family = "wasm")]
pub use wasm::Component;
#[cfg(target_family = "wasm")]
pub(crate) use wasm::*;
