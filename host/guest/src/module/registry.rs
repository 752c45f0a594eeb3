//! The modules that are ready on this server, by digest, and those that are going to be. Reading takes no lock; only who
//! asks for what isn't ready does, and may wait for a moment.

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rowhouse_base::Digest;
use rowhouse_base::id::TenantId;
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Requests that wait for a module at most; further ones are answered at once.
const WAITING: usize = 256;

/// Of them until shares count: a busy site on a server where nobody else waits has half of all places.
const FREE_FOR_ALL: usize = WAITING / 2;

/// From then on for one module, so that what everybody waits for leaves room for another. More than a single site can
/// have taken before: most often all sites wait for the same module.
const FOR_ONE_MODULE: usize = WAITING / 4 * 3;

/// From then on of one site, so that a busy site leaves room for the others.
const OF_ONE_SITE: usize = WAITING / 8;

/// See the file's head. Of what a module is it knows nothing.
pub(crate) struct Registry<M> {
    ready: ArcSwap<HashMap<Digest, Arc<M>>>,
    expected: Mutex<HashSet<Digest>>,
    /// Told when one of the two changes.
    changed: Notify,
    /// At most [`WAITING`]: few enough to be counted each time.
    waiting: Mutex<Vec<Waiter>>,
}

/// Whose request waits, and for what.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Waiter {
    site: TenantId,
    module: Digest,
}

/// A place among those who wait, free again when it is dropped.
struct Place<'a> {
    waiting: &'a Mutex<Vec<Waiter>>,
    waiter: Waiter,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock();
        if let Some(index) = waiting.iter().position(|waiter| *waiter == self.waiter) {
            waiting.swap_remove(index);
        }
    }
}

impl<M> Registry<M> {
    pub(crate) fn new() -> Self {
        Self {
            ready: ArcSwap::from_pointee(HashMap::new()),
            expected: Mutex::default(),
            changed: Notify::new(),
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, digest: &Digest) -> Option<Arc<M>> {
        self.ready.load().get(digest).map(Arc::clone)
    }

    /// A module that a site runs and that is ready, or will be within this time. Cancel-safe.
    pub(crate) async fn get_soon(
        &self,
        digest: &Digest,
        site: TenantId,
        patience: Duration,
    ) -> Option<Arc<M>> {
        let _place = self.place(Waiter { site, module: *digest })?;
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

    /// A place to wait, where there is one for this site and this module.
    fn place(&self, waiter: Waiter) -> Option<Place<'_>> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= WAITING {
            return None;
        }
        if waiting.len() >= FREE_FOR_ALL {
            let for_module = waiting.iter().filter(|other| other.module == waiter.module).count();
            let of_site = waiting.iter().filter(|other| other.site == waiter.site).count();
            if for_module >= FOR_ONE_MODULE || of_site >= OF_ONE_SITE {
                return None;
            }
        }
        waiting.push(waiter);
        Some(Place { waiting: &self.waiting, waiter })
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

    pub(crate) fn insert(&self, digest: Digest, module: Arc<M>) {
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
    use std::iter;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn nobody_waits_for_what_nobody_makes() {
        let (registry, digest, site) = (Registry::<()>::new(), Digest::of(b"module"), TenantId::new());
        assert!(registry.get_soon(&digest, site, LONG).await.is_none());
        registry.expect(digest);
        assert!(registry.get_soon(&digest, site, Duration::from_millis(1)).await.is_none());
        let waiting = registry.get_soon(&digest, site, LONG);
        let making = async {
            tokio::task::yield_now().await;
            registry.give_up(&digest);
        };
        let (found, ()) = tokio::join!(waiting, making);
        assert!(found.is_none());
    }

    #[tokio::test]
    async fn a_module_that_is_ready_is_given_to_who_waits_for_it() {
        let (registry, digest) = (Registry::new(), Digest::of(b"module"));
        registry.expect(digest);
        let waiting = registry.get_soon(&digest, TenantId::new(), LONG);
        let making = async {
            tokio::task::yield_now().await;
            registry.insert(Digest::of(b"another"), Arc::new("another"));
            tokio::task::yield_now().await;
            registry.insert(digest, Arc::new("module"));
        };
        let (found, ()) = tokio::join!(waiting, making);
        assert_eq!(found.as_deref(), Some(&"module"));
        assert!(registry.waiting.lock().is_empty(), "the place is free again");
    }

    #[test]
    fn no_site_and_no_module_has_all_places() {
        let registry = Registry::<()>::new();
        let (site, module) = (TenantId::new(), Digest::of(b"module"));
        let mut places = Vec::new();
        places.extend(iter::from_fn(|| registry.place(Waiter { site, module })));
        assert_eq!(places.len(), FREE_FOR_ALL, "alone it has half of all");
        let second = TenantId::new();
        places.extend(iter::from_fn(|| registry.place(Waiter { site: second, module })));
        assert_eq!(places.len(), FREE_FOR_ALL + OF_ONE_SITE);
        places.extend(iter::from_fn(|| registry.place(Waiter { site: TenantId::new(), module })));
        assert_eq!(places.len(), FOR_ONE_MODULE);
        let another = |name: &[u8]| Waiter { site: TenantId::new(), module: Digest::of(name) };
        places.extend(iter::from_fn(|| registry.place(another(b"another"))));
        assert_eq!(places.len(), WAITING);
        assert!(registry.place(another(b"third")).is_none());
        places.clear();
        assert!(registry.place(Waiter { site, module }).is_some());
    }
}
