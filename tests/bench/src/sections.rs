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
use Run::{Farm, Plain};
use farm::Engine::{self, Mysql, Postgresql};

/// One section of the report. Where it is a part of a larger one, its name is `WHOLE:PART`.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    run: Run,
}

/// What makes a section.
enum Run {
    Plain(fn(&Places, Effort, &mut Report) -> Result<()>),
    /// A farm, with its databases on this engine.
    Farm(fn(&Places, Effort, Engine, &mut Report) -> Result<()>, Engine),
}

impl Section {
    /// Measures, and adds to the report.
    pub(crate) fn run(&self, places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
        match self.run {
            Plain(run) => run(places, effort, report),
            Farm(run, engine) => run(places, effort, engine, report),
        }
    }

    /// True where this name asks for it: its own, or that of the whole it is a part of.
    pub(crate) fn answers_to(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }
}

/// All of them.
const ALL: &[Section] = &[
    Section { name: "dynamic", run: Plain(dynamic::run) },
    Section { name: "sql", run: Plain(sql::run) },
    Section { name: "calls", run: Plain(calls::run) },
    Section { name: "cache", run: Plain(cache::run) },
    Section { name: "site", run: Plain(site::run) },
    Section { name: "tenants", run: Plain(tenants::run) },
    Section { name: "noisy", run: Plain(noisy::run) },
    Section { name: "density", run: Plain(density::run) },
    Section { name: "engines", run: Plain(engines::run) },
    Section { name: "swap", run: Plain(swap::run) },
    Section { name: "farm:visibility", run: Farm(farm::visibility::run, Postgresql) },
    Section { name: "farm:writers", run: Farm(farm::writers::run, Postgresql) },
    Section { name: "farm:restart", run: Farm(farm::restart::run, Postgresql) },
    Section { name: "farm:scaling", run: Farm(farm::scaling::run, Postgresql) },
    Section { name: "farm:faults", run: Farm(farm::faults::run, Postgresql) },
];

/// Parts of a farm on MariaDB. They run where they are named, or together as `farm:mysql`.
const ON_MYSQL: &[Section] = &[
    Section { name: "farm:mysql:visibility", run: Farm(farm::visibility::run, Mysql) },
    Section { name: "farm:mysql:writers", run: Farm(farm::writers::run, Mysql) },
    Section { name: "farm:mysql:restart", run: Farm(farm::restart::run, Mysql) },
    Section { name: "farm:mysql:scaling", run: Farm(farm::scaling::run, Mysql) },
];

/// Parts of a part, one engine of all, and faults on MariaDB, where not all are possible. They run where they are
/// named, and with nothing else.
const ALONE: &[Section] = &[
    Section { name: "engines:sqlite", run: Plain(engines::sqlite) },
    Section { name: "engines:postgresql", run: Plain(engines::postgresql) },
    Section { name: "engines:mysql", run: Plain(engines::mysql) },
    Section { name: "farm:faults:redis", run: Farm(farm::faults::redis, Postgresql) },
    Section { name: "farm:faults:servers", run: Farm(farm::faults::servers, Postgresql) },
    Section { name: "farm:faults:databases", run: Farm(farm::faults::databases, Postgresql) },
    Section { name: "farm:faults:control", run: Farm(farm::faults::control, Postgresql) },
    Section { name: "farm:faults:clocks", run: Farm(farm::faults::clocks, Postgresql) },
    Section { name: "farm:faults:disk", run: Farm(farm::faults::disk, Postgresql) },
    Section { name: "farm:mysql:faults", run: Farm(farm::faults::run, Mysql) },
    Section { name: "farm:mysql:faults:redis", run: Farm(farm::faults::redis, Mysql) },
    Section { name: "farm:mysql:faults:servers", run: Farm(farm::faults::servers, Mysql) },
    Section { name: "farm:mysql:faults:databases", run: Farm(farm::faults::databases, Mysql) },
    Section { name: "farm:mysql:faults:control", run: Farm(farm::faults::control, Mysql) },
    Section { name: "farm:mysql:faults:clocks", run: Farm(farm::faults::clocks, Mysql) },
    Section { name: "farm:mysql:faults:disk", run: Farm(farm::faults::disk, Mysql) },
];

/// Those that these names ask for, and all where there are none.
pub(crate) fn wanted(names: &[String]) -> impl Iterator<Item = &'static Section> {
    let asked =
        move |section: &&Section| names.is_empty() || names.iter().any(|name| section.answers_to(name));
    // `farm` is the one on PostgreSQL.
    let on_mysql =
        move |section: &&Section| names.iter().any(|name| name != "farm" && section.answers_to(name));
    let named = move |section: &&Section| names.iter().any(|name| name == section.name);
    ALL.iter().filter(asked).chain(ON_MYSQL.iter().filter(on_mysql)).chain(ALONE.iter().filter(named))
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
        assert_eq!(names("farm:mysql:faults"), ["farm:mysql:faults"]);
        assert!(names("farm:faults:").is_empty());
        assert_eq!(wanted(&[]).count(), ALL.len());
    }

    #[test]
    fn a_part_is_run_by_its_own_name_and_by_that_of_the_whole() {
        let part = Section { name: "farm:writers", run: Farm(farm::writers::run, Postgresql) };
        assert!(part.answers_to("farm") && part.answers_to("farm:writers"));
        assert!(!part.answers_to("far") && !part.answers_to("farm:") && !part.answers_to("farm:writer"));
    }

    #[test]
    fn a_farm_is_on_mysql_where_that_is_said() {
        let names = |wanted: &str| -> Vec<&'static str> {
            super::wanted(&[wanted.to_owned()]).map(|section| section.name).collect()
        };
        assert_eq!(names("farm:mysql").len(), ON_MYSQL.len());
        assert_eq!(names("farm:mysql:writers"), ["farm:mysql:writers"]);
        assert!(!names("farm").is_empty() && names("farm").iter().all(|name| !name.contains("mysql")));
        for section in ON_MYSQL.iter().chain(ALONE).filter(|section| section.name.starts_with("farm:mysql")) {
            assert!(matches!(section.run, Farm(_, Mysql)), "{}", section.name);
        }
    }
}
