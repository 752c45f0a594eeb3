//! Tenants as the request path sees them.
//!
//! [`Directory`] holds one immutable [`Snapshot`] that the control plane swaps whole; [`Snapshot::resolve`]
//! is the only way from a host and a path to a tenant. Nothing here does input or output.

mod address;
mod directory;
mod outbound;
mod release;
mod snapshot;
mod state;
mod tenant;

pub use address::{AddressPattern, InvalidAddress};
pub use directory::Directory;
pub use outbound::{InvalidOutbound, OutboundRule};
pub use release::{InvalidRelease, ReleaseName, ReleaseRef, Reuse};
pub use snapshot::{BaseAddress, Resolution, Snapshot};
pub use state::{InvalidState, TenantState};
pub use tenant::Tenant;
