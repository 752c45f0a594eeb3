//! The cache as a whole: its limits, its parts, what an operator does with it.

use crate::account::{Account, Accounts, CacheStats};
use crate::coding::Coding;
use crate::flight::Flights;
use crate::key::{Address, Site};
use crate::page::Page;
use crate::second::SecondLevel;
use crate::store::Store;
use lru::LruCache;
use parking_lot::Mutex;
use rowhouse_base::Timestamp;
use rowhouse_base::id::TenantId;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The limits of the cache.
#[derive(Clone, Debug)]
pub struct CacheConfig {
    /// Memory for pages of all tenants.
    pub memory_bytes: u64,
    /// The largest part of that memory that one tenant may hold, between 0 and 1.
    pub tenant_share: f64,
    /// The longest body that is stored.
    pub max_page_bytes: u64,
    /// How many pages of one tenant are made for the cache at a time; beyond it, requests go past the cache.
    pub fills_per_tenant: usize,
    /// How long a request waits for another one that makes its page.
    pub fill_wait: Duration,
    /// How long a request waits for another server that makes its page.
    pub lease_wait: Duration,
    /// How long after it went stale a page may still be shown where the guest gave no answer at all, or
    /// 502 or 504, if it said nothing about staleness. 0: only where the guest allowed it by `stale-if-error`.
    pub failure_grace: Duration,
    /// How long it is remembered that the answer at an address was not stored, so that requests for it don't
    /// wait for one another.
    pub refusal_memory: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            memory_bytes: 256 << 20,
            tenant_share: 0.25,
            max_page_bytes: 4 << 20,
            fills_per_tenant: 256,
            fill_wait: Duration::from_secs(10),
            lease_wait: Duration::from_millis(500),
            failure_grace: Duration::from_secs(60),
            refusal_memory: Duration::from_secs(2),
        }
    }
}

/// How many addresses are remembered whose answers weren't stored: 16,384, which take about 1 MB.
const REFUSALS: NonZeroUsize = NonZeroUsize::MIN.saturating_add((1 << 14) - 1);
/// How many bodies are coded at a time: one, and another while that one is large.
const CODERS: usize = 2;

/// The output cache of a server.
pub struct Cache {
    pub(crate) config: CacheConfig,
    pub(crate) store: Store,
    pub(crate) flights: Arc<Flights>,
    pub(crate) accounts: Accounts,
    pub(crate) second: Option<Arc<dyn SecondLevel>>,
    refusals: Mutex<LruCache<u64, Timestamp>>,
    coders: Arc<Semaphore>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("config", &self.config)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Cache {
    /// An empty cache. `second` is what it shares with other servers.
    #[must_use]
    pub fn new(config: CacheConfig, second: Option<Arc<dyn SecondLevel>>) -> Arc<Self> {
        // A part of a number of bytes: exactness is of no use.
        let share = (config.memory_bytes as f64 * config.tenant_share.clamp(0.0, 1.0)) as u64;
        Arc::new(Self {
            store: Store::new(config.memory_bytes, share),
            config,
            flights: Arc::default(),
            accounts: Accounts::default(),
            second,
            refusals: Mutex::new(LruCache::new(REFUSALS)),
            coders: Arc::new(Semaphore::new(CODERS)),
        })
    }

    /// Forgets all variants of an address, here and in the second level, and keeps fills that run for it
    /// from being stored. `path` is path and query within the site.
    pub fn forget_uri(&self, site: Site, origin: &str, base_path: &str, path: &str) {
        let address = Address { site, origin, base_path, path };
        let primary = address.to_primary();
        self.store.forget(self.store.hash(&address), &primary);
        if let Some(second) = &self.second {
            second.remove(primary.key(PAGE_KEY, 0, ""));
        }
    }

    /// Forgets everything of a tenant in memory, its counts too. What is in the second level can't be found
    /// any more once the tenant's revision moved or its id is gone.
    pub fn drop_tenant(&self, tenant: TenantId) {
        self.store.forget_tenant(tenant);
        self.accounts.forget(tenant);
    }

    /// The sum of all tenants. What is counted never becomes less, also where tenants are forgotten.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        CacheStats { bytes: self.store.bytes(), ..self.accounts.sum() }
    }

    /// One tenant's counts. None where nothing of it was asked for lately.
    #[must_use]
    pub fn tenant_stats(&self, tenant: TenantId) -> Option<CacheStats> {
        self.accounts.stats(tenant)
    }

    /// Every tenant that is remembered: at most some ten thousand.
    #[must_use]
    pub fn stats_by_tenant(&self) -> Vec<(TenantId, CacheStats)> {
        self.accounts.all()
    }

    pub(crate) fn account(&self, site: &Site) -> Arc<Account> {
        self.accounts.of(site.tenant)
    }

    /// Remembers that the answer at an address is not for storing.
    pub(crate) fn remember_refusal(&self, hash: u64, now: Timestamp) {
        self.refusals.lock().put(hash, now.after(self.config.refusal_memory));
    }

    pub(crate) fn was_refused(&self, hash: u64, now: Timestamp) -> bool {
        let mut refusals = self.refusals.lock();
        match refusals.get(&hash) {
            Some(until) if !until.is_past(now) => true,
            Some(_) => {
                refusals.pop(&hash);
                false
            }
            None => false,
        }
    }

    /// Makes a coded body in the background, once, where there is room for it.
    pub(crate) fn code(self: &Arc<Self>, page: &Arc<Page>, coding: Coding) {
        // One that isn't kept, because it is too large or had to go for others, would be coded for nobody.
        if !page.begins(coding) || !self.store.has(page) {
            return;
        }
        let Ok(permit) = Arc::clone(&self.coders).try_acquire_owned() else {
            page.gives_up(coding);
            return;
        };
        let (cache, page) = (Arc::clone(self), Arc::clone(page));
        // Ends by itself; nobody waits for it.
        drop(tokio::task::spawn_blocking(move || {
            // Not smaller is no use, and stays begun, so that nobody tries again. A fault is one in memory.
            if let Ok(coded) = coding.encode(&page.content.body)
                && coded.len() < page.content.body.len()
            {
                cache.store.keep(&page, coding, coded);
            }
            drop(permit);
        }));
    }
}

/// Names what is kept under an address alone: the page, or the index of its variants.
pub(crate) const PAGE_KEY: &str = "page";
/// Names a variant.
pub(crate) const VARIANT_KEY: &str = "variant";
/// Names the lease of a page.
pub(crate) const LEASE_KEY: &str = "lease";
