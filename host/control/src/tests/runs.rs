//! Runs that are cut short, taken over, resumed and raced for: each tenant is moved once, and whoever lost a
//! run changes nothing.

use crate::store::{ItemState, RunState, Tally, TenantRow};
use crate::stub::{Fault, House};
use crate::tests::on_each_engine;
use crate::types::{RunItemView, RunView, StartRun};
use crate::{Control, ControlError};
use rowhouse_base::id::{RunId, ServerId, TenantId};
use rowhouse_base::{TenantName, Timestamp};
use rowhouse_tenant::{ReleaseRef, TenantState};
use std::time::Duration;

fn all(release: &str) -> StartRun {
    StartRun { release: release.into(), tenants: None, default: None }
}

async fn house_with(tenants: usize) -> House {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    house.push("2.0.0", "module 2").await;
    for index in 0..tenants {
        house.create(&format!("club-{index}")).await.unwrap();
    }
    house.activate("site@1.0.0").await;
    house
}

/// A run that is recorded, and that nobody works on.
async fn recorded(house: &House, release: &str) -> RunId {
    house.control.record_activation("ada", &all(release)).await.unwrap()
}

async fn seen(house: &House, id: RunId) -> RunView {
    house.control.run(&house.operator, &id.to_string()).await.unwrap()
}

async fn items(house: &House, id: RunId, state: &str) -> Vec<RunItemView> {
    let page = Default::default();
    house.control.run_detail(&house.operator, &id.to_string(), &page, Some(state)).await.unwrap().items
}

