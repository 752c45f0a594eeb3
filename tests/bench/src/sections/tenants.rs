//! The same request spread over 1, 100 and 10,000 tenants: what the number of tenants costs.

use std::path::PathBuf;

use anyhow::Result;

use crate::Effort;
use crate::answer::Expected;
use crate::host::Host;
use crate::load::Manner;
use crate::places::{Places, write};
use crate::rounds::{Contender, run as rounds};
use crate::table::{Goal, Report};

const ONE: &str = "1 tenant";
const ALL_UNIFORM: &str = "all tenants, uniform";
const ALL_ZIPF: &str = "all tenants, Zipf";

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let count = if effort.quick { 200 } else { 10_000 };
    let host = Host::start(places, "tenants")?;
    host.push(places, "page", "page", "1.0.0")?;
    host.create_many("t", count, Some("page@1.0.0"))?;

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
            contender(ALL_UNIFORM, Some(script(places, "uniform-all", count, false)?)),
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
    Ok(())
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
