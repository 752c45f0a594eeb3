//! A farm, and what stands around it so that it can be broken.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::super::balancer::Balancer;
use super::super::crowd::{Group, Seen, visit};
use super::super::databases::{Databases, Engine};
use super::super::disk::Disk;
use super::super::fleet::{Farm, Ground, while_frozen, wishes};
use super::super::relay::Relay;
use super::super::sentinel::Watch;
use super::clock::{self, Skew};
use super::fault::Fault;
use super::{failover, full};
use crate::places::Places;
use crate::rivals;
use crate::server::Server;

const VISITORS: usize = 4;

/// Between an answer and a visitor's next request: what is looked for is stalls, not how much the machine can do.
const PAUSE: Duration = Duration::from_millis(10);

/// Load before the fault and after it.
const AROUND: Duration = Duration::from_secs(2);

/// How long the farm may take to be well again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server that something happens to; any will do.
const VICTIM: usize = 1;

/// What came of a fault.
pub(super) struct Outcome {
    pub(super) seen: Seen,
    /// How long the farm took to be well again, from the end of the load.
    pub(super) well: Duration,
    /// What was seen of it besides, where anything was.
    pub(super) note: Option<String>,
}

/// See the module. What is first goes first: servers before what they stand on.
pub(super) struct Scene<'a> {
    farm: Farm<'a>,
    places: &'a Places,
    relay: Relay,
    /// The victim's, where it is to be full.
    disk: Option<Disk>,
    /// Over Redis, where it is to fail over.
    watch: Option<Watch>,
}

impl<'a> Scene<'a> {
    /// Sets it for these faults, all of which are watched or none, and possible on this engine.
    pub(super) fn set(places: &'a Places, engine: Engine, faults: &[Fault]) -> Result<Self> {
        let is_watched = faults.iter().any(|fault| fault.is_watched());
        let part = if is_watched { "failover" } else { "faults" };
        let databases = if faults.iter().any(|fault| fault.stops_sites()) {
            Databases::make_apart(part)?
        } else {
            Databases::make(engine, part)?
        };
        let relay = Relay::start(databases.place()?)?;
        let redis = rivals::redis(places)?;
        let watch = if is_watched { Some(Watch::over(places, &redis)?) } else { None };
        let mut ground = Ground::new(databases, redis).with_control_by(relay.port);
        if let Some(watch) = &watch {
            ground = ground.with_redis_by(watch.url());
        }
        let is_filled = faults.contains(&Fault::DiskFull);
        let disk = if is_filled { Some(Disk::mount(places, "data-farm-disk")?) } else { None };
        if let Some(disk) = &disk {
            ground = ground.with_data_in(VICTIM, disk.folder());
        }
        let farm = Farm::start_on(places, ground)?;
        farm.furnish()?;
        farm.enrol()?;
        Ok(Self { farm, places, relay, disk, watch })
    }

    /// Lets a fault happen under load, and waits until the farm is well again.
    pub(super) fn show(&mut self, fault: Fault, balancer: Balancer, time: Duration) -> Result<Outcome> {
        let proxy = balancer.start(self.places, &self.farm.ports())?;
        let group = Group { visitors: VISITORS, pause: PAUSE, wishes: wishes() };
        let (seen, note) = visit(&proxy.url(), &[group], 0, || {
            sleep(AROUND);
            let note = self.happen(fault, time)?;
            sleep(AROUND);
            Ok(note)
        })
        .with_context(|| fault.name())?;
        let well = self.until_well().with_context(|| format!("after: {}", fault.name()))?;
        let seen = seen.into_iter().next().context("a group saw something")?;
        Ok(Outcome { seen, well, note })
    }

    fn happen(&mut self, fault: Fault, time: Duration) -> Result<Option<String>> {
        let farm = &mut self.farm;
        match fault {
            Fault::RedisKilled => {
                farm.lose_redis()?;
                sleep(time);
                farm.find_redis()?;
            }
            Fault::RedisEmptied => farm.empty_redis()?,
            Fault::RedisFrozen => freeze(farm.redis(), time)?,
            Fault::ServerKilled => farm.lose(VICTIM, time)?,
            Fault::ServerFrozen => freeze(&farm.host(VICTIM)?.server, time)?,
            Fault::ControlAway => without_control(farm, &mut self.relay, time)?,
            Fault::SitesRestarted => farm.without_sites(|farm| during(time, || has_operators(farm)))?,
            Fault::ClockAhead => return clock::wrong(farm, self.places, VICTIM, Skew::Ahead, time).map(Some),
            Fault::ClockBehind => {
                return clock::wrong(farm, self.places, VICTIM, Skew::Behind, time).map(Some);
            }
            Fault::DiskFull => {
                let disk = self.disk.as_ref().context("the victim has a disk of its own")?;
                return full::fill(farm, self.places, VICTIM, disk, time).map(Some);
            }
            Fault::RedisFailedOver => {
                let watch = self.watch.as_ref().context("Redis has a Sentinel")?;
                return failover::fail_over(farm, watch, time).map(Some);
            }
        }
        Ok(None)
    }

    /// Waits until every server shows every site and answers its operator; gives how long that took.
    fn until_well(&self) -> Result<Duration> {
        let begin = Instant::now();
        loop {
            match self.farm.is_well() {
                Ok(()) => return Ok(begin.elapsed()),
                Err(error) if begin.elapsed() > PATIENCE => return Err(error),
                Err(_not_yet) => sleep(Duration::from_millis(50)),
            }
        }
    }
}

fn freeze(server: &Server, time: Duration) -> Result<()> {
    while_frozen(server, || {
        sleep(time);
        Ok(())
    })
}

fn without_control(farm: &Farm<'_>, relay: &mut Relay, time: Duration) -> Result<()> {
    relay.cut()?;
    let seen = during(time, || has_no_operators(farm));
    relay.mend()?;
    seen
}

/// Does something, and waits until this time is over, whatever comes of it.
pub(super) fn during<T>(time: Duration, act: impl FnOnce() -> Result<T>) -> Result<T> {
    let begin = Instant::now();
    let done = act();
    sleep(time.saturating_sub(begin.elapsed()));
    done
}

/// The fault is real: operators are refused.
fn has_no_operators(farm: &Farm<'_>) -> Result<()> {
    for host in farm.hosts() {
        ensure!(
            host.ask("GET", "servers", None).is_err(),
            "an operator is answered without a control database"
        );
    }
    Ok(())
}

/// The fault is no more than it should be: operators are answered.
fn has_operators(farm: &Farm<'_>) -> Result<()> {
    for host in farm.hosts() {
        host.ask("GET", "servers", None).context("ask while the sites' database is away")?;
    }
    Ok(())
}
