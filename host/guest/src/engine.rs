//! How a wasmtime engine is set up. [`crate::machine`] makes the two of the process and keeps them apart.
//!
//! Winch is not used. Slots of the pool are counted so that admission, which waits, is always narrower than
//! the pool, which errs.

use crate::config::GuestConfig;
use crate::machine::Concurrency;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Bytes of a slot's memory that stay resident between guests, of those that a guest wrote: zeroing a page is cheaper
/// than faulting it in again. A guest that reads a thousand rows of 150 bytes writes 380 KiB: the result, its texts and
/// its rows. An engine keeps this for each memory slot that was ever used: about as many as there were in use at
/// once, and up to [`WARM_SLOTS`] more. A process has two engines.
///
/// It is more than a stack of 1 MiB, as toolchains put it at the beginning of a memory. Pages that are resident count again
/// for each later guest: with less, a slot that one deep recursion had been in kept nothing but its stack, and all else, across the
/// image to the heap's end, went back to the kernel in one call. That holds the lock of the process's whole memory, 15 ms
/// for 128 MiB, while everybody waits. A call that begins behind the image locks its own range only, on kernels that can:
/// on Linux 6.18 neighbours waited no longer than beside other attacks. The price: a slot that had such a guest has up to
/// 2 MiB zeroed after each one, and a hundred warm slots hold as much each.
const KEEP_WRITTEN: usize = 2 << 20;

/// The same where the kernel doesn't tell what was written: all of it is zeroed after each guest (measured best for
/// pages of the shipped site).
const KEEP_MEMORY: usize = 256 << 10;

/// The same of a slot's stack and tables.
const KEEP_STACK: usize = 64 << 10;
const KEEP_TABLE: usize = 64 << 10;

/// While fewer unused slots than this are warm, a module that has none of its own gets a fresh one; after that the one
/// that was used the longest ago. It steers which slot is taken and cools none. Two cores run far fewer guests at once.
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

/// What the machine gives the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineFacts {
    /// Guests that the pool has room for. Fewer than configured where the address space can't hold as many.
    pub instances: u32,
    /// Whether the kernel tells which pages a guest wrote (Linux 6.7). Without it a fresh guest takes twice the time.
    pub pagemap_scan: bool,
}

/// Makes an engine, looks at it and lets go of it.
///
/// # Errors
/// wasmtime's own, where not even the smallest pool fits.
pub(crate) fn look(config: &GuestConfig) -> wasmtime::Result<EngineFacts> {
    let pagemap_scan = PoolingAllocationConfig::is_pagemap_scan_available();
    Ok(EngineFacts { instances: build(config, Concurrency::With)?.instances, pagemap_scan })
}

/// An engine and how many guests it has room for.
pub(crate) struct SizedEngine {
    pub(crate) engine: Engine,
    pub(crate) instances: u32,
}

/// Makes the engine, with fewer slots where the machine's address space can't hold as many as asked.
///
/// # Errors
/// wasmtime's own, where not even the smallest pool fits.
pub(crate) fn build(config: &GuestConfig, concurrency: Concurrency) -> wasmtime::Result<SizedEngine> {
    let mut instances = config.instances.max(1);
    loop {
        match Engine::new(&settings(config, concurrency, instances)) {
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

fn settings(config: &GuestConfig, concurrency: Concurrency, instances: u32) -> Config {
    let max_memory = usize::try_from(config.max_memory_bytes).unwrap_or(usize::MAX);
    let many = instances.saturating_mul(SPARE);
    let pagemap_scan = PoolingAllocationConfig::is_pagemap_scan_available();
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
        .linear_memory_keep_resident(if pagemap_scan { KEEP_WRITTEN } else { KEEP_MEMORY })
        .async_stack_keep_resident(KEEP_STACK)
        .table_keep_resident(KEEP_TABLE)
        .max_unused_warm_slots(WARM_SLOTS)
        .pagemap_scan(Enabled::Auto);

    let mut settings = Config::new();
    settings
        .wasm_component_model(true)
        .wasm_component_model_async(concurrency == Concurrency::With)
        .concurrency_support(concurrency == Concurrency::With)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(8))
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    settings
}
