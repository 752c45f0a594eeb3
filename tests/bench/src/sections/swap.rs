//! Changing the release of many tenants ten times under load: requests that fail, and how long it takes.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::Effort;
use crate::answer::Expected;
use crate::host::Host;
use crate::load::wrk;
use crate::places::{Places, write};
use crate::rounds::median;
use crate::table::Report;

const TENANTS: u32 = 100;

/// Seconds of load around the swaps; they must all fit.
const SECONDS: u32 = 30;

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let host = Host::start(places, "swap")?;
    // Two releases that differ in what they answer, so that the flip can be seen.
    host.push(places, "hello", "swapped", "1.0.0")?;
    host.push(places, "hello-http02", "swapped", "2.0.0")?;
    host.create_many("t", TENANTS, Some("swapped@1.0.0"))?;
    let script = write(
        &places.work,
        "swap.lua",
        &format!(
            "request = function() return wrk.format(\"GET\", \"/t\" .. math.random({TENANTS}) .. \"/\") end\n"
        ),
    )?;

    let (swaps, seconds) = if effort.quick { (2, 5) } else { (10, SECONDS) };
    let mut times: Vec<Duration> = Vec::new();
    let output = std::thread::scope(|scope| {
        let url = host.server.url();
        let script = &script;
        let load = scope.spawn(move || wrk(places, &url, seconds, Some(script)));
        for swap in 1..=swaps {
            let (version, answer) =
                if swap % 2 == 1 { ("2.0.0", "wasi:http 0.2") } else { ("1.0.0", "fast lane") };
            times.push(host.activate(&format!("swapped@{version}"))?);
            for tenant in 1..=TENANTS {
                let url = format!("{}/t{tenant}/", host.server.url());
                Expected::new(answer, 20..=30).check(&url).context("look for the new release")?;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        if load.is_finished() {
            bail!("the load ended before the last swap: the machine is too slow for {SECONDS} s");
        }
        load.join().unwrap_or_else(|_| bail!("the load panicked"))
    })?;

    report.section(&format!("Swap: the release of {TENANTS} tenants changed {swaps} times under load"));
    let middle = median(times.iter().map(Duration::as_secs_f64));
    let row = vec![
        output.requests.to_string(),
        output.failures.to_string(),
        format!("{middle:.3}"),
        format!("{:.2}", output.p99.as_secs_f64() * 1e3),
    ];
    report.rows(&["requests", "failed (goal 0)", "seconds a swap", "p99 ms meanwhile"], &[row]);
    Ok(())
}
