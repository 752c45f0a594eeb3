//! Pages in memory, weighed in bytes.
//!
//! A look-up takes a read lock on one of a few shards and moves nothing: a page that was shown only has a
//! mark set. What must go is found by a clock: pages pass in the order they came, and one with a mark loses
//! it and passes again. There is a clock for all tenants and one for each, so that a tenant above its share
//! pushes out its own pages. Called by `look`, `fill` and `cache`.

mod shard;

use crate::account::Account;
use crate::coding::Coding;
use crate::key::{Address, Primary};
use crate::page::Page;
use crate::vary::Vary;
use bytes::Bytes;
use http::HeaderMap;
use parking_lot::RwLock;
use rowhouse_base::id::TenantId;
use shard::Shard;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How the variants of a page are told apart. The epoch is part of the keys of variants in the second level:
/// an index made anew doesn't bring back variants that were forgotten with the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) vary: Vary,
    pub(crate) epoch: u64,
}

/// What is known of an address.
pub(crate) enum Found {
    Nothing,
    /// Pages for other requests.
    Others(Arc<Index>),
    Page(Arc<Page>, Arc<Index>),
}

/// When a fill began, as far as forgetting is concerned: see [`Store::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    Stored,
    /// Larger than one tenant's share.
    TooLarge,
    /// Its address was forgotten since the mark was taken: the page may be from before that.
    Forgotten,
}

/// The pages.
#[derive(Debug)]
pub(crate) struct Store {
    keyed: RandomState,
    shards: Box<[RwLock<Shard>]>,
    forgotten: Box<[AtomicU64]>,
    bytes: AtomicU64,
    hand: AtomicUsize,
    most: u64,
    share: u64,
}

/// Enough for the processors of one machine to rarely meet, few enough to walk through.
const SHARDS: usize = 32;
/// Counters of forgotten addresses; a fill is dropped in vain where another address of the same counter is
/// forgotten meanwhile: with 1,024, one of a thousand.
const FORGOTTEN: usize = 1024;

impl Store {
    /// `most` bytes in all, `share` of them for one tenant.
    pub(crate) fn new(most: u64, share: u64) -> Self {
        Self {
            keyed: RandomState::new(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            forgotten: (0..FORGOTTEN).map(|_| AtomicU64::new(0)).collect(),
            bytes: AtomicU64::new(0),
            hand: AtomicUsize::new(0),
            most,
            share,
        }
    }

    pub(crate) fn hash(&self, address: &Address<'_>) -> u64 {
        address.hash(&self.keyed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What is stored for a request.
    pub(crate) fn find(&self, hash: u64, address: &Address<'_>, asked: &HeaderMap) -> Found {
        let Some(shard) = self.shard(hash) else { return Found::Nothing };
        shard.read().find(hash, address, asked)
    }

    /// True where this very page is stored.
    pub(crate) fn has(&self, page: &Arc<Page>) -> bool {
        self.shard(page.hash).is_some_and(|shard| shard.read().has(page))
    }

    /// To be taken before a fill begins and given to [`Store::insert`]: a page whose address was forgotten
    /// in between is not stored.
    pub(crate) fn mark(&self, hash: u64) -> Mark {
        Mark(self.counter(hash).map_or(0, |counter| counter.load(Ordering::Acquire)))
    }

    /// Stores a page, in place of the one for the same requests.
    pub(crate) fn insert(&self, page: &Arc<Page>, index: &Arc<Index>, mark: Mark) -> Inserted {
        if page.weight() > self.share.min(self.most) {
            return Inserted::TooLarge;
        }
        let Some(shard) = self.shard(page.hash) else { return Inserted::TooLarge };
        {
            let mut shard = shard.write();
            // Under the lock: whoever forgets counts first and then takes it.
            if self.mark(page.hash) != mark {
                return Inserted::Forgotten;
            }
            let change = shard.insert(page, index);
            self.apply(&change);
        }
        self.shrink(&page.account, page.content.primary.site.tenant, page.hash);
        Inserted::Stored
    }

    /// Removes all variants of an address.
    pub(crate) fn forget(&self, hash: u64, primary: &Primary) {
        if let Some(counter) = self.counter(hash) {
            counter.fetch_add(1, Ordering::AcqRel);
        }
        if let Some(shard) = self.shard(hash) {
            let change = shard.write().remove(hash, Some(primary));
            self.apply(&change);
        }
    }

    /// Removes all that a tenant has.
    pub(crate) fn forget_tenant(&self, tenant: TenantId) {
        // Its fills must not bring anything back.
        for counter in &self.forgotten {
            counter.fetch_add(1, Ordering::AcqRel);
        }
        for shard in &self.shards {
            let change = shard.write().remove_tenant(tenant);
            self.apply(&change);
        }
    }

    /// Keeps a coded body with its page, where that is still stored.
    pub(crate) fn keep(&self, page: &Arc<Page>, coding: Coding, body: Bytes) {
        if let Some(shard) = self.shard(page.hash) {
            let change = shard.write().keep(page, coding, body);
            self.apply(&change);
        }
        self.shrink(&page.account, page.content.primary.site.tenant, page.hash);
    }

    fn shard(&self, hash: u64) -> Option<&RwLock<Shard>> {
        // The low bits belong to the map inside.
        self.shards.get(usize::try_from(hash >> 48).unwrap_or(0) % SHARDS)
    }

    fn counter(&self, hash: u64) -> Option<&AtomicU64> {
        self.forgotten.get(usize::try_from(hash & 0xffff).unwrap_or(0) % FORGOTTEN)
    }

    fn apply(&self, change: &shard::Change) {
        self.bytes.fetch_add(change.more, Ordering::Relaxed);
        self.bytes.fetch_sub(change.less, Ordering::Relaxed);
    }

    /// Pushes out pages until tenant and server are within their limits.
    fn shrink(&self, account: &Account, tenant: TenantId, hash: u64) {
        let own = usize::try_from(hash >> 48).unwrap_or(0);
        self.shrink_until(own, Some(tenant), || account.bytes.load(Ordering::Relaxed) <= self.share);
        let hand = self.hand.fetch_add(1, Ordering::Relaxed);
        self.shrink_until(hand, None, || self.bytes() <= self.most);
    }

    /// Goes around the shards. The first two rounds without a page clear marks and then heed those set
    /// meanwhile; a third takes pages whatever their marks are; a fourth finds nothing that could go.
    fn shrink_until(&self, start: usize, tenant: Option<TenantId>, done: impl Fn() -> bool) {
        let (mut place, mut idle) = (start, 0);
        while !done() {
            place = place.wrapping_add(1);
            let shard = self.shards.get(place % SHARDS);
            if shard.is_some_and(|shard| self.evict(shard, tenant, idle >= 2 * SHARDS)) {
                idle = 0;
                continue;
            }
            idle += 1;
            if idle > 3 * SHARDS {
                break;
            }
        }
    }

    fn evict(&self, shard: &RwLock<Shard>, tenant: Option<TenantId>, whatever: bool) -> bool {
        let change = shard.write().evict(tenant, whatever);
        self.apply(&change);
        change.less > 0
    }
}
