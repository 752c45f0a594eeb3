//! The services over stand-in rooms and a real control database.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests stop at the first surprise")]

mod lifecycle;
mod people;
mod swap;
