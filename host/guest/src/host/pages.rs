//! `rowhouse:host/pages`: what the page depends on.
//!
//! Tags leave in the `Cache-Tag` field, for the caches in front of the server. The server itself keeps
//! no output cache yet, so a purge finds nothing to remove.

use crate::store::GuestState;
use rowhouse_bindings::host::pages::Host;

/// Tags of one page; more are left out.
const TAGS: usize = 64;
/// Bytes of one tag.
const TAG_BYTES: usize = 64;

impl Host for GuestState {
    fn tag(&mut self, tags: Vec<String>) -> wasmtime::Result<()> {
        let kept = &mut self.scope()?.tags;
        for tag in tags {
            if kept.len() < TAGS && is_tag(&tag) && !kept.contains(&tag) {
                kept.push(tag);
            }
        }
        Ok(())
    }

    fn purge(&mut self, _tags: Vec<String>) -> wasmtime::Result<()> {
        self.scope().map(|_tenant| ())
    }
}

fn is_tag(text: &str) -> bool {
    (1..=TAG_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'.' | b'-'))
}
