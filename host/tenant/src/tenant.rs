//! One tenant, immutable. A change makes a new one with a higher revision.

use crate::{AddressPattern, OutboundRule, ReleaseRef, TenantState};
use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Limits, TenantName};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One website, as it was at [`Tenant::revision`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Never used again.
    pub id: TenantId,
    /// The slug.
    pub name: TenantName,
    /// The title for people.
    pub title: String,
    /// Where it stands in its lifecycle.
    pub state: TenantState,
    /// Host names of its own, in the order they were given.
    pub addresses: Vec<AddressPattern>,
    /// Whether `/NAME/` on the base host leads here.
    pub url_prefix: bool,
    /// What operator and owner set, for the guest to read.
    pub settings: BTreeMap<String, String>,
    /// Where its guest may send HTTP requests; the operator's decision. Nowhere where empty.
    pub outbound: Vec<OutboundRule>,
    /// BCP 47 language tag; most tenants share one allocation.
    pub locale: Arc<str>,
    /// IANA time zone name; shared likewise.
    pub time_zone: Arc<str>,
    /// The release that serves it; none until its first activation.
    pub release: Option<Arc<ReleaseRef>>,
    /// The data server its database is on.
    pub data_server: DataServerName,
    /// Generation of the control state at its last change.
    pub revision: u64,
    /// Its limits; most tenants share one allocation.
    pub limits: Arc<Limits>,
}
