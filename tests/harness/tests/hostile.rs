//! Guests that attack: each ends as its limit says, and the site next door goes on.

use anyhow::Result;
use rowhouse_tests::{Answer, TestServer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Short limits, so that a test run is short; the shape of each end is the same as with the defaults.
const SHORT: &str = "[limits]\ncpu-ms = 300\nstatement-ms = 500\n";

/// For guests that wait rather than compute.
const IMPATIENT: &str = "[limits]\ncpu-ms = 300\nwall-ms = 2000\n";

/// For guests that take memory: a busy machine may need long to hand it out, and that is billed to them.
const PATIENT: &str = "[limits]\ncpu-ms = 30000\nwall-ms = 60000\n";

/// A server with an attacker and a quiet neighbour.
fn street(config: &str) -> Result<TestServer> {
    let server = TestServer::start_with(config)?;
    server.site_of("attacker", "hostile")?;
    server.site_of("neighbour", "hello")?;
    server.get("attacker", "/ok")?.expect(200)?;
    server.get("neighbour", "/")?.expect(200)?;
    Ok(server)
}

/// Attack, expected status, and the limit that the log must name.
const ENDED_BY_A_LIMIT: &[(&str, u16, &str)] = &[
    ("/loop", 500, "cpu-ms"),
    ("/recurse", 500, "stack"),
    ("/giant-header", 500, "header-bytes"),
    ("/giant-body?mib=20", 500, "response-bytes"),
];

#[test]
fn each_attack_ends_as_its_limit_says() -> Result<()> {
    end_as_said(&street(SHORT)?, ENDED_BY_A_LIMIT)
}

#[test]
fn a_guest_that_takes_all_memory_is_ended() -> Result<()> {
    end_as_said(&street(PATIENT)?, &[("/memory-bomb", 500, "memory-bytes")])
}

#[test]
fn a_guest_that_waits_too_long_is_ended() -> Result<()> {
    end_as_said(&street(IMPATIENT)?, &[("/sleep?ms=60000", 504, "wall-ms")])
}

fn end_as_said(server: &TestServer, attacks: &[(&str, u16, &str)]) -> Result<()> {
    for (path, status, limit) in attacks {
        let answer = server.get("attacker", path)?;
        assert_eq!(answer.status, *status, "{path}: {}", answer.text());
        let id = answer.header("x-request-id").to_owned();
        assert!(answer.text().contains(&id), "{path}: the page shows the request's number");
        let line = line_of(server, &answer, limit);
        assert!(line.contains("attacker"), "{path}: the log says `{line}`");
        server.get("neighbour", "/")?.expect(200)?;
        server.get("attacker", "/ok")?.expect(200)?;
    }
    Ok(())
}

#[test]
fn traps_and_answers_that_http_does_not_allow_become_plain_pages() -> Result<()> {
    let server = street(SHORT)?;
    for (path, status) in
        [("/trap", 500), ("/panic", 500), ("/invalid-header", 502), ("/invalid-status", 502)]
    {
        let answer = server.get("attacker", path)?;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(!answer.text().contains("wasm"), "{path}: nothing internal is shown");
        assert!(status != 500 || !line_of(&server, &answer, "ERROR").is_empty(), "{path}: {}", server.log());
    }
    server.get("attacker", "/ok")?.expect(200)?;
    Ok(())
}

/// The line of the log that tells this of a request. What the guest itself wrote has the request's number too.
fn line_of(server: &TestServer, answer: &Answer, what: &str) -> String {
    let id = answer.header("x-request-id");
    let log = server.log();
    let mut lines = log.lines().filter(|line| line.contains(id));
    lines.find(|line| line.contains(what)).unwrap_or_default().to_owned()
}

#[test]
fn a_site_that_says_500_itself_leaves_a_line_with_the_cause() -> Result<()> {
    // Its page has more rows than that.
    let server = TestServer::start_with("[limits]\nrows = 5\n")?;
    server.site_of("club", "page")?;
    let line = line_of(&server, &server.get("club", "/")?.expect(500)?, "ERROR");
    for part in ["club", "page@1.0.0", "the rows limit was reached"] {
        assert!(line.contains(part), "the log says `{line}`");
    }
    Ok(())
}

#[test]
fn sql_attacks_get_nothing() -> Result<()> {
    let server = street(SHORT)?;
    for path in [
        "/attach",
        "/pragma",
        "/vacuum-into",
        "/transaction-text",
        "/schema-change",
        "/slow-sql",
        "/slow-write",
        "/instr",
        "/replace",
        "/json-patch",
        "/trim2",
        "/hex2",
        "/like",
        "/glob",
    ] {
        let answer = server.get("attacker", path)?;
        if answer.status == 200 {
            let verdict = answer.json()?;
            assert_eq!(verdict["accepted"], serde_json::json!([]), "{path}: {verdict}");
        } else {
            assert!(matches!(answer.status, 500 | 504), "{path}: {} {}", answer.status, answer.text());
        }
        server.get("neighbour", "/")?.expect(200)?;
    }
    Ok(())
}

#[test]
fn files_stay_in_their_folder() -> Result<()> {
    let server = street(SHORT)?;
    let verdict = server.get("attacker", "/files-escape")?.expect(200)?.json()?;
    assert_eq!(verdict["accepted"], serde_json::json!([]), "{verdict}");
    Ok(())
}

#[test]
fn what_one_guest_leaves_in_memory_no_other_finds() -> Result<()> {
    let server = street("")?;
    server.tenant("second", Some("hostile@1.0.0"))?;
    for _ in 0..20 {
        server.get("attacker", "/canary-write")?.expect(200)?;
        for tenant in ["second", "attacker"] {
            let answer = server.get(tenant, "/canary-scan")?.expect(200)?;
            assert_eq!(answer.json()?["accepted"], serde_json::json!([]), "{tenant}: {}", answer.text());
        }
    }
    Ok(())
}

#[test]
fn wasi_http_attacks_end_too() -> Result<()> {
    let server = TestServer::start_with(IMPATIENT)?;
    server.site_of("attacker", "hostile-http02")?;
    server.site_of("neighbour", "hello-http02")?;
    let visitor = server.visitor();
    for path in ["/never-set", "/set-then-loop", "/slow-drip", "/endless", "/giant-header", "/leak", "/loop"]
    {
        // Bodies that break off are errors of the client; statuses of the server are answers. Both are ends.
        match visitor.get(&format!("/attacker{path}")) {
            Ok(answer) => assert!(matches!(answer.status, 200 | 500..=504), "{path}: {}", answer.status),
            Err(error) => assert!(!format!("{error:#}").contains("timeout"), "{path}: {error:#}"),
        }
        server.get("neighbour", "/")?.expect(200)?;
    }
    Ok(())
}

#[test]
fn an_answer_whose_guest_fails_is_never_taken_for_whole() -> Result<()> {
    let server = TestServer::start_with(IMPATIENT)?;
    server.site_of("attacker", "hostile-http02")?;
    // It writes a line and traps: nothing has left yet.
    let answer = server.get("attacker", "/set-then-trap")?.expect(500)?;
    let line = line_of(&server, &answer, "ERROR");
    assert!(line.contains("the guest trapped"), "the log says `{line}`");
    // It writes a line and computes until its limit: the line has left by then, and no end follows.
    let broken = server.visitor().get("/attacker/set-then-loop");
    assert!(broken.is_err(), "{:?}", broken.map(|answer| answer.text().to_owned()));
    assert!(server.log().contains("a guest ended after its response had begun"), "{}", server.log());
    Ok(())
}

#[test]
fn many_memories_count_together() -> Result<()> {
    let server = TestServer::start_with("[limits]\nmemory-bytes = 67108864\n")?;
    server.site_of("attacker", "multi-memory")?;
    // The guest grows eight memories in turn until none grows any more, and answers with all their pages.
    let answer = server.get("attacker", "/")?.expect(200)?;
    let pages: u64 = answer.text().trim().parse()?;
    assert!(pages > 0 && pages * 65_536 <= 67_108_864, "{pages} pages are more than the sum allows");
    Ok(())
}

/// Attacks while somebody else's page is asked for again and again: every one of those is answered.
fn neighbour_survives(server: &TestServer, path: &'static str) -> Result<u64> {
    let stop = Arc::new(AtomicBool::new(false));
    let attacks = Arc::new(AtomicU64::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (client, stop, attacks) = (server.visitor(), Arc::clone(&stop), Arc::clone(&attacks));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    drop(client.get(&format!("/attacker{path}")));
                    attacks.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(50));
    let outcome = (0..100).try_for_each(|_| server.get("neighbour", "/")?.expect(200).map(drop));
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().map_err(|_panic| anyhow::anyhow!("an attacker panicked"))?;
    }
    outcome?;
    Ok(attacks.load(Ordering::Relaxed))
}

