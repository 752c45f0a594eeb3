//! The one wasmtime engine of the process.
//!
//! Mixing engines in one process was an advisory once, so there is one, and Winch is not used. Slots
//! of the pool are counted so that admission, which waits, is always narrower than the pool, which errs.

use crate::config::GuestConfig;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Bytes of a slot's memory and stack that stay resident between guests: zeroing this much is cheaper
/// than faulting it in again (measured best for pages of the shipped site).
const KEEP_MEMORY: usize = 256 << 10;
const KEEP_STACK: usize = 64 << 10;
const KEEP_TABLE: usize = 64 << 10;

/// Slots kept warm. Two cores run far fewer guests at once.
const WARM_SLOTS: u32 = 100;

/// Stack of the guest itself, and of the fiber that also runs host calls on it.
const GUEST_STACK: usize = 1 << 20;
const FIBER_STACK: usize = 2 << 20;

/// Per component, from Python guests, the greediest known: 14 core modules, about 65 core instances,
/// more than ten tables, the largest with 7,776 elements.
const CORE_INSTANCES_PER_COMPONENT: u32 = 100;
const MEMORIES_PER_COMPONENT: u32 = 10;
const TABLES_PER_COMPONENT: u32 = 30;
const TABLE_ELEMENTS: usize = 20_000;

/// Share of slots a typical component takes more than one of.
const SPARE: u32 = 4;

/// An engine and how many guests it has room for.
pub(crate) struct SizedEngine {
    pub(crate) engine: Engine,
    instances: u32,
}

impl SizedEngine {
    /// Guests that may be kept for another request: a quarter of the slots.
    pub(crate) fn kept(&self) -> u32 {
        self.instances / 4
    }

    /// Guests that may run at once: the other slots, so that a kept one never takes a running one's.
    pub(crate) fn running(&self) -> u32 {
        self.instances - self.kept()
    }
}

/// Makes the engine, with fewer slots where the machine's address space can't hold as many as asked.
///
/// # Errors
/// wasmtime's own, where not even the smallest pool fits.
pub(crate) fn build(config: &GuestConfig) -> wasmtime::Result<SizedEngine> {
    let mut instances = config.instances.max(1);
    loop {
        match Engine::new(&settings(config, instances)) {
            Ok(engine) => return Ok(SizedEngine { engine, instances }),
            Err(error) if instances > 8 => {
                let fewer = instances / 2;
                tracing::warn!(
                    wanted = instances, trying = fewer, error = %error,
                    "make a smaller pool of guests: the address space can't hold the one configured"
                );
                instances = fewer;
            }
            Err(error) => return Err(error),
        }
    }
}

fn settings(config: &GuestConfig, instances: u32) -> Config {
    let max_memory = usize::try_from(config.max_memory_bytes).unwrap_or(usize::MAX);
    let many = instances.saturating_mul(SPARE);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(many.saturating_mul(SPARE))
        .total_memories(many)
        .total_tables(many.saturating_mul(SPARE))
        .total_stacks(many)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .table_elements(TABLE_ELEMENTS)
        .max_component_instance_size(8 << 20)
        .max_core_instance_size(8 << 20)
        .max_memory_size(max_memory)
        .linear_memory_keep_resident(KEEP_MEMORY)
        .async_stack_keep_resident(KEEP_STACK)
        .table_keep_resident(KEEP_TABLE)
        .max_unused_warm_slots(WARM_SLOTS)
        .pagemap_scan(Enabled::Auto);

    let mut settings = Config::new();
    settings
        .wasm_component_model(true)
        .wasm_component_model_async(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(8))
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    settings
}
