//! A server that is killed between a commit and its hint: what nobody was told of is seen on the other server
//! within the bound that is promised, and nothing that was shown is taken back.
//!
//! The way from the writers' server to Redis takes most of the time of a write, and what is on it is lost with
//! the server: so most kills come when the database has a change that no other server has heard of.

use super::cache::{TRUSTED, judge, two_by};
use super::relay::{Lag, Relay};
use super::{Databases, names};
use crate::fire::{Fire, ITEMS, Writers};
use anyhow::{Context, Result, ensure};
use rand::RngExt as _;
use rowhouse_tests::{Client, TestServer};
use std::path::Path;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

/// Milliseconds that a hint takes to Redis: below the 50 that a writer waits for it, so that it is told before
/// its writer is answered, and several times as long as the rest of a write.
const HINT: u64 = 30;

/// Rounds for each kill that was asked for, at most, until one has left a change unheard: one in three does on a quiet machine,
/// fewer where the rest of a write takes long too.
const TRIES: usize = 10;

/// How often the writers' server is killed. CI takes a few; `ROWHOUSE_TEST_FARM_KILLS=100` is the long run.
fn kills() -> usize {
    std::env::var("ROWHOUSE_TEST_FARM_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

fn replace(writers: &Writers, servers: Vec<Client>) {
    *writers.lock().unwrap_or_else(PoisonError::into_inner) = servers;
}

/// What the items' pages say.
fn values(reader: &Client, query: &str) -> Result<[u64; ITEMS]> {
    let mut values = [0; ITEMS];
    for (item, value) in values.iter_mut().enumerate() {
        let page = reader.get(&format!("/club/item/{item}{query}"))?.expect(200)?;
        *value = page.text().trim().parse()?;
    }
    Ok(values)
}

/// Nobody writes any more: waits until the pages show what the database has. True where they didn't at first.
fn is_behind_at_first(reader: &Client, round: usize) -> Result<bool> {
    let (mut known, mut since) = ([0; ITEMS], Instant::now());
    let mut look = 0;
    loop {
        let begun = Instant::now();
        let shown = values(reader, "")?;
        // Nobody asked for this address before, so it is made from the database.
        let there = values(reader, &format!("?look={round}-{look}"))?;
        if there != known {
            // What the database did after its client was gone counts from when it was found.
            (known, since) = (there, Instant::now());
        }
        if shown == there {
            return Ok(look > 0);
        }
        let age = begun.saturating_duration_since(since);
        ensure!(age < TRUSTED, "{shown:?} was shown {age:?} after the database had {there:?}");
        look += 1;
        thread::sleep(Duration::from_millis(20));
    }
}

/// Writes, kills, looks and starts again. How often was done so, and how many kills left a change unheard.
fn kill_again(
    mut server: TestServer,
    reader: &Client,
    writers: &Writers,
    root: &Path,
) -> Result<(usize, usize)> {
    let (mut round, mut unheard) = (0, 0);
    while round < kills() || (unheard == 0 && round < kills() * TRIES) {
        replace(writers, vec![server.visitor()]);
        thread::sleep(Duration::from_millis(rand::rng().random_range(100..600)));
        replace(writers, Vec::new());
        server.kill()?;
        let is_behind = is_behind_at_first(reader, round).with_context(|| format!("after kill {round}"))?;
        unheard += usize::from(is_behind);
        server = TestServer::launch(&root.join(names(0)), &[])
            .with_context(|| format!("start again after kill {round}"))?;
        round += 1;
    }
    Ok((round, unheard))
}

#[test]
fn a_server_killed_before_its_hint_leaves_nothing_old_and_nothing_is_unseen() -> Result<()> {
    let databases = Databases::new()?;
    let relay = Relay::start(&databases.redis, Lag { there: HINT..HINT + 1, back: 0..1 })?;
    let folder = tempfile::Builder::new().prefix("rowhouse-farm-").tempdir()?;
    let mut servers = two_by(folder.path(), &databases, [relay.address(), &databases.redis])?;
    let written = servers.remove(0);
    let reader = servers.first().context("two servers")?.visitor();
    let fire = Fire::new(vec![reader.clone()], "/club", TRUSTED);
    replace(&fire.writers, Vec::new());
    let mut killed = None;
    let counts =
        fire.burn_while(|| killed = Some(kill_again(written, &reader, &fire.writers, folder.path())));
    let counts = judge(&servers, counts)?;
    let (rounds, unheard) = killed.context("servers were killed")??;
    println!("{rounds} kills, {unheard} left a change that nobody was told of; {counts:?}");
    assert!(unheard > 0, "no kill came between a commit and its hint: the test shows nothing");
    assert!(counts.cut > 0, "no kill came during a write: the test shows nothing");
    Ok(())
}
