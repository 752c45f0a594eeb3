//! A stored page: what the guest answered, with everything that showing it needs made ready.
//!
//! A page never changes, but for what is found out about it: that its stamp holds against certain versions,
//! and its coded bodies. Made by `fill` and `form`, shown by `view`.

use crate::account::Account;
use crate::coding::{CODINGS, Coding, WORTHWHILE, shrinks};
use crate::date;
use crate::directives::{each, members, text};
use crate::fields::strip_targeted;
use crate::freshness::Policy;
use crate::key::Primary;
use crate::status::CACHE_STATUS;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, LAST_MODIFIED, VARY,
};
use http::{HeaderName, StatusCode};
use parking_lot::RwLock;
use rowhouse_base::{Digest, Stamp, Timestamp, Versions};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// What a page is made of, and what of it is stored elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) primary: Arc<Primary>,
    pub(crate) vary_key: Box<str>,
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) policy: Policy,
    /// When its age was 0.
    pub(crate) born: Timestamp,
    pub(crate) stamp: Stamp,
    /// The entity tag was made here: the guest doesn't know it.
    pub(crate) own_tag: bool,
}

/// One body of a page with the fields that belong to it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) head: HeaderMap,
    pub(crate) tag: Option<HeaderValue>,
    pub(crate) body: Bytes,
}

/// A stored page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) content: Content,
    pub(crate) hash: u64,
    pub(crate) account: Arc<Account>,
    pub(crate) plain: Shown,
    pub(crate) modified: Option<i64>,
    /// The guest's own `Cache-Status` is among the fields.
    pub(crate) has_status: bool,
    shrinks: bool,
    coded: [OnceLock<Shown>; 3],
    /// A bit for each coding that was begun or found useless.
    begun: AtomicU8,
    /// Bytes of memory; changed by `store` alone, under its lock.
    weight: AtomicU64,
    holds: RwLock<Weak<Versions>>,
}

/// Bytes of memory that a page takes besides its texts: the structures here and in the store, about 900
/// on a 64-bit machine, rounded up for the allocator.
const OVERHEAD: usize = 1200;
/// Bytes of memory that a field takes besides its value: an entry of the map and its index, twice because
/// the fields are kept as they came and as they are shown.
const FIELD_OVERHEAD: usize = 240;

impl Content {
    /// Gives the page an entity tag where it has none, so that visitors can ask by it.
    pub(crate) fn tag(&mut self) {
        if self.status != StatusCode::OK || self.fields.contains_key(ETAG) {
            return;
        }
        let text = Digest::of(&self.body).to_string();
        // 128 bits of it tell any two pages apart.
        let short = text.get(..32).unwrap_or(&text);
        if let Ok(value) = HeaderValue::try_from(format!("\"{short}\"")) {
            self.fields.insert(ETAG, value);
            self.own_tag = true;
        }
    }
}

