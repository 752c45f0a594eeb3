//! An answer of which the head was found fit for storing, while its body arrives.

use super::{Fill, Finished};
use crate::fields::strip_targeted;
use crate::flight::Ended;
use crate::freshness::Policy;
use crate::page::{Content, Page};
use crate::status::CacheStatus;
use crate::storable::Refusal;
use crate::vary::Vary;
use crate::view::show;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, response};
use rowhouse_base::{Stamp, Timestamp};
use std::fmt;
use std::sync::Arc;

/// An answer that is being stored. Dropped: nothing is stored, and somebody else makes the page.
pub struct Storing {
    pub(super) fill: Fill,
    pub(super) status: StatusCode,
    pub(super) fields: HeaderMap,
    pub(super) policy: Policy,
    pub(super) vary: Vary,
    pub(super) born: Timestamp,
    pub(super) declared: Option<u64>,
    pub(super) chunks: Vec<Bytes>,
    pub(super) length: u64,
    pub(super) too_large: bool,
}

impl fmt::Debug for Storing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storing")
            .field("fill", &self.fill)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Storing {
    /// Takes in a part of the body. False where the page is too large: it is given up, those who wait go on,
    /// and [`Storing::finish`] says what to do with the head.
    #[must_use]
    pub fn push(&mut self, chunk: &Bytes) -> bool {
        if self.too_large {
            return false;
        }
        self.length = self.length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if self.length > self.fill.start.cache.config.max_page_bytes {
            self.too_large = true;
            self.chunks.clear();
            self.fill.start.cache.remember_refusal(self.fill.start.hash, Timestamp::now());
            self.fill.end(Ended::Refused);
            return false;
        }
        if !chunk.is_empty() {
            self.chunks.push(chunk.clone());
        }
        true
    }

    /// True where other requests wait for this page.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        self.fill.has_waiters()
    }

    /// Dresses the head of an answer that leaves while its body is still coming.
    pub fn dress(&self, head: &mut response::Parts) {
        strip_targeted(&mut head.headers);
        CacheStatus::forward(self.fill.start.forward).add_to(&mut head.headers);
    }

    /// The body is complete. `stamp` is that of what the guest read, taken before it read; None where that
    /// isn't known: then nothing is stored.
    #[must_use]
    pub fn finish(mut self, stamp: Option<Stamp>) -> Finished {
        let now = Timestamp::now();
        let whole = self.declared.is_none_or(|declared| declared == self.length);
        let refusal = if self.too_large || !whole { Some(Refusal::Size) } else { None };
        let stamp = match (refusal, stamp) {
            (None, Some(stamp)) => stamp,
            (refusal, _) => {
                let refusal = refusal.unwrap_or(Refusal::Unstamped);
                return Finished::Passed(self.fill.refused(refusal, self.status, now));
            }
        };
        let start = &self.fill.start;
        let mut content = Content {
            primary: Arc::clone(&start.primary),
            vary_key: self.vary.key(&start.headers).into(),
            status: self.status,
            fields: self.fields,
            body: joined(self.chunks),
            policy: self.policy,
            born: self.born,
            stamp,
            own_tag: false,
        };
        content.tag();
        let page = Arc::new(Page::new(content, start.hash, Arc::clone(&start.account)));
        let stored = self.fill.store(&page, self.vary, now);
        let start = &self.fill.start;
        let said = CacheStatus { stored, ..CacheStatus::forward(start.forward) };
        Finished::Stored(show(&page, &start.method, &start.headers, now, said).answer)
    }
}

fn joined(mut chunks: Vec<Bytes>) -> Bytes {
    if chunks.len() <= 1 {
        return chunks.pop().unwrap_or_default();
    }
    let mut body = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    chunks.iter().for_each(|chunk| body.extend_from_slice(chunk));
    body.freeze()
}
