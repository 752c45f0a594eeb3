//! What an archive says of the tenant beside its data. Given by the caller, kept as it is, given back.
//!
//! Nothing here takes effect by being read: who imports decides on name, addresses and grants anew.

use rowhouse_base::Digest;
use rowhouse_tenant::{ReleaseName, Tenant};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tenant that was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveFacts {
    /// Its id, which an import does not use again.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its host names.
    pub addresses: Vec<String>,
    /// Whether `/NAME/` on the base host led to it.
    pub url_prefix: bool,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
    /// BCP 47 language tag.
    pub locale: String,
    /// IANA time zone name.
    pub time_zone: String,
    /// The release that served it.
    pub release: Option<ArchivedRelease>,
    /// Fingerprint of the release's migrations.
    pub schema_fingerprint: Option<Digest>,
    /// Extensions that were enabled.
    pub extensions: FactList,
    /// What extensions had been granted.
    pub grants: FactList,
}

/// A release by name and digest. Its bytes are not in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivedRelease {
    /// NAME@VERSION.
    pub name: ReleaseName,
    /// SHA-256 of the component's bytes.
    pub digest: Digest,
}

/// A list whose entries have a version of their own, apart from the archive's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactList {
    /// Which shape the entries have.
    pub version: u32,
    /// The entries.
    pub entries: Vec<serde_json::Value>,
}

impl Default for FactList {
    fn default() -> Self {
        Self { version: 1, entries: Vec::new() }
    }
}

impl ArchiveFacts {
    /// What a tenant itself tells.
    #[must_use]
    pub fn of(tenant: &Tenant, schema_fingerprint: Option<Digest>) -> Self {
        let release = tenant.release.as_ref();
        Self {
            id: tenant.id.to_string(),
            name: tenant.name.to_string(),
            title: tenant.title.clone(),
            addresses: tenant.addresses.iter().map(ToString::to_string).collect(),
            url_prefix: tenant.url_prefix,
            settings: tenant.settings.clone(),
            locale: tenant.locale.to_string(),
            time_zone: tenant.time_zone.to_string(),
            release: release.map(|one| ArchivedRelease { name: one.name.clone(), digest: one.digest }),
            schema_fingerprint,
            extensions: FactList::default(),
            grants: FactList::default(),
        }
    }
}
