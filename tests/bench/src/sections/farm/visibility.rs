//! How long a change that one server made takes until the others have it, with Redis and without.
//!
//! The other servers are asked without a pause from before the change is begun. What is shown is the time from the
//! answer to whoever made the change until each of them was seen to have it; it is 0 where that came first. A change
//! that is never seen is an error.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::databases::Engine;
use super::fleet::{Farm, HELLO, MEMBER, SITE, SITE_RELEASE, while_frozen};
use super::sign::Sign;
use super::{against, millis};
use crate::Effort;
use crate::host::Host;
use crate::paced::Latencies;
use crate::places::Places;
use crate::table::Report;

/// What is promised while Redis is up.
const GOAL: Duration = Duration::from_secs(1);

/// What is promised without it: the reconciler's own interval.
const GOAL_DEAF: Duration = Duration::from_secs(5);

/// Two releases that answer differently.
static RELEASES: [(&str, &str); 2] = [("hello@2.0.0", "wasi:http 0.2"), ("hello@1.0.0", "fast lane")];

/// What is changed, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Created,
    Retitled,
    Suspended,
    Resumed,
    Deleted,
    SignedOut,
    Activated,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "site made",
            Self::Retitled => "title changed, on the home page",
            Self::Suspended => "site suspended",
            Self::Resumed => "site resumed",
            Self::Deleted => "site deleted at once",
            Self::SignedOut => "user signed out everywhere",
            Self::Activated => "release activated for one site",
        }
    }
}

/// Times until each of the others had a change.
type Times = BTreeMap<Kind, Vec<Duration>>;

pub(crate) fn run(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    let mut farm = Farm::start(places, engine, "visibility")?;
    farm.furnish()?;
    farm.enrol()?;
    farm.host(0)?.push(places, "hello-http02", "hello", "2.0.0")?;

    // Six changes a turn: 1,000 changes in all.
    let (turns, activations, deaf, frozen) = if effort.quick { (5, 4, 1, 1) } else { (160, 40, 4, 5) };
    let mut hearing = Times::new();
    for turn in 0..turns {
        one_turn(&farm, "v", turn, &mut hearing)?;
    }
    for turn in 0..activations {
        hearing.entry(Kind::Activated).or_default().extend(activate(&farm, turn)?);
    }
    println!("    without Redis");
    let mut without = Times::new();
    farm.lose_redis()?;
    for turn in 0..deaf {
        one_turn(&farm, "d", turn, &mut without)?;
    }
    farm.find_redis()?;
    println!("    with Redis frozen");
    let lost = lost_hints(&farm, frozen)?;

    report.section(&format!(
        "Farm on {}: how soon the other two servers have a change that one made",
        engine.name()
    ));
    report.rows(&["change", "changes", "p50 ms", "p99 ms", "max ms (goal ≤ 1000)"], &rows(hearing, GOAL));
    report
        .note("The same with Redis killed, and in the last line with Redis stopped just before each change:");
    let mut deaf_rows = rows(without, GOAL_DEAF);
    deaf_rows.push(row("title changed, hint lost", lost, GOAL_DEAF));
    report.rows(&["change", "changes", "p50 ms", "p99 ms", "max ms (goal ≤ 5000)"], &deaf_rows);
    report.note(
        "From the answer to whoever made the change until each of the others was seen to have it; 0 where it had it \
         before. Whoever looks does so without a pause and on the same cores.",
    );
    Ok(())
}

/// Makes a site, changes it in every way, deletes it, and signs somebody out. Each change is another server's.
fn one_turn(farm: &Farm<'_>, prefix: &str, turn: usize, times: &mut Times) -> Result<()> {
    let site = format!("{prefix}{turn}");
    let (old, new) = (format!("Tenant {site}"), format!("Changed {site}"));
    let steps = [
        (Kind::Created, Sign::unknown(&site), Sign::open(&site)),
        (Kind::Retitled, Sign::home(&site, &old), Sign::home(&site, &new)),
        (Kind::Suspended, Sign::open(&site), Sign::suspended(&site)),
        (Kind::Resumed, Sign::suspended(&site), Sign::open(&site)),
        (Kind::Deleted, Sign::open(&site), Sign::unknown(&site)),
    ];
    let last = turn + steps.len();
    for (step, (kind, before, after)) in steps.into_iter().enumerate() {
        let seen = spread(farm, turn + step, &before, &after, |host| change(host, kind, &site, &new))
            .with_context(|| format!("{}, turn {turn}", kind.name()))?;
        times.entry(kind).or_default().extend(seen);
    }
    let cookie = farm.sign_in(turn % farm.hosts().len())?;
    let (before, after) = (Sign::signed_in(SITE, &cookie), Sign::signed_out(SITE, &cookie));
    let seen = spread(farm, last, &before, &after, |host| {
        host.ask("DELETE", &format!("users/{MEMBER}/sessions"), None).map(drop)
    })?;
    times.entry(Kind::SignedOut).or_default().extend(seen);
    Ok(())
}

