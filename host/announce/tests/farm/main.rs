//! Servers that tell one another over a real Redis, which is killed, frozen, emptied, demoted and moved.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says so by panicking")]

mod redis_server;

use parking_lot::Mutex;
use redis_server::{RedisServer, Shared, ask, cluster, until};
use rowhouse_announce::{AnnounceStats, Heard, RedisAnnouncer};
use rowhouse_base::Announce;
use rowhouse_base::id::TenantId;
use rowhouse_redis::{RedisNamespace, RedisUrl};
use std::sync::Arc;

/// An announcer, and what it heard.
struct Server {
    announcer: RedisAnnouncer,
    heard: Arc<Mutex<Vec<What>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Moved(TenantId),
    Generation(u64),
    Gap,
}

impl Server {
    fn start(url: &str, namespace: &str) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let note = |what: fn(u64, TenantId) -> What| {
            let heard = Arc::clone(&heard);
            move |number, tenant| heard.lock().push(what(number, tenant))
        };
        let (moved, generation, gap) = (
            note(|_, tenant| What::Moved(tenant)),
            note(|number, _| What::Generation(number)),
            note(|_, _| What::Gap),
        );
        let nobody = TenantId::new();
        let announcer = RedisAnnouncer::start(
            RedisUrl::parse(url).unwrap(),
            namespace.parse::<RedisNamespace>().unwrap(),
            Heard {
                on_data_moved: Box::new(move |tenant| moved(0, tenant)),
                on_generation: Box::new(move |number| generation(number, nobody)),
                on_gap: Box::new(move || gap(0, nobody)),
            },
        );
        Self { announcer, heard }
    }

    fn has_heard(&self, what: What) -> bool {
        self.heard.lock().contains(&what)
    }

    fn stats(&self) -> AnnounceStats {
        self.announcer.stats()
    }

    async fn until_ready(&self) {
        until("hearing and telling", async || {
            let stats = self.stats();
            stats.is_hearing && stats.is_telling
        })
        .await;
    }

    async fn until_deaf(&self) {
        until("no longer hearing", async || !self.announcer.is_hearing()).await;
    }

    /// Tells others about a tenant and waits until one of them heard it.
    async fn tell(&self, other: &Self) {
        let tenant = TenantId::new();
        self.announcer.data_moved(tenant).await;
        until("a hint is heard", async || other.has_heard(What::Moved(tenant))).await;
        assert!(!self.has_heard(What::Moved(tenant)), "its own hint is no news");
    }
}

const NAMESPACE: &str = "farm";

#[tokio::test]
async fn servers_hear_what_others_tell_and_not_themselves() {
    let shared = Shared::new();
    let url = format!("redis://127.0.0.1:{}", Shared::PORT);
    let (one, two) = (Server::start(&url, &shared.namespace), Server::start(&url, &shared.namespace));
    let elsewhere = Shared::new();
    let stranger = Server::start(&url, &elsewhere.namespace);
    for server in [&one, &two, &stranger] {
        server.until_ready().await;
        assert!(server.has_heard(What::Gap), "what was known before the first connection is doubted");
        assert!(!server.announcer.is_alone());
    }
    one.tell(&two).await;
    two.tell(&one).await;
    one.announcer.generation(7);
    until("a generation is heard", async || two.has_heard(What::Generation(7))).await;
    two.announcer.generation(6);
    until("an older one too", async || one.has_heard(What::Generation(6))).await;
    let key = format!("{{{}}}:generation", shared.namespace);
    assert_eq!(ask(Shared::PORT, &["GET", &key]), "7", "and it doesn't lower what is kept");
    let late = Server::start(&url, &shared.namespace);
    until("who comes later learns it", async || late.has_heard(What::Generation(7))).await;
    assert_eq!(stranger.stats().heard, 0, "two farms may share a Redis");
    assert!(one.stats().sent >= 2 && one.stats().heard >= 2, "{:?}", one.stats());
    drop((one, two, late));
    until("servers leave no trace but the generation", async || shared.keys().len() == 1).await;
}

#[tokio::test]
async fn a_redis_that_is_killed_and_comes_back_empty_is_heard_again() {
    let mut redis = RedisServer::start(&[]);
    let (one, two) = (Server::start(&redis.url(), NAMESPACE), Server::start(&redis.url(), NAMESPACE));
    one.until_ready().await;
    two.until_ready().await;
    one.announcer.generation(5);
    until("a generation is heard", async || two.has_heard(What::Generation(5))).await;
    let gaps = two.stats().gaps;
    redis.kill();
    one.until_deaf().await;
    two.until_deaf().await;
    until("known not to answer", async || !one.stats().is_telling).await;
    let meanwhile: Vec<TenantId> = std::iter::repeat_with(TenantId::new).take(10).collect();
    for tenant in &meanwhile {
        one.announcer.data_moved(*tenant).await;
    }
    assert!(one.stats().late >= 10);
    redis.run();
    one.until_ready().await;
    two.until_ready().await;
    assert!(two.stats().gaps > gaps, "hints may have been lost");
    one.tell(&two).await;
    // Told as soon as Redis was there; whether two was listening by then or not, it doubted or it heard.
    let doubted_or_heard = |heard: &[What]| {
        let last_gap = heard.iter().rposition(|what| *what == What::Gap);
        last_gap.is_some_and(|index| index > 0)
            || meanwhile.iter().all(|tenant| heard.contains(&What::Moved(*tenant)))
    };
    assert!(doubted_or_heard(&two.heard.lock()));
    until("the generation is told again", async || redis.ask(&["GET", "{farm}:generation"]) == "5").await;
}

