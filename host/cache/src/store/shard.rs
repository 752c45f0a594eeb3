//! One part of the store, behind one lock. Keeps the tenants' accounts in step with what it holds.

use super::{Found, Index};
use crate::account::{Account, count};
use crate::coding::Coding;
use crate::key::{Address, Primary};
use crate::page::Page;
use crate::vary::{favourite, without_language};
use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, HeaderMap, HeaderValue};
use rowhouse_base::id::TenantId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Variants of one address. Beyond it the oldest goes: an answer that varies by more than a few values
/// isn't shared anyway.
const MOST_VARIANTS: usize = 32;

/// All variants of one address.
#[derive(Debug)]
struct Entry {
    primary: Arc<Primary>,
    index: Arc<Index>,
    /// Oldest first; never empty.
    pages: Vec<Arc<Page>>,
    account: Arc<Account>,
    /// Tells it from an earlier entry with the same hash in the clocks.
    birth: u64,
    /// Shown since the clock last passed.
    used: AtomicBool,
}

/// Hash and birth of entries, in the order in which they are to go. Some are gone already.
#[derive(Debug, Default)]
struct Clock {
    hands: VecDeque<(u64, u64)>,
    /// The length at which those that are gone are taken out.
    sweep_at: usize,
}

/// A part of the store.
#[derive(Debug, Default)]
pub(super) struct Shard {
    entries: HashMap<u64, Entry>,
    clock: Clock,
    tenants: HashMap<TenantId, Clock>,
    births: u64,
}

/// Bytes that came and went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) more: u64,
    pub(super) less: u64,
}

impl Entry {
    fn weight(&self) -> u64 {
        self.pages.iter().map(|page| page.weight()).sum()
    }

    /// A page in the one language that the visitor likes best is right whatever else the visitor takes.
    fn in_favourite_language(&self, vary_key: &str, asked: &HeaderMap) -> Option<usize> {
        if !self.index.vary.names().contains(&ACCEPT_LANGUAGE) {
            return None;
        }
        let favourite = favourite(asked)?;
        self.pages.iter().position(|page| {
            let language = page.content.fields.get(CONTENT_LANGUAGE).map(HeaderValue::as_bytes);
            language.is_some_and(|language| language.eq_ignore_ascii_case(favourite.as_bytes()))
                && without_language(&page.content.vary_key).eq(without_language(vary_key))
        })
    }

    fn place(&self, vary_key: &str) -> Option<usize> {
        self.pages.iter().position(|page| *page.content.vary_key == *vary_key)
    }
}

impl Shard {
    pub(super) fn find(&self, hash: u64, address: &Address<'_>, asked: &HeaderMap) -> Found {
        let Some(entry) = self.entries.get(&hash).filter(|entry| entry.primary.is(address)) else {
            return Found::Nothing;
        };
        let page = if entry.index.vary.is_empty() {
            entry.pages.first()
        } else {
            let key = entry.index.vary.key(asked);
            let place = entry.place(&key).or_else(|| entry.in_favourite_language(&key, asked));
            place.and_then(|place| entry.pages.get(place))
        };
        let Some(page) = page else { return Found::Others(Arc::clone(&entry.index)) };
        // Set only where it isn't: a page that all processors read should stay in all their caches.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Found::Page(Arc::clone(page), Arc::clone(&entry.index))
    }

