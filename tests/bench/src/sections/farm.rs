//! Three servers on one control database, behind the balancers that the example of a farm ships: how soon a change
//! is everywhere, whether any is lost, and what visitors see of restarts and faults.
//!
//! Each part starts a farm of its own and can be asked for alone: as `farm:PART` with its databases on PostgreSQL, as
//! `farm:mysql:PART` with them on MariaDB. What is configured is what `examples/farm` ships, with this machine's places
//! in it. Nothing but loopback is listened on, and nothing is ended that was not started here: a database server of the
//! tests goes on while a relay in front of it plays its outage, and what is stopped is a PostgreSQL of the farm's own.

mod balancer;
mod command;
mod crowd;
mod databases;
mod disk;
mod example;
pub(super) mod faults;
mod fleet;
mod relay;
pub(super) mod restart;
pub(super) mod scaling;
mod sentinel;
mod sign;
pub(super) mod visibility;
pub(super) mod writers;

pub(super) use databases::Engine;

use std::time::Duration;

/// A time in milliseconds, as tables show it.
fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// The same, marked where it is longer than it should be.
fn against(time: Duration, goal: Duration) -> String {
    let mark = if time > goal { " (missed)" } else { "" };
    format!("{}{mark}", millis(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_marked() {
        let goal = Duration::from_secs(1);
        assert_eq!(against(goal, goal), "1000.0");
        assert_eq!(against(Duration::from_micros(1_000_100), goal), "1000.1 (missed)");
    }
}
