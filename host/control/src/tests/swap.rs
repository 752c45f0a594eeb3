//! What runs do with tenants: poisoned ones, some of them, none pending, and back.

use crate::ControlError;
use crate::stub::{Fault, House};
use crate::tests::on_each_engine;
use crate::types::{RunView, StartRun};

fn all(release: &str) -> StartRun {
    StartRun { release: release.into(), tenants: None, default: None }
}

async fn house_with(tenants: usize) -> House {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    house.push("2.0.0", "module 2 upgrade").await;
    for index in 0..tenants {
        house.create(&format!("club-{index}")).await.unwrap();
    }
    activate(&house, "site@1.0.0").await;
    house
}

async fn activate(house: &House, release: &str) -> RunView {
    house.activate(release).await
}

async fn poisoned_tenants_keep_their_release_and_are_listed() {
    let house = house_with(6).await;
    house.rooms.fail(Fault::MigrateOf("club-3".into()));
    let done = activate(&house, "site@2.0.0").await;
    assert_eq!((done.state.as_str(), done.total, done.moved, done.failed), ("failed", 6, 5, 1));
    let failed =
        house.control.run_detail(&house.operator, &done.id, &Default::default(), Some("failed")).await;
    let failed = failed.unwrap().items;
    assert_eq!((failed.len(), failed[0].tenant.as_str(), failed[0].attempts), (1, "club-3", 1));
    assert!(failed[0].error.as_ref().unwrap().contains("TABEL"), "{failed:?}");
    assert_eq!(house.release_of("club-3").as_deref(), Some("site@1.0.0"));
    assert_eq!(house.release_of("club-4").as_deref(), Some("site@2.0.0"));
    house.rooms.mend();
    // Again: only the one that is left.
    let again = activate(&house, "site@2.0.0").await;
    assert_eq!((again.state.as_str(), again.total, again.moved), ("finished", 1, 1));
    assert!(house.rooms.calls.lock().contains(&"upgraded club-3 site@1.0.0 site@2.0.0".to_owned()));
    let status = house.control.status(&house.operator).await.unwrap();
    assert_eq!(status.default_release.as_deref(), Some("site@2.0.0"));
}

async fn nothing_pending_opens_no_database() {
    let house = house_with(3).await;
    house.push("1.0.1", "module 1 other").await;
    let before = house.rooms.called("migrate");
    assert_eq!(activate(&house, "site@1.0.1").await.moved, 3);
    assert_eq!(house.rooms.called("migrate"), before);
}

async fn some_tenants_only_and_the_default_stays() {
    let house = house_with(3).await;
    let some = StartRun {
        release: "site@2.0.0".into(),
        tenants: Some(vec!["club-0".into(), "nobody".into()]),
        default: None,
    };
    assert!(matches!(
        house.control.activate(&house.operator, some.clone()).await,
        Err(ControlError::Invalid(wrong)) if wrong[0].field == "tenants[1]"
    ));
    let some = StartRun { tenants: Some(vec!["club-0".into()]), ..some };
    let run = house.control.activate(&house.operator, some).await.unwrap();
    assert_eq!(house.run_ended(&run.id).await.moved, 1);
    assert_eq!(house.release_of("club-1").as_deref(), Some("site@1.0.0"));
    let new = house.create("newcomer").await.unwrap();
    assert_eq!(new.release.unwrap().name, "site@1.0.0");
}

async fn rollback_returns_every_tenant_that_moved() {
    let house = house_with(4).await;
    let first = activate(&house, "site@2.0.0").await;
    house.create("newcomer").await.unwrap();
    let back = house.control.rollback(&house.operator, &first.id).await.unwrap();
    let back = house.run_ended(&back.id).await;
    assert_eq!((back.kind.as_str(), back.state.as_str(), back.moved), ("rollback", "finished", 4));
    assert_eq!(house.release_of("club-2").as_deref(), Some("site@1.0.0"));
    assert_eq!(house.release_of("newcomer").as_deref(), Some("site@2.0.0"), "it never ran another");
    let status = house.control.status(&house.operator).await.unwrap();
    assert_eq!(status.default_release.as_deref(), Some("site@1.0.0"));
    // The data stayed ahead, so going forward again migrates nothing.
    let before = house.rooms.called("migrate");
    assert_eq!(activate(&house, "site@2.0.0").await.moved, 4);
    assert_eq!(house.rooms.called("migrate"), before);
}

async fn releases_are_immutable_checked_and_kept_while_used() {
    let house = house_with(1).await;
    let push = async |version: &str, component: &'static str| {
        house.control.push_release(&house.operator, "site", version, None, component.into()).await
    };
    assert!(!push("1.0.0", "module 1").await.unwrap().1, "the same again is no news");
    assert!(matches!(push("1.0.0", "module 9").await, Err(ControlError::Conflict(_))));
    assert!(
        matches!(push("3.0.0", "bad one two").await, Err(ControlError::Invalid(faults)) if faults.len() == 2)
    );
    let delete = async |name: &str| house.control.delete_release(&house.operator, name).await;
    assert!(matches!(delete("site@1.0.0").await, Err(ControlError::Conflict(_))));
    delete("site@2.0.0").await.unwrap();
    assert!(matches!(delete("site@2.0.0").await, Err(ControlError::NotFound { .. })));
}

async fn a_module_that_cannot_be_made_ready_moves_nobody() {
    let house = house_with(2).await;
    house.rooms.ready.lock().clear();
    house.rooms.fail(Fault::Prepare);
    assert!(house.control.activate(&house.operator, all("site@2.0.0")).await.is_err());
    assert_eq!(house.release_of("club-0").as_deref(), Some("site@1.0.0"));
    house.rooms.mend();
    assert_eq!(activate(&house, "site@2.0.0").await.moved, 2);
}

on_each_engine!(
    poisoned_tenants_keep_their_release_and_are_listed,
    nothing_pending_opens_no_database,
    some_tenants_only_and_the_default_stays,
    rollback_returns_every_tenant_that_moved,
    releases_are_immutable_checked_and_kept_while_used,
    a_module_that_cannot_be_made_ready_moves_nobody,
);
