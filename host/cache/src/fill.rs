//! Making a page: the guest is asked on behalf of the cache, and its answer is judged, kept and shown.
//!
//! However a fill ends, those who wait learn of it: a fill or a [`Storing`] that is dropped lets the next
//! one make the page. Nothing is stored before the answer is complete. Called by the front.

mod storing;

use crate::account::{Account, Permit, count};
use crate::age::on_arrival;
use crate::cache::{Cache, PAGE_KEY, VARIANT_KEY};
use crate::conditional::take_off;
use crate::date;
use crate::fields::{kept, updated};
use crate::flight::{Ended, Ticket};
use crate::form;
use crate::freshness::{Policy, Rules};
use crate::key::Primary;
use crate::page::{Content, Page};
use crate::pass::Pass;
use crate::second::SecondLevel;
use crate::status::{CacheStatus, Forward};
use crate::storable::{Refusal, check};
use crate::store::{Index, Inserted, Mark};
use crate::vary::Vary;
use crate::view::show;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, DATE, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, response};
use rowhouse_base::{Stamp, Timestamp, Versions};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use storing::Storing;

/// A stored page that can't be shown as it is.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) page: Arc<Page>,
    /// It may be shown where the guest fails, as far as its policy allows.
    pub(crate) on_error: bool,
}

/// The lead among servers, given back when dropped.
pub(crate) struct Lease {
    second: Arc<dyn SecondLevel>,
    key: [u8; 32],
}

impl Lease {
    pub(crate) fn new(second: Arc<dyn SecondLevel>, key: [u8; 32]) -> Self {
        Self { second, key }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.second.release(self.key);
    }
}

/// What a fill starts from.
pub(crate) struct Start {
    pub(crate) cache: Arc<Cache>,
    pub(crate) account: Arc<Account>,
    pub(crate) hash: u64,
    pub(crate) primary: Arc<Primary>,
    pub(crate) headers: HeaderMap,
    pub(crate) method: Method,
    pub(crate) wished: Option<u64>,
    pub(crate) versions: Option<Arc<Versions>>,
    pub(crate) candidate: Option<Candidate>,
    pub(crate) index: Option<Arc<Index>>,
    pub(crate) forward: Forward,
    pub(crate) mark: Mark,
    #[expect(dead_code, reason = "held as long as the fill runs")]
    pub(crate) permit: Permit,
}

/// Leave and duty to ask the guest for a page. Dropped: somebody else does.
pub struct Fill {
    // Boxed: it is handed around, and lies in futures.
    start: Box<Start>,
    conditions: Vec<(HeaderName, HeaderValue)>,
    asked: Timestamp,
    ticket: Option<Ticket>,
    // After the ticket: who leads next finds the lease free.
    lease: Option<Lease>,
}

/// What the head of the guest's answer means.
#[derive(Debug)]
pub enum Begun {
    /// Give it the body.
    Store(Box<Storing>),
    /// Not for storing: send it on, through [`Pass::answered`].
    Pass(Pass),
    /// Send this in its place: the guest confirmed what is stored, or failed and a stored page may be shown.
    Answer(Response<Bytes>),
}

/// What became of a whole answer.
#[derive(Debug)]
pub enum Finished {
    /// The visitor's view of the page.
    Stored(Response<Bytes>),
    /// Not stored: send on what the guest answered, through [`Pass::answered`].
    Passed(Pass),
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill").field("primary", &self.start.primary).finish_non_exhaustive()
    }
}

impl Fill {
    pub(crate) fn new(start: Start) -> Self {
        let mut conditions = Vec::new();
        if let Some(candidate) = &start.candidate {
            let (tag, modified) = candidate.page.validators();
            conditions.extend(tag.map(|tag| (IF_NONE_MATCH, tag.clone())));
            // A date is good to a second: after a change within it, the guest would confirm what is old.
            let modified = modified.filter(|_| candidate.on_error);
            conditions.extend(modified.map(|modified| (IF_MODIFIED_SINCE, modified.clone())));
        }
        let asked = Timestamp::now();
        Self { start: Box::new(start), conditions, asked, ticket: None, lease: None }
    }

    pub(crate) fn led_by(self, ticket: Ticket, lease: Option<Lease>) -> Self {
        Self { ticket: Some(ticket), lease, ..self }
    }

    /// What to add to the request for the guest, so that it can say that the stored page still is right.
    #[must_use]
    pub fn conditions(&self) -> &[(HeaderName, HeaderValue)] {
        &self.conditions
    }

    /// Makes a visitor's fields those of a request for the whole page: the visitor's own conditions and
    /// ranges off, [`Fill::conditions`] on.
    pub fn prepare(&self, headers: &mut HeaderMap) {
        take_off(headers);
        for (name, value) in &self.conditions {
            headers.insert(name, value.clone());
        }
    }

