//! The guard: what it lets through and in which words, and what it refuses.

mod bounds;
mod corpus;
mod equal;
mod grammar;
mod schema;
mod shapes;

use super::{Guard, Naming, Template};
use crate::{Dialect, SqlError};
use std::sync::Arc;

const ALL: [Dialect; 3] = [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql];

/// Judges as a guest, with a fresh guard.
fn guest(dialect: Dialect, naming: Naming, text: &str) -> Result<Arc<Template>, SqlError> {
    Guard::new(dialect, naming).statement(text)
}

/// Judges as a migration, with a fresh guard.
fn migration(dialect: Dialect, naming: Naming, text: &str) -> Result<Arc<Template>, SqlError> {
    Guard::new(dialect, naming).migration(text)
}

/// The text for the engine with `p_` in place of the prefix and `"` as the mark of names.
fn shown(template: &Template) -> String {
    template.text(None).replace(super::prefix::HOLE, "p_").replace('`', "\"")
}
