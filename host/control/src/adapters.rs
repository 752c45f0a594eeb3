//! The ports over the real rooms, one file each. The composition root makes both.

mod archive;
mod data;
mod guest;

pub use data::DataPort;
pub use guest::GuestPort;