    /// True where other requests wait for this page.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::has_waiters)
    }

    /// Judges the guest's answer by its head, as it came. Those who wait go on at once where it isn't to be
    /// stored. `stamp` is asked for where the head is all there is: where the guest confirms what is stored.
    #[must_use]
    pub fn begin(mut self, head: &response::Parts, stamp: impl FnOnce() -> Option<Stamp>) -> Begun {
        let now = Timestamp::now();
        if head.status == StatusCode::NOT_MODIFIED && !self.conditions.is_empty() {
            return self.confirmed(head, stamp(), now);
        }
        // The guest couldn't reach what it depends on: as good as no answer.
        let unreachable = matches!(head.status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT);
        let grace = if unreachable { self.start.cache.config.failure_grace.as_secs() } else { 0 };
        if is_fault(head.status)
            && let Some(answer) = self.instead(now, grace, Some(head.status))
        {
            return Begun::Answer(answer);
        }
        let rules = Rules::of(&head.headers);
        let received = seconds(now);
        let age = on_arrival(&head.headers, seconds(self.asked), received);
        let declared = declared(&head.headers);
        let verdict = check(&self.start.headers, head, &rules, age, received).and_then(|vary| {
            let most = self.start.cache.config.max_page_bytes;
            let too_large = declared.is_some_and(|length| length > most);
            if too_large { Err(Refusal::Size) } else { Ok(vary) }
        });
        match verdict {
            Err(refusal) => Begun::Pass(self.refused(refusal, head.status, now)),
            Ok(vary) => Begun::Store(Box::new(Storing {
                policy: rules.policy(&head.headers, received),
                fields: dated(kept(&head.headers, &rules.control.unshared), received),
                status: head.status,
                born: born(now, age),
                vary,
                declared,
                chunks: Vec::new(),
                length: 0,
                too_large: false,
                fill: self,
            })),
        }
    }

    /// The guest gave no answer. A stored page, where one may be shown instead.
    #[must_use]
    pub fn failed(mut self) -> Option<Response<Bytes>> {
        let grace = self.start.cache.config.failure_grace.as_secs();
        self.instead(Timestamp::now(), grace, None)
    }

    fn instead(&mut self, now: Timestamp, grace: u64, status: Option<StatusCode>) -> Option<Response<Bytes>> {
        let start = &self.start;
        let candidate = start.candidate.as_ref().filter(|candidate| candidate.on_error)?;
        let page = Arc::clone(&candidate.page);
        if !page.content.policy.on_error(page.age(now), start.wished, grace) {
            return None;
        }
        let guest_status = status.map(|status| status.as_u16());
        let said = CacheStatus { guest_status, ..CacheStatus::forward(Forward::Stale) }.with_detail("failed");
        let view = show(&page, &start.method, &start.headers, now, said);
        self.end(Ended::Shown(page));
        Some(view.answer)
    }

    fn end(&mut self, how: Ended) {
        if let Some(ticket) = self.ticket.take() {
            ticket.end(how);
        }
        self.lease = None;
    }

    fn refused(&mut self, refusal: Refusal, status: StatusCode, now: Timestamp) -> Pass {
        let start = &self.start;
        if refusal.holds_for_all() {
            start.cache.remember_refusal(start.hash, now);
            // What is stored is not what the guest answers any more.
            if start.candidate.is_some() && refusal.replaces() && !status.is_server_error() {
                start.cache.store.forget(start.hash, &start.primary);
                if let Some(second) = &start.cache.second {
                    second.remove(start.primary.key(PAGE_KEY, 0, ""));
                }
            }
        }
        let said = CacheStatus::forward(start.forward).with_detail(refusal.as_str());
        self.end(Ended::Refused);
        Pass::new(said)
    }

    /// The guest says that the stored page still is right: its fields are brought up to date. It stands as long
    /// as what it was made from and what the guest read to say so.
    fn confirmed(mut self, head: &response::Parts, read: Option<Stamp>, now: Timestamp) -> Begun {
        let Some(candidate) = self.start.candidate.take() else {
            return Begun::Pass(self.refused(Refusal::Status, head.status, now));
        };
        let before = &candidate.page.content;
        let mut fields = updated(&before.fields, &head.headers);
        if !head.headers.contains_key(DATE) {
            fields.remove(DATE);
        }
        let (mut merged, ()) = Response::new(()).into_parts();
        (merged.status, merged.headers) = (before.status, fields.clone());
        let rules = Rules::of(&fields);
        let received = seconds(now);
        let age = on_arrival(&head.headers, seconds(self.asked), received);
        let verdict = check(&self.start.headers, &merged, &rules, age, received);
        let verdict = if read.is_none() { Err(Refusal::Unstamped) } else { verdict };
        // As of the versions read before the guest was asked: what changed since then counts.
        let stamp = match &self.start.versions {
            Some(versions) => {
                let read = read.iter().flat_map(Stamp::subjects);
                versions.stamp(before.stamp.subjects().chain(read).cloned())
            }
            None => before.stamp.clone(),
        };
        let vary = verdict.as_ref().ok().cloned().unwrap_or_default();
        let content = Content {
            primary: Arc::clone(&self.start.primary),
            vary_key: vary.key(&self.start.headers).into(),
            status: before.status,
            fields: dated(kept(&fields, &rules.control.unshared), received),
            body: before.body.clone(),
            policy: rules.policy(&fields, received),
            born: born(now, age),
            stamp,
            own_tag: before.own_tag,
        };
        let page = Page::new(content, self.start.hash, Arc::clone(&self.start.account));
        page.inherit(&candidate.page);
        let page = Arc::new(page);
        let stored = match verdict {
            Ok(vary) => self.store(&page, vary, now),
            Err(refusal) => {
                self.start.candidate = Some(candidate);
                let _pass = self.refused(refusal, StatusCode::OK, now);
                false
            }
        };
        let guest_status = Some(head.status.as_u16());
        let said = CacheStatus { guest_status, stored, ..CacheStatus::forward(self.start.forward) };
        Begun::Answer(show(&page, &self.start.method, &self.start.headers, now, said).answer)
    }

    /// Stores a page here and behind, and lets those who wait have it.
    fn store(&mut self, page: &Arc<Page>, vary: Vary, now: Timestamp) -> bool {
        let start = &self.start;
        let known = start.index.as_ref().filter(|index| index.vary == vary);
        let index = known.map_or_else(|| Arc::new(Index { vary, epoch: rand::random() }), Arc::clone);
        let inserted = start.cache.store.insert(page, &index, start.mark);
        if inserted == Inserted::Forgotten {
            self.end(Ended::Abandoned);
            return false;
        }
        count(&start.account.fills);
        self.put(page, &index, now);
        let policy = &page.content.policy;
        let shared = !policy.always_asks() && policy.left(page.age(now)) > 0;
        let ended = if shared { Ended::Stored(Arc::clone(page), index) } else { Ended::Unshared };
        self.end(ended);
        inserted == Inserted::Stored
    }

    fn put(&self, page: &Arc<Page>, index: &Index, now: Timestamp) {
        let Some(second) = &self.start.cache.second else { return };
        let Some(ttl) = kept_for(&page.content.policy, page.age(now)) else { return };
        let primary = &self.start.primary;
        let value = form::page(page, index.epoch, second.clock_ahead());
        if index.vary.is_empty() {
            second.put(primary.key(PAGE_KEY, 0, ""), value, ttl);
        } else {
            second.put(primary.key(VARIANT_KEY, index.epoch, &page.content.vary_key), value, ttl);
            second.put(primary.key(PAGE_KEY, 0, ""), form::index(primary, index), ttl);
        }
    }
}

