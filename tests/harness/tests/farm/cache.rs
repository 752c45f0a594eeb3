//! Pages that two servers keep: an edit on one is seen on the other at the next request, and with Redis slow, frozen,
//! killed or emptied within the bound that is promised.

use super::relay::{Lag, Relay};
use super::{Databases, names, prepare, until};
use crate::fire::{Counts, Fire};
use anyhow::{Context, Result};
use rowhouse_tests::{TestServer, guest};
use serde_json::json;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// How long a server trusts what it knows without a word from the others (`known.rs` in host/data), and so how far
/// behind it may be where a hint is late or was never told. It is looked at after a request has begun: a machine
/// that is busy adds nothing to it.
pub(super) const TRUSTED: Duration = Duration::from_secs(2);

/// How far behind a server may be that hears nothing: 700 ms until it knows that it is deaf, 2 s for what it knows by
/// then, and as much again for a machine that is busy with other things.
const OUT_OF_TOUCH: Duration = Duration::from_millis(5_400);

/// Deletes the site at once.
pub(super) const GONE: &str = "/-/api/v1/tenants/club?confirm=club&now=true";

/// Two servers with one site whose pages are kept.
pub(super) fn two(root: &Path, databases: &Databases) -> Result<Vec<TestServer>> {
    two_by(root, databases, [databases.redis.as_str(); 2])
}

/// The same, each with its own way to Redis.
pub(super) fn two_by(root: &Path, databases: &Databases, ways: [&str; 2]) -> Result<Vec<TestServer>> {
    let mut servers = Vec::new();
    for (number, redis) in ways.into_iter().enumerate() {
        let dir = root.join(names(number));
        prepare(&dir, &names(number), databases, redis)?;
        servers.push(TestServer::launch(&dir, &[])?);
    }
    let first = servers.first().context("two servers")?;
    first.push("kept", "1.0.0", &guest("kept")?.bytes)?;
    let body = json!({ "name": "club", "title": "Club", "release": "kept@1.0.0" });
    first.operator()?.post_json("/-/api/v1/tenants?wait=50", &body)?.expect(201)?;
    Ok(servers)
}

fn fire_at(servers: &[TestServer], slack: Duration) -> Fire {
    Fire::new(servers.iter().map(TestServer::visitor).collect(), "/club", slack)
}

/// Removes the site at the first of the servers, then looks at what the judge counted.
pub(super) fn judge(servers: &[TestServer], counts: Result<Counts>) -> Result<Counts> {
    if let Some(server) = servers.first() {
        server.operator()?.send("DELETE", GONE, None)?.expect(200)?;
    }
    let counts = counts?;
    assert_eq!((counts.stale, counts.unseen), (0, 0), "{counts:?}");
    assert_eq!((counts.failed, counts.failure.as_deref()), (0, None), "{counts:?}");
    assert!(counts.reads > 0 && counts.hits > 0 && counts.writes > 0, "{counts:?}");
    Ok(counts)
}

#[test]
fn an_edit_on_one_server_is_seen_on_the_other_at_once() -> Result<()> {
    let databases = Databases::new()?;
    let folder = tempfile::Builder::new().prefix("rowhouse-farm-").tempdir()?;
    let servers = two(folder.path(), &databases)?;
    let counts = fire_at(&servers, Duration::ZERO).burn();
    println!("{:?}", judge(&servers, counts)?);
    Ok(())
}

/// Now and then a hint arrives in time, a connection is made in time, a server hears: never for long.
#[test]
fn a_slow_redis_bounds_what_is_old() -> Result<()> {
    let databases = Databases::new()?;
    let relay = Relay::start(&databases.redis, Lag { there: 30..300, back: 30..300 })?;
    let folder = tempfile::Builder::new().prefix("rowhouse-farm-").tempdir()?;
    let servers = two_by(folder.path(), &databases, [relay.address(); 2])?;
    let counts = fire_at(&servers, TRUSTED).burn();
    println!("{:?}", judge(&servers, counts)?);
    assert!(relay.carried() > 0, "nothing was said by way of the relay");
    Ok(())
}

#[test]
fn a_redis_that_comes_and_goes_bounds_what_is_old() -> Result<()> {
    let redis = OwnRedis::start()?;
    let mut databases = Databases::new()?;
    databases.redis = format!("127.0.0.1:{}", redis.port);
    let folder = tempfile::Builder::new().prefix("rowhouse-farm-").tempdir()?;
    let servers = two(folder.path(), &databases)?;
    let fire = fire_at(&servers, OUT_OF_TOUCH);
    let burning = thread::spawn(move || fire.burn_for(Duration::from_secs(12)));
    let troubled = trouble(redis);
    let counts = burning.join().map_err(|_panic| anyhow::anyhow!("the fire panicked"))?;
    // Its names are in a server that ends with the test.
    let _own = troubled?;
    println!("{:?}", judge(&servers, counts)?);
    Ok(())
}

/// Freezes Redis, wakes it, kills it, and starts it empty.
fn trouble(redis: OwnRedis) -> Result<OwnRedis> {
    thread::sleep(Duration::from_secs(1));
    redis.signal("-STOP")?;
    thread::sleep(Duration::from_secs(3));
    redis.signal("-CONT")?;
    thread::sleep(Duration::from_secs(2));
    let port = redis.port;
    drop(redis);
    thread::sleep(Duration::from_secs(2));
    OwnRedis::at(port)
}

/// A Redis of the test's own.
struct OwnRedis {
    child: Child,
    port: u16,
}

impl OwnRedis {
    fn start() -> Result<Self> {
        // Free a moment ago; nobody else picks ports of the test's.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Self::at(port)
    }

    fn at(port: u16) -> Result<Self> {
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .context("start redis-server: install the package redis-server")?;
        let started = Self { child, port };
        until("Redis answers", || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
        Ok(started)
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        anyhow::ensure!(sent.success(), "kill {signal}");
        Ok(())
    }
}

impl Drop for OwnRedis {
    fn drop(&mut self) {
        // Already gone where the machine ended it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
