//! What registered tenants cost while they sleep: start time and memory with 0, 1,000 and 10,000.

use anyhow::Result;

use crate::Effort;
use crate::host::Host;
use crate::places::Places;
use crate::rounds::median;
use crate::table::Report;

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
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
