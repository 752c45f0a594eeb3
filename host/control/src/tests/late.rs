//! A server that takes its time to compile what a tenant is to run: everything else takes effect meanwhile, and that
//! tenant goes on as it was.

use crate::ControlConfig;
use crate::stub::{House, Rooms, config, open_with};
use crate::tests::on_each_engine;
use crate::types::PatchTenant;
use rowhouse_base::id::ServerId;
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use std::time::Duration;

/// Far more than a turn takes; a machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn release(tenant: &Tenant) -> String {
    tenant.release.as_ref().map(|release| release.name.to_string()).unwrap_or_default()
}

async fn nothing_else_waits_for_a_module() {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    house.create("club").await.unwrap();
    house.activate("site@1.0.0").await;
    // Rooms of its own: what others compiled is not compiled there.
    let (rooms, saved) = (Arc::new(Rooms::default()), tempfile::tempdir().unwrap());
    let file = saved.path().join("kept.snapshot");
    let configured = ControlConfig {
        kept_snapshot: Some(file.clone()),
        ..config(house.url(), saved.path(), ServerId::new())
    };
    let slow = open_with(configured, &rooms).await.unwrap();
    slow.recover().await.unwrap();
    assert_eq!(rooms.called("prepare"), 1, "a start waits for what is to be served");
    let club = || slow.directory.snapshot().by_name("club").cloned().unwrap();
    assert_eq!(release(&club()), "site@1.0.0");

    rooms.hang_at("prepare", 0);
    house.push("2.0.0", "module 1 other").await;
    house.activate("site@2.0.0").await;
    let moved = house.served("club").unwrap();
    assert_eq!(release(&moved), "site@2.0.0");
    house.create("later").await.unwrap();
    let patch = PatchTenant { title: Some("Rowing".into()), ..PatchTenant::default() };
    house.control.patch_tenant(&house.operator, "club", patch).await.unwrap();
    tokio::time::timeout(PATIENCE, slow.sync()).await.expect("a turn waits for no compiler").unwrap();
    assert!(slow.directory.snapshot().by_name("later").is_some());
    assert_eq!((release(&club()).as_str(), club().title.as_str()), ("site@1.0.0", "Rowing"));
    let applied = || slow.directory.snapshot().generation();
    // Its row tells of the title, which came after.
    assert!(applied() < moved.revision, "nobody is told that it has everything");
    slow.keeper.keep().await;
    // Also while the compiler is at work.
    rooms.cut(slow.reconciler.make_modules_ready()).await;
    house.control.suspend(&house.operator, "later").await.unwrap();
    tokio::time::timeout(PATIENCE, slow.sync()).await.unwrap().unwrap();
    assert_eq!(release(&club()), "site@1.0.0");
    // A turn reads what changed since the last one: what is read is made anew.
    let later = || slow.directory.snapshot().by_name("later").cloned().unwrap();
    let (known, patch) = (later(), PatchTenant { title: Some("Chess".into()), ..PatchTenant::default() });
    house.control.patch_tenant(&house.operator, "club", patch).await.unwrap();
    slow.sync().await.unwrap();
    assert_eq!((release(&club()).as_str(), club().title.as_str()), ("site@1.0.0", "Chess"));
    assert!(Arc::ptr_eq(&known, &later()), "it was read again");
    assert!(applied() < moved.revision, "nor because the tenant changed again");
    slow.keeper.keep().await;
    assert!(std::fs::read_to_string(&file).unwrap().contains("Chess"), "kept on disk all the same");

    rooms.mend();
    slow.reconciler.make_modules_ready().await;
    slow.sync().await.unwrap();
    assert_eq!((release(&club()).as_str(), club().title.as_str()), ("site@2.0.0", "Chess"));
    assert_eq!(applied(), slow.store.generation().await.unwrap());
}

on_each_engine!(nothing_else_waits_for_a_module);
