//! A small memory of sessions that were valid a moment ago, so that most signed-in requests cost no
//! control SQL. Only what is valid is remembered: guesses can't fill it.
//!
//! Local revocation drops entries at once. Another server's drops all of them with the reconciler's next turn: at
//! once where hints come, else within its interval; [`TRUST`] is the bound where no turn succeeds.

use crate::SignedIn;
use parking_lot::Mutex;
use rowhouse_base::Digest;
use rowhouse_base::id::UserId;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a valid session is believed without asking.
pub(crate) const TRUST: Duration = Duration::from_secs(5);

/// Sessions remembered at most: about 3 MB.
const ENTRIES: usize = 10_000;

#[derive(Debug)]
struct Entry {
    signed_in: SignedIn,
    read_at: Instant,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Digest, Entry>,
    /// Moved by every drop. A session read before a drop must not be put back after it.
    drops: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Inner>);

/// Taken before the store is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

impl Cache {
    pub(crate) fn get(&self, digest: &Digest, now: Instant) -> Option<SignedIn> {
        let inner = self.0.lock();
        let entry = inner.entries.get(digest)?;
        (now.saturating_duration_since(entry.read_at) < TRUST).then(|| entry.signed_in.clone())
    }

    pub(crate) fn ticket(&self) -> Ticket {
        Ticket(self.0.lock().drops)
    }

    /// Remembers a session that the store gave after the ticket was taken.
    pub(crate) fn put(&self, ticket: Ticket, signed_in: SignedIn, now: Instant) {
        let mut inner = self.0.lock();
        if inner.drops != ticket.0 {
            return;
        }
        if inner.entries.len() >= ENTRIES {
            inner.entries.retain(|_, entry| now.saturating_duration_since(entry.read_at) < TRUST);
        }
        if inner.entries.len() < ENTRIES {
            inner.entries.insert(signed_in.session, Entry { signed_in, read_at: now });
        }
    }

    pub(crate) fn forget(&self, digest: &Digest) {
        let mut inner = self.0.lock();
        inner.drops += 1;
        inner.entries.remove(digest);
    }

    pub(crate) fn forget_user(&self, user: UserId) {
        let mut inner = self.0.lock();
        inner.drops += 1;
        inner.entries.retain(|_, entry| entry.signed_in.user != user);
    }

    pub(crate) fn forget_all(&self) {
        let mut inner = self.0.lock();
        inner.drops += 1;
        inner.entries.clear();
    }
}
