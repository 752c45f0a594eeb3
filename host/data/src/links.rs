//! What tables have to do with one another beyond a statement's text: the actions of foreign keys, and what
//! views read. Needed where the engine doesn't tell what a statement touches.
//!
//! Known per tenant and version of its schema. Whoever wrote by links looks at that version again after the
//! commit, so that links from before a migration never make a write-set too small for good.

use crate::guard::Template;
use crate::subjects;
use lru::LruCache;
use parking_lot::Mutex;
use rowhouse_base::Subject;
use rowhouse_base::id::TenantId;
use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Tenants whose links are kept: a few kilobytes each.
const KEPT: NonZeroUsize = NonZeroUsize::new(2_048).expect("not zero");

/// The links of one tenant's tables. All names are the guest's, in lower case.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// The version of the schema that they belong to.
    pub(crate) schema: u64,
    /// A migration is at work, or was cut off: nothing here can be relied on.
    pub(crate) open: bool,
    /// From a table to those that the actions of their foreign keys change with it.
    actions: HashMap<String, Vec<String>>,
    /// From a view to what it reads.
    views: HashMap<String, Vec<String>>,
}

impl Links {
    pub(crate) fn new(schema: u64, open: bool) -> Self {
        Self { schema, open, ..Self::default() }
    }

    /// Notes that a change of `parent` may change `child`.
    pub(crate) fn action(&mut self, parent: &str, child: &str) {
        self.actions.entry(parent.to_ascii_lowercase()).or_default().push(child.to_ascii_lowercase());
    }

    /// Notes that there is a view.
    pub(crate) fn view(&mut self, view: &str) {
        self.views.entry(view.to_ascii_lowercase()).or_default();
    }

    /// Notes that a view reads a table or another view.
    pub(crate) fn reads(&mut self, view: &str, table: &str) {
        self.views.entry(view.to_ascii_lowercase()).or_default().push(table.to_ascii_lowercase());
    }

    /// All that changes with these: through views that are written, and by foreign keys.
    pub(crate) fn written<'a>(&self, tables: impl IntoIterator<Item = &'a String>) -> BTreeSet<Subject> {
        if self.open {
            return BTreeSet::from([Subject::everything()]);
        }
        self.closure(tables, &[&self.actions, &self.views])
    }

    /// All that a statement reads; none where it can't be known.
    pub(crate) fn read(&self, template: &Template) -> Option<Arc<[Subject]>> {
        if self.open {
            return None;
        }
        if !template.tables().iter().any(|table| self.views.contains_key(table)) {
            return Some(Arc::clone(template.subjects()));
        }
        Some(self.closure(template.tables(), &[&self.views]).into_iter().collect())
    }

    fn closure<'a>(
        &self,
        tables: impl IntoIterator<Item = &'a String>,
        along: &[&HashMap<String, Vec<String>>],
    ) -> BTreeSet<Subject> {
        let mut all: BTreeSet<String> = tables.into_iter().cloned().collect();
        let mut next: Vec<String> = all.iter().cloned().collect();
        while let Some(name) = next.pop() {
            for linked in along.iter().filter_map(|links| links.get(&name)).flatten() {
                if all.insert(linked.clone()) {
                    next.push(linked.clone());
                }
            }
        }
        all.iter().map(|name| subjects::table(name)).collect()
    }
}

/// The links of the tenants that were at work lately.
#[derive(Debug)]
pub(crate) struct KnownLinks(Mutex<LruCache<TenantId, Arc<Links>>>);

impl KnownLinks {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }

    /// Those of a tenant, where they are at least of this version of its schema.
    pub(crate) fn get(&self, tenant: TenantId, schema: u64) -> Option<Arc<Links>> {
        self.0.lock().get(&tenant).filter(|links| links.schema >= schema).cloned()
    }

    /// Keeps links, unless their tables are being changed just now.
    pub(crate) fn keep(&self, tenant: TenantId, links: Links) -> Arc<Links> {
        let links = Arc::new(links);
        if links.open {
            self.forget(tenant);
        } else {
            self.0.lock().put(tenant, Arc::clone(&links));
        }
        links
    }

    pub(crate) fn forget(&self, tenant: TenantId) {
        self.0.lock().pop(&tenant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(subjects: BTreeSet<Subject>) -> Vec<String> {
        subjects.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn writes_follow_keys_and_views_and_circles_end() {
        let mut links = Links::new(1, false);
        links.action("a", "B");
        links.action("b", "c");
        links.action("c", "a");
        links.reads("v", "a");
        assert_eq!(named(links.written([&"a".to_owned()])), ["t:a", "t:b", "t:c"]);
        assert_eq!(named(links.written([&"v".to_owned()])), ["t:a", "t:b", "t:c", "t:v"]);
        assert_eq!(named(links.written([&"d".to_owned()])), ["t:d"]);
        assert_eq!(named(Links::new(1, true).written([&"d".to_owned()])), ["*"]);
    }

    #[test]
    fn links_of_an_older_schema_are_not_found() {
        let known = KnownLinks::new();
        let tenant = TenantId::new();
        known.keep(tenant, Links::new(3, false));
        assert!(known.get(tenant, 3).is_some() && known.get(tenant, 4).is_none());
        known.keep(tenant, Links::new(4, true));
        assert!(known.get(tenant, 0).is_none());
    }
}
