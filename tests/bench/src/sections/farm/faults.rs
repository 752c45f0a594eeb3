//! What visitors see while Redis, a server, its clock or its disk, or a database server fails. Nothing is asserted of
//! it but that the farm is well again afterwards, that changes made meanwhile are everywhere, and that what was
//! acknowledged is there: what a balancer does about a server that dies or freezes is in the figures.
//!
//! Sites are on a PostgreSQL of their own, which can be stopped. A full disk takes root, who may mount a small one.

mod clock;
mod failover;
mod fault;
mod full;
mod scene;

use std::time::Duration;

use anyhow::Result;

use super::balancer::Balancer;
use super::millis;
use crate::Effort;
use crate::places::Places;
use crate::table::Report;
use fault::Fault;
use scene::{Outcome, Scene};

pub(crate) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    show(places, effort, report, &Fault::ALL)
}

pub(crate) fn redis(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let faults = [Fault::RedisKilled, Fault::RedisEmptied, Fault::RedisFrozen, Fault::RedisFailedOver];
    show(places, effort, report, &faults)
}

pub(crate) fn servers(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    show(places, effort, report, &[Fault::ServerKilled, Fault::ServerFrozen])
}

pub(crate) fn databases(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    show(places, effort, report, &[Fault::ControlAway, Fault::SitesRestarted])
}

pub(crate) fn clocks(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    show(places, effort, report, &[Fault::ClockAhead, Fault::ClockBehind])
}

pub(crate) fn disk(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    show(places, effort, report, &[Fault::DiskFull])
}

/// What there is to tell so far.
#[derive(Default)]
struct Told {
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

/// Shows faults one after the other. What was seen before one from which the farm did not come back is told, too.
fn show(places: &Places, effort: Effort, report: &mut Report, faults: &[Fault]) -> Result<()> {
    let mut told = Told::default();
    let shown = show_all(places, effort, faults, &mut told);
    told.write(report);
    shown
}

/// Redis with a Sentinel is another farm: there, killing it means something else.
fn show_all(places: &Places, effort: Effort, faults: &[Fault], told: &mut Told) -> Result<()> {
    let (watched, plain): (Vec<Fault>, Vec<Fault>) =
        faults.iter().copied().partition(|fault: &Fault| fault.is_watched());
    for faults in [plain, watched].into_iter().filter(|faults| !faults.is_empty()) {
        let mut scene = Scene::set(places, &faults)?;
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

    fn write(&self, report: &mut Report) {
        report.section("Farm: what visitors see of faults");
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
