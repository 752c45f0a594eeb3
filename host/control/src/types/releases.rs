//! Releases, the status and the limits, as the API shows and takes them.

use rowhouse_tenant::Reuse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseView {
    /// NAME@VERSION.
    pub name: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// How requests reach it: `fast`, `http-0.2` or `http-0.3`.
    pub lane: String,
    /// Interfaces it exports.
    pub exports: Vec<String>,
    /// Interfaces it imports.
    pub imports: Vec<String>,
    /// Its newest migration; 0 for none.
    pub schema_version: u32,
    /// Whether it has code to run for each tenant after migrations.
    pub has_upgrade: bool,
    /// How an instance may answer more than one request; null for a fresh one each time.
    pub reuse: Option<ReuseView>,
    /// RFC 3339.
    pub pushed_at: String,
    /// How many tenants run it.
    pub tenants: u64,
    /// Living servers that have it compiled. Each compiles the newest push of a name as soon as it hears of it; an
    /// activation waits for those that have not.
    pub ready_on: Vec<String>,
}

/// How an instance may be used again: for the same tenant, release and revision, never beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReuseView {
    /// Requests that one instance answers at most.
    pub requests: u32,
    /// How long it waits for the next one, in milliseconds.
    pub idle_ms: u64,
}

impl From<Reuse> for ReuseView {
    fn from(reuse: Reuse) -> Self {
        let idle_ms = u64::try_from(reuse.idle.as_millis()).unwrap_or(u64::MAX);
        Self { requests: reuse.requests.get(), idle_ms }
    }
}

/// How the server is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusView {
    /// Of the server.
    pub version: String,
    /// Of the control state.
    pub generation: u64,
    /// Tenants by state.
    pub tenants: TenantCounts,
    /// What new tenants get.
    pub default_release: Option<String>,
}

/// Tenants by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantCounts {
    /// Served.
    pub active: u64,
    /// Answering 503.
    pub suspended: u64,
    /// On their way to another data server.
    pub moving: u64,
    /// Being made.
    pub provisioning: u64,
    /// Kept for a while.
    pub trashed: u64,
    /// Being removed.
    pub deleting: u64,
}

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitView {
    /// As in the configuration.
    pub name: String,
    /// What holds on this server.
    pub value: u64,
    /// What it limits, and its unit.
    pub description: String,
}

/// All limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitTable {
    /// In the order of the configuration.
    pub items: Vec<LimitView>,
}
