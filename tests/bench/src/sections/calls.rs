//! What a statement costs that a guest has the host run, beside the same statement by a native driver.
//!
//! A request runs one SELECT many times and answers with a checksum of all that it read; its processor time is divided by
//! the number of statements. Nothing is taken off for the request itself: [`shapes`] keeps it small. What PostgreSQL and
//! MySQL spend is in nobody's figure. Each engine has a host, a tenant with a database of its own and a rival to itself.

use anyhow::Result;
use rowhouse_bench_page::calls::right_answer;

use super::engines::{ENGINES, SHARED, config, in_database, prepare, server};
use crate::Effort;
use crate::answer::Expected;
use crate::host::Host;
use crate::load::Manner;
use crate::places::Places;
use crate::rivals;
use crate::rounds::{Contender, Figures, run as rounds};
use crate::server::Server;
use crate::table::Report;

/// The guest, its release and its only tenant.
const GUEST: &str = "calls";

/// How much of the native driver's processor time a call may cost.
const GOAL: f64 = 1.5;

/// What a request does.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Rows that a call reads.
    rows: u32,
    /// Calls one after the other.
    calls: u32,
}

/// So many calls that the host is to work 2 to 3 ms: a request alone takes about 0.1 ms, and after 5 ms a guest would go
/// on in the back lane. They stay below the 500 statements that a request may run.
fn shapes(engine: &str) -> [Shape; 3] {
    // Without a round trip, a call of few rows is soon over.
    let (one, twenty) = if engine == "sqlite" { (200, 50) } else { (50, 30) };
    [Shape { rows: 1, calls: one }, Shape { rows: 20, calls: twenty }, Shape { rows: 1_000, calls: 2 }]
}

pub(super) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let mut rows = Vec::new();
    for engine in ENGINES {
        println!("    {engine}");
        rows.extend(measure(places, effort, engine)?);
    }
    report.section("Calls: a statement through the host, and the same by a native driver");
    report.rows(
        &[
            "engine",
            "rows",
            "calls a request",
            "rowhouse, fast lane, fresh: server CPU µs a call",
            "native: server CPU µs a call",
            &format!("ratio (goal ≤ {GOAL})"),
        ],
        &rows,
    );
    Ok(())
}

fn measure(places: &Places, effort: Effort, engine: &str) -> Result<Vec<Vec<String>>> {
    prepare(engine, SHARED, true)?;
    let host = Host::start_with(places, &format!("calls-{engine}"), &config(engine, "database")?)?;
    host.push(places, GUEST, GUEST, "1.0.0")?;
    host.create(GUEST, Some(&format!("{GUEST}@1.0.0")))?;
    let compared = compare(places, effort, engine, &host.server);
    // After a failure too: its database is on a server of others.
    let removed = host.remove(GUEST);
    drop(host);
    let compared = compared?;
    removed?;
    prepare(engine, SHARED, false)?;
    Ok(compared)
}

fn compare(places: &Places, effort: Effort, engine: &str, host: &Server) -> Result<Vec<Vec<String>>> {
    let url = server(engine).map(|url| in_database(&url, SHARED)).transpose()?;
    let native = rivals::native_calls(places, engine, url.as_deref())?;
    let shapes = shapes(engine);
    let mut contenders = Vec::new();
    for Shape { rows, calls } in shapes {
        let answer = right_answer(calls, rows);
        let contender = |whose: &str, server, site: &str| Contender {
            name: format!("{whose}, {calls} times {rows} rows"),
            server,
            path: format!("{site}/{calls}/{rows}"),
            expected: Expected::new(&answer, answer.len()..=answer.len()),
            manner: Manner::default(),
        };
        contenders.push(contender("rowhouse", host, &format!("/{GUEST}")));
        contenders.push(contender("native", &native, ""));
    }
    let figures = rounds(places, effort, &contenders)?;
    let pairs = figures.as_chunks::<2>().0;
    Ok(shapes.iter().zip(pairs).map(|(shape, pair)| row(engine, *shape, pair)).collect())
}

fn row(engine: &str, Shape { rows, calls }: Shape, [host, native]: &[Figures; 2]) -> Vec<String> {
    let a_call = |figures: &Figures| figures.cpu / f64::from(calls);
    let ratio = host.cpu / native.cpu;
    let mark = if ratio <= GOAL { "" } else { " (missed)" };
    vec![
        engine.to_owned(),
        rows.to_string(),
        calls.to_string(),
        format!("{:.1}", a_call(host)),
        format!("{:.1}", a_call(native)),
        format!("{ratio:.2}{mark}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(cpu: f64) -> Figures {
        let name = String::new();
        Figures { name, requests_per_second: 0.0, cpu, p50: None, p99: None, peak: 0 }
    }

    #[test]
    fn a_call_is_its_part_of_a_request_and_a_missed_goal_is_marked() {
        let shape = Shape { rows: 20, calls: 50 };
        let met = row("sqlite", shape, &[figures(1_500.0), figures(1_000.0)]);
        assert_eq!(met, ["sqlite", "20", "50", "30.0", "20.0", "1.50"]);
        let missed = row("sqlite", shape, &[figures(2_000.0), figures(1_000.0)]);
        assert_eq!(missed.last().map(String::as_str), Some("2.00 (missed)"));
    }
}
