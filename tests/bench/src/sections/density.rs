//! What registered tenants cost: start time and memory with 0, 1,000 and 10,000 that sleep, then memory of 1,000 that
//! were visited a moment ago.

use anyhow::{Result, ensure};
use rowhouse_bench_page::MARKER;

use crate::Effort;
use crate::answer::Expected;
use crate::host::{Host, in_hands};
use crate::places::Places;
use crate::rounds::median;
use crate::table::Report;

/// Visitors at once.
const VISITORS: u32 = 8;

/// Where tenants' databases are when nothing else is configured.
const DATA_SERVER: &str = "local";

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    asleep(places, effort, report)?;
    active(places, effort, report)
}

fn asleep(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let steps: &[u32] = if effort.quick { &[0, 100] } else { &[0, 1_000, 10_000] };
    let mut rows = Vec::new();
    let mut first_resident = 0;
    for &count in steps {
        let mut host = Host::start(places, &format!("density-{count}"))?;
        host.push(places, "hello", "hello", "1.0.0")?;
        host.create_many("t", count, Some("hello@1.0.0"))?;
        let mut starts = Vec::new();
        let mut resident = Vec::new();
        for _ in 0..effort.rounds {
            host = host.restart(places)?;
            starts.push(host.server.started_in.as_secs_f64());
            resident.push(host.server.usage()?.resident);
        }
        resident.sort_unstable();
        let kib = resident.get(resident.len() / 2).copied().unwrap_or_default();
        if count == 0 {
            first_resident = kib;
        }
        let each = match count {
            0 => "–".to_owned(),
            count => format!(
                "{:.2}",
                f64::from(u32::try_from(kib.saturating_sub(first_resident))?) / f64::from(count)
            ),
        };
        let start = median(starts.into_iter());
        println!("    {count} tenants: start {start:.3} s, {kib} KiB");
        rows.push(vec![count.to_string(), format!("{start:.3}"), (kib / 1024).to_string(), each]);
    }
    report.section("Density: registered tenants, asleep");
    report.rows(&["tenants", "start s (goal < 2)", "resident MiB", "KiB a tenant (goal ≤ 2)"], &rows);
    Ok(())
}

/// Each is visited once, for a page from its database. What the first visit costs the server for good, such as the memory
/// that guests run in, is shared out among them.
fn active(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let count: u32 = if effort.quick { 50 } else { 1_000 };
    let mut host = Host::start(places, "density-active")?;
    host.push(places, "page", "page", "1.0.0")?;
    host.create_many("t", count, Some("page@1.0.0"))?;
    let page = Expected::new(MARKER, 4_000..=6_500);
    let (mut before, mut after, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        // Making a tenant opens its database, as a visit does.
        host = host.restart(places)?;
        let asleep = f64::from(u32::try_from(host.server.usage()?.resident)?);
        let url = host.server.url();
        in_hands(VISITORS, count, |number| {
            page.check(&format!("{url}/t{number}/"))?;
            Ok(())
        })?;
        let awake = f64::from(u32::try_from(host.server.usage()?.resident)?);
        let opened = host.opened(DATA_SERVER)?;
        ensure!(opened >= u64::from(count), "{opened} databases of {count} tenants were opened");
        before.push(asleep / 1024.0);
        after.push(awake / 1024.0);
        each.push((awake - asleep) / f64::from(count));
    }
    let each = median(each.into_iter());
    println!("    {count} tenants visited: {each:.1} KiB each");
    report.section("Density: active tenants, each visited once for a page from its SQLite database");
    report.rows(
        &["tenants", "resident MiB before", "resident MiB after", "KiB a tenant (goal ≤ 300)"],
        &[vec![
            count.to_string(),
            format!("{:.0}", median(before.into_iter())),
            format!("{:.0}", median(after.into_iter())),
            format!("{each:.1}"),
        ]],
    );
    Ok(())
}
