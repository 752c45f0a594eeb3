//! A run over some dozen sites of which five can't be migrated, killed in the middle: after the restart the
//! rest is moved, the five serve what they did, and nobody is migrated twice.
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use anyhow::{Context, Result, bail};
use rowhouse_tests::{Client, TestServer, guest};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Sites of the run. CI takes some dozen; `ROWHOUSE_TEST_RUN_TENANTS=10000` is the long run.
fn tenants() -> usize {
    std::env::var("ROWHOUSE_TEST_RUN_TENANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// No run of the test takes longer, on a machine that does other things too.
fn patience() -> Duration {
    Duration::from_secs(120) + Duration::from_millis(200) * u32::try_from(tenants()).unwrap_or(u32::MAX)
}

/// Where its bytes say the version.
const MARK: &[u8] = b"version-of-steps: ";

/// The guest in its second version.
fn second(bytes: &[u8]) -> Result<Vec<u8>> {
    let places: Vec<usize> =
        bytes.windows(MARK.len()).enumerate().filter(|(_, part)| *part == MARK).map(|(at, _)| at).collect();
    let [at] = places.as_slice() else { bail!("the version stands once in the guest, not at {places:?}") };
    let mut other = bytes.to_vec();
    *other.get_mut(at + MARK.len()).context("a digit follows")? = b'2';
    Ok(other)
}

/// The same component under other bytes: a custom section that nobody reads.
fn variant(bytes: &[u8]) -> Vec<u8> {
    let mut other = bytes.to_vec();
    other.extend_from_slice(&[0, 6, 4, b'v', b'e', b'r', b's', 3]);
    other
}

/// Waits until a run is so far.
fn run_until(operator: &Client, id: &str, enough: impl Fn(&Value) -> bool) -> Result<Value> {
    let begin = Instant::now();
    loop {
        let run = operator.get(&format!("/-/api/v1/runs/{id}?limit=1"))?.expect(200)?.json()?;
        if enough(&run) {
            return Ok(run);
        }
        if begin.elapsed() > patience() {
            bail!("the run does not get there: {run}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_over(run: &Value) -> bool {
    run["ended_at"].is_string()
}

fn start(operator: &Client, release: &str) -> Result<String> {
    let run = operator.post_json("/-/api/v1/runs", &json!({ "release": release }))?.expect(201)?.json()?;
    Ok(run["id"].as_str().context("a run has an id")?.to_owned())
}

fn opened(operator: &Client) -> Result<u64> {
    let servers = operator.get("/-/api/v1/data-servers")?.expect(200)?.json()?;
    servers["items"][0]["opened"].as_u64().context("a data server counts connections")
}

/// The last event of a run's stream, which ends with the run.
fn last_event(operator: &Client, id: &str) -> Result<Value> {
    let text = operator.get(&format!("/-/api/v1/runs/{id}/events"))?.expect(200)?.text();
    let data = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back();
    Ok(serde_json::from_str(data.context("a stream has an event")?)?)
}

/// Sites that can't be migrated.
const POISONED: usize = 5;

/// They are every so many.
fn is_poisoned(number: usize) -> bool {
    let step = (tenants() / POISONED).max(1);
    number.is_multiple_of(step) && number / step < POISONED
}

fn check_pages(server: &TestServer, names: &[String]) -> Result<()> {
    for (number, name) in names.iter().enumerate() {
        let page = server.get(name, "/")?.expect(200)?.text();
        let expected = match is_poisoned(number) {
            true => "version 1, 2 notes",
            false => "version 2, 0 notes, migrated 1 time(s)",
        };
        assert_eq!(page, expected, "{name}");
    }
    Ok(())
}

#[test]
fn a_killed_run_is_resumed_and_poisoned_sites_serve_what_they_did() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("rowhouse.toml"), "")?;
    let server = TestServer::launch(folder.path(), &[])?;
    let first = guest("steps")?.bytes;
    server.push("steps", "1.0.0", &first)?;
    server.push("steps", "2.0.0", &second(&first)?)?;
    let names: Vec<String> = (0..tenants()).map(|number| format!("site-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        server.tenant(name, Some("steps@1.0.0"))?;
        if is_poisoned(number) {
            server.get(name, "/poison")?.expect(200)?;
        }
    }

    let operator = server.operator()?;
    let id = start(&operator, "steps@2.0.0")?;
    // Migrations take longer than a look: most of them are still to come or not written down.
    let cut = run_until(&operator, &id, |run| run["state"] == "running" || is_over(run))?;
    server.kill()?;
    println!("killed with {} of {} moved, {} left", cut["moved"], cut["total"], cut["left"]);

    // The next start goes on by itself, at once.
    let server = TestServer::launch(folder.path(), &[])?;
    let operator = server.operator()?;
    let told = loop {
        let told = last_event(&operator, &id)?;
        if is_over(&told) {
            break told;
        }
    };
    let run = run_until(&operator, &id, is_over)?;
    assert_eq!((&run["state"], &run["failed"]), (&json!("failed"), &json!(POISONED)), "{run}");
    assert_eq!((&run["moved"], &told["moved"]), (&json!(tenants() - POISONED), &run["moved"]));
    println!("it was taken {} time(s)", run["turns"]);
    let failed = operator.get(&format!("/-/api/v1/runs/{id}?state=failed"))?.expect(200)?.json()?;
    let failed = failed["items"].as_array().context("a run has items")?;
    assert!(
        failed.iter().all(|item| item["error"].as_str().unwrap_or_default().contains("migrat")),
        "{failed:?}"
    );
    check_pages(&server, &names)?;

    // The cause stays, so trying again moves nobody and harms nobody.
    operator.send("POST", &format!("/-/api/v1/runs/{id}/resume"), None)?.expect(200)?;
    let again = run_until(&operator, &id, is_over)?;
    assert_eq!((&again["failed"], &again["moved"]), (&json!(POISONED), &run["moved"]), "{again}");
    check_pages(&server, &names)
}

#[test]
fn a_run_with_nothing_pending_opens_no_database() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("rowhouse.toml"), "")?;
    let server = TestServer::launch(folder.path(), &[])?;
    let first = guest("steps")?.bytes;
    server.push("steps", "1.0.0", &first)?;
    server.push("steps", "1.0.1", &variant(&first))?;
    for number in 0..tenants() {
        server.tenant(&format!("site-{number}"), Some("steps@1.0.0"))?;
    }
    assert!(opened(&server.operator()?)? > 0, "the count counts");
    // After a restart no connection is open that could be used again.
    server.kill()?;
    let server = TestServer::launch(folder.path(), &[])?;
    let operator = server.operator()?;
    let begin = Instant::now();
    let id = start(&operator, "steps@1.0.1")?;
    let run = run_until(&operator, &id, is_over)?;
    println!("{} sites moved with nothing pending in {:?}", run["moved"], begin.elapsed());
    assert_eq!((&run["state"], &run["moved"]), (&json!("finished"), &json!(tenants())), "{run}");
    assert_eq!(opened(&operator)?, 0, "no database was opened");
    assert_eq!(server.get("site-0", "/")?.expect(200)?.text(), "version 1, 0 notes");
    assert_eq!(opened(&operator)?, 1);
    Ok(())
}
