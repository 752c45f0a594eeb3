//! Instances that have answered and may answer again.
//!
//! Only releases whose policy says so have any. A kept instance serves requests of the tenant, the release
//! and the revision it was made for and of nothing else: it is found by the tenant's id, and thrown away
//! where digest or revision differ. It is kept only after an answer without trap, with no open resource,
//! and only as often and as long as the policy allows. What the guest left in its own memory is the
//! guest's affair; everything the host keeps for a request is made anew. Where the answer may be kept, it
//! inherits what the instance's earlier answers were made from, and an instance whose memory may be out of
//! date, or may hold what belongs to one visitor, is let go.

use crate::store::GuestState;
use crate::trace::Trace;
use parking_lot::Mutex;
use rowhouse_base::Digest;
use rowhouse_base::id::TenantId;
use rowhouse_bindings::site::handler;
use rowhouse_tenant::Tenant;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;

/// Kept instances of one tenant. More at once would serve bursts and hold memory for hours of quiet.
const PER_TENANT: usize = 8;

/// A guest that has grown beyond this is not kept: its memory is worth more to others.
const MOST_MEMORY: u64 = 32 << 20;

/// An instance and the way into it.
pub(crate) struct Instance<H> {
    pub(crate) store: Store<GuestState>,
    pub(crate) handler: H,
    uses: u32,
    past: Past,
}

/// What an instance's memory may be made from.
enum Past {
    /// It has answered nothing yet.
    None,
    /// Everything up to now.
    Known(Arc<Trace>),
    /// It answered where nobody took notes.
    Unknown,
}

impl Past {
    /// Whether an answer may come from there, and with what it is made from in its notes.
    fn fits(&self, trace: Option<&Arc<Trace>>) -> bool {
        match (self, trace) {
            (Self::None, _) | (_, None) => true,
            (Self::Known(past), Some(trace)) => trace.inherit(past),
            (Self::Unknown, Some(_)) => false,
        }
    }
}

impl<H> Instance<H> {
    pub(crate) fn new(store: Store<GuestState>, handler: H) -> Self {
        Self { store, handler, uses: 0, past: Past::None }
    }
}

/// An instance of either lane that can be kept.
pub(crate) enum Kept {
    Fast(Instance<handler::Handler>),
    Http02(Instance<Proxy>),
}

impl Kept {
    fn past(&mut self) -> &mut Past {
        match self {
            Self::Fast(instance) => &mut instance.past,
            Self::Http02(instance) => &mut instance.past,
        }
    }

    fn uses(&mut self) -> &mut u32 {
        match self {
            Self::Fast(instance) => &mut instance.uses,
            Self::Http02(instance) => &mut instance.uses,
        }
    }

    fn state(&mut self) -> &mut GuestState {
        match self {
            Self::Fast(instance) => instance.store.data_mut(),
            Self::Http02(instance) => instance.store.data_mut(),
        }
    }
}

/// What an instance was made for, as its tenant stood then.
#[derive(Clone, Copy, PartialEq, Eq)]
struct MadeFor {
    digest: Digest,
    revision: u64,
}

struct Entry {
    made_for: MadeFor,
    until: Instant,
    kept: Kept,
}

/// All kept instances.
pub(crate) struct Warm {
    inner: Mutex<Inner>,
    most: usize,
}

#[derive(Default)]
struct Inner {
    tenants: HashMap<TenantId, Vec<Entry>>,
    count: usize,
}

impl Warm {
    /// Room for this many instances of all tenants together.
    pub(crate) fn new(most: u32) -> Self {
        Self { inner: Mutex::default(), most: usize::try_from(most).unwrap_or(usize::MAX) }
    }

    /// An instance that may answer this tenant's next request; the notes of that request begin with what the
    /// instance may remember.
    pub(crate) fn take(&self, tenant: &Tenant, trace: Option<&Arc<Trace>>) -> Option<Kept> {
        let release = tenant.release.as_ref()?;
        release.reuse?;
        let wanted = MadeFor { digest: release.digest, revision: tenant.revision };
        let now = Instant::now();
        // Freeing a slot takes longer than the lock should be held: what doesn't fit is dropped after it.
        let mut unfit = Vec::new();
        let mut inner = self.inner.lock();
        let entries = inner.tenants.get_mut(&tenant.id)?;
        let mut found = None;
        let mut taken = 0;
        while let Some(mut entry) = entries.pop() {
            taken += 1;
            if entry.made_for == wanted && entry.until > now && entry.kept.past().fits(trace) {
                found = Some(entry.kept);
                break;
            }
            unfit.push(entry);
        }
        if entries.is_empty() {
            inner.tenants.remove(&tenant.id);
        }
        inner.count = inner.count.saturating_sub(taken);
        drop(inner);
        drop(unfit);
        found
    }

    /// Keeps an instance that has just answered, where the release's policy allows.
    pub(crate) fn keep(&self, tenant: &Tenant, trace: Option<Arc<Trace>>, mut kept: Kept) {
        let Some(release) = tenant.release.as_ref() else { return };
        let Some(policy) = release.reuse else { return };
        *kept.uses() = kept.uses().saturating_add(1);
        let used_up = *kept.uses() >= policy.requests.get();
        let state = kept.state();
        if used_up || !state.is_clean() || state.limiter.used() > MOST_MEMORY {
            return;
        }
        state.end_request();
        *kept.past() = trace.map_or(Past::Unknown, Past::Known);
        let made_for = MadeFor { digest: release.digest, revision: tenant.revision };
        let mut inner = self.inner.lock();
        if inner.count >= self.most {
            return;
        }
        let entries = inner.tenants.entry(tenant.id).or_default();
        if entries.len() >= PER_TENANT {
            return;
        }
        entries.push(Entry { made_for, until: Instant::now() + policy.idle, kept });
        inner.count += 1;
    }

    /// Lets go of instances that have been idle for as long as their policy allows.
    pub(crate) fn expire(&self) {
        let now = Instant::now();
        let mut old = Vec::new();
        let mut inner = self.inner.lock();
        inner.tenants.retain(|_, entries| {
            old.extend(entries.extract_if(.., |entry| entry.until <= now));
            !entries.is_empty()
        });
        inner.count = inner.count.saturating_sub(old.len());
        drop(inner);
        drop(old);
    }
}
