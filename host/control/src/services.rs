//! The services: plain async functions on [`crate::Control`], one file per noun. API, console and command
//! line all go through them. What changes anything asks the permit for a writer's name first.

pub(crate) mod bootstrap;
mod cache;
mod create;
mod delete;
mod export;
mod import;
mod operations;
mod people;
mod ready;
mod recover;
mod releases;
mod relocate;
mod reset;
mod restore;
mod runs;
mod servers;
pub(crate) mod single;
mod tenants;
mod tokens;
mod trail;
mod usage;

pub(crate) use operations::Claims;
pub(crate) use servers::Standing;
pub(crate) use trail::Named;

/// The setting that names the release which new tenants get.
pub(crate) const DEFAULT_RELEASE: &str = "default-release";
/// The setting that holds the id of the tenant that the server led to when it last was one of a single site.
pub(crate) const SINGLE_SITE: &str = "single-site";
