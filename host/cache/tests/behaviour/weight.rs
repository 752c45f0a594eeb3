//! Memory: how much, whose, and in which coding.

use crate::setup::{Fields, House, Served, answer, fresh};
use rowhouse_base::id::TenantId;
use rowhouse_cache::CacheConfig;

const MEGABYTE: u64 = 1 << 20;

fn small() -> CacheConfig {
    CacheConfig { memory_bytes: MEGABYTE, tenant_share: 0.25, ..Default::default() }
}

#[tokio::test]
async fn memory_and_shares_are_kept() {
    let house = House::with(small(), None);
    let body = "x".repeat(4000);
    let mut tenants = vec![house.clone()];
    for _ in 0..7 {
        let mut other = house.clone();
        other.site.tenant = TenantId::new();
        tenants.push(other);
    }
    let quiet = tenants.first().unwrap().clone();
    quiet.get("/quiet", &[], Some(fresh(&body))).await;
    for number in 0..400 {
        for (place, tenant) in tenants.iter().enumerate().skip(1) {
            // The second tenant asks for much more than the others.
            if place == 1 || number < 10 {
                tenant.get(&format!("/{number}"), &[], Some(fresh(&body))).await;
            }
            assert!(house.cache.stats().bytes <= MEGABYTE);
            let stats = house.cache.tenant_stats(tenant.site.tenant);
            assert!(stats.is_none_or(|stats| stats.bytes <= MEGABYTE / 4), "{stats:?}");
        }
    }
    assert!(quiet.hits("/quiet", &[]).await, "a greedy neighbour pushes out its own pages");
    let greedy = house.cache.tenant_stats(tenants.get(1).unwrap().site.tenant).unwrap();
    assert!(greedy.evictions > 300 && greedy.entries > 20, "{greedy:?}");
}

#[tokio::test]
async fn a_page_that_is_shown_outlives_those_that_are_not() {
    let house = House::with(small(), None);
    let body = "x".repeat(4000);
    house.get("/shown", &[], Some(fresh(&body))).await;
    for number in 0..300 {
        house.get(&format!("/{number}"), &[], Some(fresh(&body))).await;
        assert!(house.hits("/shown", &[]).await, "after {number}");
    }
}

#[tokio::test]
async fn a_page_larger_than_the_share_is_shown_and_not_stored() {
    let house = House::with(small(), None);
    let body = "x".repeat(300_000);
    let served = house.get("/", &[], Some(fresh(&body))).await;
    assert_eq!(served.body().len(), 300_000);
    assert!(!served.field("cache-status").contains("stored"), "{}", served.field("cache-status"));
    assert_eq!(house.cache.stats().bytes, 0);
}

#[tokio::test]
async fn counts_follow_what_is_stored() {
    let house = House::new();
    for path in ["/1", "/2", "/3"] {
        house.get(path, &[], Some(fresh("page"))).await;
    }
    assert!(house.hits("/1", &[]).await);
    let stats = house.cache.tenant_stats(house.site.tenant).unwrap();
    assert_eq!((stats.hits, stats.misses, stats.fills, stats.entries), (1, 3, 3, 3));
    assert_eq!(stats.bytes, house.cache.stats().bytes);
    house.cache.forget_uri(house.site, "http://site.test", "", "/1");
    assert_eq!(house.cache.tenant_stats(house.site.tenant).unwrap().entries, 2);
    house.cache.drop_tenant(house.site.tenant);
    assert_eq!(house.cache.tenant_stats(house.site.tenant), None);
    assert_eq!(house.cache.stats().bytes, 0);
}

/// Visits until the page is there in the coding that the visitor likes: it is made in the background.
async fn coded(house: &House, accepted: &str, coding: &str) -> Served {
    loop {
        let served = house.get("/", &[("accept-encoding", accepted)], None).await;
        if served.field("content-encoding") == coding {
            return served;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn text_is_coded_once_for_those_who_like_it() {
    let html: Fields<'_> =
        &[("cache-control", "max-age=60"), ("content-type", "text/html; charset=utf-8"), ("etag", "\"a\"")];
    let body = "<p>row after row</p>".repeat(200);
    let house = House::new();
    let plain = house.get("/", &[], Some(answer(200, html, &body))).await;
    assert_eq!((plain.field("vary"), plain.field("etag")), ("accept-encoding", "\"a\""));
    let before = house.cache.stats().bytes;
    for (accepted, coding, tag) in [
        ("gzip, br", "br", "\"a-br\""),
        ("gzip;q=1, br;q=0.5", "gzip", "\"a-gzip\""),
        ("zstd", "zstd", "\"a-zstd\""),
    ] {
        let served = coded(&house, accepted, coding).await;
        assert_eq!(served.field("etag"), tag);
        assert_eq!(served.field("content-length"), served.answer.body().len().to_string());
        assert!(served.answer.body().len() < body.len());
        let again = house.get("/", &[("accept-encoding", accepted), ("if-none-match", tag)], None).await;
        assert_eq!((again.status(), again.field("etag")), (304, tag));
    }
    assert!(house.cache.stats().bytes > before, "codings weigh too");
    let ranged = house.get("/", &[("accept-encoding", "br"), ("range", "bytes=0-2")], None).await;
    assert_eq!((ranged.status(), ranged.body()), (206, "<p>"));
    assert_eq!(house.get("/", &[("accept-encoding", "br;q=0")], None).await.body(), body);
}

#[tokio::test]
async fn what_is_not_to_be_coded_stays_as_it_is() {
    let body = "row after row ".repeat(200);
    for list in [
        &[("cache-control", "max-age=60"), ("content-type", "image/png")][..],
        &[("cache-control", "max-age=60, no-transform"), ("content-type", "text/html")],
        &[("cache-control", "max-age=60"), ("content-type", "text/html"), ("content-encoding", "x")],
    ] {
        let house = House::new();
        house.get("/", &[], Some(answer(200, list, &body))).await;
        for _ in 0..5 {
            let served = house.get("/", &[("accept-encoding", "br")], None).await;
            assert_eq!((served.body(), served.field("vary")), (body.as_str(), ""));
        }
    }
}
