//! Tags of the page being rendered, and purging by tag.
//!
//! Tags are only needed for what the host can't see by itself: it knows which tables a page read.
//! Tags are 1 to 64 bytes of `[a-zA-Z0-9:_.-]`; the host leaves others out. Called by sites.

use crate::host;

/// Names what the page depends on.
pub fn tag(tags: &[&str]) {
    host::tag(tags);
}

/// Makes pages with one of these tags stale. A tag that no page has is no error.
pub fn purge(tags: &[&str]) {
    host::purge(tags);
}
