//! What the control plane is told of the cache, of Redis and of the process. The control room knows neither.

use rowhouse_announce::{AnnounceStats, RedisAnnouncer};
use rowhouse_base::id::TenantId;
use rowhouse_cache::{Cache, CacheStats, RedisLevel, RedisLevelStats, Site};
use rowhouse_control::ports::{CacheNumbers, Measure, MeasureKind, Measures, OutputCache, PagePlace};
use rowhouse_data::Data;
use rowhouse_tenant::Tenant;
use std::fs;
use std::sync::Arc;

/// The output cache as the control plane uses it, and beside it what else this server only keeps a copy of.
pub(crate) struct CachePort {
    pub(crate) cache: Arc<Cache>,
    pub(crate) data: Arc<Data>,
}

fn numbers(stats: CacheStats) -> CacheNumbers {
    let CacheStats { hits, misses, fills, evictions, entries, bytes } = stats;
    CacheNumbers { hits, misses, fills, evictions, entries, bytes }
}

impl OutputCache for CachePort {
    fn totals(&self) -> CacheNumbers {
        numbers(self.cache.stats())
    }

    fn of(&self, tenant: TenantId) -> CacheNumbers {
        numbers(self.cache.tenant_stats(tenant).unwrap_or_default())
    }

    fn tenants(&self) -> Vec<(TenantId, CacheNumbers)> {
        self.cache.stats_by_tenant().into_iter().map(|(tenant, stats)| (tenant, numbers(stats))).collect()
    }

    fn forget(&self, tenant: &Tenant, place: PagePlace<'_>) {
        // Without a release nothing was made.
        let Some(release) = &tenant.release else { return };
        let site = Site { tenant: tenant.id, revision: tenant.revision, digest: release.digest };
        self.cache.forget_uri(site, place.origin, place.base_path, place.path);
    }

    fn forget_tenant(&self, tenant: TenantId) {
        self.cache.drop_tenant(tenant);
        self.data.forget_mirror(tenant);
    }
}

/// What there is to measure besides tenants.
pub(crate) struct Meters {
    /// What the cache shares with other servers.
    pub(crate) level: Option<Arc<RedisLevel>>,
    /// How other servers are told.
    pub(crate) announcer: Option<Arc<RedisAnnouncer>>,
}

impl Measures for Meters {
    fn read(&self) -> Vec<Measure> {
        let mut all = process();
        if let Some(level) = &self.level {
            all.extend(shared(&level.stats()));
        }
        if let Some(announcer) = &self.announcer {
            all.extend(announced(&announcer.stats()));
        }
        all
    }
}

/// What the level of the cache that servers share counts.
fn shared(stats: &RedisLevelStats) -> [Measure; 8] {
    [
        counter("rowhouse_cache_redis_hits_total", "Look-ups in Redis that found something", stats.hits),
        counter("rowhouse_cache_redis_misses_total", "Look-ups in Redis that found nothing", stats.misses),
        counter(
            "rowhouse_cache_redis_failures_total",
            "Look-ups and leases that Redis did not answer in time, or with an error",
            stats.failures,
        ),
        counter(
            "rowhouse_cache_redis_skipped_total",
            "Look-ups, leases and writes not tried while Redis did not answer",
            stats.skipped,
        ),
        counter("rowhouse_cache_redis_written_total", "Writes that Redis took", stats.written),
        counter(
            "rowhouse_cache_redis_dropped_total",
            "Writes that were too large, found no room, or failed",
            stats.dropped,
        ),
        counter("rowhouse_cache_redis_outages_total", "Times that Redis ceased to answer", stats.outages),
        gauge("rowhouse_cache_redis_up", "1 while Redis answers", u64::from(!stats.is_out)),
    ]
}

/// How telling other servers, and hearing them, goes.
fn announced(stats: &AnnounceStats) -> [Measure; 8] {
    [
        counter("rowhouse_announce_sent_total", "Hints to other servers that Redis took at once", stats.sent),
        counter(
            "rowhouse_announce_late_total",
            "Hints to other servers that Redis did not take in time; they are told later",
            stats.late,
        ),
        counter("rowhouse_announce_heard_total", "Messages of other servers that were heard", stats.heard),
        counter(
            "rowhouse_announce_unreadable_total",
            "Messages of other servers that could not be read",
            stats.unreadable,
        ),
        counter("rowhouse_announce_gaps_total", "Times that everything known was doubted", stats.gaps),
        counter("rowhouse_announce_lost_total", "Connections to Redis that ended", stats.lost),
        gauge("rowhouse_announce_hearing", "1 while other servers are heard", u64::from(stats.is_hearing)),
        gauge("rowhouse_announce_telling", "1 while other servers are told", u64::from(stats.is_telling)),
    ]
}

/// What Linux says of this process; nothing elsewhere. /proc is made of memory: no disk is waited for.
fn process() -> Vec<Measure> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = field(&status, "VmRSS:").map(|kilobytes| kilobytes.saturating_mul(1024));
    // The folder itself is open while it is counted.
    let files = fs::read_dir("/proc/self/fd").ok().map(|all| all.count().saturating_sub(1));
    let files = files.and_then(|files| u64::try_from(files).ok());
    [
        ("process_resident_memory_bytes", "Resident memory", resident),
        ("process_open_fds", "Open file descriptors", files),
        ("process_threads", "Threads", field(&status, "Threads:")),
    ]
    .into_iter()
    .filter_map(|(name, help, value)| Some(gauge(name, help, value?)))
    .collect()
}

/// The number after a name at the beginning of a line.
fn field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn counter(name: &'static str, help: &'static str, value: u64) -> Measure {
    Measure { name, help, kind: MeasureKind::Counter, value }
}

fn gauge(name: &'static str, help: &'static str, value: u64) -> Measure {
    Measure { name, help, kind: MeasureKind::Gauge, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_files_and_threads() {
        let all = process();
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|measure| measure.value > 0), "{all:?}");
        assert_eq!(field("Name:\tx\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12));
        assert_eq!(field("Name:\tx\n", "VmRSS:"), None);
    }
}
