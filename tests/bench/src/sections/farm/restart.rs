//! Every server started anew, one after the other, and then another release for the sites, while visitors come through
//! each of the balancers: no request may fail, and nobody who is signed in may be sent to sign in.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::balancer::Balancer;
use super::crowd::{Group, Seen, Wish, visit};
use super::databases::Engine;
use super::fleet::{Farm, HELLO, SITE, wishes};
use super::millis;
use super::sign::Sign;
use crate::Effort;
use crate::places::Places;
use crate::table::Report;

const VISITORS: usize = 8;

/// Between an answer and a visitor's next request. It leaves some of the machine to what is started and compiled.
const PAUSE: Duration = Duration::from_millis(3);

/// The same of the one who is signed in.
const MEMBERS_PAUSE: Duration = Duration::from_millis(20);

/// Another server than the one the first change was made at; any will do.
const MAKER: usize = 1;

pub(crate) fn run(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    // Four loads: more than 200,000 requests in all.
    let at_least = if effort.quick { 2_000 } else { 55_000 };
    let mut farm = Farm::start(places, engine, "restart")?;
    farm.furnish()?;
    farm.enrol()?;
    let cookie = farm.sign_in(0)?;
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for (number, balancer) in (2..).zip(Balancer::ALL) {
        let proxy = balancer.start(places, &farm.ports())?;
        let (base, groups) = (proxy.url(), [visitors(), member(&cookie)]);
        let name = balancer.name();
        println!("    each server started anew, behind {name}");
        let (seen, ()) = visit(&base, &groups, at_least, || farm.restart_each())
            .with_context(|| format!("restart each server behind {name}"))?;
        add(&mut rows, &mut notes, balancer, "each server started anew", &seen);
        println!("    another release of the sites, behind {name}");
        let (seen, ()) = visit(&base, &groups, at_least, || upgrade(&farm, places, number))
            .with_context(|| format!("change the release behind {name}"))?;
        add(&mut rows, &mut notes, balancer, "another release of the sites", &seen);
    }
    report.section(&format!("Farm on {}: a rolling restart and a rolling upgrade under load", engine.name()));
    let head = [
        "balancer",
        "what happens",
        "requests",
        "failed (goal 0)",
        "wrong pages (goal 0)",
        "longest ms",
        "signed-in requests",
        "sent to sign in or failed (goal 0)",
        "answered by",
    ];
    report.rows(&head, &rows);
    for note in &notes {
        report.note(note);
    }
    Ok(())
}

fn visitors() -> Group {
    Group { visitors: VISITORS, pause: PAUSE, wishes: wishes() }
}

/// Somebody who looks at the dashboard all the time.
fn member(cookie: &str) -> Group {
    let page = Wish::page(&format!("/{SITE}/manage"), "Manage Tenant club").with("cookie", cookie);
    Group { visitors: 1, pause: MEMBERS_PAUSE, wishes: vec![page] }
}

/// Pushes another release of both sites, moves them to it, and sees that every server has it.
fn upgrade(farm: &Farm<'_>, places: &Places, number: u8) -> Result<()> {
    let maker = farm.host(MAKER)?;
    let file = places.guest("site");
    let mut bytes = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
    // A release differs by its bytes: section 0 (custom), 6 bytes, a name of 4 letters and one byte that nobody reads.
    bytes.extend_from_slice(&[0, 6, 4, b'v', b'e', b'r', b's', number]);
    maker.push_bytes(&bytes, "bench-site", &format!("{number}.0.0"))?;
    maker.end_run(maker.begin_run(&format!("bench-site@{number}.0.0"), Some(&[SITE]))?)?;
    // The other one answers otherwise, so that the flip can be seen.
    let (guest, text) =
        if number.is_multiple_of(2) { ("hello-http02", "wasi:http 0.2") } else { ("hello", "fast lane") };
    maker.push(places, guest, "hello", &format!("{number}.0.0"))?;
    maker.end_run(maker.begin_run(&format!("hello@{number}.0.0"), Some(&[HELLO]))?)?;
    for host in farm.hosts() {
        Sign::home(HELLO, text).wait(host)?;
    }
    Ok(())
}

fn add(rows: &mut Vec<Vec<String>>, notes: &mut Vec<String>, balancer: Balancer, what: &str, seen: &[Seen]) {
    let [visitors, member] = seen else { return };
    let row = vec![
        balancer.name().to_owned(),
        what.to_owned(),
        visitors.requests.to_string(),
        visitors.failed.to_string(),
        visitors.wrong.to_string(),
        millis(visitors.longest),
        member.requests.to_string(),
        (member.failed + member.wrong).to_string(),
        visitors.servers(),
    ];
    println!("    {}", row.join("  "));
    rows.push(row);
    if let Some(failure) = visitors.failure.as_ref().or(member.failure.as_ref()) {
        notes.push(format!("One of the failures behind {}, {what}: {failure}", balancer.name()));
    }
}
