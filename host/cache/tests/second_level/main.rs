//! The second level on a real Redis, which is killed, frozen, emptied and moved.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by panicking")]

#[path = "../../../announce/tests/farm/redis_server.rs"]
mod redis_server;

use redis_server::{RedisServer, Shared, ask, cluster, until};
use rowhouse_cache::{Leased, RedisLevel, RedisLevelSettings, SecondLevel as _};
use rowhouse_redis::{RedisNamespace, RedisUrl};
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// Nothing here runs out while a test runs.
const LONG: Duration = Duration::from_secs(3600);

const KEY: [u8; 32] = *b"{key} with braces\r\n and \0 bytes\xff";

/// A deadline that a busy machine doesn't miss.
fn patient() -> RedisLevelSettings {
    RedisLevelSettings { deadline: Duration::from_secs(10), ..RedisLevelSettings::default() }
}

fn level(url: &str, namespace: &str, settings: RedisLevelSettings) -> RedisLevel {
    let namespace: RedisNamespace = namespace.parse().unwrap();
    RedisLevel::start(RedisUrl::parse(url).unwrap(), namespace, settings)
}

async fn until_up(level: &RedisLevel) {
    until("Redis answers", async || !level.stats().is_out).await;
}

async fn until_written(level: &RedisLevel, times: u64) {
    until("written", async || level.stats().written >= times).await;
}

/// Writes one value and waits until another server finds it.
async fn put_and_get(one: &RedisLevel, two: &RedisLevel) {
    let key = [u8::try_from(one.stats().written % 200).unwrap(); 32];
    until("one server's value is another's hit", async || {
        one.put(key, "page".into(), LONG);
        two.get(&key).await.as_deref() == Some(b"page")
    })
    .await;
}

#[tokio::test]
async fn values_come_back_until_they_are_removed_or_run_out() {
    let shared = Shared::new();
    let url = format!("redis://127.0.0.1:{}", Shared::PORT);
    let (one, two) = (level(&url, &shared.namespace, patient()), level(&url, &shared.namespace, patient()));
    until_up(&one).await;
    until_up(&two).await;
    assert_eq!(two.get(&KEY).await, None);
    let page: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    one.put(KEY, page.clone().into(), LONG);
    until_written(&one, 1).await;
    assert_eq!(two.get(&KEY).await.as_deref(), Some(&page[..]));
    one.put([1; 32], "x".into(), Duration::from_millis(1));
    one.put([2; 32], "".into(), Duration::MAX);
    until_written(&one, 3).await;
    until("it runs out", async || two.get(&[1; 32]).await.is_none()).await;
    assert_eq!(two.get(&[2; 32]).await.as_deref(), Some(&b""[..]));
    assert!((-60_000_000..60_000_000).contains(&one.clock_ahead()), "its clock is this machine's");
    one.remove(KEY);
    until_written(&one, 4).await;
    assert_eq!(two.get(&KEY).await, None);
    let stats = two.stats();
    assert!(stats.hits >= 2 && stats.misses >= 3 && stats.failures == 0 && !stats.is_out, "{stats:?}");
    let stranger = level(&url, "elsewhere", patient());
    until_up(&stranger).await;
    assert_eq!(stranger.get(&[2; 32]).await, None, "two farms may share a Redis");
    assert!(shared.keys().len() == 1, "{:?}", shared.keys());
}

#[tokio::test]
async fn a_lease_is_one_servers_until_it_is_given_back_or_runs_out() {
    let shared = Shared::new();
    let url = format!("redis://127.0.0.1:{}", Shared::PORT);
    let (one, two) = (level(&url, &shared.namespace, patient()), level(&url, &shared.namespace, patient()));
    until_up(&one).await;
    until_up(&two).await;
    assert_eq!(one.lease(&KEY, LONG).await, Leased::Mine);
    assert_eq!(two.lease(&KEY, LONG).await, Leased::Others);
    two.release(KEY);
    assert_eq!(two.lease(&KEY, LONG).await, Leased::Others, "it wasn't its to give back");
    one.release(KEY);
    until("it is free", async || two.lease(&KEY, LONG).await == Leased::Mine).await;
    let short = [3; 32];
    assert_eq!(one.lease(&short, Duration::from_millis(1)).await, Leased::Mine);
    until("it runs out", async || two.lease(&short, LONG).await == Leased::Mine).await;
    // What ran out is not taken from who has it now.
    let written = one.stats().written;
    one.release(short);
    until_written(&one, written + 1).await;
    assert_eq!(one.lease(&short, LONG).await, Leased::Others);
}

#[tokio::test]
async fn a_lease_whose_asker_left_is_given_back() {
    let shared = Shared::new();
    let url = format!("redis://127.0.0.1:{}", Shared::PORT);
    let (one, two) = (level(&url, &shared.namespace, patient()), level(&url, &shared.namespace, patient()));
    until_up(&one).await;
    until_up(&two).await;
    for number in 0..20 {
        let key = [number; 32];
        let mut asked = one.lease(&key, LONG);
        let is_answered = poll_fn(|cx| Poll::Ready(asked.as_mut().poll(cx).is_ready())).await;
        assert!(!is_answered, "it leaves before there can be an answer");
        drop(asked);
        until("it is given back", async || two.lease(&key, LONG).await == Leased::Mine).await;
        two.release(key);
    }
}

