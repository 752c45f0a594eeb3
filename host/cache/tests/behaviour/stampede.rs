//! Many who miss at once: one makes the page.

use crate::setup::{Fields, House, answer, fields, fresh};
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use rowhouse_cache::{CacheConfig, Fill, Looked};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::task::yield_now;

/// Visitors at once.
const MANY: usize = 500;
/// A loaded machine is slow, but not that slow.
const PATIENCE: Duration = Duration::from_secs(120);

fn patient() -> House {
    House::with(CacheConfig { fill_wait: PATIENCE, ..Default::default() }, None)
}

/// What visitors did.
#[derive(Debug, Default)]
struct Tally {
    fills: AtomicUsize,
    passes: AtomicUsize,
    dropped: AtomicUsize,
}

async fn visit(
    house: &House,
    headers: &HeaderMap,
    tally: &Tally,
    guest: impl Fn() -> Response<Bytes>,
    give_up: bool,
) -> Option<Response<Bytes>> {
    match house.look(&Method::GET, "/", headers).await {
        Looked::Answer(answer) => Some(answer),
        Looked::Fill(fill) => {
            // Others come while the guest works.
            for _ in 0..50 {
                yield_now().await;
            }
            if give_up && tally.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                drop(fill);
                return None;
            }
            tally.fills.fetch_add(1, Ordering::Relaxed);
            Some(house.give(fill, Some(guest())))
        }
        Looked::Pass(_) => {
            tally.passes.fetch_add(1, Ordering::Relaxed);
            Some(guest())
        }
        Looked::Stale { .. } => panic!("nothing here is stale"),
    }
}

/// Many visitors at once, each with its own fields; returns how often the guest was asked.
async fn rush(
    house: House,
    headers: impl Fn(usize) -> HeaderMap,
    guest: fn() -> Response<Bytes>,
    give_up: bool,
) -> Tally {
    let (tally, barrier) = (Arc::new(Tally::default()), Arc::new(Barrier::new(MANY)));
    let mut visitors = JoinSet::new();
    for number in 0..MANY {
        let (house, tally, barrier) = (house.clone(), Arc::clone(&tally), Arc::clone(&barrier));
        let headers = headers(number);
        visitors.spawn(async move {
            barrier.wait().await;
            if let Some(answer) = visit(&house, &headers, &tally, guest, give_up).await {
                assert_eq!(*answer.body(), *guest().body());
            }
        });
    }
    while let Some(done) = visitors.join_next().await {
        done.unwrap();
    }
    Arc::into_inner(tally).unwrap()
}

fn varied() -> Response<Bytes> {
    answer(200, &[("cache-control", "max-age=60"), ("vary", "foo")], "page")
}

fn plain() -> Response<Bytes> {
    fresh("page")
}

fn unstorable() -> Response<Bytes> {
    answer(200, &[("cache-control", "no-store")], "page")
}

fn asked_every_time() -> Response<Bytes> {
    answer(200, &[("cache-control", "no-cache"), ("etag", "\"a\"")], "page")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_misses_make_one_fill() {
    for _ in 0..20 {
        let tally = rush(patient(), |_| HeaderMap::new(), plain, false).await;
        assert_eq!((tally.fills.into_inner(), tally.passes.into_inner()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_misses_of_few_variants_make_a_fill_for_each() {
    for _ in 0..10 {
        let one = rush(patient(), |_| fields(&[("foo", "1")]), varied, false).await;
        assert_eq!((one.fills.into_inner(), one.passes.into_inner()), (1, 0));
        let values = ["a", "b", "c", "d", "e"];
        let five =
            rush(patient(), |number| fields(&[("foo", values.get(number % 5).unwrap())]), varied, false)
                .await;
        assert_eq!((five.fills.into_inner(), five.passes.into_inner()), (5, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_a_fill_is_dropped_another_takes_over() {
    for (guest, asked) in [(plain as fn() -> _, &[][..] as Fields<'_>), (varied, &[("foo", "1")])] {
        for _ in 0..10 {
            let tally = rush(patient(), |_| fields(asked), guest, true).await;
            assert_eq!((tally.fills.into_inner(), tally.passes.into_inner()), (1, 0));
            assert_eq!(tally.dropped.into_inner(), 2, "the one that gave up and the one that didn't");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_wait_for_what_is_not_stored_go_on() {
    for _ in 0..5 {
        let tally = rush(patient(), |_| HeaderMap::new(), unstorable, false).await;
        assert_eq!(tally.fills.into_inner() + tally.passes.into_inner(), MANY);
        let tally = rush(patient(), |_| HeaderMap::new(), asked_every_time, false).await;
        assert_eq!(tally.fills.into_inner() + tally.passes.into_inner(), MANY);
    }
}

async fn lead(house: &House, path: &str) -> Fill {
    match house.look(&Method::GET, path, &HeaderMap::new()).await {
        Looked::Fill(fill) => fill,
        other => panic!("no fill but {other:?}"),
    }
}

#[tokio::test]
async fn a_dropped_wait_and_a_dropped_body_leave_nothing_behind() {
    let house = patient();
    let fill = lead(&house, "/").await;
    assert!(!fill.has_waiters());
    let waiting = {
        let house = house.clone();
        tokio::spawn(async move { house.get("/", &[], Some(fresh("second"))).await })
    };
    while !fill.has_waiters() {
        yield_now().await;
    }
    let (head, body) = fresh("first").into_parts();
    let rowhouse_cache::Begun::Store(mut storing) = fill.begin(&head, || None) else { panic!("storable") };
    assert!(storing.push(body.get(..2).map(|part| body.slice_ref(part)).as_ref().unwrap()));
    drop(storing);
    let served = tokio::time::timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!((served.body(), served.asked.is_some()), ("second", true));
}

#[tokio::test]
async fn waiting_is_bounded_and_so_are_fills() {
    let config =
        CacheConfig { fill_wait: Duration::from_millis(20), fills_per_tenant: 2, ..Default::default() };
    let house = House::with(config, None);
    let first = lead(&house, "/1").await;
    let waited = house.get("/1", &[], Some(fresh("own"))).await;
    assert!(waited.field("cache-status").contains("detail=waited"), "{waited:?}");
    let second = lead(&house, "/2").await;
    let third = house.get("/3", &[], Some(fresh("own"))).await;
    assert!(third.field("cache-status").contains("detail=busy"), "{third:?}");
    let mut neighbour = house.clone();
    neighbour.site.tenant = rowhouse_base::id::TenantId::new();
    drop(lead(&neighbour, "/1").await);
    drop((first, second));
    drop(lead(&house, "/3").await);
}

#[tokio::test]
async fn what_is_forgotten_while_it_is_made_is_not_stored() {
    let house = House::new();
    let fill = lead(&house, "/").await;
    house.visit("POST", "/", &[], Some(answer(200, &[], ""))).await;
    assert_eq!(*house.give(fill, Some(fresh("before"))).body(), "before");
    assert!(!house.hits("/", &[]).await);
    let fill = lead(&house, "/other").await;
    house.cache.drop_tenant(house.site.tenant);
    house.give(fill, Some(fresh("before")));
    assert!(!house.hits("/other", &[]).await);
}
