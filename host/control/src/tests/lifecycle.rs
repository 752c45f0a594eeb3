//! Making and deleting tenants, with every step failing or cut short once.

use crate::ports::CacheNumbers;
use crate::stub::{Fault, House};
use crate::tests::on_each_engine;
use crate::types::{CreateTenant, DeleteOutcome, Paging, PatchTenant};
use crate::{ControlError, ShippedModule};
use rowhouse_base::Hostname;
use rowhouse_tenant::Resolution;

fn patch(addresses: &[&str]) -> PatchTenant {
    PatchTenant {
        addresses: Some(addresses.iter().map(|text| (*text).to_owned()).collect()),
        ..Default::default()
    }
}

async fn a_tenant_is_served_when_creation_returns_and_not_after_deletion() {
    let house = House::new().await;
    house.push("1.0.0", "module 2").await;
    let first = house.create("club").await.unwrap();
    assert_eq!((first.state.as_str(), first.release.clone()), ("active", None), "no default release yet");
    let request = CreateTenant {
        name: "Choir".into(),
        title: Some("The choir".into()),
        release: Some("site@1.0.0".into()),
        addresses: vec!["Choir.Example".into(), "*.choir.example".into()],
        ..Default::default()
    };
    let choir = house.control.create_tenant(&house.operator, request).await.unwrap();
    assert_eq!(choir.schema_version, 2);
    assert_eq!(
        choir.urls,
        ["http://choir.example:8080/", "http://choir.localhost:8080/", "http://localhost:8080/choir/"]
    );
    assert_eq!(house.release_of("choir").as_deref(), Some("site@1.0.0"));
    let id = house.served("choir").unwrap().id;
    house.rooms.cached.lock().insert(id, CacheNumbers { entries: 3, ..CacheNumbers::default() });
    let outcome = house.control.delete_tenant(&house.operator, "choir", "choir", false).await.unwrap();
    assert!(matches!(outcome, DeleteOutcome::Trashed(_)));
    assert!(house.served("choir").is_none());
    assert!(house.rooms.cached.lock().contains_key(&id), "it may come back until it is gone");
    house.control.delete_tenant(&house.operator, "choir", "choir", true).await.unwrap();
    assert!(!house.rooms.cached.lock().contains_key(&id), "its pages go with it");
}

async fn a_step_that_fails_leaves_nothing() {
    for fault in [Fault::Provision, Fault::Migrate, Fault::Upgrade] {
        let house = House::new().await;
        house.push("1.0.0", "module 1 upgrade").await;
        house.rooms.fail(fault.clone());
        let request =
            CreateTenant { name: "club".into(), release: Some("site@1.0.0".into()), ..Default::default() };
        let answer = house.control.create_tenant(&house.operator, request.clone()).await;
        assert!(matches!(answer, Err(ControlError::Refused { .. })), "{fault:?}");
        assert!(house.rooms.databases.lock().is_empty(), "{fault:?}");
        assert!(house.control.tenant(&house.operator, "club").await.is_err(), "{fault:?}");
        house.rooms.mend();
        house.control.create_tenant(&house.operator, request).await.unwrap();
    }
}

async fn what_cannot_be_taken_back_either_leaves_the_name_free() {
    let house = House::new().await;
    house.push("1.0.0", "module 1").await;
    house.rooms.fail(Fault::Away);
    let request =
        CreateTenant { name: "club".into(), release: Some("site@1.0.0".into()), ..Default::default() };
    let answer = house.control.create_tenant(&house.operator, request.clone()).await;
    assert!(matches!(answer, Err(ControlError::Refused { source, .. }) if source.passing));
    assert_eq!(house.rooms.databases.lock().len(), 1, "what was made can't be removed yet");
    house.rooms.mend();
    house.control.create_tenant(&house.operator, request).await.unwrap();
    house.control.keep_house().await;
    assert_eq!(house.rooms.databases.lock().len(), 1, "the first one is gone");
    assert!(house.served("club").is_some());
}

async fn a_crash_in_any_step_is_completed_or_cleaned_at_the_next_start() {
    for (step, mends) in
        ["provision", "migrate", "upgrade"].into_iter().flat_map(|step| [(step, true), (step, false)])
    {
        let house = House::new().await;
        house.push("1.0.0", "module 1 upgrade").await;
        house.rooms.fail(Fault::HangAt(step));
        let request =
            CreateTenant { name: "club".into(), release: Some("site@1.0.0".into()), ..Default::default() };
        let work = house.control.create_tenant(&house.operator, request);
        house.rooms.cut(work).await;
        assert!(house.served("club").is_none(), "{step}");
        house.rooms.mend();
        if !mends {
            house.rooms.fail(Fault::Migrate);
        }
        let control = house.restarted().await;
        control.recover().await.unwrap();
        let served = control.directory.snapshot().by_name("club").cloned();
        assert_eq!(served.is_some(), mends, "{step}");
        assert_eq!(house.rooms.databases.lock().len(), usize::from(mends), "{step}");
        assert!(mends || control.row("club").await.is_err(), "{step}");
    }
}