#[tokio::test]
async fn a_frozen_redis_is_a_miss_and_then_not_asked() {
    let redis = RedisServer::start(&[]);
    let level = level(&redis.url(), "farm", RedisLevelSettings::default());
    until_up(&level).await;
    redis.freeze();
    until("nobody waits for it any more", async || {
        assert_eq!(level.get(&KEY).await, None);
        level.stats().is_out
    })
    .await;
    let before = level.stats();
    assert!(before.failures >= 1 && before.outages >= 1, "{before:?}");
    assert_eq!(level.get(&KEY).await, None);
    assert_eq!(level.lease(&KEY, LONG).await, Leased::Unknown);
    level.put(KEY, "page".into(), LONG);
    level.release(KEY);
    let after = level.stats();
    assert_eq!((after.failures, after.skipped), (before.failures, before.skipped + 3));
    redis.thaw();
    put_and_get(&level, &level).await;
}

#[tokio::test]
async fn a_redis_that_is_killed_is_a_miss_and_comes_back_empty() {
    let mut redis = RedisServer::prepared(&["--requirepass", "hunter2"]);
    let url = format!("redis://:hunter2@127.0.0.1:{}", redis.port);
    let level = level(&url, "farm", patient());
    assert_eq!(level.get(&KEY).await, None, "a server starts while Redis is down");
    redis.run();
    until_up(&level).await;
    level.put(KEY, "page".into(), LONG);
    until_written(&level, 1).await;
    assert_eq!(level.get(&KEY).await.as_deref(), Some(&b"page"[..]));
    redis.kill();
    until("the end is noticed", async || {
        assert_eq!(level.get(&KEY).await, None);
        level.stats().is_out
    })
    .await;
    redis.run();
    until_up(&level).await;
    assert_eq!(level.get(&KEY).await, None);
    put_and_get(&level, &level).await;
}

#[tokio::test]
async fn what_is_written_is_bounded() {
    let redis = RedisServer::start(&[]);
    let settings = RedisLevelSettings { max_value_bytes: 1000, queue_bytes: 5000, ..patient() };
    let level = level(&redis.url(), "farm", settings);
    until_up(&level).await;
    level.put(KEY, vec![0; 1001].into(), LONG);
    level.put(KEY, "page".into(), Duration::ZERO);
    assert_eq!(level.stats().dropped, 2, "too large, and gone at once");
    // This test's thread is the only one, so nothing is written before it waits.
    (0..20).for_each(|number| level.put([number; 32], vec![1; 1000].into(), LONG));
    assert_eq!(level.stats().dropped, 17);
    until_written(&level, 5).await;
    assert_eq!(level.stats().written, 5);
    // What somebody else put there is no more than what this server would.
    level.put(KEY, "x".into(), LONG);
    until_written(&level, 6).await;
    let name = redis.ask(&["EVAL", "for _, key in ipairs(redis.call('KEYS', '*key*')) do redis.call('SET', key, string.rep('x', 1001)) end return #redis.call('KEYS', '*key*')", "0"]);
    assert_eq!(name, "1");
    assert_eq!(level.get(&KEY).await, None);
}

#[tokio::test]
async fn a_full_redis_is_read_and_not_written() {
    let redis = RedisServer::start(&[]);
    let level = level(&redis.url(), "farm", patient());
    until_up(&level).await;
    level.put(KEY, "page".into(), LONG);
    until_written(&level, 1).await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    (0..20).for_each(|number| level.put([number; 32], "page".into(), LONG));
    until("refused", async || level.stats().dropped >= 20).await;
    assert_eq!(level.get(&KEY).await.as_deref(), Some(&b"page"[..]));
    assert_eq!(level.stats().outages, 0);
}

#[tokio::test]
async fn sentinels_lead_to_the_new_master() {
    let mut master = RedisServer::start(&[]);
    let replica = RedisServer::start(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    until("replicating", async || replica.ask(&["INFO", "replication"]).contains("master_link_status:up"))
        .await;
    let sentinel = RedisServer::sentinel(master.port);
    until("the Sentinel knows the replica", async || {
        sentinel.ask(&["SENTINEL", "replicas", "farm"]).contains(&replica.port.to_string())
    })
    .await;
    let url = format!("redis+sentinel://127.0.0.1:{}/farm", sentinel.port);
    let level = level(&url, "farm", patient());
    until_up(&level).await;
    put_and_get(&level, &level).await;
    master.kill();
    put_and_get(&level, &level).await;
    assert_ne!(ask(replica.port, &["DBSIZE"]), "0");
}

#[tokio::test]
async fn a_cluster_keeps_values_on_all_nodes() {
    let nodes = cluster();
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", nodes[0].port, nodes[1].port);
    let (one, two) = (level(&url, "farm", patient()), level(&url, "farm", patient()));
    until_up(&one).await;
    until_up(&two).await;
    (0..60).for_each(|number| one.put([number; 32], vec![number; 100].into(), LONG));
    until_written(&one, 60).await;
    for number in 0..60 {
        assert_eq!(two.get(&[number; 32]).await.as_deref(), Some(&[number; 100][..]));
    }
    for node in &nodes {
        assert_ne!(node.ask(&["DBSIZE"]), "0");
    }
    assert_eq!(one.lease(&KEY, LONG).await, Leased::Mine);
    assert_eq!(two.lease(&KEY, LONG).await, Leased::Others);
    one.release(KEY);
    until("it is free", async || two.lease(&KEY, LONG).await == Leased::Mine).await;
}
