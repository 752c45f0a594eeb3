//! The services over stand-in rooms and a real control database.

mod lifecycle;
mod people;
mod swap;
