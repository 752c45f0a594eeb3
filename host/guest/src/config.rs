//! What the operator decides about the engine as a whole.

use rowhouse_base::Network;
use std::path::PathBuf;

/// Settings of the guest room. Limits of a single tenant are in [`rowhouse_base::Limits`].
#[derive(Clone, Debug)]
pub struct GuestConfig {
    /// Guests that may run at the same time, over all tenants. Each has a slot in the pool.
    pub instances: u32,
    /// The most memory any tenant may be allowed, in bytes; a slot reserves as much address space.
    pub max_memory_bytes: u64,
    /// How long a request waits for its turn before it is told to come back, in milliseconds.
    pub queue_ms: u32,
    /// Folder of compiled code. It holds native code: it must belong to the server's user alone.
    pub compiled_dir: PathBuf,
    /// Networks that guests may reach though they are not public.
    pub outbound_networks: Vec<Network>,
    /// The largest component that may be pushed, in bytes.
    pub max_module_bytes: u64,
}

impl Default for GuestConfig {
    fn default() -> Self {
        Self {
            // On 2 cores far fewer run at once; the rest wait for their database or their visitor.
            instances: 256,
            max_memory_bytes: 256 << 20,
            queue_ms: 5_000,
            compiled_dir: PathBuf::from("compiled"),
            outbound_networks: Vec::new(),
            // A Python guest has 20 MB.
            max_module_bytes: 64 << 20,
        }
    }
}
