//! Words that many tenants have in common, such as their language: each is kept once.

use std::collections::HashSet;
use std::sync::Arc;

/// The words that were met so far.
#[derive(Default)]
pub(crate) struct Words(HashSet<Arc<str>>);

impl Words {
    /// The same pointer for the same word.
    pub(crate) fn word(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let word: Arc<str> = text.into();
        self.0.insert(Arc::clone(&word));
        word
    }
}
