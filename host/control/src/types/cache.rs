//! The output cache as operators see it, and what they ask of it.

use crate::ports::CacheNumbers;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Counts since this server started, and what its memory holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CacheCounts {
    /// Requests answered from the cache.
    pub hits: u64,
    /// Requests for which the site was asked and whose answer could have been kept.
    pub misses: u64,
    /// Answers kept.
    pub fills: u64,
    /// Pages that had to go for others.
    pub evictions: u64,
    /// Pages in memory; those that differ by `Vary` count once.
    pub entries: u64,
    /// Bytes of memory that they take.
    pub bytes: u64,
}

impl From<CacheNumbers> for CacheCounts {
    fn from(numbers: CacheNumbers) -> Self {
        let CacheNumbers { hits, misses, fills, evictions, entries, bytes } = numbers;
        Self { hits, misses, fills, evictions, entries, bytes }
    }
}

/// The cache of this server for one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantCacheView {
    /// The tenant's name.
    pub tenant: String,
    /// Its counts.
    #[serde(flatten)]
    pub counts: CacheCounts,
}

/// The cache of this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CacheView {
    /// Of all tenants.
    pub totals: CacheCounts,
    /// The tenants with the most bytes, at most 100.
    pub items: Vec<TenantCacheView>,
}

/// What to make anew: everything where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FlushCache {
    /// The pages with this tag.
    pub tag: Option<String>,
    /// One page: its path and query within the site, or its whole address. In this server's memory and in Redis; other
    /// servers' memory keeps it until its time is over.
    pub url: Option<String>,
}

/// What is made anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlushedView {
    /// The tenant's name.
    pub tenant: String,
    /// `everything`, `tag` or `url`.
    pub flushed: String,
    /// Every address at which the page was forgotten, where it was one page.
    pub addresses: Vec<String>,
}