/// Works on runs until so many tenants moved; then the process dies, with a migration under way.
async fn dies_after(house: &House, id: RunId, moved: u64) {
    let enough = async {
        while seen(house, id).await.moved < moved {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = house.control.work_runs() => unreachable!("a migration hangs"),
        () = enough => {}
    }
}

async fn a_run_that_was_cut_short_is_finished_after_a_restart() {
    let house = house_with(6).await;
    let before = house.rooms.called("migrate");
    let id = recorded(&house, "site@2.0.0").await;
    assert_eq!(seen(&house, id).await.state, "queued");
    house.rooms.hang_at("migrate", 5);
    dies_after(&house, id, 5).await;
    let cut = seen(&house, id).await;
    assert_eq!((cut.state.as_str(), cut.moved, cut.left, cut.turns), ("running", 5, 1, 1));
    let hung = items(&house, id, "running").await;
    assert_eq!((hung.len(), hung[0].attempts), (1, 1));
    house.rooms.mend();
    // The same server has the lease still, and need not wait for its end.
    let control = house.restarted().await;
    control.recover().await.unwrap();
    control.work_runs().await;
    let done = seen(&house, id).await;
    assert_eq!((done.state.as_str(), done.moved, done.turns, done.server), ("finished", 6, 2, None));
    assert_eq!(house.rooms.called("migrate") - before, 7, "the one that was cut short, again, and no other");
    let attempts: Vec<u64> = items(&house, id, "moved").await.iter().map(|item| item.attempts).collect();
    assert_eq!((attempts.iter().sum::<u64>(), attempts.iter().max()), (7, Some(&2)));
}

async fn what_was_migrated_and_not_recorded_is_recorded() {
    let house = house_with(3).await;
    let id = recorded(&house, "site@2.0.0").await;
    // Two are migrated when the third hangs; the process dies before any flip.
    house.rooms.hang_at("migrate", 2);
    house.rooms.cut(house.control.work_runs()).await;
    assert_eq!(seen(&house, id).await.moved, 0);
    house.rooms.mend();
    let control = house.restarted().await;
    control.recover().await.unwrap();
    control.work_runs().await;
    assert_eq!(seen(&house, id).await.moved, 3);
    let versions: Vec<u32> = house.rooms.databases.lock().values().map(|database| database.version).collect();
    assert_eq!(versions, [2, 2, 2]);
}

async fn another_server_waits_for_the_end_of_the_lease() {
    let house = house_with(6).await;
    let id = recorded(&house, "site@2.0.0").await;
    house.rooms.hang_at("migrate", 5);
    dies_after(&house, id, 5).await;
    house.rooms.mend();
    let other = house.another().await;
    other.work_runs().await;
    let held = seen(&house, id).await;
    assert_eq!((held.state.as_str(), held.turns, held.left), ("running", 1, 1));
    assert_eq!(held.server, Some(house.control.config().server.to_string()));
    // Nothing else that would touch the tenants' schemas may begin meanwhile.
    let refused = other.activate(&house.operator, all("site@1.0.0")).await;
    assert!(matches!(refused, Err(ControlError::Conflict(why)) if why.contains(&id.to_string())));
    let refused = other.resume_run(&house.operator, &id.to_string()).await;
    assert!(matches!(refused, Err(ControlError::Conflict(_))), "{refused:?}");
    assert_eq!(other.store.expire_leases().await.unwrap(), 1);
    assert_eq!(seen(&house, id).await.state, "interrupted");
    other.work_runs().await;
    let done = seen(&house, id).await;
    assert_eq!((done.state.as_str(), done.moved, done.turns), ("finished", 6, 2));
}

/// The database's clock is that of every server, whatever this machine's says.
async fn a_lease_ends_by_the_databases_clock() {
    const MINUTE: i64 = 60_000_000;
    for ahead in [-5 * MINUTE, 5 * MINUTE] {
        let house = house_with(1).await;
        let other = house.another().await;
        let put_ahead = |micros| [&house.control, &other].iter().for_each(|one| one.store.put_ahead(micros));
        put_ahead(ahead);
        let id = recorded(&house, "site@2.0.0").await;
        house.rooms.hang_at("migrate", 0);
        house.rooms.cut(house.control.work_runs()).await;
        house.rooms.mend();
        other.work_runs().await;
        let held = seen(&house, id).await;
        assert_eq!((held.state.as_str(), held.turns), ("running", 1), "{ahead}: it is another server's");
        let lease = i64::try_from(house.control.config().run_lease.as_micros()).unwrap();
        put_ahead(ahead + lease + MINUTE);
        assert_eq!(seen(&house, id).await.state, "interrupted", "{ahead}");
        other.work_runs().await;
        assert_eq!(seen(&house, id).await.state, "finished", "{ahead}");
    }
}

async fn who_lost_the_lease_changes_nothing() {
    let house = house_with(1).await;
    let store = &house.control.store;
    let id = recorded(&house, "site@2.0.0").await;
    let club = house.served("club-0").unwrap().id;
    let (one, two) = (ServerId::new(), ServerId::new());
    let time = Duration::from_secs(60);
    let take = async |server| {
        let mut change = store.change().await.unwrap();
        let lease = change.take_run(id, server, time).await.unwrap();
        change.commit().await.unwrap();
        lease
    };
    let lost = take(one).await.unwrap();
    assert!(store.beat(&lost, time).await.unwrap());
    assert_eq!(take(two).await, None, "the first one's lease holds");
    store.expire_leases().await.unwrap();
    let held = take(two).await.unwrap();
    assert_eq!((lost.turn, held.turn), (1, 2));

    assert!(!store.beat(&lost, time).await.unwrap());
    store.begin_items(&lost, &[club]).await.unwrap();
    let mut change = store.change().await.unwrap();
    let release = change.release(&"site@2.0.0".parse().unwrap()).await.unwrap().unwrap();
    change.flip(&[club], &release, None).await.unwrap();
    change.end_items(id, &[club], ItemState::Moved, None).await.unwrap();
    let tally = Tally { moved: 1, ..Tally::default() };
    assert!(!change.advance_run(&lost, tally, time).await.unwrap(), "so nothing of it is committed");
    drop(change);
    let mut change = store.change().await.unwrap();
    assert!(!change.end_run(&lost).await.unwrap());
    change.interrupt_run(&lost).await.unwrap();
    change.commit().await.unwrap();

    let run = store.run(id).await.unwrap().unwrap();
    assert_eq!((run.state, run.owner, run.moved), (RunState::Running, Some(two), 0));
    let item = &store.run_items(id, None, "", 10).await.unwrap()[0];
    assert_eq!((item.state, item.attempts), (ItemState::Waiting, 0));
    // The same server after a restart has another turn, and the one before it is lost too.
    let again = take(two).await.unwrap();
    assert!(!store.beat(&held, time).await.unwrap() && store.beat(&again, time).await.unwrap());
}

async fn two_servers_at_once_move_each_tenant_once() {
    let house = house_with(12).await;
    let other = house.another().await;
    let before = house.rooms.called("migrate");
    let id = recorded(&house, "site@2.0.0").await;
    tokio::join!(house.control.work_runs(), other.work_runs());
    // Who came second found it taken, or over.
    let done = house.run_ended(&id.to_string()).await;
    assert_eq!((done.state.as_str(), done.moved, done.turns), ("finished", 12, 1));
    assert_eq!(house.rooms.called("migrate") - before, 12);
}

async fn resume_tries_the_failed_ones_again_and_only_them() {
    let house = house_with(5).await;
    for name in ["club-1", "club-3"] {
        house.rooms.fail(Fault::MigrateOf(name.into()));
    }
    let failed = house.activate("site@2.0.0").await;
    assert_eq!((failed.state.as_str(), failed.moved, failed.failed), ("failed", 3, 2));
    let before = house.rooms.called("migrate");
    house.rooms.mend();
    house.rooms.fail(Fault::MigrateOf("club-3".into()));
    house.control.resume_run(&house.operator, &failed.id).await.unwrap();
    let again = house.run_ended(&failed.id).await;
    assert_eq!((again.state.as_str(), again.moved, again.failed, again.turns), ("failed", 4, 1, 2));
    assert_eq!(house.rooms.called("migrate") - before, 2);
    assert_eq!(house.release_of("club-3").as_deref(), Some("site@1.0.0"), "it is served as before");
    let id: RunId = failed.id.parse().unwrap();
    assert_eq!(items(&house, id, "failed").await[0].attempts, 2);
    // Another release has got the tenant meanwhile: the old run must not take it back.
    house.rooms.mend();
    house.push("3.0.0", "module 3").await;
    house.activate("site@3.0.0").await;
    let refused = house.control.resume_run(&house.operator, &failed.id).await;
    assert!(matches!(refused, Err(ControlError::Conflict(why)) if why.contains("nothing is left")));
    assert_eq!(seen(&house, id).await.state, "failed");
    let actions = house.control.audit(&house.operator, &Default::default(), None).await.unwrap().items;
    assert_eq!(actions.iter().filter(|entry| entry.action == "run.resume").count(), 1);
}

async fn a_deleted_tenant_is_no_failure() {
    let house = house_with(2).await;
    let id = recorded(&house, "site@2.0.0").await;
    house.control.delete_tenant(&house.operator, "club-1", "club-1", true).await.unwrap();
    house.control.work_runs().await;
    let done = seen(&house, id).await;
    assert_eq!((done.state.as_str(), done.moved, done.gone, done.left), ("finished", 1, 1, 0));
}

async fn a_server_that_is_to_end_begins_nothing() {
    let house = house_with(1).await;
    let (end, stop) = tokio::sync::watch::channel(false);
    house.control.start(stop);
    end.send(true).unwrap();
    let id = recorded(&house, "site@2.0.0").await;
    house.control.work_runs().await;
    house.control.leave_runs(Duration::from_secs(30)).await;
    assert_eq!(seen(&house, id).await.state, "queued");
    let other = house.another().await;
    other.work_runs().await;
    assert_eq!(seen(&house, id).await.state, "finished");
}

/// Tenants that run a release, without databases: nothing may ask for one.
async fn add_tenants(control: &Control, count: usize, release: &str) {
    let release = control.store.release(&release.parse().unwrap()).await.unwrap().unwrap();
    let mut change = control.store.change().await.unwrap();
    for number in 0..count {
        let mut row = TenantRow {
            id: TenantId::new(),
            name: TenantName::parse(&format!("many-{number}")).unwrap(),
            title: String::new(),
            state: TenantState::Active,
            addresses: vec![],
            url_prefix: true,
            settings: [].into(),
            locale: "en".into(),
            time_zone: "UTC".into(),
            release: Some(ReleaseRef { name: release.name.clone(), digest: release.digest, reuse: None }),
            previous_release: None,
            schema_version: 1,
            fingerprint: Some(release.fingerprint),
            created_at: Timestamp::now(),
            trash_until: None,
            data_server: rowhouse_base::DataServerName::local(),
            operation: None,
            outbound: vec![],
            revision: 0,
        };
        change.add_tenant(&mut row).await.unwrap();
    }
    change.commit().await.unwrap();
    control.sync().await.unwrap();
}

/// Tenants of the large run: one more than two groups. `ROWHOUSE_TEST_RUN_TENANTS=10000` is the long one.
fn many() -> usize {
    std::env::var("ROWHOUSE_TEST_RUN_TENANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1001)
}

async fn nothing_pending_asks_no_data_room_and_takes_few_changes() {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    house.push("1.0.1", "module 1 other").await;
    add_tenants(&house.control, many(), "site@1.0.0").await;
    let before = house.control.store.generation().await.unwrap();
    let calls = house.rooms.calls.lock().len();
    let begin = std::time::Instant::now();
    let done = house.activate("site@1.0.1").await;
    println!("{} tenants moved in {:?}", done.moved, begin.elapsed());
    assert_eq!((done.state.as_str(), done.moved), ("finished", many() as u64));
    assert_eq!(house.rooms.calls.lock().len(), calls, "no room was asked for anything");
    let last = format!("many-{}", many() - 1);
    assert_eq!(house.release_of(&last).as_deref(), Some("site@1.0.1"));
    let row = house.control.row(&last).await.unwrap();
    assert_eq!(row.previous_release.unwrap().to_string(), "site@1.0.0");
    let after = house.control.store.generation().await.unwrap();
    let groups = many().div_ceil(500) as u64;
    assert_eq!(after - before, 3 + groups, "recorded, taken, a change for each group, ended");
    let back = house.control.rollback(&house.operator, &done.id).await.unwrap();
    assert_eq!(house.run_ended(&back.id).await.moved, many() as u64);
    assert_eq!(house.release_of(&last).as_deref(), Some("site@1.0.0"));
    assert_eq!(house.rooms.calls.lock().len(), calls);
}

async fn old_runs_are_dropped() {
    let house = house_with(1).await;
    let store = &house.control.store;
    let later = Timestamp(Timestamp::now().0 + 1);
    assert_eq!(store.drop_old_runs(Timestamp(0)).await.unwrap(), 0);
    let open = recorded(&house, "site@2.0.0").await;
    assert_eq!(store.drop_old_runs(later).await.unwrap(), 1);
    let left = store.runs_page("", 10).await.unwrap();
    assert_eq!(left.iter().map(|run| run.id).collect::<Vec<_>>(), [open], "one that is not over stays");
}

on_each_engine!(
    a_run_that_was_cut_short_is_finished_after_a_restart,
    what_was_migrated_and_not_recorded_is_recorded,
    another_server_waits_for_the_end_of_the_lease,
    a_lease_ends_by_the_databases_clock,
    who_lost_the_lease_changes_nothing,
    two_servers_at_once_move_each_tenant_once,
    resume_tries_the_failed_ones_again_and_only_them,
    a_deleted_tenant_is_no_failure,
    a_server_that_is_to_end_begins_nothing,
    nothing_pending_asks_no_data_room_and_takes_few_changes,
    old_runs_are_dropped,
);