    pub(super) fn insert(&mut self, page: &Arc<Page>, index: &Arc<Index>) -> Change {
        let mut change = Change { more: page.weight(), less: 0 };
        let known = self
            .entries
            .get_mut(&page.hash)
            .filter(|entry| *entry.primary == *page.content.primary && *entry.index == **index);
        if let Some(entry) = known {
            match entry.place(&page.content.vary_key) {
                Some(place) => change.less = entry.pages.remove(place).weight(),
                None if entry.pages.len() >= MOST_VARIANTS => change.less = entry.pages.remove(0).weight(),
                None => {}
            }
            entry.pages.push(Arc::clone(page));
            entry.account.bytes.fetch_add(change.more, Ordering::Relaxed);
            entry.account.bytes.fetch_sub(change.less, Ordering::Relaxed);
            return change;
        }
        // Another page with the same hash, or the same page varying by other fields now.
        change.less = self.remove(page.hash, None).less;
        self.births = self.births.wrapping_add(1);
        let entry = Entry {
            primary: Arc::clone(&page.content.primary),
            index: Arc::clone(index),
            pages: vec![Arc::clone(page)],
            account: Arc::clone(&page.account),
            birth: self.births,
            // Unmarked: a page nobody asks for again goes before those that are.
            used: AtomicBool::new(false),
        };
        entry.account.bytes.fetch_add(change.more, Ordering::Relaxed);
        count(&entry.account.entries);
        let hand = (page.hash, self.births);
        self.entries.insert(page.hash, entry);
        let entries = &self.entries;
        let tenant = self.tenants.entry(page.content.primary.site.tenant).or_default();
        for clock in [&mut self.clock, tenant] {
            clock.sweep(entries);
            clock.hands.push_back(hand);
        }
        change
    }

    /// Removes what has this hash and, where it is given, this address.
    pub(super) fn remove(&mut self, hash: u64, primary: Option<&Primary>) -> Change {
        let other = |entry: &Entry| primary.is_some_and(|primary| *entry.primary != *primary);
        if self.entries.get(&hash).is_none_or(other) {
            return Change::default();
        }
        let Some(entry) = self.entries.remove(&hash) else { return Change::default() };
        let less = entry.weight();
        entry.account.bytes.fetch_sub(less, Ordering::Relaxed);
        entry.account.entries.fetch_sub(1, Ordering::Relaxed);
        Change { more: 0, less }
    }

    pub(super) fn remove_tenant(&mut self, tenant: TenantId) -> Change {
        let mut all = Change::default();
        for (hash, birth) in self.tenants.remove(&tenant).unwrap_or_default().hands {
            if self.entries.get(&hash).is_some_and(|entry| entry.birth == birth) {
                all.less += self.remove(hash, None).less;
            }
        }
        all
    }

    pub(super) fn has(&self, page: &Arc<Page>) -> bool {
        let entry = self.entries.get(&page.hash);
        entry.is_some_and(|entry| entry.pages.iter().any(|stored| Arc::ptr_eq(stored, page)))
    }

    pub(super) fn keep(&mut self, page: &Arc<Page>, coding: Coding, body: Bytes) -> Change {
        if !self.has(page) {
            return Change::default();
        }
        let more = page.keep(coding, body);
        page.account.bytes.fetch_add(more, Ordering::Relaxed);
        Change { more, less: 0 }
    }

    /// Removes the first entry without a mark, of a tenant or of all, and takes the mark of those before it;
    /// or the first one, whatever its mark is.
    pub(super) fn evict(&mut self, tenant: Option<TenantId>, whatever: bool) -> Change {
        let clock = match tenant {
            None => &mut self.clock,
            Some(tenant) => match self.tenants.get_mut(&tenant) {
                Some(clock) => clock,
                None => return Change::default(),
            },
        };
        let mut gone = None;
        for _ in 0..clock.hands.len() {
            let Some((hash, birth)) = clock.hands.pop_front() else { break };
            let Some(entry) = self.entries.get(&hash).filter(|entry| entry.birth == birth) else { continue };
            if !whatever && entry.used.swap(false, Ordering::Relaxed) {
                clock.hands.push_back((hash, birth));
                continue;
            }
            count(&entry.account.evictions);
            gone = Some(hash);
            break;
        }
        if let Some(tenant) = tenant
            && self.tenants.get(&tenant).is_some_and(|clock| clock.hands.is_empty())
        {
            self.tenants.remove(&tenant);
        }
        gone.map(|hash| self.remove(hash, None)).unwrap_or_default()
    }
}

impl Clock {
    /// Takes out what is gone, once that may be half of it: so a clock is at most twice as long as what it
    /// is for, give or take 64, and a push costs the same on average however long it is.
    fn sweep(&mut self, entries: &HashMap<u64, Entry>) {
        if self.hands.len() < self.sweep_at.max(64) {
            return;
        }
        self.hands.retain(|(hash, birth)| entries.get(hash).is_some_and(|entry| entry.birth == *birth));
        self.sweep_at = self.hands.len().saturating_mul(2);
    }
}
