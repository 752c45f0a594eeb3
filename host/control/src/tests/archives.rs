//! Archives, and what is made of them: import, clone, restore, reset, with every step failing or cut short.

use crate::ControlError;
use crate::ports::StagedArchive;
use crate::stub::{Fault, House};
use crate::tests::on_each_engine;
use crate::types::{CloneTenant, CreateTenant, ImportTenant, PatchTenant};
use parking_lot::Mutex;
use std::io::{Cursor, Write};
use std::sync::Arc;

const ROWS: [&str; 3] = ["one", "two", "three"];

/// A writer whose bytes can be read after it is gone.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn house() -> House {
    let house = House::new().await;
    house.push("1.0.0", "module 2 upgrade").await;
    let request = CreateTenant {
        name: "club".into(),
        title: Some("The Club".into()),
        release: Some("site@1.0.0".into()),
        addresses: vec!["club.example".into()],
        settings: [("colour".to_owned(), "red".to_owned())].into(),
        ..Default::default()
    };
    house.control.create_tenant(&house.operator, request).await.unwrap();
    house.rooms.write(&house.served("club").unwrap(), &ROWS);
    house
}

async fn exported(house: &House, name: &str) -> Vec<u8> {
    let bytes = Shared::default();
    house.control.export(&house.operator, name).await.unwrap().run(Box::new(bytes.clone())).await.unwrap();
    let written = bytes.0.lock();
    written.clone()
}

async fn staged(house: &House, bytes: &[u8]) -> Box<dyn StagedArchive> {
    house.control.stage(&house.operator, Box::new(Cursor::new(bytes.to_vec()))).await.unwrap()
}

fn named(name: &str) -> ImportTenant {
    ImportTenant { name: Some(name.into()), addresses: Some(false), ..Default::default() }
}

async fn rows_of(house: &House, name: &str) -> Vec<String> {
    let row = house.control.row(name).await.unwrap();
    house.rooms.read(&house.control.reconciler.tenant(&row)).0
}

async fn an_archive_becomes_another_tenant() {
    let house = house().await;
    let before = house.served("club").unwrap().revision;
    let bytes = exported(&house, "club").await;
    assert_eq!(house.served("club").unwrap().revision, before, "an export changes nothing of the tenant");
    let taken =
        house.control.import_tenant(&house.operator, staged(&house, &bytes).await, Default::default()).await;
    assert!(matches!(taken, Err(ControlError::Conflict(_))), "the name is taken");
    let mut wish = named("copy");
    wish.addresses = None;
    let taken = house.control.import_tenant(&house.operator, staged(&house, &bytes).await, wish).await;
    assert!(matches!(taken, Err(ControlError::Conflict(why)) if why.contains("club.example")));
    let wish = ImportTenant { data_server: Some("other".into()), ..named("copy") };
    let copy =
        house.control.import_tenant(&house.operator, staged(&house, &bytes).await, wish).await.unwrap();
    assert_eq!((copy.title.as_str(), copy.state.as_str()), ("The Club", "suspended"));
    assert_eq!((copy.data_server.as_str(), copy.schema_version), ("other", 2));
    assert_eq!(copy.settings.get("colour").map(String::as_str), Some("red"));
    assert_eq!(rows_of(&house, "copy").await, ROWS);
    assert_eq!(copy.operation, None);
    let served = ImportTenant { resume: Some(true), ..named("served") };
    let served = house.control.import_tenant(&house.operator, staged(&house, &bytes).await, served).await;
    assert_eq!(served.unwrap().state, "active");
}

async fn an_archive_whose_release_is_not_here_names_it() {
    let house = house().await;
    let bytes = exported(&house, "club").await;
    let elsewhere = House::new().await;
    let refused = elsewhere
        .control
        .import_tenant(&elsewhere.operator, staged(&elsewhere, &bytes).await, named("abroad"))
        .await;
    let Err(ControlError::Conflict(why)) = refused else { unreachable!("{refused:?}") };
    assert!(why.contains("site@1.0.0") && why.contains("push it first"), "{why}");
    // The same bytes under another name are the same release.
    let control = &elsewhere.control;
    let bytes_of = "module 2 upgrade".into();
    control.push_release(&elsewhere.operator, "renamed", "7", None, bytes_of).await.unwrap();
    let made =
        control.import_tenant(&elsewhere.operator, staged(&elsewhere, &bytes).await, named("abroad")).await;
    assert_eq!(made.unwrap().release.unwrap().name, "renamed@7");
}

