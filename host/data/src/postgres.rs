//! PostgreSQL: a database and two roles per tenant, or one database where each tenant's tables have its
//! prefix and belong to its roles.
//!
//! The only folder that imports the engine's library for tenants' data. The rooms above see [`Engine`],
//! [`Session`], [`Transaction`], [`Cursor`], and what exports and imports.
//!
//! Each tenant has a *guest* role, which may read and write the rows of the tenant's tables and nothing else,
//! and an *owner* role, which owns the tables and logs in only for migrations, exports and imports. So there
//! is no right to give for a migration and to take back after it, and nothing to repair where the host ends
//! in between. No connection ever changes its role: whoever logged in is who acts.
//!
//! Reads need no `BEGIN`: every connection's transactions are read-only by default, which the engine
//! enforces, so a read is one round trip. Writes say `BEGIN READ WRITE`.

mod calendar;
mod connect;
mod control;
mod cursor;
mod decode;
mod encode;
mod engine;
mod errors;
mod export;
mod harden;
mod import;
mod kind;
mod migrate;
mod names;
mod numeric;
mod owner;
mod pages;
mod provision;
mod quota;
mod remove;
mod run;
mod sequences;
mod session;
mod shapes;
mod spares;
mod transaction;
mod versions;

pub(crate) use cursor::Cursor;
pub(crate) use engine::Engine;
pub(crate) use export::PostgresExport;
pub(crate) use import::PostgresImport;
pub(crate) use session::Session;
pub(crate) use transaction::Transaction;

#[cfg(test)]
mod tests;
