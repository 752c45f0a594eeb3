//! The one site of a server in single-site mode: found, made, chosen, and what it becomes without.

use crate::stub::House;
use crate::tests::on_each_engine;
use crate::types::CreateUser;
use crate::{Control, ShippedModule, SingleError, SingleOwner, SingleWish};
use rowhouse_base::Hostname;
use rowhouse_identity::Scope;
use rowhouse_tenant::Resolution;

/// A house with a release that new tenants get.
async fn house() -> House {
    let house = House::new().await;
    let shipped = ShippedModule {
        release: "site@0.1.0".parse().unwrap(),
        bytes: "module 1".to_owned().into_bytes().into(),
    };
    house.control.bootstrap(Some(&shipped)).await.unwrap();
    house
}

fn wish(name: &str) -> SingleWish {
    SingleWish { name: Some(name.parse().unwrap()), ..SingleWish::default() }
}

fn found(control: &Control, path: &str) -> String {
    match control.directory.with(|all| all.resolve(&Hostname::parse("localhost").unwrap(), path)) {
        Resolution::Host(tenant) => format!("host {}", tenant.name),
        Resolution::Prefix(tenant) => format!("prefix {}", tenant.name),
        Resolution::Console => "console".into(),
        Resolution::UnknownHost => "unknown".into(),
    }
}

async fn the_first_start_makes_the_site_and_its_owner_and_the_next_one_finds_them() {
    let house = house().await;
    let title = Some("Harbour Club".to_owned());
    let site = house.control.single_site(&SingleWish { name: None, title }).await.unwrap();
    assert!(site.made && site.name.as_str() == "main");
    let Some(SingleOwner::New(owner, password)) = site.owner else { panic!("{:?}", site.owner) };
    let view = house.control.tenant(&house.operator, "main").await.unwrap();
    assert_eq!((view.title.as_str(), view.state.as_str()), ("Harbour Club", "active"));
    assert_eq!(view.urls, ["http://localhost:8080/", "http://main.localhost:8080/"]);
    let scope = Scope::Tenant(view.id.parse().unwrap());
    let session = house.control.identity().sign_in(scope, owner.as_str(), password, None).await.unwrap();
    assert!(session.must_change_password);
    assert_eq!(found(&house.control, "/"), "host main");
    assert_eq!(found(&house.control, "/-/console/"), "console");

    // As a server of many: an ordinary tenant, with its session.
    let many = house.restarted().await;
    many.recover().await.unwrap();
    assert_eq!(found(&many, "/"), "console");
    assert_eq!(found(&many, "/main/"), "prefix main");
    let header = format!("rowhouse_session={}", session.secret.reveal());
    assert!(many.identity().session(scope, &header).await.unwrap().is_some());
    let view = many.tenant(&house.operator, "main").await.unwrap();
    assert_eq!(view.urls, ["http://main.localhost:8080/", "http://localhost:8080/main/"]);

    let again = house.restarted().await;
    again.recover().await.unwrap();
    let site = again.single_site(&SingleWish::default()).await.unwrap();
    assert!(!site.made && site.owner.is_none() && site.name.as_str() == "main");
    assert_eq!(found(&again, "/"), "host main");
}

async fn among_several_one_has_to_be_named_and_is_remembered() {
    let house = house().await;
    house.create("alpha").await.unwrap();
    house.create("beta").await.unwrap();
    let error = house.control.single_site(&SingleWish::default()).await.unwrap_err();
    assert!(matches!(&error, SingleError::Several(there) if there == "alpha, beta"), "{error}");
    let error = house.control.single_site(&wish("gamma")).await.unwrap_err();
    assert!(matches!(&error, SingleError::Unknown { there, .. } if there == "alpha, beta"), "{error}");
    assert_eq!(found(&house.control, "/"), "console", "nothing was changed");
    assert!(house.control.tenant(&house.operator, "gamma").await.is_err(), "nothing was made");

    let site = house.control.single_site(&wish("beta")).await.unwrap();
    assert!(!site.made && site.name.as_str() == "beta");
    assert!(matches!(site.owner, Some(SingleOwner::New(..))), "nobody could edit it");
    assert_eq!(found(&house.control, "/"), "host beta");
    assert_eq!(found(&house.control, "/alpha/"), "host beta", "no url-prefixes beside a single site");
    let again = house.restarted().await;
    again.recover().await.unwrap();
    assert_eq!(again.single_site(&SingleWish::default()).await.unwrap().name.as_str(), "beta");
    // One that is gone is not remembered.
    again.delete_tenant(&house.operator, "beta", "beta", true).await.unwrap();
    assert_eq!(found(&again, "/"), "console");
    assert_eq!(again.single_site(&SingleWish::default()).await.unwrap().name.as_str(), "alpha");
}

async fn a_member_stays_alone_and_an_owner_who_was_taken_out_stays_out() {
    let house = house().await;
    house.create("club").await.unwrap();
    let ada = CreateUser { name: "ada".into(), ..CreateUser::default() };
    house.control.create_user(&house.operator, ada).await.unwrap();
    house.control.set_member(&house.operator, "club", "ada", &["editor".into()]).await.unwrap();
    let site = house.control.single_site(&SingleWish::default()).await.unwrap();
    assert!(site.owner.is_none() && site.name.as_str() == "club");

    let owner = CreateUser { name: "owner".into(), ..CreateUser::default() };
    house.control.create_user(&house.operator, owner).await.unwrap();
    house.control.remove_member(&house.operator, "club", "ada").await.unwrap();
    assert!(house.control.single_site(&SingleWish::default()).await.unwrap().owner.is_none());
    assert!(house.control.members(&house.operator, "club").await.unwrap().is_empty());

    // A new site is theirs, with the password they have.
    house.control.delete_tenant(&house.operator, "club", "club", true).await.unwrap();
    let site = house.control.single_site(&wish("fresh")).await.unwrap();
    assert!(site.made && matches!(site.owner, Some(SingleOwner::Known(_))));
    assert_eq!(house.control.members(&house.operator, "fresh").await.unwrap().len(), 1);
}

async fn without_a_release_nothing_is_made() {
    let house = House::new().await;
    let error = house.control.single_site(&SingleWish::default()).await.unwrap_err();
    assert!(matches!(error, SingleError::NoRelease), "{error}");
    assert_eq!(house.control.status(&house.operator).await.unwrap().tenants.active, 0);
}

on_each_engine!(
    the_first_start_makes_the_site_and_its_owner_and_the_next_one_finds_them,
    among_several_one_has_to_be_named_and_is_remembered,
    a_member_stays_alone_and_an_owner_who_was_taken_out_stays_out,
    without_a_release_nothing_is_made,
);
