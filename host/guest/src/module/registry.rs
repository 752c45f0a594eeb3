//! The modules that are ready on this server, by digest. Reading takes no lock.

use super::Module;
use arc_swap::ArcSwap;
use rowhouse_base::Digest;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// See the file's head.
pub(crate) struct Registry(ArcSwap<HashMap<Digest, Arc<Module>>>);

impl Registry {
    pub(crate) fn new() -> Self {
        Self(ArcSwap::from_pointee(HashMap::new()))
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Module>> {
        self.0.load().get(digest).map(Arc::clone)
    }

    pub(crate) fn insert(&self, digest: Digest, module: Arc<Module>) {
        self.0.rcu(|modules| {
            let mut next = HashMap::clone(modules);
            next.insert(digest, Arc::clone(&module));
            next
        });
    }

    /// Lets go of modules that no tenant runs. Requests in flight keep theirs until they end.
    pub(crate) fn retain(&self, keep: &HashSet<Digest>) {
        self.0.rcu(|modules| {
            modules
                .iter()
                .filter(|(digest, _)| keep.contains(*digest))
                .map(|(digest, module)| (*digest, Arc::clone(module)))
                .collect::<HashMap<_, _>>()
        });
    }
}
