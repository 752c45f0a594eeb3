//! What the cache counts for each tenant, and how many fills a tenant may run.

use parking_lot::{Mutex, RwLock};
use rowhouse_base::id::TenantId;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counts of one tenant or of all, since the server started. Sizes are in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Requests answered from the store.
    pub hits: u64,
    /// Requests for which the guest had to be asked and whose answer could have been stored.
    pub misses: u64,
    /// Answers stored.
    pub fills: u64,
    /// Pages that had to go for others.
    pub evictions: u64,
    /// Pages in memory; those that differ by `Vary` count once.
    pub entries: u64,
    /// Bytes of memory that they take.
    pub bytes: u64,
}

/// A tenant's account.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) fills: AtomicU64,
    pub(crate) evictions: AtomicU64,
    pub(crate) entries: AtomicU64,
    pub(crate) bytes: AtomicU64,
    running: AtomicUsize,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Account {
    pub(crate) fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            fills: self.fills.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
            entries: self.entries.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// Adds what was counted to a sum, without what is in memory now.
    fn add_to(&self, sum: &mut CacheStats) {
        let stats = self.stats();
        sum.hits += stats.hits;
        sum.misses += stats.misses;
        sum.fills += stats.fills;
        sum.evictions += stats.evictions;
    }

    fn is_idle(&self) -> bool {
        self.entries.load(Ordering::Relaxed) == 0 && self.running.load(Ordering::Relaxed) == 0
    }

    /// Leave to run a fill, where fewer than `most` of the tenant's run.
    pub(crate) fn permit(self: &Arc<Self>, most: usize) -> Option<Permit> {
        self.running
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| {
                (running < most).then_some(running + 1)
            })
            .ok()
            .map(|_before| Permit(Arc::clone(self)))
    }
}

/// Leave to run one fill, given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Account>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The tenants that are remembered. One with pages in memory is; others are forgotten, with their counts,
/// when there are too many.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    open: RwLock<HashMap<TenantId, Arc<Account>>>,
    /// What the forgotten ones had counted, so that sums never become smaller. Changed under the lock of `open`.
    closed: Mutex<CacheStats>,
}

/// An account is some 150 bytes: 1.5 MB, for ten thousand tenants visited since they were last swept.
const REMEMBERED: usize = 10_000;

impl Accounts {
    /// The tenant's, opened at first use.
    pub(crate) fn of(&self, tenant: TenantId) -> Arc<Account> {
        if let Some(account) = self.open.read().get(&tenant) {
            return Arc::clone(account);
        }
        let mut accounts = self.open.write();
        if accounts.len() >= REMEMBERED {
            // Held by nobody else: a count taken elsewhere would go to an account that is gone.
            let mut closed = self.closed.lock();
            accounts.retain(|_tenant, account| {
                let stays = !account.is_idle() || Arc::strong_count(account) > 1;
                if !stays {
                    account.add_to(&mut closed);
                }
                stays
            });
        }
        Arc::clone(accounts.entry(tenant).or_default())
    }

    /// The tenant's counts, where it is remembered.
    pub(crate) fn stats(&self, tenant: TenantId) -> Option<CacheStats> {
        self.open.read().get(&tenant).map(|account| account.stats())
    }

    /// Every tenant that is remembered.
    pub(crate) fn all(&self) -> Vec<(TenantId, CacheStats)> {
        self.open.read().iter().map(|(tenant, account)| (*tenant, account.stats())).collect()
    }

    /// All tenants together, the forgotten ones included; without the bytes, which the store knows.
    pub(crate) fn sum(&self) -> CacheStats {
        let accounts = self.open.read();
        let mut sum = *self.closed.lock();
        for account in accounts.values() {
            account.add_to(&mut sum);
            sum.entries += account.entries.load(Ordering::Relaxed);
        }
        sum
    }

    pub(crate) fn forget(&self, tenant: TenantId) {
        let mut accounts = self.open.write();
        if let Some(account) = accounts.remove(&tenant) {
            account.add_to(&mut self.closed.lock());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_bounded_and_come_back() {
        let account = Arc::new(Account::default());
        let (first, second) = (account.permit(2), account.permit(2));
        assert!(first.is_some() && second.is_some());
        assert!(account.permit(2).is_none());
        drop(first);
        assert!(account.permit(2).is_some());
    }

    #[test]
    fn idle_tenants_are_forgotten_when_there_are_too_many() {
        let accounts = Accounts::default();
        let busy = TenantId::new();
        accounts.of(busy).entries.store(1, Ordering::Relaxed);
        for _ in 0..REMEMBERED + 5 {
            drop(accounts.of(TenantId::new()));
        }
        assert!(accounts.all().len() <= REMEMBERED);
        assert_eq!(accounts.stats(busy).map(|stats| stats.entries), Some(1));
    }

    #[test]
    fn what_was_counted_stays_in_the_sum() {
        let accounts = Accounts::default();
        let gone = TenantId::new();
        count(&accounts.of(gone).hits);
        accounts.forget(gone);
        for _ in 0..REMEMBERED + 5 {
            count(&accounts.of(TenantId::new()).misses);
        }
        let counted = u64::try_from(REMEMBERED + 5).unwrap();
        assert_eq!((accounts.sum().hits, accounts.sum().misses), (1, counted));
    }
}
