//! What an engine's linker has: WASI 0.2, wasi:http 0.2 and the host calls beside them, and WASI 0.3 with
//! wasi:http 0.3 where the engine can run them.
//!
//! Built once an engine and shared; cloning a linker was an advisory. A guest for wasm32-wasip2 imports much that
//! it never uses (environment, terminal, sockets), so everything is linked and refused behind by an
//! empty context.

use crate::host::files::{NoFiles, NoFilesView, QuotaFiles};
use crate::machine::Concurrency;
use crate::store::GuestState;
use rowhouse_bindings::host::{identity, pages, sql, tenant};
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::filesystem::types as files;
use wasmtime_wasi::p3::bindings::filesystem::preopens as no_files;

/// Builds the linker.
///
/// # Errors
/// wasmtime's own; only a mistake in this file makes one.
pub(crate) fn build(engine: &Engine, concurrency: Concurrency) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    if concurrency == Concurrency::With {
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    }

    // Files go through the quota; the rest of WASI's filesystem stays as it is.
    linker.allow_shadowing(true);
    files::add_to_linker::<GuestState, QuotaFiles>(&mut linker, GuestState::quota_files)?;
    if concurrency == Concurrency::With {
        no_files::add_to_linker::<GuestState, NoFiles>(&mut linker, |_state| NoFilesView)?;
    }
    linker.allow_shadowing(false);

    tenant::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    sql::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    pages::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    identity::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}
