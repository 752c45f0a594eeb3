//! The output cache as operators see it: counts, pages made anew over the API, and metrics.

use anyhow::{Context, Result};
use rowhouse_tests::{Answer, Client, TestServer};
use serde_json::{Value, json};

const FLUSH: &str = "/-/api/v1/tenants/club/cache/flush";

/// A server with one site whose pages are kept.
fn kept_site() -> Result<(TestServer, Client, Client)> {
    let server = TestServer::start()?;
    server.site_of("club", "kept")?;
    let (operator, visitor) = (server.operator()?, server.visitor());
    Ok((server, operator, visitor))
}

/// Asks until the page comes from the cache, and answers which rendering it is.
fn warmed(visitor: &Client, path: &str) -> Result<String> {
    for _attempt in 0..3 {
        let answer = visitor.get(path)?.expect(200)?;
        if answer.header("cache-status").contains("; hit") {
            return Ok(rendering(&answer));
        }
    }
    anyhow::bail!("{path} is never kept")
}

fn rendering(answer: &Answer) -> String {
    answer.header("x-rendering").to_owned()
}

fn now(visitor: &Client, path: &str) -> Result<String> {
    Ok(rendering(&visitor.get(path)?.expect(200)?))
}

fn number(value: &Value, pointer: &str) -> Result<u64> {
    value.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("{pointer} of {value}"))
}

#[test]
fn hits_and_bytes_are_counted_and_shown() -> Result<()> {
    let (_server, operator, visitor) = kept_site()?;
    warmed(&visitor, "/club/item/1")?;
    let before = operator.get("/-/api/v1/tenants/club/cache")?.expect(200)?.json()?;
    assert_eq!(now(&visitor, "/club/item/1")?, now(&visitor, "/club/item/1")?);
    let after = operator.get("/-/api/v1/tenants/club/cache")?.expect(200)?.json()?;
    assert_eq!(number(&after, "/hits")?, number(&before, "/hits")? + 2);
    assert!(number(&after, "/misses")? >= 1 && number(&after, "/fills")? >= 1, "{after}");
    assert!(number(&after, "/entries")? >= 1 && number(&after, "/bytes")? > 0, "{after}");
    let all = operator.get("/-/api/v1/cache")?.expect(200)?.json()?;
    assert_eq!(all.pointer("/items/0"), Some(&after));
    assert_eq!(number(&all, "/totals/hits")?, number(&after, "/hits")?);
    assert_eq!(visitor.get("/-/api/v1/cache")?.status, 401);
    Ok(())
}

#[test]
fn a_flush_makes_its_pages_anew_and_no_others() -> Result<()> {
    let (server, operator, visitor) = kept_site()?;
    let host = visitor.clone().with_field("host", &format!("club.localhost:{}", server.port()));
    let (red, blue, item) = ("/club/tagged/red", "/club/tagged/blue", "/club/item/1?a=1&b=2");
    let [was_red, was_blue, was_item] =
        [warmed(&visitor, red)?, warmed(&visitor, blue)?, warmed(&visitor, item)?];
    let was_host = warmed(&host, "/item/1?a=1&b=2")?;

    operator.post_json(FLUSH, &json!({ "tag": "red" }))?.expect(200)?;
    let is_red = warmed(&visitor, red)?;
    assert_ne!(is_red, was_red);
    assert_eq!((now(&visitor, blue)?, now(&visitor, item)?), (was_blue.clone(), was_item.clone()));

    // One page, however it is reached; the site's others stay.
    let told = operator.post_json(FLUSH, &json!({ "url": "/item/1?a=1&b=2" }))?.expect(200)?.json()?;
    let is_item = warmed(&visitor, item)?;
    assert_ne!(is_item, was_item, "{told}");
    assert_ne!(now(&host, "/item/1?a=1&b=2")?, was_host, "{told}");
    assert_eq!((now(&visitor, red)?, now(&visitor, blue)?), (is_red.clone(), was_blue.clone()));

    operator.post_json(FLUSH, &json!({}))?.expect(200)?;
    assert_ne!(now(&visitor, red)?, is_red);
    assert_ne!(now(&visitor, blue)?, was_blue);
    assert_ne!(now(&visitor, item)?, is_item);

    let trail = operator.get("/-/api/v1/audit?tenant=club")?.expect(200)?.json()?;
    let items = trail.get("items").and_then(Value::as_array).context("a list")?;
    let flushes = items.iter().filter(|entry| entry.get("action") == Some(&json!("cache.flush")));
    assert_eq!(flushes.count(), 3, "{trail}");
    for wrong in [json!({ "tag": "a b" }), json!({ "url": "http://elsewhere.example/" }), json!({ "x": 1 })] {
        let answer = operator.post_json(FLUSH, &wrong)?.expect(422)?;
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    Ok(())
}

#[test]
fn metrics_are_for_operators() -> Result<()> {
    let (_server, operator, visitor) = kept_site()?;
    warmed(&visitor, "/club/item/1")?;
    for stranger in [visitor.clone(), visitor.clone().with_token("rh_wrong")] {
        let refused = stranger.get("/-/metrics")?.expect(401)?;
        assert!(!refused.text().contains("rowhouse_"), "{}", refused.text());
    }
    let answer = operator.get("/-/metrics")?.expect(200)?;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = answer.text();
    let value = |series: &str| -> Result<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("{series} is not in\n{text}"))?.parse()?)
    };
    assert_eq!(value("rowhouse_tenants{state=\"active\"}")?, 1);
    assert!(value("rowhouse_generation")? > 0);
    assert!(value("rowhouse_cache_hits_total")? >= 1);
    assert!(value("rowhouse_tenant_cache_bytes{tenant=\"club\"}")? > 0);
    assert!(value("process_resident_memory_bytes")? > 1 << 20);
    assert!(value("process_open_fds")? > 3);
    Ok(())
}
