//! The services over stand-in rooms and a real control database.

mod archives;
mod cache;
mod data;
mod database;
mod farm;
mod late;
mod lifecycle;
mod moves;
mod people;
mod runs;
mod single;
mod store;
mod swap;

pub(crate) use data::Database;
pub(crate) use database::{Engine, TestDatabase, on, on_each_engine};

/// Does what blocks where it may.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
