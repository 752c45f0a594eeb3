//! What a front sees of the cache: a stand-in for the front, a stand-in for the guest, no network.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by panicking")]

#[path = "behaviour/answers.rs"]
mod answers;
#[path = "behaviour/second.rs"]
mod second;
#[path = "behaviour/setup.rs"]
mod setup;
#[path = "behaviour/stampede.rs"]
mod stampede;
#[path = "behaviour/validity.rs"]
mod validity;
#[path = "behaviour/weight.rs"]
mod weight;
