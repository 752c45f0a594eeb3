//! Looking at the output cache and making pages anew, over the stand-in rooms.

use crate::ControlError;
use crate::ports::CacheNumbers;
use crate::stub::{Fault, House};
use crate::tests::on_each_engine;
use crate::types::{CreateTenant, FlushCache};

fn tag(text: &str) -> FlushCache {
    FlushCache { tag: Some(text.into()), url: None }
}

fn url(text: &str) -> FlushCache {
    FlushCache { tag: None, url: Some(text.into()) }
}

async fn club() -> House {
    let house = House::new().await;
    let request = CreateTenant {
        name: "club".into(),
        addresses: vec!["club.example".into(), "*.club.example".into()],
        url_prefix: Some(true),
        ..CreateTenant::default()
    };
    house.control.create_tenant(&house.operator, request).await.unwrap();
    house
}

async fn details(house: &House) -> Vec<String> {
    let trail = house.control.audit(&house.operator, &Default::default(), Some("club")).await.unwrap();
    let flushes = trail.items.into_iter().filter(|entry| entry.action == "cache.flush");
    let mut details: Vec<String> = flushes.map(|entry| entry.detail).collect();
    details.sort();
    details
}

async fn a_flush_moves_a_count_and_stands_in_the_trail() {
    let house = club().await;
    let (control, operator) = (&house.control, &house.operator);
    let whole = control.flush_cache(operator, "club", FlushCache::default()).await.unwrap();
    assert_eq!((whole.flushed.as_str(), whole.addresses.len()), ("everything", 0));
    assert_eq!(control.flush_cache(operator, "club", tag("menu:1")).await.unwrap().flushed, "tag");
    assert_eq!((house.rooms.called("moved club *"), house.rooms.called("moved club g:menu:1")), (1, 1));
    assert_eq!(details(&house).await, ["", "tag menu:1"]);

    house.rooms.fail(Fault::Move);
    let failed = control.flush_cache(operator, "club", FlushCache::default()).await;
    assert!(matches!(failed, Err(ControlError::Refused { .. })), "{failed:?}");
    assert_eq!(details(&house).await.len(), 2, "what did not happen is not in the trail");
}

async fn a_page_is_forgotten_at_every_address() {
    let house = club().await;
    let (control, operator) = (&house.control, &house.operator);
    // By whichever scheme a visitor came: a proxy may take both.
    let known = [
        "http://club.example:8080/news?a=/b",
        "http://club.localhost:8080/news?a=/b",
        "http://localhost:8080/club/news?a=/b",
        "https://club.example:8080/news?a=/b",
        "https://club.localhost:8080/news?a=/b",
        "https://localhost:8080/club/news?a=/b",
    ];
    let mut flushed = control.flush_cache(operator, "club", url("/news?a=/b")).await.unwrap().addresses;
    flushed.sort();
    assert_eq!(flushed, known);
    for scheme in ["http", "https"] {
        let forgotten = format!("forgotten club {scheme}://localhost:8080 /club /news?a=/b");
        assert_eq!(house.rooms.called(&forgotten), 1);
    }
    // A whole address adds the one that nobody could know, and no other site's path.
    for (given, last) in [
        ("http://www.club.example/news?a=/b", Some("http://www.club.example/news?a=/b")),
        ("http://www.club.example/news?a=/b", Some("https://www.club.example/news?a=/b")),
        ("https://www.club.example/news?a=/b", Some("https://www.club.example/news?a=/b")),
        ("http://LOCALHOST:8080/CLUB/news?a=/b", None),
    ] {
        let flushed = control.flush_cache(operator, "club", url(given)).await.unwrap().addresses;
        assert_eq!(flushed.len(), 6 + 2 * usize::from(last.is_some()), "{flushed:?}");
        assert!(known.iter().all(|known| flushed.iter().any(|flushed| flushed == known)), "{flushed:?}");
        assert!(last.is_none_or(|last| flushed.iter().any(|flushed| flushed == last)), "{flushed:?}");
    }
    let root = control.flush_cache(operator, "club", url("http://localhost:8080/club?x=/y")).await.unwrap();
    assert!(root.addresses.contains(&"http://club.localhost:8080/?x=/y".to_owned()), "{root:?}");
    assert_eq!(house.rooms.called("move-subjects"), 0);
    assert_eq!(details(&house).await.len(), 6);
}

async fn what_can_not_be_flushed_is_told() {
    let house = club().await;
    house.create("other").await.unwrap();
    let (control, operator) = (&house.control, &house.operator);
    let long = format!("/{}", "x".repeat(9000));
    for (what, field) in [
        (tag(""), "tag"),
        (tag("a b"), "tag"),
        (tag(&"x".repeat(65)), "tag"),
        (url(""), "url"),
        (url("news"), "url"),
        (url("/a b"), "url"),
        (url(&long), "url"),
        (url("http://other.localhost:8080/"), "url"),
        (url("http://elsewhere.example/"), "url"),
        (url("http://localhost:8080/-/console"), "url"),
        (FlushCache { tag: Some("a".into()), url: Some("/".into()) }, "url"),
    ] {
        let shown = format!("{what:?}");
        match control.flush_cache(operator, "club", what).await {
            Err(ControlError::Invalid(errors)) => assert_eq!(errors[0].field, field, "{shown}"),
            other => panic!("{shown}: {other:?}"),
        }
    }
    let nobody = control.flush_cache(operator, "nobody", FlushCache::default()).await;
    assert!(matches!(nobody, Err(ControlError::NotFound { .. })));
    control.delete_tenant(operator, "club", "club", false).await.unwrap();
    let trashed = control.flush_cache(operator, "club", FlushCache::default()).await;
    assert!(matches!(trashed, Err(ControlError::Conflict(_))), "{trashed:?}");
    assert_eq!((house.rooms.called("moved"), house.rooms.called("forgotten")), (0, 0));
}

async fn the_largest_tenants_are_listed_first() {
    let house = club().await;
    house.create("other").await.unwrap();
    let id = |name: &str| house.served(name).unwrap().id;
    let numbers = |hits, bytes| CacheNumbers { hits, bytes, ..CacheNumbers::default() };
    let counted = [(id("club"), numbers(3, 10)), (id("other"), numbers(0, 20))];
    house.rooms.cached.lock().extend(counted);
    let cache = house.control.cache(&house.operator);
    let names: Vec<&str> = cache.items.iter().map(|item| item.tenant.as_str()).collect();
    assert_eq!((names, cache.totals.bytes), (vec!["other", "club"], 30));
    let one = house.control.tenant_cache(&house.operator, "club").await.unwrap();
    assert_eq!((one.counts.hits, one.counts.bytes), (3, 10));
    assert!(house.control.tenant_cache(&house.operator, "nobody").await.is_err());
}

on_each_engine!(
    a_flush_moves_a_count_and_stands_in_the_trail,
    a_page_is_forgotten_at_every_address,
    what_can_not_be_flushed_is_told,
    the_largest_tenants_are_listed_first,
);
