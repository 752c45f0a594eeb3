//! The modules that are ready on this server, by digest, and those that are going to be. Reading takes no lock; only who
//! asks for what isn't ready does, and may wait for a moment.

use super::Module;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rowhouse_base::Digest;
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Requests that wait for a module at most; further ones are answered at once.
const WAITING: usize = 256;

/// See the file's head.
pub(crate) struct Registry {
    ready: ArcSwap<HashMap<Digest, Arc<Module>>>,
    expected: Mutex<HashSet<Digest>>,
    /// Told when one of the two changes.
    changed: Notify,
    waiting: Semaphore,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            ready: ArcSwap::from_pointee(HashMap::new()),
            expected: Mutex::default(),
            changed: Notify::new(),
            waiting: Semaphore::new(WAITING),
        }
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<Module>> {
        self.ready.load().get(digest).map(Arc::clone)
    }

    /// A module that is ready, or will be within this time. Cancel-safe.
    pub(crate) async fn get_soon(&self, digest: &Digest, patience: Duration) -> Option<Arc<Module>> {
        let _place = self.waiting.try_acquire().ok()?;
        let ready = async {
            loop {
                let mut changed = pin!(self.changed.notified());
                // What changes from here on is heard.
                changed.as_mut().enable();
                let is_expected = self.expected.lock().contains(digest);
                match self.get(digest) {
                    None if is_expected => changed.await,
                    found => return found,
                }
            }
        };
        tokio::time::timeout(patience, ready).await.ok()?
    }

    /// A module is going to be ready.
    pub(crate) fn expect(&self, digest: Digest) {
        // Under the lock: whoever makes it ready just now removes it after this.
        let mut expected = self.expected.lock();
        if self.get(&digest).is_none() {
            expected.insert(digest);
        }
    }

    /// It is not, for now.
    pub(crate) fn give_up(&self, digest: &Digest) {
        self.expected.lock().remove(digest);
        self.changed.notify_waiters();
    }

    pub(crate) fn insert(&self, digest: Digest, module: Arc<Module>) {
        self.ready.rcu(|modules| {
            let mut next = HashMap::clone(modules);
            next.insert(digest, Arc::clone(&module));
            next
        });
        self.give_up(&digest);
    }

    /// Lets go of modules that no tenant runs. Requests in flight keep theirs until they end.
    pub(crate) fn retain(&self, keep: &HashSet<Digest>) {
        self.ready.rcu(|modules| {
            modules
                .iter()
                .filter(|(digest, _)| keep.contains(*digest))
                .map(|(digest, module)| (*digest, Arc::clone(module)))
                .collect::<HashMap<_, _>>()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn nobody_waits_for_what_nobody_makes() {
        let (registry, digest) = (Registry::new(), Digest::of(b"module"));
        assert!(registry.get_soon(&digest, LONG).await.is_none());
        registry.expect(digest);
        assert!(registry.get_soon(&digest, Duration::from_millis(1)).await.is_none());
        let waiting = registry.get_soon(&digest, LONG);
        let making = async {
            tokio::task::yield_now().await;
            registry.give_up(&digest);
        };
        let (found, ()) = tokio::join!(waiting, making);
        assert!(found.is_none());
    }
}
