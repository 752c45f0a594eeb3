//! An answer that goes by the cache: what it says of the cache, and what it makes invalid.

use crate::cache::Cache;
use crate::fields::strip_targeted;
use crate::invalidate::{did_something, named};
use crate::key::{Asked, Site};
use crate::status::CacheStatus;
use http::{Uri, response};
use std::sync::Arc;

/// A request that the guest answers without the cache. Its answer must be given to [`Pass::answered`].
#[derive(Debug)]
pub struct Pass {
    status: CacheStatus,
    changes: Option<Box<Changes>>,
}

/// What an unsafe request may have changed.
#[derive(Debug)]
struct Changes {
    cache: Arc<Cache>,
    site: Site,
    origin: String,
    base_path: String,
    uri: Uri,
}

impl Pass {
    pub(crate) fn new(status: CacheStatus) -> Self {
        Self { status, changes: None }
    }

    pub(crate) fn of_unsafe(status: CacheStatus, cache: &Arc<Cache>, asked: &Asked<'_>) -> Self {
        let changes = Changes {
            cache: Arc::clone(cache),
            site: asked.site,
            origin: asked.origin.to_owned(),
            base_path: asked.base_path.to_owned(),
            uri: asked.uri.clone(),
        };
        Self { status, changes: Some(Box::new(changes)) }
    }

    /// Dresses the guest's answer for the visitor: adds `Cache-Status`, takes away what only this server was
    /// told. Where the request was unsafe and did something, its address and those that the answer names
    /// within the site are forgotten.
    pub fn answered(self, head: &mut response::Parts) {
        if let Some(changes) = &self.changes
            && did_something(head.status)
        {
            changes.forget(head);
        }
        strip_targeted(&mut head.headers);
        self.status.add_to(&mut head.headers);
    }
}

impl Changes {
    fn forget(&self, head: &response::Parts) {
        let own = self.uri.path_and_query().map_or("/", |whole| whole.as_str()).to_owned();
        let others = named(&head.headers, &self.origin, &self.base_path, &self.uri);
        for path in std::iter::once(own).chain(others) {
            self.cache.forget_uri(self.site, &self.origin, &self.base_path, &path);
        }
    }
}
