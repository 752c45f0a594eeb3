//! The same request spread over 1, 100 and 10,000 tenants: what the number of tenants costs. Then all of them get a
//! release that has nothing to migrate.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::Effort;
use crate::answer::Expected;
use crate::host::Host;
use crate::load::{Manner, wrk};
use crate::places::{Places, write};
use crate::rounds::{Contender, run as rounds};
use crate::table::{Goal, Report};

/// Where tenants' databases are when nothing else is configured.
const DATA_SERVER: &str = "local";

const ONE: &str = "1 tenant";
const ALL_UNIFORM: &str = "all tenants, uniform";
const ALL_ZIPF: &str = "all tenants, Zipf";

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let count = if effort.quick { 200 } else { 10_000 };
    let host = Host::start(places, "tenants")?;
    host.push(places, "page", "page", "1.0.0")?;
    host.create_many("t", count, Some("page@1.0.0"))?;

    let uniform = script(places, "uniform-all", count, false)?;
    let contender = |name: &str, script| Contender {
        name: name.to_owned(),
        server: &host.server,
        path: "/t1/".to_owned(),
        expected: Expected::new("Two hundred articles", 4_000..=6_500),
        manner: Manner { script, ..Manner::default() },
    };
    let figures = rounds(
        places,
        effort,
        &[
            contender(ONE, None),
            contender("100 tenants, uniform", Some(script(places, "uniform-100", 100, false)?)),
            contender(ALL_UNIFORM, Some(uniform.clone())),
            contender(ALL_ZIPF, Some(script(places, "zipf-all", count, true)?)),
        ],
    )?;
    report.section(&format!("Tenants: the page of 20 rows over up to {count} tenants"));
    report.figures(
        &figures,
        &[
            Goal { contender: ALL_ZIPF, rival: ONE, at_least: 0.8 },
            Goal { contender: ALL_UNIFORM, rival: ONE, at_least: 0.0 },
        ],
    );
    // A start forgets which databases are open: those that are opened from here on were asked for.
    let host = host.restart(places)?;
    let quiet = nothing_to_migrate(places, &host, count)?;
    let loaded = under_load(places, effort, &host, &uniform)?;
    report.section(&format!("Tenants: all {count} get a release with nothing to migrate"));
    report.rows(&["", "seconds", "tenant databases opened", "requests", "failed (goal 0)"], &[quiet, loaded]);
    Ok(())
}

/// Without visitors: only the run itself can open a database, and it must open none.
fn nothing_to_migrate(places: &Places, host: &Host, count: u32) -> Result<Vec<String>> {
    let mut other = fs::read(places.guest("page")).context("read the guest")?;
    // The same component under another digest: an unnamed custom section at the end.
    other.extend_from_slice(&[0, 2, 1, b'v']);
    host.push_bytes(&other, "page", "1.0.1")?;
    let before = host.opened(DATA_SERVER)?;
    let time = host.activate("page@1.0.1")?;
    let opened = host.opened(DATA_SERVER)? - before;
    ensure!(opened == 0, "{opened} databases of {count} tenants were opened with nothing to migrate");
    Ok(vec![
        "nobody visits (goal < 1 s)".to_owned(),
        format!("{:.3}", time.as_secs_f64()),
        opened.to_string(),
        "–".to_owned(),
        "–".to_owned(),
    ])
}

/// Back to the first release, with visitors on all tenants.
fn under_load(places: &Places, effort: Effort, host: &Host, script: &Path) -> Result<Vec<String>> {
    let seconds = if effort.quick { 3 } else { 15 };
    let url = host.server.url();
    let (seen, time) = std::thread::scope(|scope| {
        let load = scope.spawn(|| wrk(places, &url, seconds, Some(script)));
        std::thread::sleep(Duration::from_secs(1));
        let time = host.activate("page@1.0.0")?;
        ensure!(!load.is_finished(), "the load ended before the swap did, after {} s", time.as_secs());
        let seen = load.join().unwrap_or_else(|_| anyhow::bail!("the load panicked"))?;
        anyhow::Ok((seen, time))
    })?;
    Ok(vec![
        "with visitors (goal < 2 s)".to_owned(),
        format!("{:.3}", time.as_secs_f64()),
        "–".to_owned(),
        seen.requests.to_string(),
        seen.failures.to_string(),
    ])
}

/// A script for wrk that chooses a tenant for each request. All requests are made beforehand.
fn script(places: &Places, name: &str, count: u32, zipf: bool) -> Result<PathBuf> {
    let weight = if zipf { "1 / i" } else { "1" };
    let text = format!(
        r#"
local count, sum, sums, requests = {count}, 0, {{}}, {{}}
for i = 1, count do
  sum = sum + {weight}
  sums[i] = sum
end
init = function(args)
  for i = 1, count do requests[i] = wrk.format("GET", "/t" .. i .. "/") end
end
request = function()
  local wanted, low, high = math.random() * sum, 1, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    if sums[middle] < wanted then low = middle + 1 else high = middle end
  end
  return requests[low]
end
"#
    );
    write(&places.work, &format!("{name}.lua"), &text)
}