async fn a_crash_while_deleting_is_finished_at_the_next_start() {
    let house = House::new().await;
    house.create("club").await.unwrap();
    house.rooms.fail(Fault::HangAt("remove"));
    let work = house.control.delete_tenant(&house.operator, "club", "club", true);
    house.rooms.cut(work).await;
    assert!(house.served("club").is_none(), "out of service before anything is removed");
    house.rooms.mend();
    let control = house.restarted().await;
    control.recover().await.unwrap();
    assert!(house.rooms.databases.lock().is_empty());
    assert_eq!(control.receipts(&house.operator, &Paging::default()).await.unwrap().items.len(), 1);
}

async fn the_receipt_says_what_was_removed_and_found() {
    let house = House::new().await;
    house.create("club").await.unwrap();
    house.control.patch_tenant(&house.operator, "club", patch(&["a.example", "b.example"])).await.unwrap();
    let user = crate::types::CreateUser { name: "ada".into(), ..Default::default() };
    house.control.create_user(&house.operator, user).await.unwrap();
    house.control.set_member(&house.operator, "club", "ada", &["owner".into()]).await.unwrap();
    let wrong = house.control.delete_tenant(&house.operator, "club", "clubb", true).await;
    assert!(matches!(wrong, Err(ControlError::Invalid(_))));
    house.rooms.fail(Fault::Leftover);
    assert!(house.control.delete_tenant(&house.operator, "club", "club", true).await.is_err());
    assert_eq!(house.control.tenant(&house.operator, "club").await.unwrap().state, "deleting");
    house.rooms.mend();
    let outcome = house.control.delete_tenant(&house.operator, "club", "club", true).await.unwrap();
    let DeleteOutcome::Gone(receipt) = outcome else { unreachable!("it was to be gone") };
    assert_eq!((receipt.removed.memberships, receipt.removed.addresses), (1, 2));
    assert_eq!((receipt.found_after.files, receipt.found_after.database_bytes), (0, 0));
    assert_eq!(house.control.receipts(&house.operator, &Paging::default()).await.unwrap().items, [receipt]);
}

async fn a_name_used_again_is_another_tenant() {
    let house = House::new().await;
    let old = house.create("club").await.unwrap();
    assert!(matches!(house.create("club").await, Err(ControlError::Conflict(_))));
    house.control.delete_tenant(&house.operator, "club", "club", false).await.unwrap();
    let new = house.create("club").await.unwrap();
    assert_ne!(old.id, new.id);
    assert_eq!(house.served("club").unwrap().id.to_string(), new.id);
    // Purging the old one does not touch the new one.
    house.control.keep_house().await;
    let mut change = house.control.store.change().await.unwrap();
    let mut row = change.tenant(old.id.parse().unwrap()).await.unwrap().unwrap();
    row.trash_until = Some(rowhouse_base::Timestamp(1));
    change.put_tenant(&mut row).await.unwrap();
    change.commit().await.unwrap();
    house.control.keep_house().await;
    assert_eq!(house.served("club").unwrap().id.to_string(), new.id);
    assert_eq!(house.rooms.databases.lock().len(), 1);
}

async fn addresses_belong_to_one_tenant_and_can_be_swapped() {
    let house = House::new().await;
    house.create("one").await.unwrap();
    house.create("two").await.unwrap();
    let set = async |name: &str, addresses: &[&str]| {
        house.control.patch_tenant(&house.operator, name, patch(addresses)).await
    };
    set("one", &["a.example"]).await.unwrap();
    set("two", &["b.example"]).await.unwrap();
    assert!(matches!(set("two", &["A.example"]).await, Err(ControlError::Conflict(_))));
    assert!(matches!(set("two", &["*.com"]).await, Err(ControlError::Invalid(_))));
    set("one", &[]).await.unwrap();
    set("two", &["a.example"]).await.unwrap();
    set("one", &["b.example"]).await.unwrap();
    let snapshot = house.control.directory.snapshot();
    for (host, name) in [("a.example", "two"), ("b.example", "one")] {
        let Resolution::Host(found) = snapshot.resolve(&Hostname::parse(host).unwrap(), "/") else {
            unreachable!("{host} leads nowhere")
        };
        assert_eq!(found.name.as_str(), name);
    }
    // A snapshot loaded from nothing is the same.
    let fresh = house.restarted().await;
    fresh.recover().await.unwrap();
    for tenant in snapshot.tenants() {
        assert_eq!(fresh.directory.snapshot().by_id(tenant.id), Some(tenant));
    }
}

async fn generations_are_never_given_twice() {
    let house = House::new().await;
    let names: Vec<String> = (0..12).map(|index| format!("club-{index}")).collect();
    let made = futures_util::future::join_all(names.iter().map(|name| house.create(name))).await;
    let mut revisions: Vec<u64> = made.into_iter().map(|view| view.unwrap().revision).collect();
    revisions.sort_unstable();
    let count = revisions.len();
    revisions.dedup();
    assert_eq!(revisions.len(), count);
    assert_eq!(house.control.directory.snapshot().len(), 12);
    let generation = house.control.store.generation().await.unwrap();
    assert_eq!(house.control.directory.snapshot().generation(), generation);
}

