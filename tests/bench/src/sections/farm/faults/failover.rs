//! A Redis that dies and is taken over from: servers follow to the new master by themselves.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::super::fleet::Farm;
use super::super::sentinel::Watch;
use super::scene::during;

/// How long servers may take to find the new master.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server measures as 1 while it hears the others, tells them, and shares pages with them.
const CONNECTED: [&str; 3] =
    ["rowhouse_announce_hearing", "rowhouse_announce_telling", "rowhouse_cache_redis_up"];

/// Kills Redis, waits for the other master, and starts it again: as a replica, once the Sentinel has seen it. Says how
/// long it took.
pub(super) fn fail_over(farm: &mut Farm<'_>, watch: &Watch, time: Duration) -> Result<String> {
    until_connected(farm).context("before the failover")?;
    farm.lose_redis()?;
    let begin = Instant::now();
    let (promoted, connected) = during(time, || {
        watch.until_promoted()?;
        let promoted = begin.elapsed();
        until_connected(farm).context("with the new master")?;
        Ok((promoted, begin.elapsed()))
    })?;
    farm.find_redis()?;
    until_connected(farm).context("with the old master back")?;
    Ok(format!(
        "the replica was the master after {:.1} s, and every server made use of it after {:.1} s",
        promoted.as_secs_f64(),
        connected.as_secs_f64()
    ))
}

fn until_connected(farm: &Farm<'_>) -> Result<()> {
    let begin = Instant::now();
    for host in farm.hosts() {
        for name in CONNECTED {
            while host.metric(name)? < 1.0 {
                ensure!(begin.elapsed() < PATIENCE, "{name} of {} stays 0", host.server.url());
                sleep(Duration::from_millis(20));
            }
        }
    }
    Ok(())
}