#[tokio::test]
async fn a_frozen_redis_is_noticed_and_costs_nothing() {
    let redis = RedisServer::start(&[]);
    let (one, two) = (Server::start(&redis.url(), NAMESPACE), Server::start(&redis.url(), NAMESPACE));
    one.until_ready().await;
    two.until_ready().await;
    let gaps = one.stats().gaps;
    redis.freeze();
    until("one hint waits in vain, and the next ones don't", async || {
        one.announcer.data_moved(TenantId::new()).await;
        !one.stats().is_telling
    })
    .await;
    for _ in 0..2000 {
        one.announcer.data_moved(TenantId::new()).await;
    }
    assert!(one.stats().late > 2000);
    one.until_deaf().await;
    two.until_deaf().await;
    redis.thaw();
    one.until_ready().await;
    two.until_ready().await;
    assert!(one.stats().gaps > gaps, "everything was doubted before it hears again");
    one.tell(&two).await;
}

#[tokio::test]
async fn a_hint_whose_request_went_away_is_told_all_the_same() {
    let shared = Shared::new();
    let url = format!("redis://127.0.0.1:{}", Shared::PORT);
    let (one, two) = (Server::start(&url, &shared.namespace), Server::start(&url, &shared.namespace));
    one.until_ready().await;
    two.until_ready().await;
    let tenant = TenantId::new();
    drop(one.announcer.data_moved(tenant));
    until("it is heard", async || two.has_heard(What::Moved(tenant))).await;
}

#[tokio::test]
async fn a_server_starts_while_redis_is_down() {
    let mut redis = RedisServer::prepared(&["--requirepass", "hunter2"]);
    let url = format!("redis://:hunter2@127.0.0.1:{}", redis.port);
    let server = Server::start(&url, NAMESPACE);
    server.announcer.data_moved(TenantId::new()).await;
    server.announcer.generation(3);
    assert!(!server.announcer.is_hearing() && server.stats().late == 1);
    redis.run();
    server.until_ready().await;
}

#[tokio::test]
async fn a_master_that_becomes_a_replica_is_left() {
    let (old, new) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let server = Server::start(&old.url(), NAMESPACE);
    server.until_ready().await;
    let lost = server.stats().lost;
    old.ask(&["REPLICAOF", "127.0.0.1", &new.port.to_string()]);
    until("the connection is given up", async || server.stats().lost > lost).await;
    old.ask(&["REPLICAOF", "NO", "ONE"]);
    server.until_ready().await;
}

#[tokio::test]
async fn what_nobody_understands_is_a_reason_to_doubt() {
    let redis = RedisServer::start(&[]);
    let server = Server::start(&redis.url(), NAMESPACE);
    server.until_ready().await;
    let gaps = server.stats().gaps;
    redis.ask(&["PUBLISH", "{farm}:farm", "2 renamed everything"]);
    until("everything is doubted", async || server.stats().gaps > gaps).await;
    assert_eq!(server.stats().unreadable, 1);
    server.until_ready().await;
}

#[tokio::test]
async fn sentinels_lead_to_the_new_master() {
    let mut master = RedisServer::start(&[]);
    let port = master.port.to_string();
    let replica = RedisServer::start(&["--replicaof", &format!("127.0.0.1 {port}")]);
    until("replicating", async || replica.ask(&["INFO", "replication"]).contains("master_link_status:up"))
        .await;
    let sentinel = RedisServer::sentinel(master.port);
    until("the Sentinel knows the replica", async || {
        sentinel.ask(&["SENTINEL", "replicas", "farm"]).contains(&replica.port.to_string())
    })
    .await;
    let url = format!("redis+sentinel://127.0.0.1:{}/farm", sentinel.port);
    let (one, two) = (Server::start(&url, NAMESPACE), Server::start(&url, NAMESPACE));
    one.until_ready().await;
    two.until_ready().await;
    one.tell(&two).await;
    master.kill();
    one.until_deaf().await;
    two.until_deaf().await;
    one.until_ready().await;
    two.until_ready().await;
    one.tell(&two).await;
    assert!(replica.ask(&["ROLE"]).starts_with("master"));
}

#[tokio::test]
async fn in_a_cluster_one_node_carries_the_channel() {
    let nodes = cluster();
    let servers: Vec<Server> = nodes
        .iter()
        .map(|node| Server::start(&format!("redis+cluster://127.0.0.1:{}", node.port), NAMESPACE))
        .collect();
    for server in &servers {
        server.until_ready().await;
    }
    servers[0].tell(&servers[1]).await;
    servers[1].tell(&servers[2]).await;
    servers[2].announcer.generation(9);
    until("a generation is heard", async || servers[0].has_heard(What::Generation(9))).await;
}
