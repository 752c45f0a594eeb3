//! Servers of a farm, and waiting for all of them.

use super::{run, stub};
use serde_json::json;
use stub::{Given, Stub};

#[test]
fn servers_are_listed_and_told_to_leave() {
    let server = Stub::start(|line| match line.starts_with("GET") {
        true => stub::json(
            200,
            &json!({"generation": 42, "items": [
                {"id": "i-1", "name": "web1", "version": "1.0.0", "state": "serving", "applied": 42, "behind": 0,
                 "started_at": "2026-03-01T09:30:00Z", "silent_ms": 10, "is_this": true},
                {"id": "i-2", "name": "web2", "version": "1.0.0", "state": "silent", "applied": 40, "behind": 2,
                 "started_at": "2026-03-01T09:30:00Z", "silent_ms": 99_000, "is_this": false},
            ]}),
        ),
        false => stub::json(200, &json!({"id": "i-2", "name": "web2", "state": "draining"})),
    });
    let listed = run(&server.url, "server list");
    assert_eq!(listed.code, 0, "{}", listed.notes);
    let lines: Vec<&str> = listed.out.lines().collect();
    assert!(lines[0].starts_with("NAME  STATE    GENERATION  BEHIND  VERSION"), "{}", listed.out);
    assert!(lines[2].starts_with("web2  silent           40       2  1.0.0"), "{}", listed.out);
    let drained = run(&server.url, "server drain web2");
    assert_eq!((drained.code, drained.out.as_str()), (0, "web2 finishes what is in flight and ends\n"));
    assert_eq!(server.lines().last().unwrap(), "POST /-/api/v1/servers/web2/drain");
    assert!(run(&server.url, "server list --json").out.contains("\"generation\": 42"));
}

#[test]
fn a_change_says_who_is_behind_where_it_waited() {
    for (behind, expected) in
        [("", "every server has generation 7"), ("web2, web3", "not yet at generation 7: web2, web3")]
    {
        let fields: &'static str = match behind {
            "" => "Rowhouse-Generation: 7\r\nRowhouse-Behind: \r\n",
            _ => "Rowhouse-Generation: 7\r\nRowhouse-Behind: web2, web3\r\n",
        };
        let server =
            Stub::start(move |_| Given(200, "application/json", super::tenant("rowing").to_string(), fields));
        let ran = run(&server.url, "tenant suspend rowing --wait 5");
        assert_eq!(ran.code, 0, "{}", ran.notes);
        assert_eq!(server.lines(), ["POST /-/api/v1/tenants/rowing/suspend?wait=5"]);
        assert!(ran.notes.contains(expected), "{}", ran.notes);
    }
    let server = Stub::start(|_| stub::json(200, &json!({"items": [], "next": null})));
    assert_eq!(run(&server.url, "tenant list --wait 5").code, 0);
    assert_eq!(server.lines(), ["GET /-/api/v1/tenants?limit=200"], "reading changes nothing");
}
