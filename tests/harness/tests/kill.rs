//! kill -9 at random moments: whatever was acknowledged is there, and no half tenant is served.
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use anyhow::{Context, Result};
use rand::RngExt as _;
use rowhouse_tests::{Client, TestServer, activate, ended, guest};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

/// How often the server is killed. CI takes a few; `ROWHOUSE_TEST_KILLS=200` is the long run.
fn kills() -> usize {
    std::env::var("ROWHOUSE_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(12)
}

/// What the server acknowledged of one tenant.
#[derive(Clone, Debug, PartialEq)]
enum Known {
    /// Exists with this title and release.
    There { title: String, release: String },
    /// Was deleted for good.
    Gone,
    /// A request for it was cut off: either way is right, but nothing between.
    Unsure,
}

type Book = Mutex<BTreeMap<String, Known>>;

fn note(book: &Book, name: &str, known: Known) {
    if let Ok(mut book) = book.lock() {
        book.insert(name.to_owned(), known);
    }
}

/// Creates, changes, activates and deletes until the server goes away.
fn work(operator: &Client, book: &Book, round: usize) {
    for number in 0.. {
        let name = format!("t{round}-{number}");
        if one_life(operator, book, &name, number).is_err() {
            break;
        }
    }
}

fn one_life(operator: &Client, book: &Book, name: &str, number: usize) -> Result<()> {
    note(book, name, Known::Unsure);
    let body = json!({ "name": name, "title": "first", "release": "page@1.0.0" });
    operator.post_json("/-/api/v1/tenants", &body)?.expect(201)?;
    let there = |title: &str, release: &str| Known::There { title: title.into(), release: release.into() };
    note(book, name, there("first", "page@1.0.0"));

    note(book, name, Known::Unsure);
    let path = format!("/-/api/v1/tenants/{name}");
    operator.send("PATCH", &path, Some(("application/json", br#"{"title":"second"}"#)))?.expect(200)?;
    note(book, name, there("second", "page@1.0.0"));

    note(book, name, Known::Unsure);
    let body = json!({ "release": "page@2.0.0", "tenants": [name] });
    let run = activate(operator, &body)?;
    assert_eq!(run["moved"], json!(1), "{run}");
    note(book, name, there("second", "page@2.0.0"));

    if number % 2 == 1 {
        note(book, name, Known::Unsure);
        operator.send("DELETE", &format!("{path}?confirm={name}&now=true"), None)?.expect(200)?;
        note(book, name, Known::Gone);
    }
    Ok(())
}

/// Compares what the server says and serves with what it acknowledged.
fn verify(server: &TestServer, book: &mut BTreeMap<String, Known>) -> Result<()> {
    let operator = server.operator()?;
    // A run that was cut short goes on by itself.
    let runs = operator.get("/-/api/v1/runs?limit=1")?.expect(200)?.json()?;
    if let Some(last) = runs["items"].as_array().and_then(|runs| runs.first()) {
        ended(&operator, last)?;
    }
    for (name, known) in book.iter_mut() {
        let found = operator.get(&format!("/-/api/v1/tenants/{name}"))?;
        let page = server.get(name, "/")?;
        let state = if found.status == 200 { found.json()? } else { json!(null) };
        let is_active = state["state"] == json!("active");
        assert!(state.is_null() || is_active, "{name} is neither there nor gone after the restart: {state}");
        assert_eq!(
            page.status,
            if is_active { 200 } else { 404 },
            "{name}: what is served fits what is said: {state}"
        );
        match known {
            Known::There { title, release } => {
                assert_eq!(state["title"], json!(title), "{name}");
                assert_eq!(state["release"]["name"], json!(release), "{name}");
            }
            Known::Gone => assert!(state.is_null(), "{name} was deleted: {state}"),
            Known::Unsure if is_active => {
                *known = Known::There {
                    title: state["title"].as_str().unwrap_or_default().to_owned(),
                    release: state["release"]["name"].as_str().unwrap_or_default().to_owned(),
                };
            }
            Known::Unsure => *known = Known::Gone,
        }
    }
    Ok(())
}

/// Folders on disk without a tenant, or the other way round, would be half tenants too.
fn folders_fit(dir: &Path, book: &BTreeMap<String, Known>) -> Result<()> {
    let folders = std::fs::read_dir(dir.join("data/tenants"))?.count();
    let alive = book.values().filter(|known| matches!(known, Known::There { .. })).count();
    assert_eq!(folders, alive, "one folder for each living tenant");
    Ok(())
}

#[test]
fn acknowledged_changes_survive_kills() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("rowhouse.toml"), "")?;
    let mut server = TestServer::launch(folder.path(), &[])?;
    let bytes = guest("page")?.bytes;
    server.push("page", "1.0.0", &bytes)?;
    let mut other = bytes;
    other.extend_from_slice(&[0, 6, 4, b'v', b'e', b'r', b's', 2]);
    server.push("page", "2.0.0", &other)?;

    let mut known = BTreeMap::new();
    for round in 0..kills() {
        let book = Mutex::new(known);
        let operator = server.operator()?;
        let pause = Duration::from_millis(rand::rng().random_range(1..400));
        std::thread::scope(|scope| -> Result<()> {
            scope.spawn(|| work(&operator, &book, round));
            std::thread::sleep(pause);
            server.kill()?;
            Ok(())
        })?;
        known = book.into_inner().map_err(|_poisoned| anyhow::anyhow!("the worker panicked"))?;
        server = TestServer::launch(folder.path(), &[])
            .with_context(|| format!("start again after kill {round}"))?;
        verify(&server, &mut known)?;
    }
    folders_fit(folder.path(), &known)?;
    let alive = known.values().filter(|known| matches!(known, Known::There { .. })).count();
    println!("{} kills, {} tenants tried, {alive} there", kills(), known.len());
    assert!(alive > 0, "something was made between the kills");
    Ok(())
}
