//! The templates of the texts that were judged last.
//!
//! Texts come from modules that all tenants share, so few of them serve everyone. A refused text is not
//! kept: what a guest gets wrong is its own time. A look-up is one hash and one short lock.

use super::Template;
use lru::LruCache;
use parking_lot::Mutex;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Templates kept. A module has a few hundred texts; 2,000 of 2 KB each are 4 MB.
const TEMPLATES: NonZeroUsize = NonZeroUsize::new(2_000).expect("2,000 is not zero");

/// Longer texts are not kept, so that the cache holds 32 MB of texts at most.
const TEXT_BYTES: usize = 16 * 1024;

/// A bounded map from text to template.
#[derive(Debug)]
pub(super) struct Cache(Mutex<LruCache<Box<str>, Arc<Template>>>);

impl Cache {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(TEMPLATES)))
    }

    pub(super) fn get(&self, text: &str) -> Option<Arc<Template>> {
        self.0.lock().get(text).cloned()
    }

    pub(super) fn put(&self, text: &str, template: &Arc<Template>) {
        if text.len() <= TEXT_BYTES {
            self.0.lock().put(text.into(), Arc::clone(template));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}
