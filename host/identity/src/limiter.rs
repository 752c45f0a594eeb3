//! Limits failed sign-ins, per user name and per client address, in memory: the first of two counters. The second is
//! the store's and counts for all servers together; what is refused here never asks it.
//!
//! The map is bounded. Where it is full and nothing in it has run out, the entry that ends first makes
//! room: a flood of names costs memory once and never more.

use crate::{SignInKey, UserName};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How many failed sign-ins are taken within a window.
#[derive(Clone, Copy, Debug)]
pub struct SignInLimits {
    /// For one user name, from anywhere.
    pub per_name: u32,
    /// For one client address, an IPv6 address counting as its /64.
    pub per_address: u32,
    /// The window, from the first failure on.
    pub window: Duration,
    /// Names and addresses remembered at most.
    pub entries: usize,
}

impl Default for SignInLimits {
    fn default() -> Self {
        // 20 guesses in a quarter of an hour are 2,000 a day: nothing against ten characters, and more
        // than a person with the wrong key layout needs. An address may be an office with many people.
        Self { per_name: 20, per_address: 60, window: Duration::from_secs(15 * 60), entries: 20_000 }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Name(UserName),
    Address(IpAddr),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "name:{name}"),
            Self::Address(address) => write!(f, "address:{address}"),
        }
    }
}

#[derive(Debug)]
struct Count {
    failures: u32,
    ends: Instant,
}

#[derive(Debug)]
pub(crate) struct Limiter {
    limits: SignInLimits,
    counts: Mutex<HashMap<Key, Count>>,
}

impl Limiter {
    pub(crate) fn new(limits: SignInLimits) -> Self {
        Self { limits, counts: Mutex::new(HashMap::new()) }
    }

    /// Counts an attempt as failed before it is tried, so that attempts at the same time count too.
    /// Gives how long to wait where there were too many.
    pub(crate) fn attempt(
        &self,
        name: &UserName,
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<(), Duration> {
        let keys = self.keys(name, address);
        let mut counts = self.counts.lock();
        let wait = keys
            .iter()
            .filter_map(|(key, limit)| {
                let count = counts.get(key).filter(|count| count.ends > now)?;
                (count.failures >= *limit).then(|| count.ends.duration_since(now))
            })
            .max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        for (key, _) in keys {
            self.make_room(&mut counts, &key, now);
            let count = counts.entry(key).or_insert(Count { failures: 0, ends: now + self.limits.window });
            if count.ends <= now {
                *count = Count { failures: 0, ends: now + self.limits.window };
            }
            count.failures += 1;
        }
        Ok(())
    }

    /// Takes an attempt back that succeeded: the name is free again, the address gets its one back.
    pub(crate) fn succeeded(&self, name: &UserName, address: Option<IpAddr>) {
        let mut counts = self.counts.lock();
        counts.remove(&Key::Name(name.clone()));
        if let Some(address) = address
            && let Some(count) = counts.get_mut(&Key::Address(network(address)))
        {
            count.failures = count.failures.saturating_sub(1);
        }
    }

    /// Takes an attempt back that was refused for another reason.
    pub(crate) fn take_back(&self, name: &UserName, address: Option<IpAddr>) {
        let mut counts = self.counts.lock();
        for (key, _limit) in self.keys(name, address) {
            if let Some(count) = counts.get_mut(&key) {
                count.failures = count.failures.saturating_sub(1);
            }
        }
    }

    /// The same keys for the store.
    pub(crate) fn stored_keys(&self, name: &UserName, address: Option<IpAddr>) -> Vec<SignInKey> {
        let stored = |(key, limit): (Key, u32)| SignInKey { name: key.to_string(), limit };
        self.keys(name, address).into_iter().map(stored).collect()
    }

    /// The window that failures count in.
    pub(crate) fn window(&self) -> Duration {
        self.limits.window
    }

    fn keys(&self, name: &UserName, address: Option<IpAddr>) -> Vec<(Key, u32)> {
        let mut keys = vec![(Key::Name(name.clone()), self.limits.per_name)];
        keys.extend(address.map(|address| (Key::Address(network(address)), self.limits.per_address)));
        keys
    }

    fn make_room(&self, counts: &mut HashMap<Key, Count>, key: &Key, now: Instant) {
        if counts.len() < self.limits.entries || counts.contains_key(key) {
            return;
        }
        counts.retain(|_, count| count.ends > now);
        if counts.len() >= self.limits.entries
            && let Some(oldest) =
                counts.iter().min_by_key(|(_, count)| count.ends).map(|(key, _)| key.clone())
        {
            counts.remove(&oldest);
        }
    }
}

/// One subscriber of IPv6 has a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(four) => IpAddr::V4(four),
        IpAddr::V6(six) => IpAddr::V6(std::net::Ipv6Addr::from_bits(six.to_bits() & (u128::MAX << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter {
        let window = Duration::from_secs(60);
        Limiter::new(SignInLimits { per_name: 3, per_address: 5, window, entries: 10 })
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).unwrap()
    }

    #[test]
    fn a_name_is_closed_for_the_rest_of_the_window() {
        let (limiter, now) = (limiter(), Instant::now());
        for _ in 0..3 {
            limiter.attempt(&name("ada"), None, now).unwrap();
        }
        let wait = limiter.attempt(&name("ada"), None, now + Duration::from_secs(20)).unwrap_err();
        assert_eq!(wait, Duration::from_secs(40));
        limiter.attempt(&name("bob"), None, now).unwrap();
        limiter.attempt(&name("ada"), None, now + Duration::from_secs(61)).unwrap();
    }

    #[test]
    fn an_address_is_closed_whatever_the_names() {
        let (limiter, now) = (limiter(), Instant::now());
        for index in 0..5 {
            let address = format!("2001:db8::{index}").parse().unwrap();
            limiter.attempt(&name(&format!("user{index}")), Some(address), now).unwrap();
        }
        let same_network = Some("2001:db8::ffff".parse().unwrap());
        assert!(limiter.attempt(&name("other"), same_network, now).is_err());
        assert!(limiter.attempt(&name("other"), Some("2001:db8:0:1::1".parse().unwrap()), now).is_ok());
    }

    #[test]
    fn success_is_not_a_failure() {
        let (limiter, now) = (limiter(), Instant::now());
        let address = Some("192.0.2.1".parse().unwrap());
        for _ in 0..50 {
            limiter.attempt(&name("ada"), address, now).unwrap();
            limiter.succeeded(&name("ada"), address);
        }
    }

    #[test]
    fn a_flood_of_names_is_bounded() {
        let (limiter, now) = (limiter(), Instant::now());
        for index in 0..1000 {
            limiter.attempt(&name(&format!("user{index}")), None, now).unwrap();
        }
        assert!(limiter.counts.lock().len() <= 10);
    }
}
