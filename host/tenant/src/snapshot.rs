//! All tenants at one generation, and how a request finds one of them.
//!
//! Persistent maps make a snapshot that differs in one tenant cost a few nodes, so 10,000 creations
//! don't copy 10,000 tenants each.

use crate::{AddressPattern, Tenant};
use imbl::HashMap;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Hostname, TenantName};
use std::sync::Arc;

/// Where the server itself is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseAddress {
    /// `NAME.domain` leads to a tenant, `domain` itself to the console.
    pub domain: Hostname,
    /// Further hosts that stand for the base host, such as `127.0.0.1`.
    pub aliases: Vec<Hostname>,
}

impl BaseAddress {
    fn is_base(&self, host: &Hostname) -> bool {
        *host == self.domain || self.aliases.contains(host)
    }
}

/// Where a request leads.
#[derive(Clone, Debug)]
pub enum Resolution {
    /// To this tenant, reached without a prefix.
    Host(Arc<Tenant>),
    /// To this tenant through `/NAME` on the base host. The prefix is the first path segment as the
    /// visitor wrote it, without slashes.
    Prefix(Arc<Tenant>),
    /// To the console and the API.
    Console,
    /// Nowhere: the host belongs to nobody here.
    UnknownHost,
}

/// All tenants at one generation. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Snapshot {
    generation: u64,
    base: Arc<BaseAddress>,
    /// The tenant that the base host itself leads to, on a server of a single site.
    single: Option<TenantName>,
    tenants: HashMap<TenantId, Arc<Tenant>>,
    names: HashMap<TenantName, Arc<Tenant>>,
    exact: HashMap<Hostname, Arc<Tenant>>,
    wildcard: HashMap<Hostname, Arc<Tenant>>,
}

impl Snapshot {
    /// No tenants, generation 0.
    #[must_use]
    pub fn empty(base: BaseAddress) -> Self {
        Self {
            generation: 0,
            base: Arc::new(base),
            single: None,
            tenants: HashMap::new(),
            names: HashMap::new(),
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        }
    }

    /// The generation of the control state that this snapshot shows.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Where the server itself is reached.
    #[must_use]
    pub fn base(&self) -> &BaseAddress {
        &self.base
    }

    /// The same, with the base host itself leading to the tenant of this name whenever there is one.
    #[must_use]
    pub fn leading_to(&self, name: TenantName) -> Self {
        Self { single: Some(name), ..self.clone() }
    }

    /// The tenant that the base host itself leads to, on a server of a single site.
    #[must_use]
    pub fn single(&self) -> Option<&Arc<Tenant>> {
        self.names.get(self.single.as_ref()?)
    }

    /// The beginning of a snapshot of the same server: no tenants, generation 0.
    #[must_use]
    pub fn emptied(&self) -> Self {
        let empty = Self::empty(BaseAddress::clone(&self.base));
        Self { single: self.single.clone(), ..empty }
    }

    /// How many tenants there are, in any state.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tenants.len()
    }

    /// True where there is no tenant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// All tenants, in no order.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<Tenant>> {
        self.tenants.values()
    }

    /// The tenant with this id, in any state.
    #[must_use]
    pub fn by_id(&self, id: TenantId) -> Option<&Arc<Tenant>> {
        self.tenants.get(&id)
    }

    /// The tenant that has this name and is active or suspended.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&Arc<Tenant>> {
        self.names.get(name)
    }

    /// The next snapshot: these tenants put in place of older ones, these removed. Applying the same
    /// change twice gives the same snapshot.
    #[must_use]
    pub fn with_changes(
        &self,
        generation: u64,
        changed: impl IntoIterator<Item = Arc<Tenant>>,
        removed: impl IntoIterator<Item = TenantId>,
    ) -> Self {
        let mut next = self.clone();
        next.generation = generation.max(self.generation);
        for id in removed {
            next.remove(id);
        }
        // First every old address is taken away, then the new ones are put in: two tenants that
        // swapped an address in one change both end up right, in whichever order they come.
        let changed: Vec<_> = changed.into_iter().collect();
        for tenant in &changed {
            next.remove(tenant.id);
        }
        for tenant in changed {
            next.insert(tenant);
        }
        next
    }

    fn remove(&mut self, id: TenantId) {
        let Some(old) = self.tenants.remove(&id) else { return };
        if self.names.get(&old.name).is_some_and(|holder| holder.id == id) {
            self.names.remove(&old.name);
        }
        for address in &old.addresses {
            let (map, host) = match address {
                AddressPattern::Exact(host) => (&mut self.exact, host),
                AddressPattern::Wildcard(host) => (&mut self.wildcard, host),
            };
            if map.get(host).is_some_and(|holder| holder.id == id) {
                map.remove(host);
            }
        }
    }

    fn insert(&mut self, tenant: Arc<Tenant>) {
        if tenant.state.has_address() {
            self.names.insert(tenant.name.clone(), Arc::clone(&tenant));
            for address in &tenant.addresses {
                let (map, host) = match address {
                    AddressPattern::Exact(host) => (&mut self.exact, host),
                    AddressPattern::Wildcard(host) => (&mut self.wildcard, host),
                };
                map.insert(host.clone(), Arc::clone(&tenant));
            }
        }
        self.tenants.insert(tenant.id, tenant);
    }

    /// Finds where a request leads, in the order: exact host, NAME.base-domain, wildcard, url-prefix
    /// on the base host, console. On a server of a single site the base host comes first and has no
    /// url-prefixes: what is not the console's is the site's, so that a page of the site may have any path, its
    /// own name included, and no address that somebody adds locks operators out of the console. `path` is the percent-encoded path of the request.
    #[must_use]
    pub fn resolve(&self, host: &Hostname, path: &str) -> Resolution {
        if let Some(tenant) = self.single()
            && self.base.is_base(host)
        {
            return if is_console(path) { Resolution::Console } else { Resolution::Host(Arc::clone(tenant)) };
        }
        if let Some(tenant) = self.exact.get(host) {
            return Resolution::Host(Arc::clone(tenant));
        }
        if let Some((label, rest)) = host.split_first_label() {
            if rest == self.base.domain.as_str()
                && let Some(tenant) = self.names.get(label)
            {
                return Resolution::Host(Arc::clone(tenant));
            }
            if let Some(tenant) = self.wildcard.get(rest) {
                return Resolution::Host(Arc::clone(tenant));
            }
        }
        if !self.base.is_base(host) {
            return Resolution::UnknownHost;
        }
        match self.prefixed(path) {
            Some(tenant) => Resolution::Prefix(tenant),
            None => Resolution::Console,
        }
    }

    fn prefixed(&self, path: &str) -> Option<Arc<Tenant>> {
        let segment = path.strip_prefix('/')?.split('/').next()?;
        let tenant = match self.names.get(segment) {
            Some(tenant) => tenant,
            None => self.names.get(segment.to_ascii_lowercase().as_str())?,
        };
        tenant.url_prefix.then(|| Arc::clone(tenant))
    }
}

/// True for the paths that stay the console's where the base host leads to a site.
fn is_console(path: &str) -> bool {
    ["/-/console", "/-/api", "/-/metrics"]
        .into_iter()
        .any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests;
