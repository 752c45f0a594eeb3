//! The composition root: reads the command line and the configuration, puts the rooms together, listens,
//! drains. The only place that knows all rooms.

mod command;
mod config;
mod demo;
mod descriptors;
mod doctor;
mod farm;
mod listen;
mod logging;
mod measures;
mod secrets;
mod server;
mod shipped;

pub use command::main;
pub use config::Config;
