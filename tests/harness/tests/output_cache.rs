//! The output cache from outside: what is kept, that an edit is seen at the next request, and that nobody
//! gets what belongs to somebody else. A model judges the reads, not a clock.

#[path = "output_cache/fire.rs"]
mod fire;

use anyhow::{Context, Result};
use fire::{Counts, Fire};
use rowhouse_tests::{Answer, Client, TestServer, guest};
use std::collections::HashSet;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

/// Deletes the site at once.
const GONE: &str = "/-/api/v1/tenants/club?confirm=club&now=true";

fn is_hit(answer: &Answer) -> bool {
    answer.header("cache-status").contains("; hit")
}

/// A server with one site whose pages are kept.
fn kept_site() -> Result<(TestServer, Client)> {
    let server = TestServer::start()?;
    server.site_of("club", "kept")?;
    let visitor = server.visitor();
    Ok((server, visitor))
}

/// Asks until the page comes from the cache, and answers what it says then.
fn warmed(visitor: &Client, path: &str) -> Result<Answer> {
    for _attempt in 0..3 {
        let answer = visitor.get(path)?.expect(200)?;
        if is_hit(&answer) {
            return Ok(answer);
        }
    }
    let answer = visitor.get(path)?;
    anyhow::bail!("{path} is never kept: {}", answer.header("cache-status"))
}

#[test]
fn a_page_is_kept_until_what_it_was_made_from_changes() -> Result<()> {
    let (_server, visitor) = kept_site()?;
    let first = visitor.get("/club/item/1")?.expect(200)?;
    assert!(!is_hit(&first));
    assert!(first.header("cache-status").contains("fwd=uri-miss"), "{}", first.header("cache-status"));
    assert_eq!(first.header("rowhouse-cache-control"), "", "what the host was told stays with the host");
    let second = warmed(&visitor, "/club/item/1")?;
    assert_eq!(second.header("x-rendering"), first.header("x-rendering"));
    assert!(!second.header("age").is_empty());
    assert_eq!(visitor.send("POST", "/club/item/1", None)?.expect(200)?.text(), "1\n");
    let third = visitor.get("/club/item/1")?.expect(200)?;
    assert_eq!(third.text(), "1\n");
    assert_ne!(third.header("x-rendering"), first.header("x-rendering"));
    Ok(())
}

#[test]
fn tags_and_files_make_their_pages_stale_and_no_others() -> Result<()> {
    let (_server, visitor) = kept_site()?;
    let red = warmed(&visitor, "/club/tagged/red")?;
    let blue = warmed(&visitor, "/club/tagged/blue")?;
    let note = warmed(&visitor, "/club/note")?;
    visitor.send("POST", "/club/purge/red", None)?.expect(204)?;
    assert_ne!(visitor.get("/club/tagged/red")?.header("x-rendering"), red.header("x-rendering"));
    assert_eq!(visitor.get("/club/tagged/blue")?.header("x-rendering"), blue.header("x-rendering"));
    assert_eq!(visitor.get("/club/note")?.header("x-rendering"), note.header("x-rendering"));
    visitor.post_bytes("/club/note", "text/plain", b"hello")?.expect(204)?;
    assert_eq!(visitor.get("/club/note")?.text(), "hello\n");
    assert_eq!(visitor.get("/club/tagged/blue")?.header("x-rendering"), blue.header("x-rendering"));
    Ok(())
}

#[test]
fn a_page_that_asked_who_looks_is_shared_with_nobody() -> Result<()> {
    let (server, visitor) = kept_site()?;
    let operator = server.operator()?;
    let ada = serde_json::json!({ "name": "ada", "password": "a long enough password" });
    operator.post_json("/-/api/v1/users", &ada)?.expect(201)?;
    let roles = br#"{"roles":["owner"]}"#;
    operator
        .send("PUT", "/-/api/v1/tenants/club/members/ada", Some(("application/json", roles)))?
        .expect(200)?;
    let ada = visitor.signed_in("/club", "ada", "a long enough password")?;
    for _round in 0..3 {
        let hers = ada.get("/club/who")?.expect(200)?;
        let theirs = visitor.get("/club/who")?.expect(200)?;
        assert!(!is_hit(&hers) && !is_hit(&theirs));
        assert_eq!(theirs.text(), "nobody\n");
    }
    // One that did not ask is the same for both.
    let shared = warmed(&visitor, "/club/item/2")?;
    assert_eq!(ada.get("/club/item/2")?.header("x-rendering"), shared.header("x-rendering"));
    Ok(())
}

#[test]
fn fields_that_are_no_part_of_the_key_reach_no_other_visitor() -> Result<()> {
    let (_server, visitor) = kept_site()?;
    for (name, value) in
        [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "gopher"), ("x-original-url", "/evil")]
    {
        let poisoned = visitor.clone().with_field(name, value);
        for path in ["/club/echo", "/club/echo?a=1&b=2"] {
            poisoned.get(path)?.expect(200)?;
            let seen = visitor.get(path)?.expect(200)?.text();
            assert!(!seen.contains(value), "{name} came through: {seen}");
        }
    }
    // Another order is another address; another language another variant; another host another page.
    let german = visitor.clone().with_field("accept-language", "de");
    let asked = [
        visitor.get("/club/echo?a=1&b=2")?.text(),
        visitor.get("/club/echo?b=2&a=1")?.text(),
        german.get("/club/echo?a=1&b=2")?.text(),
        visitor.clone().with_field("host", "club.localhost").get("/echo?a=1&b=2")?.text(),
    ];
    assert_eq!(asked.iter().collect::<HashSet<_>>().len(), asked.len(), "{asked:?}");
    Ok(())
}