/// An answer without a date gets that of its arrival (RFC 9110 section 6.6.1), so that it ages for all.
fn dated(mut fields: HeaderMap, received: i64) -> HeaderMap {
    if !fields.contains_key(DATE)
        && let Some(date) = date::format(received)
    {
        fields.insert(DATE, date);
    }
    fields
}

/// Statuses for which RFC 5861 lets a stale page be shown.
fn is_fault(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// The length that the answer says it has. Nonsense is a length that no body has.
fn declared(headers: &HeaderMap) -> Option<u64> {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let first = lines.next()?;
    let length = first.to_str().ok().and_then(|text| text.trim().parse().ok());
    Some(length.filter(|_| lines.all(|line| line == first)).unwrap_or(u64::MAX))
}

fn seconds(time: Timestamp) -> i64 {
    time.0.div_euclid(1_000_000)
}

fn born(now: Timestamp, age: u64) -> Timestamp {
    let micros = i64::try_from(age).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    Timestamp(now.0.saturating_sub(micros))
}

/// How long a page is of use to other servers: at most a day, after which its tables have moved or nobody
/// asks for it.
fn kept_for(policy: &Policy, age: u64) -> Option<Duration> {
    let windows = policy.stale_while_revalidate.max(policy.stale_if_error.unwrap_or(0));
    let left = policy.lifetime.saturating_add(windows).saturating_sub(age);
    (left > 0).then(|| Duration::from_secs(left.min(86_400)))
}
