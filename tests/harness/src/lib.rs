//! Runs the real `rowhouse` binary on a data folder of its own and talks to it as people and programs do.
//!
//! Nothing here reaches into the server. Each test owns its server and its folder; both go with it. The
//! binary and the guests come from the target folder that the tests were built in.

mod client;
mod form;
mod postgres;
mod process;
mod store;

pub use client::{Answer, CONSOLE, Client, answer_of};
pub use form::filled;
pub use postgres::{PlainPostgres, TlsPostgres, drop_groups, drop_members};
pub use process::{Guest, TestServer, activate, cache_suite_folder, chromedriver, ended, guest, node};
pub use store::TestStore;
