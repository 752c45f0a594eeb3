//! Runs the real `rowhouse` binary on a data folder of its own and talks to it as people and programs do.
//!
//! Nothing here reaches into the server. Each test owns its server and its folder; both go with it. The
//! binary and the guests come from the target folder that the tests were built in.

mod client;
mod process;

pub use client::{Answer, Client, answer_of};
pub use process::{Guest, TestServer, chromedriver, guest};