impl Page {
    pub(crate) fn new(content: Content, hash: u64, account: Arc<Account>) -> Self {
        let shrinks = is_codable(&content);
        let mut head = content.fields.clone();
        strip_targeted(&mut head);
        if shrinks && !varies_by_coding(&head) {
            head.append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
        }
        if content.status != StatusCode::NO_CONTENT {
            head.insert(CONTENT_LENGTH, HeaderValue::from(content.body.len()));
        }
        // Keeps a place for it, so that showing the page need not make the map larger.
        head.insert(AGE, HeaderValue::from_static("0"));
        let has_status = head.contains_key(CACHE_STATUS);
        if !has_status {
            head.insert(CACHE_STATUS, HeaderValue::from_static("rowhouse"));
        }
        let tag = head.get(ETAG).cloned();
        let modified = date::field(&head, &LAST_MODIFIED);
        let fields: usize =
            head.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD).sum();
        let weight = OVERHEAD
            + fields
            + content.body.len()
            + content.vary_key.len()
            + content.primary.text.len()
            + content.stamp.subjects().map(|subject| subject.as_str().len() + 48).sum::<usize>();
        Self {
            plain: Shown { head, tag, body: content.body.clone() },
            content,
            hash,
            account,
            modified,
            has_status,
            shrinks,
            coded: Default::default(),
            begun: AtomicU8::new(0),
            weight: AtomicU64::new(u64::try_from(weight).unwrap_or(u64::MAX)),
            holds: RwLock::new(Weak::new()),
        }
    }

    /// Seconds since its age was 0.
    pub(crate) fn age(&self, now: Timestamp) -> u64 {
        u64::try_from(now.0.saturating_sub(self.content.born.0) / 1_000_000).unwrap_or(0)
    }

    /// True where nothing that it was made from has changed. The same versions are compared once: the weak
    /// reference keeps their address from being used again.
    pub(crate) fn holds(&self, now: &Arc<Versions>) -> bool {
        if std::ptr::eq(self.holds.read().as_ptr(), Arc::as_ptr(now)) {
            return true;
        }
        let holds = self.content.stamp.holds(now);
        if holds {
            *self.holds.write() = Arc::downgrade(now);
        }
        holds
    }

    pub(crate) fn weight(&self) -> u64 {
        self.weight.load(Ordering::Relaxed)
    }

    /// True where other codings of it may be made.
    pub(crate) fn is_codable(&self) -> bool {
        self.shrinks
    }

    pub(crate) fn coded(&self, coding: Coding) -> Option<&Shown> {
        self.coded.get(coding.place())?.get()
    }

    /// True for the first who asks: it has to make the coding.
    pub(crate) fn begins(&self, coding: Coding) -> bool {
        let bit = 1 << coding.place();
        if self.begun.load(Ordering::Relaxed) & bit != 0 {
            return false;
        }
        self.begun.fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    /// Lets another try.
    pub(crate) fn gives_up(&self, coding: Coding) {
        self.begun.fetch_and(!(1 << coding.place()), Ordering::AcqRel);
    }

    /// Keeps a coded body; returns the bytes of memory it takes. Called by `store` under its lock.
    pub(crate) fn keep(&self, coding: Coding, body: Bytes) -> u64 {
        let mut head = self.plain.head.clone();
        head.insert(CONTENT_ENCODING, coding.value());
        head.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let tag = self.plain.tag.as_ref().and_then(|tag| marked(tag, coding));
        match &tag {
            Some(tag) => head.insert(ETAG, tag.clone()),
            None => head.remove(ETAG),
        };
        let fields = head.len().saturating_mul(FIELD_OVERHEAD / 2);
        let more = u64::try_from(fields.saturating_add(body.len())).unwrap_or(u64::MAX);
        let Some(place) = self.coded.get(coding.place()) else { return 0 };
        if place.set(Shown { head, tag, body }).is_err() {
            return 0;
        }
        self.weight.fetch_add(more, Ordering::Relaxed);
        more
    }

    /// Takes over the coded bodies of a page with the same body. Not in the store yet.
    pub(crate) fn inherit(&self, before: &Self) {
        if !self.shrinks || self.content.body != before.content.body {
            return;
        }
        for coding in CODINGS {
            if let Some(shown) = before.coded(coding)
                && self.begins(coding)
            {
                self.keep(coding, shown.body.clone());
            }
        }
    }

    /// What the guest can be asked by: its own validators.
    pub(crate) fn validators(&self) -> (Option<&HeaderValue>, Option<&HeaderValue>) {
        let tag = self.plain.tag.as_ref().filter(|_| !self.content.own_tag);
        (tag, self.content.fields.get(LAST_MODIFIED))
    }
}

/// `"a"` becomes `"a-br"`. None where it is no tag.
fn marked(tag: &HeaderValue, coding: Coding) -> Option<HeaderValue> {
    let inner = tag.as_bytes().strip_suffix(b"\"")?;
    let mut marked = inner.to_vec();
    marked.push(b'-');
    marked.extend_from_slice(coding.as_str().as_bytes());
    marked.push(b'"');
    HeaderValue::from_bytes(&marked).ok()
}

fn varies_by_coding(head: &HeaderMap) -> bool {
    head.get_all(VARY)
        .iter()
        .any(|line| members(&text(line)).any(|name| name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str())))
}

/// Coded already, too short, not text, or not to be changed: then no.
fn is_codable(content: &Content) -> bool {
    if content.body.len() < WORTHWHILE
        || content.fields.contains_key(CONTENT_ENCODING)
        || content.fields.contains_key(HeaderName::from_static("content-range"))
        || !shrinks(content.fields.get(CONTENT_TYPE))
    {
        return false;
    }
    let mut transforms = true;
    each(&content.fields, &CACHE_CONTROL, |name, _value| {
        transforms &= !name.eq_ignore_ascii_case("no-transform");
    });
    transforms
}
