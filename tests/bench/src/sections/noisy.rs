//! A quiet tenant's latency beside each attack, compared with its latency alone.
//!
//! `ROWHOUSE_BENCH_ATTACKS` names the paths of some of them, with commas between; nothing means all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rowhouse_bench_page::MARKER;

use crate::Effort;
use crate::answer::Expected;
use crate::host::Host;
use crate::paced::{Latencies, attack, measure};
use crate::places::Places;
use crate::rounds::median;
use crate::table::Report;

/// Requests of the quiet tenant per second: a busy small site, far from what the machine can do.
const RATE: u32 = 100;

/// Clients of each attack: more than the machine has cores.
const ATTACKERS: u32 = 8;

/// Paths of the guests `hostile` and `hostile-http02`.
const ATTACKS: &[(&str, &str)] = &[
    ("bad", "/loop"),
    ("bad", "/recurse"),
    ("bad", "/recurse?stack=memory"),
    ("bad", "/memory-bomb"),
    ("bad", "/memory-grow"),
    ("bad", "/flood"),
    ("bad", "/flood?call=sql"),
    ("bad", "/random-flood"),
    ("bad", "/stderr-flood"),
    ("bad", "/giant-header"),
    ("bad", "/giant-body"),
    ("bad", "/trap"),
    ("bad", "/slow-sql"),
    ("bad", "/slow-write"),
    ("bad", "/instr"),
    ("bad", "/replace"),
    ("bad", "/json-patch"),
    ("bad", "/trim2"),
    ("bad", "/like"),
    ("bad", "/tx-leave-open?ms=2000"),
    ("bad", "/many-transactions"),
    ("bad", "/sleep?ms=5000"),
    ("bad-http02", "/slow-drip"),
    ("bad-http02", "/endless"),
    ("bad-http02", "/set-then-loop"),
    ("bad-http02", "/leak"),
];

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let host = Host::start(places, "noisy")?;
    for (guest, tenant) in [("page", "quiet"), ("hostile", "bad"), ("hostile-http02", "bad-http02")] {
        host.push(places, guest, guest, "1.0.0")?;
        host.create(tenant, Some(&format!("{guest}@1.0.0")))?;
    }
    let expected = Expected::new(MARKER, 4_000..=6_500);
    let quiet = format!("{}/quiet/", host.server.url());
    let time = Duration::from_secs(u64::from(effort.seconds));
    let once = || measure(&quiet, &expected, RATE, time);
    drop(once().context("warm up")?);

    let mut rows = Vec::new();
    for (tenant, path) in chosen()? {
        let url = format!("{}/{tenant}{path}", host.server.url());
        let mut alone = Vec::new();
        let mut beside = Vec::new();
        // Each attack has its own quiet rounds, just before: the machine changes.
        for _ in 0..effort.rounds.min(3) {
            alone.push(once().context("measure the quiet tenant alone")?);
            let stop = AtomicBool::new(false);
            let latencies = std::thread::scope(|scope| {
                scope.spawn(|| attack(&url, ATTACKERS, &stop));
                let latencies = once();
                stop.store(true, Ordering::Relaxed);
                latencies
            });
            beside.push(latencies.with_context(|| format!("measure the quiet tenant beside {path}"))?);
        }
        let row = row(path, &alone, &beside);
        println!("    {}", row.join("  "));
        rows.push(row);
    }
    report.section(&format!("Noisy: a quiet tenant ({RATE} requests/s) beside {ATTACKERS} attackers"));
    report.rows(
        &["attack", "p50 alone ms", "p50 beside", "p99 alone ms", "p99 beside", "ratio (goal ≤ 2)"],
        &rows,
    );
    Ok(())
}

/// The attacks that the environment asks for.
fn chosen() -> Result<Vec<&'static (&'static str, &'static str)>> {
    let Ok(wanted) = std::env::var("ROWHOUSE_BENCH_ATTACKS") else { return Ok(ATTACKS.iter().collect()) };
    let find = |path: &str| {
        let found = ATTACKS.iter().find(|(_tenant, attack)| *attack == path);
        found.with_context(|| format!("ROWHOUSE_BENCH_ATTACKS names `{path}`, which is no attack"))
    };
    wanted.split(',').map(|path| find(path.trim())).collect()
}

fn row(path: &str, alone: &[Latencies], beside: &[Latencies]) -> Vec<String> {
    let middle = |all: &[Latencies], percent| {
        median(all.iter().map(|latencies| latencies.percentile(percent).as_secs_f64() * 1e3))
    };
    let (p99_alone, p99_beside) = (middle(alone, 99), middle(beside, 99));
    let figure = |value: f64| format!("{value:.2}");
    vec![
        path.to_owned(),
        figure(middle(alone, 50)),
        figure(middle(beside, 50)),
        figure(p99_alone),
        figure(p99_beside),
        figure(p99_beside / p99_alone),
    ]
}
