//! What visitors see while Redis, a server or the control database fails. Nothing is asserted of it but that the farm
//! is well again afterwards: what a balancer does about a server that dies or freezes is in the figures.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::balancer::Balancer;
use super::crowd::{Group, Seen, visit};
use super::databases::Databases;
use super::fleet::{Farm, while_frozen, wishes};
use super::millis;
use super::relay::Relay;
use crate::Effort;
use crate::places::Places;
use crate::server::Server;
use crate::table::Report;

const VISITORS: usize = 4;

/// Between an answer and a visitor's next request: what is looked for is stalls, not how much the machine can do.
const PAUSE: Duration = Duration::from_millis(10);

/// Load before the fault and after it.
const AROUND: Duration = Duration::from_secs(2);

/// How long Redis or a server stays away.
const AWAY: Duration = Duration::from_secs(5);

/// How long the farm may take to be well again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server that something happens to; any will do.
const VICTIM: usize = 1;

#[derive(Debug, Clone, Copy)]
enum Fault {
    RedisKilled,
    RedisEmptied,
    RedisFrozen,
    ServerKilled,
    ServerFrozen,
    ControlAway,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::RedisKilled => "Redis killed, started again",
            Self::RedisEmptied => "Redis emptied",
            Self::RedisFrozen => "Redis frozen",
            Self::ServerKilled => "a server killed, started again",
            Self::ServerFrozen => "a server frozen",
            Self::ControlAway => "control database away",
        }
    }

    fn lasts(self, effort: Effort) -> Duration {
        match self {
            Self::RedisEmptied => Duration::ZERO,
            Self::RedisKilled | Self::RedisFrozen | Self::ServerKilled => AWAY,
            Self::ServerFrozen => Duration::from_secs(if effort.quick { 10 } else { 30 }),
            Self::ControlAway => Duration::from_secs(if effort.quick { 10 } else { 60 }),
        }
    }

    /// The balancers through which it is looked at: both where it is theirs to deal with.
    fn balancers(self) -> &'static [Balancer] {
        match self {
            Self::ServerKilled | Self::ServerFrozen => &Balancer::ALL,
            _ => &[Balancer::Nginx],
        }
    }
}

const FAULTS: [Fault; 6] = [
    Fault::RedisKilled,
    Fault::RedisEmptied,
    Fault::RedisFrozen,
    Fault::ServerKilled,
    Fault::ServerFrozen,
    Fault::ControlAway,
];

pub(crate) fn run(places: &Places, effort: Effort, report: &mut Report) -> Result<()> {
    let databases = Databases::make("faults")?;
    let mut relay = Relay::start(databases.place()?)?;
    let mut farm = Farm::start_on(places, databases, Some(relay.port))?;
    farm.furnish()?;
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for fault in FAULTS {
        for balancer in fault.balancers() {
            println!("    {}, behind {}", fault.name(), balancer.name());
            let proxy = balancer.start(places, &farm.ports())?;
            let time = fault.lasts(effort);
            let group = Group { visitors: VISITORS, pause: PAUSE, wishes: wishes() };
            let (seen, ()) = visit(&proxy.url(), &[group], 0, || {
                sleep(AROUND);
                happen(&mut farm, &mut relay, fault, time)?;
                sleep(AROUND);
                Ok(())
            })
            .with_context(|| fault.name())?;
            let well = until_well(&farm).with_context(|| format!("after: {}", fault.name()))?;
            let seen = seen.first().context("a group saw something")?;
            rows.push(row(fault, *balancer, time, seen, well));
            notes.extend(seen.failure.as_ref().map(|failure| {
                format!("One of the failures behind {}, {}: {failure}", balancer.name(), fault.name())
            }));
        }
    }
    report.section("Farm: what visitors see of faults");
    report.rows(
        &[
            "fault",
            "for s",
            "balancer",
            "requests",
            "failed",
            "wrong pages",
            "longest ms",
            "well again after s",
        ],
        &rows,
    );
    report.note(
        "Four visitors who wait for each answer; one request in four is a POST, which no balancer repeats once it was \
         sent. Well again: every server shows every site and answers its operator, counted from the end of the load.",
    );
    for note in &notes {
        report.note(note);
    }
    Ok(())
}

fn row(fault: Fault, balancer: Balancer, time: Duration, seen: &Seen, well: Duration) -> Vec<String> {
    let row = vec![
        fault.name().to_owned(),
        time.as_secs().to_string(),
        balancer.name().to_owned(),
        seen.requests.to_string(),
        seen.failed.to_string(),
        seen.wrong.to_string(),
        millis(seen.longest),
        format!("{:.1}", well.as_secs_f64()),
    ];
    println!("    {}", row.join("  "));
    row
}

fn happen(farm: &mut Farm<'_>, relay: &mut Relay, fault: Fault, time: Duration) -> Result<()> {
    match fault {
        Fault::RedisKilled => {
            farm.lose_redis()?;
            sleep(time);
            farm.find_redis()
        }
        Fault::RedisEmptied => farm.empty_redis(),
        Fault::RedisFrozen => freeze(farm.redis(), time),
        Fault::ServerKilled => farm.lose(VICTIM, time),
        Fault::ServerFrozen => freeze(&farm.host(VICTIM)?.server, time),
        Fault::ControlAway => {
            let begin = Instant::now();
            relay.cut()?;
            let seen = is_away(farm);
            sleep(time.saturating_sub(begin.elapsed()));
            relay.mend()?;
            seen
        }
    }
}

fn freeze(server: &Server, time: Duration) -> Result<()> {
    while_frozen(server, || {
        sleep(time);
        Ok(())
    })
}

/// The fault is real: operators are refused.
fn is_away(farm: &Farm<'_>) -> Result<()> {
    for host in farm.hosts() {
        ensure!(
            host.ask("GET", "servers", None).is_err(),
            "an operator is answered without a control database"
        );
    }
    Ok(())
}

/// Waits until every server shows every site and answers its operator; gives how long that took.
fn until_well(farm: &Farm<'_>) -> Result<Duration> {
    let begin = Instant::now();
    loop {
        match farm.is_well() {
            Ok(()) => return Ok(begin.elapsed()),
            Err(error) if begin.elapsed() > PATIENCE => return Err(error),
            Err(_not_yet) => sleep(Duration::from_millis(50)),
        }
    }
}