fn change(host: &Host, kind: Kind, site: &str, title: &str) -> Result<()> {
    match kind {
        Kind::Created => host.create(site, Some(SITE_RELEASE)),
        Kind::Retitled => host.retitle(site, title),
        Kind::Suspended => host.ask("POST", &format!("tenants/{site}/suspend"), None).map(drop),
        Kind::Resumed => host.ask("POST", &format!("tenants/{site}/resume"), None).map(drop),
        Kind::Deleted => host.remove(site),
        Kind::SignedOut | Kind::Activated => bail!("no change of a site"),
    }
}

/// Changes the release of one site. It is counted from when the server that was told shows the new one: the run that
/// moves the site goes on after the answer.
fn activate(farm: &Farm<'_>, turn: usize) -> Result<Vec<Duration>> {
    let of = |turn: usize| RELEASES.get(turn % RELEASES.len()).context("two releases");
    let ((_, old), (release, new)) = (of(turn + 1)?, of(turn)?);
    let (before, after) = (Sign::home(HELLO, old), Sign::home(HELLO, new));
    let mut run: Option<Value> = None;
    let seen = spread(farm, turn, &before, &after, |host| {
        run = Some(host.begin_run(release, Some(&[HELLO]))?);
        after.wait(host).map(|_seen| ())
    })
    .with_context(|| format!("activate {release}"))?;
    farm.host(turn % farm.hosts().len())?.end_run(run.context("a run")?)?;
    Ok(seen)
}

/// Changes with Redis stopped: whoever should be told hears nothing, and knows that it doesn't.
fn lost_hints(farm: &Farm<'_>, times: usize) -> Result<Vec<Duration>> {
    let mut all = Vec::new();
    let mut old = "Tenant club".to_owned();
    for turn in 0..times {
        let new = format!("Lost {turn}");
        let (before, after) = (Sign::home(SITE, &old), Sign::home(SITE, &new));
        // Before Redis is stopped: the change has to come in the moment in which nobody knows yet that it is.
        for host in farm.hosts() {
            before.wait(host)?;
        }
        all.extend(while_frozen(farm.redis(), || {
            spread(farm, turn, &before, &after, |host| host.retitle(SITE, &new))
        })?);
        old = new;
    }
    Ok(all)
}

/// Makes a change at one server once all others show `before`; gives how long after its answer each of them showed
/// `after`.
fn spread(
    farm: &Farm<'_>,
    turn: usize,
    before: &Sign,
    after: &Sign,
    make: impl FnOnce(&Host) -> Result<()>,
) -> Result<Vec<Duration>> {
    let maker = turn % farm.hosts().len();
    for other in farm.others(maker) {
        before.wait(other)?;
    }
    let host = farm.host(maker)?;
    let given_up = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let given_up = &given_up;
        let watching: Vec<_> =
            farm.others(maker).map(|other| scope.spawn(move || after.wait_unless(other, given_up))).collect();
        let made = make(host);
        let answered = Instant::now();
        given_up.store(made.is_err(), Ordering::Relaxed);
        let seen: Vec<Result<Instant>> = watching
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| bail!("who watched a server panicked")))
            .collect();
        made?;
        seen.into_iter().map(|at| Ok(at?.saturating_duration_since(answered))).collect()
    })
}

fn rows(times: Times, goal: Duration) -> Vec<Vec<String>> {
    times.into_iter().map(|(kind, times)| row(kind.name(), times, goal)).collect()
}

fn row(name: &str, times: Vec<Duration>, goal: Duration) -> Vec<String> {
    // Two others saw each.
    let changes = times.len() / 2;
    let sorted = Latencies::of(times);
    let row = vec![
        name.to_owned(),
        changes.to_string(),
        millis(sorted.percentile(50)),
        millis(sorted.percentile(99)),
        against(sorted.percentile(100), goal),
    ];
    println!("    {}", row.join("  "));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_of_changes_and_of_the_slowest() {
        let times = (1..=100).map(|each| Duration::from_millis(each * 11)).collect();
        assert_eq!(row("x", times, GOAL), ["x", "50", "561.0", "1100.0", "1100.0 (missed)"]);
    }
}
