//! Answers from the store: what is reused, what visitors get of it, what makes it invalid.

use crate::setup::{Fields, House, answer, fresh};

const LONG_AGO: &str = "Wed, 01 Jan 2020 00:00:00 GMT";

/// Whether a second request is answered without the guest.
async fn reused(status: u16, answered: Fields<'_>, first: Fields<'_>, second: Fields<'_>) -> bool {
    let house = House::new();
    house.get("/", first, Some(answer(status, answered, "body"))).await;
    house.hits("/", second).await
}

#[tokio::test]
async fn fresh_answers_are_reused_and_others_are_not() {
    for (status, line, expected) in [
        (200, "max-age=60", true),
        (404, "max-age=60", true),
        (503, "max-age=60", true),
        (299, "max-age=60", true),
        (200, "max-age=0", false),
        (200, "max-age=0, s-maxage=60", true),
        (200, "max-age=60, s-maxage=0", false),
        (200, "private, max-age=60", false),
        (200, "max-age=60, no-cache", false),
        (200, "no-cache=\"x\", max-age=60", true),
        (206, "max-age=60", false),
    ] {
        let found = reused(status, &[("cache-control", line)], &[], &[]).await;
        assert_eq!(found, expected, "{status} {line}");
    }
}

#[tokio::test]
async fn visitors_directives_are_heeded() {
    let kept: Fields<'_> = &[("cache-control", "max-age=600"), ("age", "100")];
    for (field, line, expected) in [
        ("cache-control", "max-age=200", true),
        ("cache-control", "max-age=50", false),
        ("cache-control", "min-fresh=400", true),
        ("cache-control", "min-fresh=550", false),
        ("cache-control", "no-cache", false),
        ("cache-control", "no-store", false),
        ("cache-control", "unknown", true),
        ("pragma", "no-cache", false),
        ("pragma", "unknown", true),
        ("cookie", "a=b", true),
        ("if-match", "\"x\"", false),
    ] {
        assert_eq!(reused(200, kept, &[], &[(field, line)]).await, expected, "{field}: {line}");
    }
    let stale: Fields<'_> = &[("cache-control", "max-age=50"), ("age", "100"), ("etag", "\"a\"")];
    assert!(reused(200, stale, &[], &[("cache-control", "max-stale=100")]).await);
    assert!(!reused(200, stale, &[], &[("cache-control", "max-stale=10")]).await);
    let only = House::new().get("/", &[("cache-control", "only-if-cached")], None).await;
    assert_eq!((only.status(), only.asked.is_none()), (504, true));
}

#[tokio::test]
async fn authorization_is_shared_only_with_permission() {
    let with: Fields<'_> = &[("authorization", "Basic x")];
    for (line, expected) in [
        ("max-age=60", false),
        ("max-age=60, public", true),
        ("s-maxage=60", true),
        ("max-age=60, must-revalidate", true),
    ] {
        assert_eq!(reused(200, &[("cache-control", line)], with, &[]).await, expected, "{line}");
        assert_eq!(
            reused(200, &[("cache-control", line)], &[], with).await,
            expected,
            "{line} the other way"
        );
    }
}

#[tokio::test]
async fn variants_are_kept_apart() {
    let house = House::new();
    let varied = |body: &str| Some(answer(200, &[("cache-control", "max-age=60"), ("vary", "Foo")], body));
    house.get("/", &[("foo", "1")], varied("one")).await;
    let other = house.get("/", &[("foo", "2")], varied("two")).await;
    assert!(other.field("cache-status").contains("fwd=vary-miss"), "{other:?}");
    assert_eq!(house.get("/", &[("foo", "1"), ("bar", "x")], None).await.body(), "one");
    assert_eq!(house.get("/", &[("foo", " 2 ")], None).await.body(), "two");
    assert!(!house.hits("/", &[]).await);
    let german: Fields<'_> =
        &[("cache-control", "max-age=60"), ("vary", "accept-language"), ("content-language", "de")];
    let languages = |second| reused(200, german, &[("accept-language", "en, de")], second);
    assert!(languages(&[("accept-language", "de,EN")]).await);
    assert!(languages(&[("accept-language", "fr;q=0.5, de")]).await);
    assert!(!languages(&[("accept-language", "fr, de;q=0.5")]).await);
}