async fn a_damaged_archive_changes_nothing() {
    let house = house().await;
    let bytes = exported(&house, "club").await;
    let cut = Cursor::new(bytes[..bytes.len() - 3].to_vec());
    let refused = house.control.stage(&house.operator, Box::new(cut)).await.err();
    assert!(matches!(refused, Some(ControlError::Invalid(fields)) if fields[0].field == "archive"));
}

async fn an_import_or_clone_that_fails_leaves_nothing() {
    for fault in [Fault::Provision, Fault::Migrate, Fault::Load] {
        let house = house().await;
        let bytes = exported(&house, "club").await;
        house.rooms.fail(fault.clone());
        let archive = staged(&house, &bytes).await;
        assert!(house.control.import_tenant(&house.operator, archive, named("copy")).await.is_err());
        let request = CloneTenant { name: "twin".into(), ..Default::default() };
        assert!(house.control.clone_tenant(&house.operator, "club", request).await.is_err());
        for name in ["copy", "twin"] {
            assert!(house.control.row(name).await.is_err(), "{fault:?} {name}");
        }
        assert_eq!(house.rooms.databases.lock().len(), 1, "{fault:?}");
    }
}

async fn a_crash_while_importing_or_cloning_is_taken_back() {
    for step in ["provision", "migrate", "load"] {
        let house = house().await;
        let bytes = exported(&house, "club").await;
        house.rooms.hang_at(step, 0);
        let archive = staged(&house, &bytes).await;
        house.rooms.cut(house.control.import_tenant(&house.operator, archive, named("copy"))).await;
        let request = CloneTenant { name: "twin".into(), ..Default::default() };
        house.rooms.cut(house.control.clone_tenant(&house.operator, "club", request)).await;
        house.rooms.mend();
        let control = house.restarted().await;
        control.recover().await.unwrap();
        assert!(control.row("copy").await.is_err() && control.row("twin").await.is_err(), "{step}");
        assert_eq!(house.rooms.databases.lock().len(), 1, "{step}");
        assert_eq!(rows_of(&house, "club").await, ROWS, "{step}");
    }
}

async fn a_clone_has_the_content_and_none_of_the_addresses() {
    let house = house().await;
    let request = CloneTenant { name: "twin".into(), title: Some("Twin".into()), ..Default::default() };
    let twin = house.control.clone_tenant(&house.operator, "club", request).await.unwrap();
    assert_eq!((twin.title.as_str(), twin.state.as_str()), ("Twin", "suspended"));
    assert!(twin.addresses.is_empty());
    assert_eq!(rows_of(&house, "twin").await, ROWS);
    house.rooms.fail(Fault::Export);
    let request = CloneTenant { name: "third".into(), ..Default::default() };
    let refused = house.control.clone_tenant(&house.operator, "club", request).await;
    assert!(matches!(refused, Err(ControlError::Refused { .. })), "{refused:?}");
    assert!(house.control.row("third").await.is_err());
}

/// A suspended tenant whose content has changed since its archive was made.
async fn changed() -> (House, Vec<u8>) {
    let house = house().await;
    let bytes = exported(&house, "club").await;
    house.rooms.write(&house.served("club").unwrap(), &["four"]);
    let patch = PatchTenant { title: Some("New".into()), ..Default::default() };
    house.control.patch_tenant(&house.operator, "club", patch).await.unwrap();
    let refused = house.control.restore_tenant(&house.operator, "club", staged(&house, &bytes).await).await;
    assert!(matches!(refused, Err(ControlError::Conflict(why)) if why.contains("suspended")));
    house.control.suspend(&house.operator, "club").await.unwrap();
    (house, bytes)
}

async fn a_restored_tenant_has_the_archives_content() {
    let (house, bytes) = changed().await;
    let restored =
        house.control.restore_tenant(&house.operator, "club", staged(&house, &bytes).await).await.unwrap();
    assert_eq!((restored.title.as_str(), restored.state.as_str()), ("The Club", "suspended"));
    assert_eq!((restored.addresses, restored.operation), (vec!["club.example".to_owned()], None));
    assert_eq!(rows_of(&house, "club").await, ROWS);
    assert_eq!(house.saved(), 0, "what was saved is not kept");
}

async fn a_restore_that_fails_puts_back_what_was_there() {
    for (fault, step) in [(Fault::Export, "export"), (Fault::Reset, "reset"), (Fault::Load, "load")] {
        let (house, bytes) = changed().await;
        let archive = staged(&house, &bytes).await;
        // It fails once: putting back has to work.
        house.rooms.fail_once(fault.clone(), step);
        assert!(house.control.restore_tenant(&house.operator, "club", archive).await.is_err(), "{fault:?}");
        let row = house.control.row("club").await.unwrap();
        assert_eq!((row.title.as_str(), row.operation), ("New", None), "{fault:?}");
        assert_eq!(rows_of(&house, "club").await, ["four"], "{fault:?}");
        assert_eq!(house.rooms.files.lock().len(), 1, "{fault:?}");
        assert_eq!(house.saved(), 0, "{fault:?}");
    }
}

