//! Runs: started, followed over streams that end and servers that go away, listed, shown and resumed.

use super::stub::{self, Given, Stub};
use super::{Root, problem, run};
use clap::Parser as _;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

fn open(moved: u64) -> Value {
    json!({
        "id": "a1", "kind": "activation", "release": "site@2.0.0", "state": "running", "total": 3, "moved": moved,
        "failed": 0, "gone": 0, "left": 3 - moved, "turns": 1, "actor": "token ci", "ended_at": null,
        "started_at": "2026-03-01T09:30:00Z"
    })
}

fn over(failed: u64) -> Value {
    let mut run = open(3 - failed);
    run["state"] = json!(if failed == 0 { "finished" } else { "failed" });
    run["failed"] = json!(failed);
    run["left"] = json!(0);
    run["ended_at"] = json!("2026-03-01T09:31:00Z");
    run
}

/// A stream that tells these states.
fn events(runs: &[Value]) -> Given {
    let event = |run: &Value| format!("event: progress\nretry: 1000\ndata: {run}\n\n");
    let text: String = runs.iter().map(event).collect();
    Given(200, "text/event-stream", format!(": still there\n\n{text}"), "")
}

fn failed_items() -> Given {
    let item = json!({
        "tenant": "chess", "from": "site@1.0.0", "to": "site@2.0.0", "state": "failed", "attempts": 1,
        "error": "migrate: no such\u{1b}[2J table"
    });
    stub::json(200, &json!({"items": [item], "next": null}))
}

#[test]
fn an_activation_starts_a_run_and_follows_it() {
    let server = Stub::start(|line| match line {
        _ if line.starts_with("POST") => stub::json(201, &open(0)),
        _ if line.ends_with("/events") => events(&[open(1), open(2), over(1)]),
        _ => failed_items(),
    });
    let ran = run(&server.url, "module activate site@2.0.0");
    assert_eq!((ran.code, ran.out.as_str()), (6, "2 of 3 sites moved to site@2.0.0\nrun a1\n"));
    assert!(
        ran.notes.starts_with("moving all sites to site@2.0.0 …\n1 of 3 sites\n2 of 3 sites\n"),
        "{}",
        ran.notes
    );
    assert!(ran.notes.contains("3 of 3 sites, 1 failed\n"), "{}", ran.notes);
    assert!(ran.notes.contains("failed: chess: migrate: no such [2J table\n"), "{}", ran.notes);
    assert!(ran.notes.contains("`rowhouse run resume a1`"), "{}", ran.notes);
    assert_eq!(
        server.lines(),
        [
            "POST /-/api/v1/runs",
            "GET /-/api/v1/runs/a1/events",
            "GET /-/api/v1/runs/a1?state=failed&limit=20"
        ]
    );
    let body: Value = serde_json::from_slice(&server.asked()[0].body).unwrap();
    assert_eq!(body, json!({"release": "site@2.0.0"}));
    // Programs get the server's last word alone.
    let ran = run(&server.url, "module activate site@2.0.0 --json");
    assert_eq!((ran.code, serde_json::from_str::<Value>(&ran.out).unwrap()), (6, over(1)));
}

#[test]
fn a_stream_that_ends_and_a_server_that_is_away_are_asked_again() {
    let asked = AtomicUsize::new(0);
    let server = Stub::start(move |line| match line {
        _ if !line.ends_with("/events") => stub::json(200, &open(0)),
        _ => match asked.fetch_add(1, Ordering::Relaxed) {
            0 => events(&[open(1)]),
            1 => stub::json(503, &problem(503, "starting")),
            _ => events(&[over(0)]),
        },
    });
    let ran = run(&server.url, "run watch a1");
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "3 of 3 sites moved to site@2.0.0\nrun a1\n"),
        "{}",
        ran.notes
    );
    assert_eq!(server.lines().iter().filter(|line| line.ends_with("/events")).count(), 3);
}

#[test]
fn what_is_no_run_and_no_stream_is_told() {
    let server = Stub::start(|line| match line {
        _ if line.ends_with("/runs/nothing") => stub::json(404, &problem(404, "there is no run `nothing`")),
        _ if line.contains("/runs/odd/events") => stub::json(200, &json!({})),
        _ if line.contains("/runs/odd") => stub::json(200, &{
            let mut run = open(0);
            run["id"] = json!("odd");
            run
        }),
        _ => stub::json(200, &json!({"items": [], "next": null})),
    });
    assert_eq!(run(&server.url, "run watch nothing").code, 4);
    let odd = run(&server.url, "run watch odd");
    assert!(odd.code == 3 && odd.notes.contains("no stream of events"), "{}", odd.notes);
    let none = run(&server.url, "run watch");
    assert!(none.code == 2 && none.notes.contains("module activate"), "{}", none.notes);
}

#[test]
fn the_last_activation_is_rolled_back() {
    let server = Stub::start(|line| match line.starts_with("GET") {
        true => {
            let back = json!({"id": "b2", "kind": "rollback"});
            stub::json(200, &json!({"items": [back, {"id": "a9", "kind": "activation"}], "next": "c"}))
        }
        false => {
            let mut back = over(0);
            back["kind"] = json!("rollback");
            stub::json(201, &back)
        }
    });
    let ran = run(&server.url, "module rollback --last");
    assert_eq!((ran.code, ran.out.lines().next()), (0, Some("3 of 3 sites moved away from site@2.0.0")));
    assert_eq!(server.lines().last().unwrap(), "POST /-/api/v1/runs/a9/rollback");
    assert!(Root::try_parse_from(["rowhouse", "module", "rollback"]).is_err());
}

#[test]
fn runs_are_listed_shown_and_resumed() {
    let server = Stub::start(|line| match line {
        _ if line.starts_with("POST") && line.contains("/done/") => {
            stub::json(409, &problem(409, "nothing is left"))
        }
        _ if line.starts_with("POST") => stub::json(200, &over(0)),
        _ if line.contains("state=failed") => failed_items(),
        _ if line.contains("/runs/a1") => {
            let mut run = over(1);
            run["turns"] = json!(2);
            run["items"] = json!([]);
            run["next"] = Value::Null;
            stub::json(200, &run)
        }
        _ => stub::json(200, &json!({"items": [over(1)], "next": null})),
    });
    let expected = "\
ID  KIND        RELEASE     STATE   MOVED  FAILED  TOTAL  STARTED               BY
a1  activation  site@2.0.0  failed      2       1      3  2026-03-01 09:30:00Z  token ci
";
    assert_eq!(run(&server.url, "run list").out, expected);
    let shown = run(&server.url, "run show a1 --state failed").out;
    assert!(shown.contains("moved     2 of 3\nfailed    1\ntaken up  2 times\n"), "{shown}");
    assert!(
        shown.contains("chess  failed  site@1.0.0  site@2.0.0         1  migrate: no such [2J table"),
        "{shown}"
    );
    let document: Value =
        serde_json::from_str(&run(&server.url, "run show a1 --state failed --json").out).unwrap();
    assert_eq!((&document["id"], &document["items"][0]["tenant"]), (&json!("a1"), &json!("chess")));
    assert_eq!(run(&server.url, "run resume a1").code, 0);
    assert_eq!(run(&server.url, "run resume done").code, 5);
    assert!(Root::try_parse_from(["rowhouse", "run", "show", "--state", "odd"]).is_err());
}