#[tokio::test]
async fn visitors_get_the_view_they_ask_for() {
    let house = House::new();
    let kept: Fields<'_> =
        &[("cache-control", "max-age=60"), ("etag", "\"a\""), ("last-modified", LONG_AGO), ("age", "7")];
    let first = house.get("/", &[("range", "bytes=0-1")], Some(answer(200, kept, "0123456789"))).await;
    assert_eq!((first.status(), first.body()), (206, "01"));
    assert!(
        first.asked.as_ref().is_some_and(|asked| !asked.contains_key("range")),
        "the guest makes it whole"
    );
    for (method, asked, status, body) in [
        ("GET", &[][..], 200, "0123456789"),
        ("HEAD", &[], 200, ""),
        ("GET", &[("if-none-match", "\"x\", W/\"a\"")], 304, ""),
        ("GET", &[("if-none-match", "\"x\""), ("if-modified-since", LONG_AGO)], 200, "0123456789"),
        ("GET", &[("if-modified-since", LONG_AGO)], 304, ""),
        ("GET", &[("range", "bytes=-2")], 206, "89"),
        ("GET", &[("range", "bytes=5-")], 206, "56789"),
        ("GET", &[("range", "bytes=10-")], 416, ""),
        ("GET", &[("range", "bytes=0-1"), ("if-range", "\"b\"")], 200, "0123456789"),
        ("GET", &[("range", "bytes=0-1"), ("if-none-match", "\"a\"")], 304, ""),
    ] {
        let served = house.visit(method, "/", asked, None).await;
        assert_eq!((served.status(), served.body()), (status, body), "{method} {asked:?}");
        assert!(served.asked.is_none());
        assert!(served.field("cache-status").starts_with("rowhouse; hit; ttl="), "{served:?}");
        assert!(served.field("age").parse::<u64>().unwrap() >= 7);
        if status == 200 {
            assert_eq!(served.field("content-length"), "10", "{method}");
        }
        if status == 304 {
            assert_eq!(served.field("etag"), "\"a\"");
        }
    }
}

#[tokio::test]
async fn pages_without_a_tag_get_one() {
    let house = House::new();
    let tag = house.get("/", &[], Some(fresh("body"))).await.field("etag").to_owned();
    assert_eq!(tag.len(), 34);
    assert_eq!(house.get("/", &[("if-none-match", &tag)], None).await.status(), 304);
    assert_ne!(house.get("/other", &[], Some(fresh("other"))).await.field("etag"), tag);
}

#[tokio::test]
async fn what_is_for_this_cache_alone_goes_no_further() {
    let house = House::new();
    let targeted: Fields<'_> = &[
        ("cache-control", "no-store"),
        ("rowhouse-cache-control", "max-age=60"),
        ("surrogate-control", "no-store"),
        ("cdn-cache-control", "no-store"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("set-cookie2", "kept"),
    ];
    house.get("/", &[], Some(answer(200, targeted, "body"))).await;
    let hit = house.get("/", &[], None).await;
    assert!(hit.asked.is_none());
    for gone in ["rowhouse-cache-control", "surrogate-control", "connection", "x-hop"] {
        assert_eq!(hit.field(gone), "", "{gone}");
    }
    assert_eq!(hit.field("cdn-cache-control"), "no-store");
    assert_eq!(hit.field("cache-control"), "no-store");
    let passed: Fields<'_> = &[("surrogate-control", "no-store"), ("cache-control", "max-age=60")];
    let passed = house.get("/passed", &[], Some(answer(200, passed, "body"))).await;
    assert_eq!(passed.field("surrogate-control"), "");
    assert!(passed.field("cache-status").contains("detail=no-store"), "{passed:?}");
}

#[tokio::test]
async fn the_guest_is_asked_by_its_own_validators_and_confirms() {
    let house = House::new();
    let stale: Fields<'_> = &[
        ("cache-control", "max-age=50"),
        ("age", "100"),
        ("etag", "\"a\""),
        ("last-modified", LONG_AGO),
        ("x-kept", "1"),
        ("x-new", "1"),
    ];
    house.get("/", &[], Some(answer(200, stale, "body"))).await;
    let confirmation = answer(304, &[("cache-control", "max-age=60"), ("x-new", "2"), ("etag", "\"b\"")], "");
    let second = house.get("/", &[("if-none-match", "\"visitor\"")], Some(confirmation)).await;
    let asked = second.asked.as_ref().unwrap();
    assert_eq!(asked.get("if-none-match").unwrap(), "\"a\"");
    assert_eq!(asked.get("if-modified-since").unwrap(), LONG_AGO);
    assert_eq!((second.status(), second.body()), (200, "body"));
    assert_eq!((second.field("x-kept"), second.field("x-new"), second.field("etag")), ("1", "2", "\"a\""));
    assert!(second.field("cache-status").contains("fwd=stale; fwd-status=304; stored"), "{second:?}");
    let third = house.get("/", &[], None).await;
    assert_eq!((third.asked.is_none(), third.field("x-new")), (true, "2"));
    assert_eq!(third.field("cache-control"), "max-age=60");
}

