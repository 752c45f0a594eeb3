//! The sections, in the order they run.

mod cache;
mod density;
mod dynamic;
mod engines;
mod noisy;
mod site;
mod sql;
mod swap;
mod tenants;

use anyhow::Result;

use crate::Effort;
use crate::places::Places;
use crate::table::Report;

/// One section of the report.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Places, Effort, &mut Report) -> Result<()>,
}

/// All of them.
pub(crate) const ALL: &[Section] = &[
    Section { name: "dynamic", run: dynamic::run },
    Section { name: "sql", run: sql::run },
    Section { name: "cache", run: cache::run },
    Section { name: "site", run: site::run },
    Section { name: "tenants", run: tenants::run },
    Section { name: "noisy", run: noisy::run },
    Section { name: "density", run: density::run },
    Section { name: "engines", run: engines::run },
    Section { name: "swap", run: swap::run },
];