#[test]
fn a_neighbour_is_served_beside_each_attack() -> Result<()> {
    let server = street(SHORT)?;
    for path in
        ["/loop", "/memory-bomb", "/flood", "/slow-sql", "/random-flood", "/stderr-flood", "/tx-leave-open"]
    {
        assert!(neighbour_survives(&server, path)? > 0, "{path} ran");
    }
    Ok(())
}

#[test]
fn a_guest_that_never_yields_cannot_hold_one_core() -> Result<()> {
    let server = TestServer::start_on_one_core()?;
    server.site_of("attacker", "hostile")?;
    server.site_of("neighbour", "hello")?;
    assert!(neighbour_survives(&server, "/loop")? > 0);
    Ok(())
}

#[test]
fn overload_waits_and_then_asks_to_come_back() -> Result<()> {
    let config = "[guest]\nqueue-ms = 300\n[limits]\nconcurrent-requests = 1\nqueued-requests = 2\n";
    let server = street(config)?;
    let threads: Vec<_> = (0..12)
        .map(|_| {
            let client = server.visitor();
            thread::spawn(move || {
                client
                    .get("/attacker/sleep?ms=1000")
                    .map(|answer| (answer.status, answer.header("retry-after").to_owned()))
            })
        })
        .collect();
    let mut seen = Vec::new();
    for thread in threads {
        seen.push(thread.join().map_err(|_panic| anyhow::anyhow!("a client panicked"))??);
    }
    assert!(seen.iter().any(|(status, _)| *status == 200), "{seen:?}");
    let refused: Vec<_> = seen.iter().filter(|(status, _)| *status != 200).collect();
    assert!(
        !refused.is_empty() && refused.iter().all(|(status, after)| *status == 503 && !after.is_empty()),
        "{seen:?}"
    );
    server.get("neighbour", "/")?.expect(200)?;
    Ok(())
}

#[test]
fn a_body_larger_than_allowed_is_refused() -> Result<()> {
    let server = TestServer::start_with("[limits]\nrequest-bytes = 1000\n")?;
    server.site_of("site", "hello")?;
    let answer = server.visitor().post_bytes("/site/", "text/plain", &[b'x'; 5000])?;
    assert_eq!(answer.status, 413, "{}", answer.text());
    Ok(())
}