#[tokio::test]
async fn no_cache_is_asked_every_time_and_must_revalidate_never_shown_stale() {
    let house = House::new();
    let asked: Fields<'_> = &[("cache-control", "max-age=60, no-cache"), ("etag", "\"a\"")];
    house.get("/", &[], Some(answer(200, asked, "body"))).await;
    for _ in 0..3 {
        let served = house.get("/", &[], Some(answer(304, &[], ""))).await;
        assert_eq!(served.asked.unwrap().get("if-none-match").unwrap(), "\"a\"");
    }
    for (line, expected) in [
        ("max-age=50", 200),
        ("max-age=50, stale-if-error=100", 200),
        ("max-age=50, stale-if-error=10", 500),
        ("max-age=50, must-revalidate", 500),
        ("max-age=50, proxy-revalidate", 500),
        ("max-age=50, s-maxage=50", 500),
        ("max-age=50, no-cache", 500),
    ] {
        let house = House::new();
        let stale: Fields<'_> = &[("cache-control", line), ("age", "80"), ("etag", "\"a\"")];
        house.get("/", &[], Some(answer(200, stale, "body"))).await;
        assert_eq!(house.get("/", &[], None).await.status(), expected, "{line}");
    }
    let house = House::new();
    let stale: Fields<'_> = &[("cache-control", "max-age=50, stale-if-error=100"), ("age", "80")];
    house.get("/", &[], Some(answer(200, stale, "body"))).await;
    let served = house.get("/", &[], Some(answer(503, &[], "fault"))).await;
    assert_eq!((served.status(), served.body()), (200, "body"));
}

#[tokio::test]
async fn a_stale_page_is_shown_while_it_is_made_anew() {
    let house = House::new();
    let stale: Fields<'_> = &[("cache-control", "max-age=50, stale-while-revalidate=100"), ("age", "80")];
    house.get("/", &[], Some(answer(200, stale, "old"))).await;
    let shown = house.get("/", &[], Some(fresh("new"))).await;
    assert_eq!((shown.body(), shown.asked.is_some()), ("old", true));
    assert!(shown.field("cache-status").contains("hit; ttl=-"), "{shown:?}");
    let next = house.get("/", &[], None).await;
    assert_eq!((next.body(), next.asked.is_none()), ("new", true));
}

#[tokio::test]
async fn unsafe_requests_that_did_something_forget() {
    for method in ["POST", "PUT", "DELETE", "M-SEARCH"] {
        for (status, expected) in [(200, false), (302, false), (404, true), (500, true)] {
            let house = House::new();
            for path in ["/a/b", "/a/there", "/here", "/else"] {
                house.get(path, &[], Some(fresh("body"))).await;
            }
            let places: Fields<'_> = &[("location", "there"), ("content-location", "http://site.test/here")];
            house.visit(method, "/a/b", &[], Some(answer(status, places, ""))).await;
            for path in ["/a/b", "/a/there", "/here"] {
                assert_eq!(house.hits(path, &[]).await, expected, "{method} {status} {path}");
            }
            assert!(house.hits("/else", &[]).await);
        }
    }
    let house = House::new();
    house.get("/", &[], Some(fresh("body"))).await;
    house.visit("OPTIONS", "/", &[], Some(answer(200, &[], ""))).await;
    assert!(house.hits("/", &[]).await, "a safe method changes nothing");
}

#[tokio::test]
async fn incomplete_and_too_large_answers_are_not_stored() {
    let house = House::new();
    let short: Fields<'_> = &[("cache-control", "max-age=60"), ("content-length", "10")];
    house.get("/", &[], Some(answer(200, short, "0123"))).await;
    assert!(!house.hits("/", &[]).await);
    let config = rowhouse_cache::CacheConfig { max_page_bytes: 5000, ..Default::default() };
    let house = House::with(config, None);
    let large = "x".repeat(5001);
    let served = house.get("/", &[], Some(fresh(&large))).await;
    assert_eq!(served.body().len(), 5001);
    assert!(served.field("cache-status").contains("detail=size"), "{served:?}");
    assert!(!house.hits("/", &[]).await);
}

#[tokio::test]
async fn an_address_whose_answers_are_not_stored_is_passed_by_for_a_while() {
    let house = House::new();
    house.get("/", &[], Some(answer(200, &[("cache-control", "no-store")], ""))).await;
    let next = house.get("/", &[("if-none-match", "\"x\"")], Some(fresh(""))).await;
    assert!(next.field("cache-status").contains("detail=not-stored"), "{next:?}");
    assert_eq!(next.asked.unwrap().get("if-none-match").unwrap(), "\"x\"", "it goes to the guest as it came");
}
