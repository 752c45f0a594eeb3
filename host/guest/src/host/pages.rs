//! `rowhouse:host/pages`: what the page depends on.
//!
//! Tags are part of what the output cache knows of the page, and leave in the `Cache-Tag` field, for the
//! caches in front of the server. A purge is done with the guest's other changes before its answer leaves:
//! done at once, it would wait for a write transaction of the guest's own.

use crate::store::GuestState;
use rowhouse_base::Subject;
use rowhouse_bindings::host::pages::Host;

/// Tags of one page; more are left out.
const TAGS: usize = 64;
/// Tags purged one by one in a request.
const PURGES: u32 = 64;
/// Bytes of one tag.
const TAG_BYTES: usize = 64;

impl Host for GuestState {
    fn tag(&mut self, tags: Vec<String>) -> wasmtime::Result<()> {
        let scope = self.scope()?;
        for tag in tags {
            if scope.tags.len() < TAGS && is_tag(&tag) && !scope.tags.contains(&tag) {
                if let Some(trace) = &scope.trace {
                    trace.tag(&tag);
                }
                scope.tags.push(tag);
            }
        }
        Ok(())
    }

    fn purge(&mut self, tags: Vec<String>) -> wasmtime::Result<()> {
        let scope = self.scope()?;
        for tag in tags.iter().filter(|tag| is_tag(tag)) {
            scope.purges = scope.purges.saturating_add(1);
            // Beyond that many it costs less to make everything anew.
            let subject = if scope.purges <= PURGES { Subject::tag(tag) } else { Subject::everything() };
            scope.changes.note(subject);
        }
        Ok(())
    }
}

fn is_tag(text: &str) -> bool {
    (1..=TAG_BYTES).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'.' | b'-'))
}
