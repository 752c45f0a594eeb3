//! Pages stand exactly while what they were made from does.

use crate::setup::{Fields, House, answer, fresh};
use rowhouse_base::Versions;
use std::sync::Arc;

#[tokio::test]
async fn a_write_ends_a_page_at_once() {
    let house = House::new();
    house.get("/", &[], Some(fresh("old"))).await;
    assert!(house.hits("/", &[]).await);
    let written = house.written(2);
    let served = written.get("/", &[], Some(fresh("new"))).await;
    assert_eq!((served.body(), served.asked.is_some()), ("new", true));
    assert!(written.hits("/", &[]).await);
    assert_eq!(written.get("/", &[], None).await.body(), "new");
}

#[tokio::test]
async fn equal_versions_read_again_are_as_good() {
    let house = House::new();
    house.get("/", &[], Some(fresh("page"))).await;
    for _ in 0..3 {
        let again = House {
            versions: Some(Arc::new(Versions::clone(house.versions.as_ref().unwrap()))),
            ..house.clone()
        };
        assert!(again.hits("/", &[]).await);
    }
}

#[tokio::test]
async fn a_page_that_fell_is_never_shown_whatever_is_allowed() {
    let line = "max-age=600, stale-while-revalidate=600, stale-if-error=600";
    let house = House::new();
    house.get("/", &[], Some(answer(200, &[("cache-control", line)], "old"))).await;
    let written = house.written(2);
    assert_eq!(written.get("/", &[("cache-control", "max-stale")], None).await.status(), 500);
    assert_eq!(written.get("/", &[], Some(answer(503, &[], ""))).await.status(), 503);
}

#[tokio::test]
async fn without_versions_nothing_is_trusted_but_when_all_else_fails() {
    let house = House::new();
    let line = "max-age=600, stale-while-revalidate=600, stale-if-error=600";
    house.get("/", &[], Some(answer(200, &[("cache-control", line)], "old"))).await;
    let blind = House { versions: None, ..house.clone() };
    assert!(!blind.hits("/", &[]).await, "asks the guest");
    let blind_again = House::new();
    blind_again.get("/", &[], Some(answer(200, &[("cache-control", line)], "old"))).await;
    let blind_again = House { versions: None, ..blind_again };
    assert_eq!(blind_again.get("/", &[], None).await.body(), "old");
}

#[tokio::test]
async fn a_page_without_a_stamp_is_not_stored() {
    let house = House::new();
    let blind = House { versions: None, ..house.clone() };
    let served = blind.get("/", &[], Some(fresh("page"))).await;
    assert!(served.field("cache-status").contains("detail=unstamped"), "{served:?}");
    assert!(!house.hits("/", &[]).await);
}

#[tokio::test]
async fn a_confirmed_page_stands_for_the_versions_before_the_guest_was_asked() {
    let house = House::new();
    let tagged: Fields<'_> = &[("cache-control", "max-age=600"), ("etag", "\"a\"")];
    house.get("/", &[], Some(answer(200, tagged, "page"))).await;
    let written = house.written(2);
    let served = written.get("/", &[], Some(answer(304, &[], ""))).await;
    assert_eq!((served.status(), served.body()), (200, "page"));
    assert!(written.hits("/", &[]).await);
    assert!(!house.written(3).hits("/", &[]).await);
}

#[tokio::test]
async fn revisions_and_digests_are_other_sites() {
    let house = House::new();
    house.get("/", &[], Some(fresh("page"))).await;
    let mut upgraded = house.clone();
    upgraded.site.revision = 2;
    assert!(!upgraded.hits("/", &[]).await);
    let mut other = house.clone();
    other.site.digest = rowhouse_base::Digest::of(b"other");
    assert!(!other.hits("/", &[]).await);
    assert!(house.hits("/", &[]).await);
}
