//! What is trusted when, without a database.

use super::*;
use parking_lot::Mutex as Lock;
use rowhouse_base::announce::Sent;
use rowhouse_base::{Alone, Subject};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use tokio::sync::oneshot;

/// Counts what it was told, and hears as it is set.
#[derive(Default)]
struct Line {
    told: Lock<Vec<TenantId>>,
    hears: AtomicBool,
    waits: AtomicUsize,
}

impl Announce for Line {
    fn data_moved(&self, tenant: TenantId) -> Sent<'_> {
        self.waits.fetch_add(1, SeqCst);
        self.told.lock().push(tenant);
        Box::pin(std::future::ready(()))
    }

    fn generation(&self, _generation: u64) {}

    fn is_hearing(&self) -> bool {
        self.hears.load(SeqCst)
    }

    fn is_alone(&self) -> bool {
        false
    }
}

fn versions(count: u64) -> Arc<Versions> {
    Arc::new(Versions::new([(Subject::everything(), count)]))
}

fn load(known: &Known, tenant: TenantId, count: u64) {
    let loading = known.begin(tenant);
    known.finish(&loading, &versions(count), 1);
}

#[test]
fn what_was_read_before_a_change_is_not_kept_after_it() {
    let known = Known::new(Arc::new(Alone));
    let tenant = TenantId::new();
    let loading = known.begin(tenant);
    known.forget(tenant);
    known.finish(&loading, &versions(1), 1);
    assert_eq!(known.get(tenant), None);
    let loading = known.begin(tenant);
    known.forget_all();
    known.finish(&loading, &versions(1), 1);
    assert_eq!(known.get(tenant), None);
    // Nor where the tenant was forgotten by the map and is loaded anew meanwhile.
    let loading = known.begin(tenant);
    known.forget_all();
    known.forget(tenant);
    let _another = known.begin(tenant);
    known.finish(&loading, &versions(1), 1);
    assert_eq!(known.get(tenant), None);
    load(&known, tenant, 2);
    assert_eq!(known.get(tenant), Some(versions(2)));
}

#[tokio::test]
async fn an_open_commit_keeps_everything_untrusted_until_it_has_ended() {
    let line = Arc::new(Line::default());
    line.hears.store(true, SeqCst);
    let known = Known::new(line.clone());
    let tenant = TenantId::new();
    let notice = Notice::new(&known, tenant);
    load(&known, tenant, 1);
    let (end, ended) = oneshot::channel::<()>();
    let writing = notice.writing(move || {
        Box::pin(async move {
            let _ended = ended.await;
        })
    });
    assert_eq!(known.get(tenant), None);
    drop(writing);
    while line.told.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    load(&known, tenant, 1);
    assert_eq!(known.get(tenant), None, "the commit may still happen");
    end.send(()).unwrap();
    while line.told.lock().len() < 2 {
        tokio::task::yield_now().await;
    }
    load(&known, tenant, 2);
    assert_eq!(known.get(tenant), Some(versions(2)));
    notice.writing(|| Box::pin(std::future::pending())).settled().await;
    assert_eq!((known.get(tenant), line.told.lock().len()), (None, 3));
    load(&known, tenant, 3);
    notice.writing(|| Box::pin(std::future::pending())).refused();
    assert_eq!(line.told.lock().len(), 3, "nothing has happened");
}

#[test]
fn with_others_around_nothing_is_trusted_that_is_old_or_while_deaf() {
    let line = Arc::new(Line::default());
    let known = Known::new(line.clone());
    let tenant = TenantId::new();
    load(&known, tenant, 1);
    assert_eq!(known.get(tenant), None);
    line.hears.store(true, SeqCst);
    assert_eq!(known.get(tenant), Some(versions(1)));
    let mut loading = known.begin(tenant);
    loading.since = Instant::now().checked_sub(TRUSTED).unwrap();
    known.finish(&loading, &versions(1), 1);
    assert_eq!(known.get(tenant), None);
}

#[test]
fn the_map_is_bounded_by_tenants_and_by_counts() {
    let known = Known::new(Arc::new(Alone));
    for _ in 0..TENANTS + 10 {
        load(&known, TenantId::new(), 1);
    }
    assert_eq!(known.state.lock().tenants.len(), TENANTS);
    let (first, second) = (TenantId::new(), TenantId::new());
    for tenant in [first, second] {
        let loading = known.begin(tenant);
        known.finish(&loading, &versions(1), COUNTS / 2 + 1);
    }
    assert!(known.get(first).is_none() && known.get(second).is_some());
    assert!(known.state.lock().counts <= COUNTS);
}
