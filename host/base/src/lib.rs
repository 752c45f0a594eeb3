//! Words that every room may use: ids, names, hosts, digests, limits, time, secrets, tasks.
//!
//! Imports no other room and does no input or output besides reading the clock and the system's
//! random source. Every type here is valid by construction: parsing is the only way in.

pub mod announce;
pub mod chain;
pub mod clock;
pub mod data_server;
pub mod digest;
pub mod hostname;
pub mod id;
pub mod limits;
pub mod name;
pub mod network;
pub mod origin;
pub mod secret;
pub mod share;
pub mod tasks;
pub mod versions;

pub use announce::{Alone, Announce, Deaf};
pub use chain::Chain;
pub use clock::Timestamp;
pub use data_server::DataServerName;
pub use digest::Digest;
pub use hostname::Hostname;
pub use limits::Limits;
pub use name::TenantName;
pub use network::Network;
pub use origin::Origin;
pub use secret::Secret;
pub use share::{Share, Shares};
pub use versions::{Stamp, Subject, Versions};
