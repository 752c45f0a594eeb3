//! The output cache: a shared HTTP cache per RFC 9111 that knows the data behind each page.
//!
//! Rules are pure functions in small files: what a directive says, what is fresh, what may be stored, what
//! varies. The store holds pages in memory by weight, the second level is whatever servers share. A page
//! is shown only while its [`Stamp`](rowhouse_base::Stamp) holds; nothing is ever guessed. Whatever fails
//! here is a miss. The front calls [`Cache::look`] and gives what the guest made to a [`Fill`].

mod account;
mod age;
mod cache;
mod coding;
mod conditional;
mod date;
mod directives;
mod fields;
mod fill;
mod flight;
mod form;
mod freshness;
mod invalidate;
mod key;
mod look;
mod page;
mod pass;
mod range;
mod redis;
mod second;
mod status;
mod storable;
mod store;
mod targeted;
mod vary;
mod view;

pub use account::CacheStats;
pub use cache::{Cache, CacheConfig};
pub use fill::{Begun, Fill, Finished, Storing};
pub use key::{Asked, Site};
pub use look::Looked;
pub use pass::Pass;
pub use redis::{RedisLevel, RedisLevelSettings, RedisLevelStats};
pub use second::{Bounded, Leased, SecondLevel};
