//! Tenants, as the API shows and takes them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantView {
    /// UUID, never used again.
    pub id: String,
    /// The slug.
    pub name: String,
    /// The title for people.
    pub title: String,
    /// provisioning, active, suspended, moving, trashed or deleting.
    pub state: String,
    /// Host names of its own.
    pub addresses: Vec<String>,
    /// Whether `/NAME/` on the base host leads there.
    pub url_prefix: bool,
    /// Where it is reached, best first.
    pub urls: Vec<String>,
    /// BCP 47 language tag.
    pub locale: String,
    /// IANA time zone.
    pub time_zone: String,
    /// What the guest may read.
    pub settings: BTreeMap<String, String>,
    /// Where its guest may send HTTP requests.
    #[serde(default)]
    pub outbound: Vec<String>,
    /// What serves it.
    pub release: Option<TenantRelease>,
    /// What served it before.
    pub previous_release: Option<String>,
    /// The newest migration of its database.
    pub schema_version: u32,
    /// The generation at which it last changed.
    pub revision: u64,
    /// RFC 3339.
    pub created_at: String,
    /// Until when it is kept in the trash.
    pub trash_until: Option<String>,
    /// The data server its database is on.
    pub data_server: String,
    /// What is under way with it: import, clone, move, restore or reset.
    pub operation: Option<String>,
}

/// The release that serves a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TenantRelease {
    /// NAME@VERSION.
    pub name: String,
    /// SHA-256.
    pub digest: String,
}

/// A tenant to make.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// The slug.
    pub name: String,
    /// The title; the name where nothing is said.
    pub title: Option<String>,
    /// NAME@VERSION; the default release where nothing is said.
    pub release: Option<String>,
    /// Host names of its own.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Whether `/NAME/` on the base host leads there; yes where nothing is said.
    pub url_prefix: Option<bool>,
    /// BCP 47 language tag; `en` where nothing is said.
    pub locale: Option<String>,
    /// IANA time zone; `UTC` where nothing is said.
    pub time_zone: Option<String>,
    /// What the guest may read.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Where its guest may send HTTP requests: `host[:port]` or `*.host[:port]`; nowhere where nothing is said.
    #[serde(default)]
    pub outbound: Vec<String>,
    /// The data server its database is on; the default one where nothing is said.
    pub data_server: Option<String>,
}

/// What to change of a tenant; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchTenant {
    /// The title.
    pub title: Option<String>,
    /// All host names of its own.
    pub addresses: Option<Vec<String>>,
    /// Whether `/NAME/` on the base host leads there.
    pub url_prefix: Option<bool>,
    /// BCP 47 language tag.
    pub locale: Option<String>,
    /// IANA time zone.
    pub time_zone: Option<String>,
    /// Settings to set, or with null to remove.
    pub settings: Option<BTreeMap<String, Option<String>>>,
    /// All places where its guest may send HTTP requests: `host[:port]` or `*.host[:port]`.
    pub outbound: Option<Vec<String>>,
}

/// A tenant that went to the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrashedView {
    /// `trashed`.
    pub state: String,
    /// Until when it is kept.
    pub trash_until: String,
}

/// What became of a tenant that was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum DeleteOutcome {
    /// It is gone.
    Gone(ReceiptView),
    /// It is kept for a while.
    Trashed(TrashedView),
}

/// What was removed with a tenant, and what a second look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReceiptView {
    /// The tenant's id.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// What was removed.
    pub removed: RemovedView,
    /// What was found after; all zero.
    pub found_after: FoundView,
    /// RFC 3339.
    pub at: String,
}

/// What was removed with a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedView {
    /// Size of the database.
    pub database_bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Their size.
    pub file_bytes: u64,
    /// Sessions ended.
    pub sessions: u64,
    /// Memberships ended.
    pub memberships: u64,
    /// Addresses freed.
    pub addresses: u64,
}

/// What a second look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundView {
    /// Size of the database.
    pub database_bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Their size.
    pub file_bytes: u64,
}
