//! The pool alone, over connections that are only counted.

use super::*;
use rowhouse_base::Limits;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Counts what is open and how many ever were at once.
#[derive(Default)]
struct Counting {
    open: AtomicUsize,
    most: AtomicUsize,
    opened: AtomicUsize,
}

impl Connector for Counting {
    type Conn = TenantId;

    async fn connect(&self, tenant: &Tenant) -> Result<TenantId, SqlError> {
        tokio::task::yield_now().await;
        self.opened.fetch_add(1, Relaxed);
        let open = self.open.fetch_add(1, Relaxed) + 1;
        self.most.fetch_max(open, Relaxed);
        Ok(tenant.id)
    }

    fn close(&self, _conn: TenantId) {
        self.open.fetch_sub(1, Relaxed);
    }
}

fn tenant(connections: u32) -> Arc<Tenant> {
    crate::testing::tenant(Limits { connections, ..Limits::default() })
}

/// For waits that must end without success.
fn briefly() -> Instant {
    Instant::now() + Duration::from_millis(30)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[tokio::test]
async fn a_kept_connection_is_used_again_by_its_tenant_only() {
    let pool = Pool::new(Counting::default(), 8);
    let (one, two) = (tenant(4), tenant(4));
    pool.checkout(&one, soon()).await.unwrap().keep();
    let mut again = pool.checkout(&one, soon()).await.unwrap();
    assert_eq!(*again.conn().unwrap(), one.id);
    again.keep();
    let mut other = pool.checkout(&two, soon()).await.unwrap();
    assert_eq!(*other.conn().unwrap(), two.id);
    assert_eq!(pool.connector().opened.load(Relaxed), 2);
    drop(other);
    assert_eq!(pool.usage(), PoolUse { total: 8, open: 1, idle: 1, waiting: 0 });
}

#[tokio::test]
async fn the_coldest_idle_connection_makes_room() {
    let pool = Pool::new(Counting::default(), 2);
    let tenants = [tenant(1), tenant(1), tenant(1)];
    for tenant in &tenants {
        pool.checkout(tenant, soon()).await.unwrap().keep();
    }
    assert_eq!(pool.connector().most.load(Relaxed), 2);
    let (first, last) = (&tenants[0], &tenants[2]);
    pool.checkout(last, soon()).await.unwrap().keep();
    assert_eq!(pool.connector().opened.load(Relaxed), 3, "the newest stayed open");
    pool.checkout(first, soon()).await.unwrap().keep();
    assert_eq!(pool.connector().opened.load(Relaxed), 4, "the oldest had been closed");
}

#[tokio::test]
async fn a_tenant_past_its_own_bound_is_told_so_and_nobody_else_is() {
    let pool = Pool::new(Counting::default(), 8);
    let (greedy, other) = (tenant(2), tenant(2));
    let _held =
        [pool.checkout(&greedy, soon()).await.unwrap(), pool.checkout(&greedy, soon()).await.unwrap()];
    let refused = pool.checkout(&greedy, briefly()).await.map(drop);
    assert_eq!(refused, Err(SqlError::Limit(LimitKind::Connections)));
    assert!(pool.checkout(&other, soon()).await.is_ok());
}

#[tokio::test]
async fn the_last_quarter_is_for_tenants_without_a_connection() {
    let pool = Pool::new(Counting::default(), 8);
    let greedy = tenant(100);
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(pool.checkout(&greedy, soon()).await.unwrap());
    }
    assert!(pool.checkout(&greedy, briefly()).await.is_err(), "six of eight is all it gets");
    let (one, two, three) = (tenant(1), tenant(1), tenant(1));
    let _one = pool.checkout(&one, soon()).await.unwrap();
    let two = pool.checkout(&two, soon()).await.unwrap();
    let waiting = {
        let (pool, three) = (Arc::clone(&pool), Arc::clone(&three));
        tokio::spawn(async move { pool.checkout(&three, soon()).await.map(drop) })
    };
    tokio::task::yield_now().await;
    assert_eq!(pool.usage().waiting, 1);
    drop(two);
    assert_eq!(waiting.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn closing_waits_for_work_and_refuses_more() {
    let pool = Pool::new(Counting::default(), 8);
    let tenant = tenant(2);
    pool.checkout(&tenant, soon()).await.unwrap().keep();
    let held = pool.checkout(&tenant, soon()).await.unwrap();
    assert!(!pool.close(tenant.id, Duration::from_millis(30)).await);
    held.keep();
    assert!(pool.close(tenant.id, Duration::from_secs(1)).await);
    assert_eq!(pool.usage().open, 0);
    assert_eq!(pool.connector().open.load(Relaxed), 0);
}

#[tokio::test]
async fn idle_connections_are_closed_after_a_while() {
    let pool = Pool::new(Counting::default(), 8);
    let tenant = tenant(2);
    pool.checkout(&tenant, soon()).await.unwrap().keep();
    pool.close_idle(Duration::from_secs(60));
    assert_eq!(pool.usage().idle, 1);
    pool.close_idle(Duration::ZERO);
    assert_eq!(pool.usage(), PoolUse { total: 8, ..PoolUse::default() });
}

#[tokio::test]
async fn an_instance_goes_on_with_its_connection_until_it_lets_go() {
    let pool = Pool::new(Counting::default(), 8);
    let (tenant, held) = (tenant(1), Held::with_turn(Duration::from_secs(60)));
    pool.checkout(&tenant, soon()).await.unwrap().keep_in(Some(&held));
    assert!(pool.checkout(&tenant, briefly()).await.is_err(), "it is held");
    held.take().unwrap().keep_in(Some(&held));
    Hold::on(Arc::clone(&held)).let_go();
    assert!(held.take().is_none());
    pool.checkout(&tenant, soon()).await.unwrap().keep_in(Some(&held));
    drop(held);
    pool.checkout(&tenant, soon()).await.unwrap().keep();
    assert_eq!(pool.connector().opened.load(Relaxed), 1);
}

#[tokio::test]
async fn after_its_turn_a_connection_is_for_who_waits() {
    let pool = Pool::new(Counting::default(), 8);
    let (tenant, held) = (tenant(1), Held::with_turn(Duration::ZERO));
    pool.checkout(&tenant, soon()).await.unwrap().keep_in(Some(&held));
    assert!(held.take().is_none());
    assert_eq!(pool.usage(), PoolUse { total: 8, open: 1, idle: 1, waiting: 0 });
}

#[tokio::test]
async fn a_turn_that_ends_between_two_statements_is_over() {
    let pool = Pool::new(Counting::default(), 8);
    // Long enough to be held at all, however busy the machine.
    let turn = Duration::from_secs(1);
    let (tenant, held) = (tenant(1), Held::with_turn(turn));
    pool.checkout(&tenant, soon()).await.unwrap().keep_in(Some(&held));
    assert_eq!(pool.usage().idle, 0, "it is held");
    tokio::time::sleep(turn).await;
    assert!(held.take().is_none());
    assert_eq!(pool.usage(), PoolUse { total: 8, open: 1, idle: 1, waiting: 0 });
}

#[tokio::test]
async fn an_instance_does_not_go_on_while_its_tenant_is_removed() {
    let pool = Pool::new(Counting::default(), 8);
    let (tenant, held) = (tenant(1), Held::with_turn(Duration::from_secs(60)));
    pool.checkout(&tenant, soon()).await.unwrap().keep_in(Some(&held));
    let closing = {
        let (pool, id) = (Arc::clone(&pool), tenant.id);
        tokio::spawn(async move { pool.close(id, Duration::from_secs(20)).await })
    };
    tokio::task::yield_now().await;
    assert!(held.take().is_none());
    assert!(closing.await.unwrap());
    assert_eq!(pool.connector().open.load(Relaxed), 0);
}

/// Many tenants, few connections, requests given up at random points: the bound holds all the time, all
/// others get through, and nothing stays counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_holds_and_comes_back_under_cancellation() {
    let pool = Pool::new(Counting::default(), 5);
    let tenants: Vec<_> = (0..20).map(|_| tenant(2)).collect();
    let tasks: Vec<_> = (0..400_usize)
        .map(|number| {
            let (pool, tenant) = (Arc::clone(&pool), Arc::clone(&tenants[number % tenants.len()]));
            tokio::spawn(async move {
                let work = async {
                    let lease = pool.checkout(&tenant, soon()).await.unwrap();
                    tokio::task::yield_now().await;
                    if number % 3 == 0 { drop(lease) } else { lease.keep() }
                };
                if number % 5 == 0 {
                    tokio::select! { biased; () = work => {}, () = tokio::task::yield_now() => {} }
                } else {
                    work.await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(pool.connector().most.load(Relaxed) <= 5);
    let usage = pool.usage();
    assert_eq!(usage.open, usage.idle, "{usage:?}");
    assert_eq!(usage.waiting, 0);
    assert_eq!(pool.connector().open.load(Relaxed), usage.open);
}
