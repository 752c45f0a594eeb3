//! Who used how much CPU time lately: the basis for letting light tenants go first.
//!
//! Every tenant has a decaying sum of its CPU time, guest code and SQL alike, and so has the server as a
//! whole. Nothing is refused here: a tenant that is heavy runs on threads of low priority while others
//! are at work, and at full speed while it is alone.

use crate::id::TenantId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was used this long ago counts half.
const HALF_LIFE: Duration = Duration::from_millis(250);

/// A steady use of one core sums up to this: the half-life divided by ln 2.
const ONE_CORE: f64 = 0.25 / std::f64::consts::LN_2;

/// A tenant below this share of one core is never heavy.
const LIGHT: f64 = 0.2 * ONE_CORE;

/// Others together must use this share of one core for a tenant to be in anybody's way.
const OTHERS: f64 = 0.0005 * ONE_CORE;

/// Somebody who used nothing for this long is at work no more, however much they used before: of what a whole core was
/// busy with, it takes almost three seconds to forget enough.
const LATELY: Duration = Duration::from_secs(1);

/// A tenant with more than this share of all is heavy.
const SHARE: f64 = 0.25;

/// Entries that may be kept although nobody uses them, before they are cleared out.
const SPARE: usize = 1024;

/// Seconds of CPU time, of which half is forgotten in every half-life.
#[derive(Debug)]
struct Decaying {
    seconds: f64,
    at: Instant,
}

impl Decaying {
    fn new(at: Instant) -> Self {
        Self { seconds: 0.0, at }
    }

    fn value(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        self.seconds * (-age / HALF_LIFE.as_secs_f64() * std::f64::consts::LN_2).exp()
    }

    fn add(&mut self, cpu: Duration, now: Instant) {
        self.seconds = self.value(now) + cpu.as_secs_f64();
        self.at = now;
    }
}

/// What all tenants used, and who was at work last.
#[derive(Debug)]
struct Total {
    sum: Decaying,
    /// Who used something last, and when. None before anybody did.
    latest: Option<(TenantId, Instant)>,
    /// When somebody else than them did last.
    before: Option<Instant>,
}

impl Total {
    fn add(&mut self, id: TenantId, cpu: Duration, now: Instant) {
        self.sum.add(cpu, now);
        if let Some((latest, at)) = self.latest
            && latest != id
        {
            self.before = Some(at);
        }
        self.latest = Some((id, now));
    }

    /// When anybody but this tenant used something last.
    fn others_at(&self, id: TenantId) -> Option<Instant> {
        match self.latest {
            Some((latest, at)) if latest != id => Some(at),
            _ => self.before,
        }
    }
}

/// The CPU time of all tenants.
#[derive(Debug)]
pub struct Shares {
    tenants: Mutex<HashMap<TenantId, Arc<Share>>>,
    total: Arc<Mutex<Total>>,
}

/// One tenant's account.
#[derive(Debug)]
pub struct Share {
    id: TenantId,
    own: Mutex<Decaying>,
    total: Arc<Mutex<Total>>,
}

impl Default for Shares {
    fn default() -> Self {
        let total = Total { sum: Decaying::new(Instant::now()), latest: None, before: None };
        Self { tenants: Mutex::default(), total: Arc::new(Mutex::new(total)) }
    }
}

impl Shares {
    /// The tenant's account, opened where there is none.
    #[must_use]
    pub fn of(&self, id: TenantId) -> Arc<Share> {
        let mut tenants = self.tenants.lock();
        if tenants.len() > SPARE && !tenants.contains_key(&id) {
            let now = Instant::now();
            tenants.retain(|_, share| Arc::strong_count(share) > 1 || share.own.lock().value(now) > OTHERS);
        }
        let open = || {
            let own = Mutex::new(Decaying::new(Instant::now()));
            Arc::new(Share { id, own, total: Arc::clone(&self.total) })
        };
        Arc::clone(tenants.entry(id).or_insert_with(open))
    }
}

impl Share {
    /// Notes CPU time that was used just now.
    pub fn bill(&self, cpu: Duration) {
        self.bill_at(cpu, Instant::now());
    }

    fn bill_at(&self, cpu: Duration, now: Instant) {
        self.own.lock().add(cpu, now);
        self.total.lock().add(self.id, cpu, now);
    }

    /// True while the tenant uses much more than others that are at work.
    #[must_use]
    pub fn is_heavy(&self) -> bool {
        self.is_heavy_at(Instant::now())
    }

    fn is_heavy_at(&self, now: Instant) -> bool {
        let own = self.own.lock().value(now);
        if own < LIGHT {
            return false;
        }
        let total = self.total.lock();
        let others_at = total.others_at(self.id);
        if others_at.is_none_or(|at| now.saturating_duration_since(at) > LATELY) {
            return false;
        }
        let all = total.sum.value(now);
        all - own > OTHERS && own > all * SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: Duration = Duration::from_millis(1);

    #[test]
    fn a_tenant_alone_is_never_heavy() {
        let shares = Shares::default();
        let alone = shares.of(TenantId::new());
        alone.bill(1_000 * MILLIS);
        assert!(!alone.is_heavy());
    }

    #[test]
    fn who_uses_most_beside_others_is_heavy_and_they_are_not() {
        let shares = Shares::default();
        let (greedy, quiet) = (TenantId::new(), TenantId::new());
        shares.of(greedy).bill(500 * MILLIS);
        shares.of(quiet).bill(5 * MILLIS);
        assert!(shares.of(greedy).is_heavy());
        assert!(!shares.of(quiet).is_heavy());
    }

    #[test]
    fn who_is_alone_after_others_were_busy_is_heavy_no_more() {
        let begin = Instant::now();
        let shares = Shares::default();
        let (greedy, busy, quiet) =
            (shares.of(TenantId::new()), shares.of(TenantId::new()), shares.of(TenantId::new()));
        busy.bill_at(5_000 * MILLIS, begin);
        greedy.bill_at(5_000 * MILLIS, begin + 500 * MILLIS);
        assert!(greedy.is_heavy_at(begin + 900 * MILLIS));
        let later = begin + 1_100 * MILLIS;
        greedy.bill_at(500 * MILLIS, later);
        assert!(!greedy.is_heavy_at(later));
        // One page of somebody is enough.
        quiet.bill_at(5 * MILLIS, later);
        assert!(greedy.is_heavy_at(later));
        greedy.bill_at(MILLIS, later + 10 * MILLIS);
        assert!(greedy.is_heavy_at(later + 10 * MILLIS));
    }

    #[test]
    fn many_equal_tenants_are_not_heavy() {
        let shares = Shares::default();
        let all: Vec<_> = (0..10).map(|_| shares.of(TenantId::new())).collect();
        all.iter().for_each(|share| share.bill(200 * MILLIS));
        assert!(all.iter().all(|share| !share.is_heavy()));
    }

    #[test]
    fn use_is_forgotten() {
        let begin = Instant::now();
        let mut sum = Decaying::new(begin);
        sum.add(1_000 * MILLIS, begin);
        let later = sum.value(begin + 2 * HALF_LIFE);
        assert!((later - 0.25).abs() < 1e-9, "{later}");
    }

    #[test]
    fn accounts_of_sleeping_tenants_are_cleared() {
        let shares = Shares::default();
        for _ in 0..SPARE * 3 {
            drop(shares.of(TenantId::new()));
        }
        assert!(shares.tenants.lock().len() <= SPARE + 1);
    }
}