async fn another_server_that_was_away_for_long_begins_from_nothing() {
    let house = House::new().await;
    house.create("stays").await.unwrap();
    house.create("goes").await.unwrap();
    let other = house.restarted().await;
    other.sync().await.unwrap();
    assert!(other.directory.snapshot().by_name("goes").is_some());
    house.control.delete_tenant(&house.operator, "goes", "goes", true).await.unwrap();
    house.control.store.compact(rowhouse_base::Timestamp::now()).await.unwrap();
    other.sync().await.unwrap();
    assert!(other.directory.snapshot().by_name("goes").is_none());
    assert_eq!(other.directory.snapshot().len(), 1);
}

async fn suspended_tenants_are_found_and_settings_change() {
    let house = House::new().await;
    house.create("club").await.unwrap();
    assert_eq!(house.control.suspend(&house.operator, "club").await.unwrap().state, "suspended");
    assert_eq!(house.served("club").unwrap().state, rowhouse_tenant::TenantState::Suspended);
    house.control.resume(&house.operator, "club").await.unwrap();
    let set = |key: &str, value: Option<&str>| PatchTenant {
        settings: Some([(key.to_owned(), value.map(str::to_owned))].into()),
        ..Default::default()
    };
    house.control.patch_tenant(&house.operator, "club", set("colour", Some("red"))).await.unwrap();
    assert_eq!(house.served("club").unwrap().settings.get("colour").map(String::as_str), Some("red"));
    house.control.patch_tenant(&house.operator, "club", set("colour", None)).await.unwrap();
    assert!(house.served("club").unwrap().settings.is_empty());
    assert!(house.control.patch_tenant(&house.operator, "club", set("no key", Some(""))).await.is_err());
}

async fn lists_are_paged_and_searched() {
    let house = House::new().await;
    for index in 0..5 {
        house.create(&format!("club-{index}")).await.unwrap();
    }
    house.create("choir").await.unwrap();
    let mut names = Vec::new();
    let mut paging = Paging { limit: Some(2), ..Default::default() };
    loop {
        let page = house.control.tenants(&house.operator, &paging, None).await.unwrap();
        names.extend(page.items.into_iter().map(|tenant| tenant.name));
        let Some(next) = page.next else { break };
        paging.cursor = Some(next);
    }
    assert_eq!(names, ["choir", "club-0", "club-1", "club-2", "club-3", "club-4"]);
    let search = Paging { search: Some("LUB-3".into()), ..Default::default() };
    assert_eq!(house.control.tenants(&house.operator, &search, None).await.unwrap().items.len(), 1);
    let wild = Paging { search: Some("%".into()), ..Default::default() };
    assert!(house.control.tenants(&house.operator, &wild, None).await.unwrap().items.is_empty());
    assert!(house.control.tenants(&house.operator, &Paging::default(), Some("odd")).await.is_err());
}

async fn the_shipped_module_is_pushed_once_and_the_first_is_the_default() {
    let house = House::new().await;
    let shipped = |version: &str, component: &'static str| ShippedModule {
        release: format!("site@{version}").parse().unwrap(),
        bytes: component.into(),
    };
    for (version, component, pushed) in
        [("1.0.0", "module 1", true), ("1.0.0", "module 9", false), ("1.1.0", "module 2", true)]
    {
        let first = house.control.bootstrap(Some(&shipped(version, component))).await.unwrap();
        assert_eq!(first.pushed.is_some(), pushed, "{version} {component}");
        assert!(first.admin.is_none() && first.operator_token.is_none(), "only once");
    }
    let status = house.control.status(&house.operator).await.unwrap();
    assert_eq!(status.default_release.as_deref(), Some("site@1.0.0"));
    let zoned = CreateTenant {
        name: "club".into(),
        time_zone: Some("Europe/Zurich".into()),
        locale: Some("de-CH".into()),
        ..Default::default()
    };
    let club = house.control.create_tenant(&house.operator, zoned).await.unwrap();
    assert_eq!((club.time_zone.as_str(), club.schema_version), ("Europe/Zurich", 1));
}

on_each_engine!(
    a_tenant_is_served_when_creation_returns_and_not_after_deletion,
    a_step_that_fails_leaves_nothing,
    what_cannot_be_taken_back_either_leaves_the_name_free,
    a_crash_in_any_step_is_completed_or_cleaned_at_the_next_start,
    a_crash_while_deleting_is_finished_at_the_next_start,
    the_receipt_says_what_was_removed_and_found,
    a_name_used_again_is_another_tenant,
    addresses_belong_to_one_tenant_and_can_be_swapped,
    generations_are_never_given_twice,
    another_server_that_was_away_for_long_begins_from_nothing,
    suspended_tenants_are_found_and_settings_change,
    lists_are_paged_and_searched,
    the_shipped_module_is_pushed_once_and_the_first_is_the_default,
);
