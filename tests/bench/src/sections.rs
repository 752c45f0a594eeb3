//! The sections, in the order they run.

mod cache;
mod density;
mod dynamic;
mod engines;
mod farm;
mod noisy;
mod site;
mod sql;
mod swap;
mod tenants;

use anyhow::Result;

use crate::Effort;
use crate::places::Places;
use crate::table::Report;

/// One section of the report. Where it is a part of a larger one, its name is `WHOLE:PART`.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Places, Effort, &mut Report) -> Result<()>,
}

impl Section {
    /// True where this name asks for it: its own, or that of the whole it is a part of.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }
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
    Section { name: "farm:visibility", run: farm::visibility::run },
    Section { name: "farm:writers", run: farm::writers::run },
    Section { name: "farm:restart", run: farm::restart::run },
    Section { name: "farm:scaling", run: farm::scaling::run },
    Section { name: "farm:faults", run: farm::faults::run },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_run_by_its_own_name_and_by_that_of_the_whole() {
        let part = Section { name: "farm:writers", run: farm::writers::run };
        assert!(part.answers_to("farm") && part.answers_to("farm:writers"));
        assert!(!part.answers_to("far") && !part.answers_to("farm:") && !part.answers_to("farm:writer"));
    }
}
