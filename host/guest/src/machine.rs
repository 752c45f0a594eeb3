//! The two engines, each with everything that belongs to it.
//!
//! WASI 0.3 needs the engine's support for concurrent tasks, which costs every request some microseconds,
//! whether its guest uses it or not. So there is an engine with it and one without, and a component runs on
//! the one it needs. Mixing engines in one process was an advisory once: here a [`Machine`] holds an engine,
//! the linker and the stores made for it, a module holds the machine it was linked on, and a module's stores
//! come from there alone, so there is no place where two engines could meet.

use crate::config::GuestConfig;
use crate::host::outgoing::Exits;
use crate::module::compiled::{CompiledError, CompiledStore};
use crate::module::{Module, check::Lane};
use crate::store::{GuestState, StoreMaker};
use crate::{engine, linker};
use rayon::ThreadPool;
use rowhouse_base::tasks::lower_priority;
use rowhouse_base::{Digest, Shares};
use rowhouse_data::Data;
use std::sync::Arc;
use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

/// Whether an engine can run concurrent tasks within one instance, as WASI 0.3 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concurrency {
    Without,
    With,
}

impl Concurrency {
    /// What a component needs: by the names of its imports and exports, else by whether it is valid without.
    pub(crate) fn needed_by(bytes: &[u8]) -> Self {
        if names_wasi03(bytes) {
            return Self::With;
        }
        let features = WasmFeatures::default().difference(WasmFeatures::CM_ASYNC);
        match Validator::new_with_features(features).validate_all(bytes) {
            Ok(_types) => Self::Without,
            // One that is valid with neither is refused there, with the engine's own words.
            Err(_invalid) => Self::With,
        }
    }
}

/// True where the component's own imports or exports name an interface of WASI 0.3.
fn names_wasi03(bytes: &[u8]) -> bool {
    let is_03 = |name: &str| name.starts_with("wasi:") && name.contains("@0.3");
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => {
                depth = depth.saturating_add(1);
            }
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::ComponentImportSection(section)) if depth == 0 => {
                if section.into_iter().flatten().any(|import| is_03(import.name.name)) {
                    return true;
                }
            }
            Ok(Payload::ComponentExportSection(section)) if depth == 0 => {
                if section.into_iter().flatten().any(|export| is_03(export.name.name)) {
                    return true;
                }
            }
            Ok(_) => {}
            // What can't be read is refused by the compiler, with more words.
            Err(_unreadable) => return false,
        }
    }
    false
}

/// An engine, and what was made for it.
pub(crate) struct Machine {
    engine: Engine,
    linker: Linker<GuestState>,
    compiled: CompiledStore,
    pub(crate) stores: StoreMaker,
}

impl Machine {
    /// A module of this machine from compiled code.
    ///
    /// # Errors
    /// wasmtime's own, where an import has another type than the host's.
    pub(crate) fn link(self: &Arc<Self>, component: &Component, lane: Lane) -> wasmtime::Result<Module> {
        Module::link(Arc::clone(self), component, lane)
    }

    pub(crate) fn linker(&self) -> &Linker<GuestState> {
        &self.linker
    }

    /// Compiled code from the disk; none where this machine has compiled no such component.
    pub(crate) fn load(&self, digest: &Digest) -> Option<Component> {
        self.compiled.load(&self.engine, digest)
    }

    /// Compiled code from the disk, else made now. Blocks.
    pub(crate) fn compile(&self, digest: &Digest, bytes: &[u8]) -> wasmtime::Result<Component> {
        match self.load(digest) {
            Some(component) => Ok(component),
            None => self.compiled.compile(&self.engine, digest, bytes),
        }
    }

    /// A store that belongs to no tenant, for reading a module's schema.
    pub(crate) fn store_for_nobody(&self, limits: &rowhouse_base::Limits) -> Store<GuestState> {
        self.stores.for_nobody(limits)
    }
}

/// Both machines.
pub(crate) struct Machines {
    without: Arc<Machine>,
    with: Arc<Machine>,
    instances: u32,
}

/// Why an engine could not be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MachineError {
    #[error("make an engine: {0:#}")]
    Engine(wasmtime::Error),
    #[error("start the compiler's threads: {0}")]
    Threads(String),
    #[error("keep compiled code")]
    Compiled(#[from] CompiledError),
}

impl Machines {
    pub(crate) fn new(
        config: &GuestConfig,
        data: &Arc<Data>,
        exits: &Arc<Exits>,
    ) -> Result<Self, MachineError> {
        let threads = rayon::ThreadPoolBuilder::new()
            .thread_name(|index| format!("compile-{index}"))
            .start_handler(|_| lower_priority())
            .build()
            .map_err(|error| MachineError::Threads(error.to_string()))?;
        let (threads, shares) = (Arc::new(threads), Arc::new(Shares::default()));
        let make = |concurrency| {
            let stores = |engine: &Engine| StoreMaker {
                engine: engine.clone(),
                data: Arc::clone(data),
                shares: Arc::clone(&shares),
                exits: Arc::clone(exits),
            };
            machine(config, concurrency, &threads, stores)
        };
        let (without, small) = make(Concurrency::Without)?;
        let (with, large) = make(Concurrency::With)?;
        Ok(Self { without: Arc::new(without), with: Arc::new(with), instances: small.min(large) })
    }

    pub(crate) fn of(&self, concurrency: Concurrency) -> &Arc<Machine> {
        match concurrency {
            Concurrency::Without => &self.without,
            Concurrency::With => &self.with,
        }
    }

    pub(crate) fn all(&self) -> [&Arc<Machine>; 2] {
        [&self.without, &self.with]
    }

    /// For the thread that interrupts guests.
    pub(crate) fn engines(&self) -> [Engine; 2] {
        self.all().map(|machine| machine.engine.clone())
    }

    /// Guests that may be kept for another request: a quarter of one engine's slots.
    pub(crate) fn kept(&self) -> u32 {
        self.instances / 4
    }

    /// Guests that may run at once: the other slots, so that a kept one never takes a running one's.
    pub(crate) fn running(&self) -> u32 {
        self.instances - self.kept()
    }
}

fn machine(
    config: &GuestConfig,
    concurrency: Concurrency,
    threads: &Arc<ThreadPool>,
    stores: impl FnOnce(&Engine) -> StoreMaker,
) -> Result<(Machine, u32), MachineError> {
    let sized = engine::build(config, concurrency).map_err(MachineError::Engine)?;
    let engine = sized.engine;
    let linker = linker::build(&engine, concurrency).map_err(MachineError::Engine)?;
    let compiled = CompiledStore::open(&engine, &config.compiled_dir, Arc::clone(threads))?;
    let stores = stores(&engine);
    Ok((Machine { engine, linker, compiled, stores }, sized.instances))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_wasi_03_or_needs_tasks_gets_them() {
        let of = |text: &str| Concurrency::needed_by(&wat::parse_str(text).unwrap());
        assert_eq!(of("(component)"), Concurrency::Without);
        assert_eq!(of(r#"(component (import "wasi:cli/exit@0.2.0" (instance)))"#), Concurrency::Without);
        assert_eq!(of(r#"(component (import "wasi:cli/exit@0.3.0" (instance)))"#), Concurrency::With);
        assert_eq!(of(r#"(component (import "a:b/c@0.3.0" (instance)))"#), Concurrency::Without);
        assert_eq!(of(r#"(component (type (stream u8)))"#), Concurrency::With);
        // A name within a nested component is not the component's own.
        let nested = r#"(component (component (import "wasi:cli/exit@0.3.0" (instance))))"#;
        assert_eq!(of(nested), Concurrency::Without);
    }
}
