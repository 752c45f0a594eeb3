//! Moving tenants between data servers, with every step failing or cut short once: nothing is lost, nothing is
//! left, and nobody is served from two places.

use crate::ControlError;
use crate::stub::{Fault, House};
use crate::tests::on_each_engine;
use crate::types::{CreateTenant, MoveTenant};
use rowhouse_tenant::TenantState;

const ROWS: [&str; 3] = ["one", "two", "three"];

async fn house() -> House {
    let house = House::new().await;
    house.push("1.0.0", "module 2").await;
    let request =
        CreateTenant { name: "club".into(), release: Some("site@1.0.0".into()), ..Default::default() };
    house.control.create_tenant(&house.operator, request).await.unwrap();
    house.rooms.write(&house.served("club").unwrap(), &ROWS);
    house
}

fn to(server: &str) -> MoveTenant {
    MoveTenant { data_server: server.into() }
}

/// The tenant is whole on this server and nowhere else.
fn only_on(house: &House, control: &crate::Control, server: &str) {
    let club = control.directory.snapshot().by_name("club").cloned().unwrap();
    assert_eq!((club.state, club.data_server.as_str()), (TenantState::Active, server));
    let (rows, files) = house.rooms.read(&club);
    assert_eq!((rows, files.len()), (ROWS.map(str::to_owned).to_vec(), 1));
    assert_eq!(house.rooms.databases.lock().len(), 1, "nothing is left elsewhere");
}

async fn a_moved_tenant_is_whole_on_the_other_server_only() {
    let house = house().await;
    let moved = house.control.move_tenant(&house.operator, "club", to("other")).await.unwrap();
    assert_eq!((moved.data_server.as_str(), moved.operation), ("other", None));
    only_on(&house, &house.control, "other");
    let refused = house.control.move_tenant(&house.operator, "club", to("other")).await;
    assert!(matches!(refused, Err(ControlError::Conflict(_))));
    let Err(ControlError::Invalid(wrong)) =
        house.control.move_tenant(&house.operator, "club", to("mars")).await
    else {
        unreachable!("there is no such server")
    };
    assert_eq!(wrong[0].detail, "there is no data server `mars`; there are: local, other");
    house.control.move_tenant(&house.operator, "club", to("local")).await.unwrap();
    only_on(&house, &house.control, "local");
}

async fn a_move_that_fails_leaves_the_tenant_where_it_was() {
    for fault in [Fault::Provision, Fault::Migrate, Fault::Transfer, Fault::Lossy] {
        let house = house().await;
        house.rooms.fail(fault.clone());
        assert!(house.control.move_tenant(&house.operator, "club", to("other")).await.is_err(), "{fault:?}");
        only_on(&house, &house.control, "local");
        house.rooms.mend();
        house.control.move_tenant(&house.operator, "club", to("other")).await.unwrap();
        only_on(&house, &house.control, "other");
    }
}

async fn a_crash_in_any_step_of_a_move_loses_nothing() {
    for (step, skip, server) in [
        ("remove-database", 0, "local"),
        ("provision", 0, "local"),
        ("migrate", 0, "local"),
        ("transfer", 0, "local"),
        // The second removal is of what the tenant left behind.
        ("remove-database", 1, "other"),
    ] {
        let house = house().await;
        house.rooms.hang_at(step, skip);
        let work = house.control.move_tenant(&house.operator, "club", to("other"));
        house.rooms.cut(work).await;
        let state = house.served("club").unwrap().state;
        let expected = if server == "local" { TenantState::Moving } else { TenantState::Active };
        assert_eq!(state, expected, "{step}");
        house.rooms.mend();
        let control = house.restarted().await;
        control.recover().await.unwrap();
        only_on(&house, &control, server);
        assert_eq!(control.row("club").await.unwrap().operation, None, "{step}");
    }
}

async fn what_was_left_behind_is_removed_later() {
    let house = house().await;
    // The first removal clears the way, the second is of what is left behind.
    house.rooms.fail_later(Fault::RemoveDatabase, "remove-database", 1);
    let moved = house.control.move_tenant(&house.operator, "club", to("other")).await.unwrap();
    assert_eq!((moved.data_server.as_str(), moved.operation.as_deref()), ("other", Some("move")));
    assert_eq!(house.rooms.databases.lock().len(), 2);
    let refused = house.control.move_tenant(&house.operator, "club", to("local")).await;
    assert!(matches!(refused, Err(ControlError::Conflict(why)) if why.contains("move is under way")));
    house.rooms.mend();
    house.control.keep_house().await;
    only_on(&house, &house.control, "other");
}

async fn nothing_else_happens_to_a_tenant_that_is_being_moved() {
    let house = house().await;
    house.rooms.hang_at("transfer", 0);
    let (control, operator) = (&house.control, &house.operator);
    house.rooms.cut(control.move_tenant(operator, "club", to("other"))).await;
    for refused in [
        control.suspend(operator, "club").await.err(),
        control.resume(operator, "club").await.err(),
        control.reset_tenant(operator, "club", "club").await.err(),
        control.move_tenant(operator, "club", to("other")).await.err(),
        control.delete_tenant(operator, "club", "club", false).await.err(),
        control.delete_tenant(operator, "club", "club", true).await.err(),
        control.export(operator, "club").await.err(),
        control.clone_tenant(operator, "club", crate::types::CloneTenant::default()).await.err(),
    ] {
        assert!(matches!(refused, Some(ControlError::Conflict(_))), "{refused:?}");
    }
    // A move that another process of this server would find is not finished under its hands.
    control.keep_house().await;
    assert_eq!(house.served("club").unwrap().state, TenantState::Moving);
    // A run goes on without it, and says so.
    house.push("2.0.0", "module 3").await;
    let done = house.activate("site@2.0.0").await;
    let items =
        control.run_detail(operator, &done.id, &Default::default(), Some("failed")).await.unwrap().items;
    assert!(items[0].error.as_ref().unwrap().contains("move is under way"), "{items:?}");
}

async fn tenants_are_made_on_a_server_that_there_is() {
    let house = House::new().await;
    let on = |server: &str| CreateTenant {
        name: "club".into(),
        data_server: Some(server.into()),
        ..Default::default()
    };
    let wrong = house.control.create_tenant(&house.operator, on("mars")).await;
    assert!(matches!(wrong, Err(ControlError::Invalid(fields)) if fields[0].field == "data_server"));
    let made = house.control.create_tenant(&house.operator, on("other")).await.unwrap();
    assert_eq!(made.data_server, "other");
    assert_eq!(house.create("choir").await.unwrap().data_server, "local");
    let servers = house.control.data_servers(&house.operator).await.unwrap().items;
    let told: Vec<_> = servers.iter().map(|one| (one.name.as_str(), one.tenants, one.default)).collect();
    assert_eq!(told, [("local", 1, true), ("other", 1, false)]);
}

on_each_engine!(
    a_moved_tenant_is_whole_on_the_other_server_only,
    a_move_that_fails_leaves_the_tenant_where_it_was,
    a_crash_in_any_step_of_a_move_loses_nothing,
    what_was_left_behind_is_removed_later,
    nothing_else_happens_to_a_tenant_that_is_being_moved,
    tenants_are_made_on_a_server_that_there_is,
);
