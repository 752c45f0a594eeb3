//! Where a farm's Redis is, as whom one speaks to it, and connections to it.
//!
//! The rooms that speak to Redis (`announce` and `cache`) get their connections here and nowhere else, so that a way
//! to reach it (TLS, Sentinels, a cluster, names and passwords) is there for both or for none. What is said over a
//! connection, and what its absence means, is theirs. Nothing here connects by itself or tries again.

mod connect;
mod namespace;
mod url;

pub use connect::Connector;
pub use namespace::{InvalidRedisNamespace, RedisNamespace};
pub use url::{RedisLogin, RedisTopology, RedisUrl, RedisUrlError};
