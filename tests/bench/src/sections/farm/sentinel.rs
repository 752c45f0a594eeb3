//! A Redis with a replica, and a Sentinel that makes a master of the replica when the first one is gone.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::command::ask;
use crate::places::{Places, free_port};
use crate::rivals;
use crate::server::Server;

/// What the Sentinel calls the master.
const MASTER: &str = "farm";

/// How long a replica may take to have everything, or to be the master: 5 s are waited for further replicas, 1 s is
/// what makes a master gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// The replica and the Sentinel of a Redis that is somebody else's.
pub(super) struct Watch {
    replica: Server,
    sentinel: Server,
}

impl Watch {
    /// Starts both, and waits until the replica could take over.
    pub(super) fn over(places: &Places, first: &Server) -> Result<Self> {
        let port = first.port;
        let of = format!("127.0.0.1 {port}");
        let replica = rivals::redis_as(places, "redis-replica", free_port()?, &["--replicaof", &of])?;
        until(replica.port, "INFO replication", "master_link_status:up")?;
        let watches = format!(
            "sentinel monitor {MASTER} 127.0.0.1 {port} 1\nsentinel down-after-milliseconds {MASTER} 1000\n\
             sentinel failover-timeout {MASTER} 3000\n"
        );
        let watch = Self { replica, sentinel: rivals::sentinel(places, &watches)? };
        until(watch.sentinel.port, &format!("SENTINEL replicas {MASTER}"), &watch.replica.port.to_string())?;
        Ok(watch)
    }

    /// By which servers find the master.
    pub(super) fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{MASTER}/0", self.sentinel.port)
    }

    /// Waits until the replica is what the Sentinel calls the master.
    pub(super) fn until_promoted(&self) -> Result<()> {
        let port = self.replica.port;
        until(self.sentinel.port, &format!("SENTINEL get-master-addr-by-name {MASTER}"), &port.to_string())?;
        until(port, "ROLE", "master")
    }
}

/// Asks until this is part of the answer.
fn until(port: u16, words: &str, part: &str) -> Result<()> {
    let begin = Instant::now();
    loop {
        let answer = ask(port, words)?;
        if answer.contains(part) {
            return Ok(());
        }
        if begin.elapsed() > PATIENCE {
            bail!("Redis on port {port} says to {words}, and nothing of {part}: {answer}");
        }
        sleep(Duration::from_millis(20));
    }
}
