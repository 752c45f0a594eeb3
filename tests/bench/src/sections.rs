//! The sections, in the order they run.

mod cache;
mod calls;
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
const ALL: &[Section] = &[
    Section { name: "dynamic", run: dynamic::run },
    Section { name: "sql", run: sql::run },
    Section { name: "calls", run: calls::run },
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

/// Parts of a part. They run where they are named, and with nothing else.
const ALONE: &[Section] = &[
    Section { name: "farm:faults:redis", run: farm::faults::redis },
    Section { name: "farm:faults:servers", run: farm::faults::servers },
    Section { name: "farm:faults:databases", run: farm::faults::databases },
    Section { name: "farm:faults:clocks", run: farm::faults::clocks },
    Section { name: "farm:faults:disk", run: farm::faults::disk },
];

/// Those that these names ask for, and all where there are none.
pub(crate) fn wanted(names: &[String]) -> impl Iterator<Item = &'static Section> {
    let asked =
        move |section: &&Section| names.is_empty() || names.iter().any(|name| section.answers_to(name));
    let named = move |section: &&Section| names.iter().any(|name| name == section.name);
    ALL.iter().filter(asked).chain(ALONE.iter().filter(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_part_is_run_by_its_own_name_alone() {
        let names = |wanted: &str| -> Vec<&'static str> {
            super::wanted(&[wanted.to_owned()]).map(|section| section.name).collect()
        };
        assert_eq!(names("farm:faults"), ["farm:faults"]);
        assert_eq!(names("farm:faults:disk"), ["farm:faults:disk"]);
        assert!(names("farm:faults:").is_empty());
        assert_eq!(wanted(&[]).count(), ALL.len());
    }

    #[test]
    fn a_part_is_run_by_its_own_name_and_by_that_of_the_whole() {
        let part = Section { name: "farm:writers", run: farm::writers::run };
        assert!(part.answers_to("farm") && part.answers_to("farm:writers"));
        assert!(!part.answers_to("far") && !part.answers_to("farm:") && !part.answers_to("farm:writer"));
    }
}
