//! What servers share, with a stand-in for the store between them.

use crate::setup::{Fields, House, answer, fresh};
use bytes::Bytes;
use http::{HeaderMap, Method};
use rowhouse_cache::{Bounded, Cache, CacheConfig, Leased, Looked, SecondLevel};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A store in memory, as truthful as it is told to be.
#[derive(Default)]
struct Shared {
    values: Mutex<HashMap<[u8; 32], Bytes>>,
    leases: Mutex<HashMap<[u8; 32], usize>>,
}

impl SecondLevel for Shared {
    fn get<'a>(&'a self, key: &'a [u8; 32]) -> Bounded<'a, Option<Bytes>> {
        Box::pin(async move { self.values.lock().unwrap().get(key).cloned() })
    }

    fn put(&self, key: [u8; 32], value: Bytes, ttl: Duration) {
        assert!(ttl > Duration::ZERO);
        self.values.lock().unwrap().insert(key, value);
    }

    fn remove(&self, key: [u8; 32]) {
        self.values.lock().unwrap().remove(&key);
    }

    fn lease<'a>(&'a self, key: &'a [u8; 32], _ttl: Duration) -> Bounded<'a, Leased> {
        Box::pin(async move {
            let mut leases = self.leases.lock().unwrap();
            if leases.contains_key(key) {
                return Leased::Others;
            }
            leases.insert(*key, 1);
            Leased::Mine
        })
    }

    fn release(&self, key: [u8; 32]) {
        assert!(self.leases.lock().unwrap().remove(&key).is_some(), "only what is held is released");
    }
}

/// Two servers of one site.
fn farm(config: &CacheConfig) -> (Arc<Shared>, House, House) {
    let shared = Arc::new(Shared::default());
    let second = || Some(Arc::clone(&shared) as Arc<dyn SecondLevel>);
    let one = House::with(config.clone(), second());
    let other = House { cache: Cache::new(config.clone(), second()), ..one.clone() };
    (shared, one, other)
}

#[tokio::test]
async fn a_page_made_by_one_server_is_shown_by_the_other() {
    let (shared, one, other) = farm(&CacheConfig::default());
    let made = one.get("/", &[], Some(fresh("page"))).await;
    assert!(shared.leases.lock().unwrap().is_empty(), "the lease is given back");
    let shown = other.get("/", &[], None).await;
    assert_eq!((shown.body(), shown.asked.is_none()), ("page", true));
    assert_eq!(shown.field("etag"), made.field("etag"));
    assert!(shown.field("cache-status").contains("hit; ttl="), "{shown:?}");
    shared.values.lock().unwrap().clear();
    assert!(other.hits("/", &[]).await, "from its own memory now");
    let written = House { versions: other.written(2).versions, ..other };
    assert!(!written.hits("/", &[]).await);
}

#[tokio::test]
async fn a_page_that_has_no_room_in_memory_is_read_from_there_each_time() {
    let (_shared, one, other) = farm(&CacheConfig { memory_bytes: 1, ..Default::default() });
    one.get("/", &[], Some(fresh("page"))).await;
    for _ in 0..2 {
        let shown = other.get("/", &[("accept-encoding", "br")], None).await;
        assert_eq!((shown.body(), shown.asked.is_none()), ("page", true));
        assert!(shown.field("cache-status").contains("detail=second"), "{shown:?}");
    }
    assert_eq!(other.cache.stats().bytes, 0);
}

#[tokio::test]
async fn variants_are_found_and_forgotten_together() {
    let (_shared, one, other) = farm(&CacheConfig::default());
    let varied = |body: &str| Some(answer(200, &[("cache-control", "max-age=60"), ("vary", "foo")], body));
    one.get("/", &[("foo", "1")], varied("one")).await;
    one.get("/", &[("foo", "2")], varied("two")).await;
    assert_eq!(other.get("/", &[("foo", "2")], None).await.body(), "two");
    assert_eq!(other.get("/", &[("foo", "1")], None).await.body(), "one");
    one.visit("POST", "/", &[], Some(answer(200, &[], ""))).await;
    one.get("/", &[("foo", "2")], varied("new two")).await;
    let third = other;
    third.cache.drop_tenant(third.site.tenant);
    assert_eq!(third.get("/", &[("foo", "2")], None).await.body(), "new two");
    assert!(!third.hits("/", &[("foo", "1")]).await, "what was forgotten doesn't come back with a new index");
}

#[tokio::test]
async fn wrong_values_are_misses() {
    let (shared, one, other) = farm(&CacheConfig::default());
    one.get("/", &[], Some(fresh("page"))).await;
    one.get("/other", &[], Some(fresh("other"))).await;
    let (keys, values): (Vec<_>, Vec<_>) = shared.values.lock().unwrap().clone().into_iter().unzip();
    let swapped: Vec<Bytes> = values.iter().rev().cloned().collect();
    for damage in 0..4 {
        let other =
            House { cache: Cache::new(CacheConfig::default(), Some(shared.clone())), ..other.clone() };
        for (key, value) in keys.iter().zip(&swapped) {
            let damaged = match damage {
                0 => value.clone(),
                1 => value.slice(..value.len() / 2),
                2 => {
                    let mut bytes = value.to_vec();
                    *bytes.last_mut().unwrap() ^= 1;
                    bytes.into()
                }
                _ => Bytes::new(),
            };
            shared.values.lock().unwrap().insert(*key, damaged);
        }
        let uncached = Some(answer(200, &[("cache-control", "no-store")], "own"));
        assert_eq!(other.get("/", &[], uncached).await.body(), "own", "damage {damage}");
    }
}

#[tokio::test]
async fn a_server_waits_for_the_one_that_makes_the_page() {
    let patient = CacheConfig { lease_wait: Duration::from_secs(60), ..Default::default() };
    let (_shared, one, other) = farm(&patient);
    let Looked::Fill(fill) = one.look(&Method::GET, "/", &HeaderMap::new()).await else { panic!("a miss") };
    let waiting = tokio::spawn(async move { other.get("/", &[], None).await });
    tokio::task::yield_now().await;
    one.give(fill, Some(fresh("page")));
    let served = waiting.await.unwrap();
    assert_eq!((served.body(), served.asked.is_none()), ("page", true));
}

#[tokio::test]
async fn a_server_that_waited_in_vain_makes_the_page_itself() {
    let hasty = CacheConfig { lease_wait: Duration::from_millis(1), ..Default::default() };
    let (_shared, one, other) = farm(&hasty);
    let Looked::Fill(fill) = one.look(&Method::GET, "/", &HeaderMap::new()).await else { panic!("a miss") };
    let served = other.get("/", &[], Some(fresh("own"))).await;
    assert_eq!((served.body(), served.asked.is_some()), ("own", true));
    drop(fill);
}

#[tokio::test]
async fn a_fallen_page_from_there_is_something_to_ask_by() {
    let (_shared, one, other) = farm(&CacheConfig::default());
    let tagged: Fields<'_> = &[("cache-control", "max-age=60"), ("etag", "\"a\"")];
    one.get("/", &[], Some(answer(200, tagged, "page"))).await;
    let written = House { versions: other.written(2).versions, ..other };
    let served = written.get("/", &[], Some(answer(304, &[], ""))).await;
    assert_eq!(served.asked.as_ref().unwrap().get("if-none-match").unwrap(), "\"a\"");
    assert_eq!((served.status(), served.body()), (200, "page"));
}