#[test]
fn a_name_used_again_and_another_release_show_nothing_old() -> Result<()> {
    let (server, visitor) = kept_site()?;
    let operator = server.operator()?;
    visitor.send("POST", "/club/item/1", None)?.expect(200)?;
    let before = warmed(&visitor, "/club/item/1")?;
    assert_eq!(before.text(), "1\n");
    operator.send("DELETE", GONE, None)?.expect(200)?;
    server.tenant("club", Some("kept@1.0.0"))?;
    assert_eq!(visitor.get("/club/item/1")?.expect(200)?.text(), "0\n");
    let old = warmed(&visitor, "/club/echo")?;
    let mut bytes = guest("kept")?.bytes;
    // A custom section that nobody reads makes another release of the same code.
    bytes.extend_from_slice(&[0, 6, 4, b'v', b'e', b'r', b's', 2]);
    server.push("kept", "2.0.0", &bytes)?;
    server.activate(&serde_json::json!({ "release": "kept@2.0.0", "tenants": null }))?;
    let new = visitor.get("/club/echo")?.expect(200)?;
    assert_ne!(new.text(), old.text());
    assert!(new.text().contains("kept@2.0.0"), "{}", new.text());
    Ok(())
}

/// Everybody asks for one page that nobody has yet.
fn stampede(visitor: &Client, path: &str, visitors: usize) -> Result<usize> {
    let start = Arc::new(Barrier::new(visitors));
    let asking: Vec<_> = (0..visitors)
        .map(|_number| {
            let (start, visitor, path) = (Arc::clone(&start), visitor.clone(), path.to_owned());
            thread::Builder::new().stack_size(256 << 10).spawn(move || {
                start.wait();
                visitor
                    .get(&path)
                    .and_then(|answer| answer.expect(200))
                    .map(|answer| answer.header("x-rendering").to_owned())
            })
        })
        .collect::<std::io::Result<_>>()?;
    let mut renderings = HashSet::new();
    for one in asking {
        renderings.insert(one.join().map_err(|_panic| anyhow::anyhow!("a visitor panicked"))??);
    }
    Ok(renderings.len())
}

#[test]
fn five_hundred_simultaneous_misses_render_once() -> Result<()> {
    let (_server, visitor) = kept_site()?;
    for round in 0..3 {
        assert_eq!(stampede(&visitor, &format!("/club/item/{round}?fresh"), 500)?, 1);
    }
    Ok(())
}

fn under_fire(config: &str, server_name: Option<&str>) -> Result<Counts> {
    let server = TestServer::start_with(config)?;
    server.push("kept", "1.0.0", &guest("kept")?.bytes)?;
    let body = serde_json::json!({
        "name": "club", "title": "Club", "release": "kept@1.0.0", "data_server": server_name,
    });
    server.operator()?.post_json("/-/api/v1/tenants", &body)?.expect(201)?;
    let counts = Fire::new(vec![server.visitor()], "/club", Duration::ZERO).burn();
    let gone = server.operator()?.send("DELETE", GONE, None);
    let counts = counts.context("readers and writers")?;
    gone?.expect(200)?;
    assert_eq!((counts.stale, counts.unseen, counts.cut), (0, 0, 0), "{counts:?}");
    assert!(counts.reads > 0 && counts.hits > 0 && counts.writes > 0, "{counts:?}");
    assert_eq!((counts.failed, counts.failure.as_deref()), (0, None), "{counts:?}");
    Ok(counts)
}

fn postgresql() -> String {
    let url = std::env::var("ROWHOUSE_TEST_POSTGRES")
        .unwrap_or_else(|_unset| "postgres://postgres@127.0.0.1:5432/postgres".into());
    format!("[data-servers.elsewhere]\nengine = \"postgresql\"\nspares = 0\nurl = \"{url}\"\n")
}

fn mariadb() -> String {
    let url =
        std::env::var("ROWHOUSE_TEST_MARIADB").unwrap_or_else(|_unset| "mysql://root@127.0.0.1:3306/".into());
    format!("[data-servers.elsewhere]\nengine = \"mysql\"\nurl = \"{url}\"\n")
}

#[test]
fn under_fire_on_sqlite() -> Result<()> {
    println!("{:?}", under_fire("", None)?);
    Ok(())
}

#[test]
fn under_fire_on_postgresql() -> Result<()> {
    println!("{:?}", under_fire(&postgresql(), Some("elsewhere"))?);
    Ok(())
}

#[test]
fn under_fire_on_mariadb() -> Result<()> {
    println!("{:?}", under_fire(&mariadb(), Some("elsewhere"))?);
    Ok(())
}
