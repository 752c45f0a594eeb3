//! The shipped site, run natively over a database in memory.

mod dashboard;
mod markup;
mod public;
