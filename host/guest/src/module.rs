//! One site module, ready to be instantiated.

pub(crate) mod check;
pub(crate) mod compiled;
pub(crate) mod registry;

use crate::machine::Machine;
use crate::store::GuestState;
use check::Lane;
use rowhouse_bindings::site::{handler, upgrade};
use std::sync::Arc;
use wasmtime::component::Component;
use wasmtime_wasi_http::{p2, p3};

/// How a module answers requests, pre-linked.
pub(crate) enum Handler {
    /// One plain function from a request record to a response record.
    Fast(handler::HandlerPre<GuestState>),
    /// `wasi:http/incoming-handler@0.2`.
    Http02(p2::bindings::ProxyPre<GuestState>),
    /// `wasi:http/handler@0.3`.
    Http03(p3::bindings::ServicePre<GuestState>),
}

/// A compiled and linked module. Shared by all requests that run it.
pub(crate) struct Module {
    /// Where it was linked; its stores come from there.
    pub(crate) machine: Arc<Machine>,
    pub(crate) handler: Handler,
    pub(crate) upgrade: Option<upgrade::UpgradePre<GuestState>>,
    /// Whether it can open files at all; those that can't save opening their folder.
    pub(crate) uses_files: bool,
}

impl Module {
    /// Links a compiled component.
    ///
    /// # Errors
    /// wasmtime's own, where an import has another type than the host's.
    pub(crate) fn link(machine: Arc<Machine>, component: &Component, lane: Lane) -> wasmtime::Result<Self> {
        let pre = machine.linker().instantiate_pre(component)?;
        let names = check::Names::of(component);
        let upgrade = if names.exports_track(check::UPGRADE) {
            Some(upgrade::UpgradePre::new(pre.clone())?)
        } else {
            None
        };
        let handler = match lane {
            Lane::Fast => Handler::Fast(handler::HandlerPre::new(pre)?),
            Lane::Http02 => Handler::Http02(p2::bindings::ProxyPre::new(pre)?),
            Lane::Http03 => Handler::Http03(p3::bindings::ServicePre::new(pre)?),
        };
        let uses_files = names.imports_track("wasi:filesystem/preopens@0.2");
        Ok(Self { machine, handler, upgrade, uses_files })
    }
}
