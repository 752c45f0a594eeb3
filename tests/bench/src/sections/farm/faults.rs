//! What visitors see while Redis, a server, its clock or its disk, or a database server fails. Nothing is asserted of
//! it but that the farm is well again afterwards, that changes made meanwhile are everywhere, and that what was
//! acknowledged is there: what a balancer does about a server that dies or freezes is in the figures.
//!
//! Where the server of the sites' database is to be stopped, it is a PostgreSQL of their own: on MariaDB there is no such
//! fault, and asking for it is an error. A full disk takes root, who may mount a small one.

mod clock;
mod failover;
mod fault;
mod full;
mod scene;

use std::time::Duration;

use anyhow::{Result, bail};

use super::balancer::Balancer;
use super::databases::Engine;
use super::millis;
use crate::Effort;
use crate::places::Places;
use crate::table::Report;
use fault::Fault;
use scene::{Outcome, Scene};

pub(crate) fn run(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    show(places, effort, engine, report, &Fault::ALL)
}

pub(crate) fn redis(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    let faults = [Fault::RedisKilled, Fault::RedisEmptied, Fault::RedisFrozen, Fault::RedisFailedOver];
    show(places, effort, engine, report, &faults)
}

pub(crate) fn servers(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    show(places, effort, engine, report, &[Fault::ServerKilled, Fault::ServerFrozen])
}

pub(crate) fn databases(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    show(places, effort, engine, report, &[Fault::ControlAway, Fault::SitesRestarted])
}

pub(crate) fn control(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    show(places, effort, engine, report, &[Fault::ControlAway])
}

pub(crate) fn clocks(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    show(places, effort, engine, report, &[Fault::ClockAhead, Fault::ClockBehind])
}

pub(crate) fn disk(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    show(places, effort, engine, report, &[Fault::DiskFull])
}

/// What there is to tell so far.
#[derive(Default)]
struct Told {
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

/// Shows faults one after the other. What was seen before one from which the farm did not come back is told, too.
fn show(
    places: &Places,
    effort: Effort,
    engine: Engine,
    report: &mut Report,
    faults: &[Fault],
) -> Result<()> {
    are_possible(engine, faults)?;
    let mut told = Told::default();
    let shown = show_all(places, effort, engine, faults, &mut told);
    told.write(engine, report);
    shown
}

/// Before anything is started: what can't be shown is not left out unsaid.
fn are_possible(engine: Engine, faults: &[Fault]) -> Result<()> {
    match faults.iter().find(|fault| fault.stops_sites()) {
        Some(fault) if engine != Engine::Postgresql => bail!(
            "the fault `{}` is only for PostgreSQL; on {} there are farm:mysql:faults:redis, :servers, :control, \
             :clocks and :disk",
            fault.name(),
            engine.name()
        ),
        _ => Ok(()),
    }
}

/// Redis with a Sentinel is another farm: there, killing it means something else.
fn show_all(
    places: &Places,
    effort: Effort,
    engine: Engine,
    faults: &[Fault],
    told: &mut Told,
) -> Result<()> {
    let (watched, plain): (Vec<Fault>, Vec<Fault>) =
        faults.iter().copied().partition(|fault: &Fault| fault.is_watched());
    for faults in [plain, watched].into_iter().filter(|faults| !faults.is_empty()) {
        let mut scene = Scene::set(places, engine, &faults)?;
        for fault in faults {
            for balancer in fault.balancers() {
                println!("    {}, behind {}", fault.name(), balancer.name());
                let time = fault.lasts(effort);
                told.add(fault, *balancer, time, scene.show(fault, *balancer, time)?);
            }
        }
    }
    Ok(())
}

impl Told {
    fn add(&mut self, fault: Fault, balancer: Balancer, time: Duration, outcome: Outcome) {
        let Outcome { seen, well, note } = outcome;
        let row = vec![
            fault.name().to_owned(),
            time.as_secs().to_string(),
            balancer.name().to_owned(),
            seen.requests.to_string(),
            seen.failed.to_string(),
            seen.wrong.to_string(),
            millis(seen.longest),
            format!("{:.1}", well.as_secs_f64()),
        ];
        println!("    {}", row.join("  "));
        self.rows.push(row);
        self.notes.extend(note.map(|note| format!("{}: {note}.", fault.name())));
        self.notes.extend(seen.failure.map(|failure| {
            format!("One of the failures behind {}, {}: {failure}", balancer.name(), fault.name())
        }));
    }

    fn write(&self, engine: Engine, report: &mut Report) {
        report.section(&format!("Farm on {}: what visitors see of faults", engine.name()));
        report.rows(
            &[
                "fault",
                "for s",
                "balancer",
                "requests",
                "failed",
                "wrong pages",
                "longest ms",
                "well again after s",
            ],
            &self.rows,
        );
        report.note(
            "Four visitors who wait for each answer; one request in four is a POST, which no balancer repeats once it \
             was sent. Well again: every server shows every site and answers its operator, counted from the end of \
             the load.",
        );
        for note in &self.notes {
            report.note(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_for_postgresql_is_refused_elsewhere() {
        for faults in [&Fault::ALL[..], &[Fault::ControlAway, Fault::SitesRestarted]] {
            let error = are_possible(Engine::Mysql, faults).unwrap_err().to_string();
            assert!(error.contains("`tenant database server restarted` is only for PostgreSQL"), "{error}");
        }
        assert!(are_possible(Engine::Mysql, &[Fault::ControlAway, Fault::DiskFull]).is_ok());
        assert!(are_possible(Engine::Postgresql, &Fault::ALL).is_ok());
    }
}
