//! The faults that visitors are shown: what each is called, how long it lasts, and what it needs.

use std::time::Duration;

use super::super::balancer::Balancer;
use crate::Effort;

/// How long Redis, a server or the sites' database stays away, or a clock stays wrong.
const AWAY: Duration = Duration::from_secs(5);

/// Longer than a server waits for further changes before it writes its snapshot (5 s): a full disk has to meet that.
const FULL: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    RedisKilled,
    RedisEmptied,
    RedisFrozen,
    ServerKilled,
    ServerFrozen,
    ControlAway,
    SitesRestarted,
    ClockAhead,
    ClockBehind,
    DiskFull,
    RedisFailedOver,
}

impl Fault {
    /// All of them, in the order of the table.
    pub(super) const ALL: [Self; 11] = [
        Self::RedisKilled,
        Self::RedisEmptied,
        Self::RedisFrozen,
        Self::ServerKilled,
        Self::ServerFrozen,
        Self::ControlAway,
        Self::SitesRestarted,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::DiskFull,
        Self::RedisFailedOver,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RedisKilled => "Redis killed, started again",
            Self::RedisEmptied => "Redis emptied",
            Self::RedisFrozen => "Redis frozen",
            Self::ServerKilled => "a server killed, started again",
            Self::ServerFrozen => "a server frozen",
            Self::ControlAway => "control database away",
            Self::SitesRestarted => "tenant database server restarted",
            Self::ClockAhead => "clock of a server five minutes ahead",
            Self::ClockBehind => "clock of a server five minutes behind",
            Self::DiskFull => "disk of a server full",
            Self::RedisFailedOver => "Redis failed over",
        }
    }

    pub(super) fn lasts(self, effort: Effort) -> Duration {
        match self {
            Self::RedisEmptied => Duration::ZERO,
            Self::ServerFrozen => Duration::from_secs(if effort.quick { 10 } else { 30 }),
            Self::ControlAway => Duration::from_secs(if effort.quick { 10 } else { 60 }),
            Self::DiskFull => FULL,
            _ => AWAY,
        }
    }

    /// The balancers through which it is looked at: both where it is theirs to deal with.
    pub(super) fn balancers(self) -> &'static [Balancer] {
        match self {
            Self::ServerKilled | Self::ServerFrozen => &Balancer::ALL,
            _ => &[Balancer::Nginx],
        }
    }

    /// True where Redis has a replica and a Sentinel. Where it has, killing it is another fault.
    pub(super) fn is_watched(self) -> bool {
        self == Self::RedisFailedOver
    }

    /// True where the server of the sites' database is stopped, which has to be one of their own for that.
    pub(super) fn stops_sites(self) -> bool {
        self == Self::SitesRestarted
    }
}
