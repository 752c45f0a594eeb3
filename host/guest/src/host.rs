//! Host calls, one file each. All answer from what the store was built with.

pub(crate) mod files;
mod identity;
pub(crate) mod outgoing;
mod pages;
mod sql;
mod tenant;
