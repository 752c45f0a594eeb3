//! MySQL and MariaDB: a database and two users per tenant, or one database with a prefix per tenant.
//!
//! The only folder that speaks to such a server. The rooms above see [`Engine`], [`Session`],
//! [`Transaction`] and [`Cursor`]. A guest's text reaches the server after the guard has written it anew,
//! and always as a prepared statement, because the driver lets plain texts hold several statements.
//!
//! A tenant's users hold rights on the tenant's tables alone: one for guests, who read and write rows, one
//! for migrations, who also change tables. The second never serves a guest, so that nothing is to be taken
//! back after a migration that was cut off. Reads run in sessions that the server itself holds to reading.

mod catalogue;
mod connect;
mod control;
mod convert;
mod cursor;
mod deadline;
mod decode;
mod encode;
mod engine;
mod errors;
mod export;
mod import;
mod ledger;
mod migrate;
mod migrator;
mod names;
mod provision;
mod remove;
mod run;
mod session;
mod shape;
mod sizes;
mod transaction;
mod versions;

pub(crate) use cursor::Cursor;
pub(crate) use engine::Engine;
pub(crate) use export::Dump;
pub(crate) use import::Load;
pub(crate) use session::Session;
pub(crate) use transaction::Transaction;

#[cfg(test)]
mod tests;
