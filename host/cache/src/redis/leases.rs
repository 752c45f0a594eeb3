//! Leases that this server holds, with the token that shows whose each is.
//!
//! Bounded: one that is never given back is forgotten when it has run out, as Redis does.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Leases at once: more pages are not made at the same time by one server.
const LEASES: usize = 4096;

/// Tokens by key.
#[derive(Debug)]
pub(super) struct Leases {
    held: Mutex<HashMap<[u8; 32], (String, Instant)>>,
    /// Differs between processes.
    process: u128,
    next: AtomicU64,
}

impl Leases {
    pub(super) fn new() -> Self {
        Self { held: Mutex::default(), process: rand::random(), next: AtomicU64::new(0) }
    }

    /// A token that nobody has had.
    pub(super) fn token(&self) -> String {
        format!("{:032x}:{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Remembers a lease that was got; false where there is no room.
    #[must_use]
    pub(super) fn hold(&self, key: [u8; 32], token: String, ttl: Duration, now: Instant) -> bool {
        let mut held = self.held.lock();
        if held.len() >= LEASES {
            held.retain(|_key, (_token, until)| *until > now);
        }
        if held.len() >= LEASES && !held.contains_key(&key) {
            return false;
        }
        // No time that far away is as good as one that is.
        let until = now.checked_add(ttl).unwrap_or(now);
        held.insert(key, (token, until));
        true
    }

    /// The token to give back.
    pub(super) fn take(&self, key: &[u8; 32]) -> Option<String> {
        self.held.lock().remove(key).map(|(token, _until)| token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_are_bounded_and_run_out() {
        let (leases, now, ttl) = (Leases::new(), Instant::now(), Duration::from_secs(10));
        let key = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_le_bytes());
            key
        };
        assert_ne!(leases.token(), leases.token());
        (0..LEASES).for_each(|number| assert!(leases.hold(key(number), number.to_string(), ttl, now)));
        assert!(!leases.hold(key(LEASES), "x".into(), ttl, now));
        assert!(leases.hold(key(0), "again".into(), ttl, now));
        assert_eq!(leases.take(&key(0)).as_deref(), Some("again"));
        assert_eq!(leases.take(&key(0)), None);
        assert!(leases.hold(key(0), "x".into(), ttl, now));
        assert!(leases.hold(key(LEASES), "x".into(), ttl, now + ttl), "the others have run out");
    }
}