async fn a_crash_in_any_step_of_a_restore_puts_back_what_was_there() {
    for step in ["export", "reset", "migrate", "load"] {
        let (house, bytes) = changed().await;
        let archive = staged(&house, &bytes).await;
        house.rooms.hang_at(step, 0);
        house.rooms.cut(house.control.restore_tenant(&house.operator, "club", archive)).await;
        house.rooms.mend();
        let control = house.restarted().await;
        control.recover().await.unwrap();
        assert_eq!(control.row("club").await.unwrap().operation, None, "{step}");
        assert_eq!(rows_of(&house, "club").await, ["four"], "{step}");
        assert_eq!(house.rooms.files.lock().len(), 1, "{step}");
        assert_eq!(house.saved(), 0, "{step}");
    }
}

async fn content_that_could_not_be_put_back_is_kept_until_it_can() {
    let (house, bytes) = changed().await;
    let archive = staged(&house, &bytes).await;
    house.rooms.fail(Fault::Load);
    assert!(house.control.restore_tenant(&house.operator, "club", archive).await.is_err());
    assert_eq!(
        house.control.tenant(&house.operator, "club").await.unwrap().operation.as_deref(),
        Some("restore")
    );
    assert_eq!(house.saved(), 1);
    let refused = house.control.resume(&house.operator, "club").await;
    assert!(matches!(refused, Err(ControlError::Conflict(_))), "half a tenant is not served");
    house.rooms.mend();
    house.control.keep_house().await;
    assert_eq!(rows_of(&house, "club").await, ["four"]);
    assert_eq!(house.saved(), 0);
    house.control.resume(&house.operator, "club").await.unwrap();
}

async fn a_reset_tenant_is_empty_and_at_its_release() {
    let house = house().await;
    let refused = house.control.reset_tenant(&house.operator, "club", "club").await;
    assert!(matches!(refused, Err(ControlError::Conflict(_))), "only a suspended one");
    house.control.suspend(&house.operator, "club").await.unwrap();
    let refused = house.control.reset_tenant(&house.operator, "club", "clubb").await;
    assert!(matches!(refused, Err(ControlError::Invalid(_))));
    let upgrades = house.rooms.called("upgraded");
    let empty = house.control.reset_tenant(&house.operator, "club", "club").await.unwrap();
    assert_eq!((empty.state.as_str(), empty.schema_version, empty.operation), ("suspended", 2, None));
    assert!(rows_of(&house, "club").await.is_empty() && house.rooms.files.lock().is_empty());
    assert_eq!(house.rooms.called("upgraded"), upgrades + 1);
}

async fn a_reset_once_begun_is_finished() {
    for step in ["reset", "migrate", "upgrade"] {
        let house = house().await;
        house.control.suspend(&house.operator, "club").await.unwrap();
        house.rooms.hang_at(step, 0);
        house.rooms.cut(house.control.reset_tenant(&house.operator, "club", "club")).await;
        house.rooms.mend();
        let control = house.restarted().await;
        control.recover().await.unwrap();
        let row = control.row("club").await.unwrap();
        assert_eq!((row.operation, row.schema_version), (None, 2), "{step}");
        assert!(rows_of(&house, "club").await.is_empty(), "{step}");
    }
    let house = house().await;
    house.control.suspend(&house.operator, "club").await.unwrap();
    house.rooms.fail(Fault::Upgrade);
    assert!(house.control.reset_tenant(&house.operator, "club", "club").await.is_err());
    assert!(house.control.resume(&house.operator, "club").await.is_err(), "half a reset is not served");
    house.rooms.mend();
    house.control.reset_tenant(&house.operator, "club", "club").await.unwrap();
    house.control.resume(&house.operator, "club").await.unwrap();
}

on_each_engine!(
    an_archive_becomes_another_tenant,
    an_archive_whose_release_is_not_here_names_it,
    a_damaged_archive_changes_nothing,
    an_import_or_clone_that_fails_leaves_nothing,
    a_crash_while_importing_or_cloning_is_taken_back,
    a_clone_has_the_content_and_none_of_the_addresses,
    a_restored_tenant_has_the_archives_content,
    a_restore_that_fails_puts_back_what_was_there,
    a_crash_in_any_step_of_a_restore_puts_back_what_was_there,
    content_that_could_not_be_put_back_is_kept_until_it_can,
    a_reset_tenant_is_empty_and_at_its_release,
    a_reset_once_begun_is_finished,
);
