//! Users, members and tokens through the real store.

use crate::ControlError;
use crate::stub::House;
use crate::tests::on_each_engine;
use crate::types::{CreateToken, CreateUser, Paging, PatchUser};
use rowhouse_base::secret::Secret;
use rowhouse_identity::Scope;

fn cookie(secret: &Secret) -> String {
    format!("rowhouse_session={}", secret.reveal())
}

async fn add(house: &House, name: &str, super_user: bool) {
    let request = CreateUser {
        name: name.into(),
        super_user: Some(super_user),
        password: Some("correct horse".into()),
        ..Default::default()
    };
    house.control.create_user(&house.operator, request).await.unwrap();
}

async fn sessions_follow_memberships_and_revocation() {
    let house = House::new().await;
    add(&house, "ada", false).await;
    let a = house.create("club-a").await.unwrap();
    house.create("club-b").await.unwrap();
    let identity = house.control.identity();
    let scope = Scope::Tenant(a.id.parse().unwrap());
    let password = || Secret::from_text("correct horse");
    assert!(identity.sign_in(scope, "ada", password(), None).await.is_err(), "no member yet");
    house.control.set_member(&house.operator, "club-a", "ada", &["owner".into()]).await.unwrap();
    let session = identity.sign_in(scope, "ada", password(), None).await.unwrap();
    let header = cookie(&session.secret);
    assert!(identity.session(scope, &header).await.unwrap().is_some());
    let b = house.served("club-b").unwrap().id;
    assert!(identity.session(Scope::Tenant(b), &header).await.unwrap().is_none());
    assert!(identity.session(Scope::Console, &header).await.unwrap().is_none());
    house.control.remove_member(&house.operator, "club-a", "ada").await.unwrap();
    assert!(identity.session(scope, &header).await.unwrap().is_none(), "at once");
    house.control.set_member(&house.operator, "club-a", "ada", &["editor".into()]).await.unwrap();
    assert!(identity.session(scope, &header).await.unwrap().is_some());
    assert_eq!(house.control.end_sessions(&house.operator, "ada").await.unwrap(), 1);
    assert!(identity.session(scope, &header).await.unwrap().is_none());
}

async fn revocation_reaches_another_server_with_its_next_turn() {
    let house = House::new().await;
    add(&house, "boss", true).await;
    let other = house.restarted().await;
    other.recover().await.unwrap();
    let session = house
        .control
        .identity()
        .sign_in(Scope::Console, "boss", Secret::from_text("correct horse"), None)
        .await
        .unwrap();
    let header = cookie(&session.secret);
    assert!(other.identity().session(Scope::Console, &header).await.unwrap().is_some());
    house.control.end_sessions(&house.operator, "boss").await.unwrap();
    other.sync().await.unwrap();
    assert!(other.identity().session(Scope::Console, &header).await.unwrap().is_none());
}

async fn the_last_super_user_stays() {
    let house = House::new().await;
    let conflict =
        |answer: Result<(), ControlError>| assert!(matches!(answer, Err(ControlError::Conflict(_))));
    conflict(house.control.delete_user(&house.operator, "admin").await);
    for patch in [
        PatchUser { disabled: Some(true), ..Default::default() },
        PatchUser { super_user: Some(false), ..Default::default() },
    ] {
        conflict(house.control.patch_user(&house.operator, "admin", patch).await.map(drop));
    }
    add(&house, "boss", true).await;
    house.control.delete_user(&house.operator, "admin").await.unwrap();
    let names: Vec<String> = house
        .control
        .users(&house.operator, &Paging::default())
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|user| user.name)
        .collect();
    assert_eq!(names, ["boss"]);
    assert!(house.control.bootstrap(None).await.unwrap().admin.is_none(), "no second first start");
}

async fn the_trail_knows_who_deleted_themselves() {
    let house = House::new().await;
    add(&house, "boss", true).await;
    let identity = house.control.identity();
    let password = Secret::from_text("correct horse");
    let session = identity.sign_in(Scope::Console, "boss", password, None).await.unwrap();
    let boss = identity.session(Scope::Console, &cookie(&session.secret)).await.unwrap().unwrap();
    let operator = boss.operator().unwrap();
    house.control.delete_user(&operator, "boss").await.unwrap();
    let trail = house.control.audit(&house.operator, &Paging::default(), None).await.unwrap();
    let (last, id) = (&trail.items[0], boss.user.to_string());
    assert_eq!((last.action.as_str(), last.actor.as_str()), ("user.delete", "user boss"));
    assert_eq!((last.actor_id.as_ref(), last.subject_id.as_ref()), (Some(&id), Some(&id)));
}

async fn one_time_passwords_and_tokens() {
    let house = House::new().await;
    let request = CreateUser { name: "eve".into(), super_user: Some(true), ..Default::default() };
    let made = house.control.create_user(&house.operator, request.clone()).await.unwrap();
    assert!(matches!(
        house.control.create_user(&house.operator, request).await,
        Err(ControlError::Conflict(_))
    ));
    let once = Secret::from_text(made.one_time_password.unwrap());
    let identity = house.control.identity();
    let session = identity.sign_in(Scope::Console, "eve", once.clone(), None).await.unwrap();
    assert!(session.must_change_password);
    let reset = house.control.reset_password(&house.operator, "eve").await.unwrap();
    assert!(identity.sign_in(Scope::Console, "eve", once, None).await.is_err());
    let once = Secret::from_text(reset.one_time_password);
    identity.sign_in(Scope::Console, "eve", once, None).await.unwrap();

    let ask = |scope: &str, expires_at: Option<&str>| CreateToken {
        name: "ci".into(),
        scopes: vec![scope.into()],
        expires_at: expires_at.map(str::to_owned),
    };
    assert!(house.control.create_token(&house.operator, ask("all", None)).await.is_err());
    assert!(
        house.control.create_token(&house.operator, ask("read", Some("2001-01-01T00:00:00Z"))).await.is_err()
    );
    let token = house.control.create_token(&house.operator, ask("read", None)).await.unwrap();
    let secret = Secret::from_text(token.token);
    let reader = identity.operator_by_token(&secret).await.unwrap().unwrap();
    assert!(matches!(house.control.suspend(&reader, "club").await, Err(ControlError::NotAllowed(_))));
    house.control.delete_token(&house.operator, &token.kept.id).await.unwrap();
    assert!(identity.operator_by_token(&secret).await.unwrap().is_none());
}

on_each_engine!(
    sessions_follow_memberships_and_revocation,
    revocation_reaches_another_server_with_its_next_turn,
    the_last_super_user_stays,
    the_trail_knows_who_deleted_themselves,
    one_time_passwords_and_tokens,
);
