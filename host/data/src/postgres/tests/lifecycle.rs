//! Making and removing tenants, again and again, from any state.

use super::*;
use std::collections::HashSet;

both!(
    provisioning_again_changes_nothing,
    removing_leaves_nothing,
    half_made_tenants_are_completed_or_removed,
    a_reset_tenant_is_empty,
    roles_that_were_let_in_by_name_are_members_after_a_reset,
    other_hosts_lose_their_connections,
);

async fn provisioning_again_changes_nothing(room: Room) {
    let (tenant, session) = room.with_articles(1, |_| {}).await;
    let (first, second) =
        tokio::join!(room.engine.provision(&tenant), async { room.other_host().provision(&tenant).await });
    first.unwrap();
    second.unwrap();
    assert_eq!(rows(&session, "SELECT title FROM article").await, [[text("title 1")]]);
    session.execute("INSERT INTO article (title) VALUES ('b')", vec![]).await.unwrap();
    assert!(room.engine.tenants().await.unwrap().contains(&tenant.id));
    assert!(room.engine.usage(tenant.id).await.unwrap() > 8_192);
}

async fn removing_leaves_nothing(room: Room) {
    let (tenant, session) = room.with_articles(10, |_| {}).await;
    let (neighbour, other) = room.with_articles(10, |_| {}).await;
    rows(&session, "SELECT 1").await;
    let there = room.engine.rescan(tenant.id).await.unwrap();
    assert!(there >= 3, "{there}");
    let held = session.begin(Mode::Read).await.unwrap();
    let busy = room.engine.remove(tenant.id, Duration::from_millis(10)).await;
    assert!(matches!(busy, Err(SqlError::Conflict(_))), "{busy:?}");
    assert_eq!(room.engine.rescan(tenant.id).await.unwrap(), there);
    drop(held);
    let removed = room.engine.remove(tenant.id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(removed.objects, there);
    assert!(removed.bytes > 8_192, "{removed:?}");
    assert_eq!(room.engine.rescan(tenant.id).await.unwrap(), 0);
    let again = room.engine.remove(tenant.id, Duration::from_secs(10)).await.unwrap();
    assert_eq!((again.objects, again.bytes), (0, 0));
    let ids: HashSet<_> = room.engine.tenants().await.unwrap().into_iter().collect();
    assert!(!ids.contains(&tenant.id) && ids.contains(&neighbour.id));
    assert!(query(&session, "SELECT 1", vec![]).await.is_err());
    assert_eq!(rows(&other, "SELECT count(*) FROM article").await, [[Value::Integer(10)]]);
}

async fn half_made_tenants_are_completed_or_removed(room: Room) {
    let tenant = testing::tenant(Limits::default());
    room.made.lock().push(tenant.id);
    let names = room.engine.names().of(tenant.id);
    let mut db = admin(&testing::postgresql()).await;
    say(&mut db, format!("CREATE ROLE {} NOLOGIN", names.guest)).await;
    assert_eq!(room.engine.rescan(tenant.id).await.unwrap(), 1);
    assert!(room.engine.tenants().await.unwrap().contains(&tenant.id));
    if room.scratch.is_none() {
        say(&mut db, format!("CREATE DATABASE {}", names.database)).await;
    }
    room.engine.provision(&tenant).await.unwrap();
    let session = room.engine.session(&tenant);
    session.migrate([migration(1, &[ARTICLE])].into(), Duration::from_secs(60)).await.unwrap();
    rows(&session, "SELECT id FROM article").await;
    say(&mut db, format!("ALTER ROLE {} NOLOGIN", names.guest)).await;
    room.engine.remove(tenant.id, Duration::from_secs(10)).await.unwrap();
    assert_eq!(room.engine.rescan(tenant.id).await.unwrap(), 0);
    say(&mut db, format!("CREATE ROLE {} NOLOGIN", names.owner)).await;
    assert_eq!(room.engine.remove(tenant.id, Duration::ZERO).await.unwrap().objects, 1);
}

async fn a_reset_tenant_is_empty(room: Room) {
    let (tenant, session) = room.with_articles(10, |_| {}).await;
    let (_neighbour, other) = room.with_articles(10, |_| {}).await;
    assert_eq!(session.applied().await.unwrap().len(), 1);
    for _ in 0..2 {
        room.engine.reset(&tenant).await.unwrap();
        assert!(session.applied().await.unwrap().is_empty());
        let gone = query(&session, "SELECT id FROM article", vec![]).await;
        assert!(matches!(gone, Err(SqlError::Syntax(_))), "{gone:?}");
    }
    session.migrate([migration(1, &[ARTICLE])].into(), Duration::from_secs(60)).await.unwrap();
    session.execute("INSERT INTO article (title) VALUES ('new')", vec![]).await.unwrap();
    assert_eq!(rows(&session, "SELECT id, title FROM article").await, [[Value::Integer(1), text("new")]]);
    assert_eq!(rows(&other, "SELECT count(*) FROM article").await, [[Value::Integer(10)]]);
}

/// Hosts before this one let each role in by name, and none inherited anything.
async fn roles_that_were_let_in_by_name_are_members_after_a_reset(room: Room) {
    let (tenant, session) = room.with_articles(1, |_| {}).await;
    let names = room.engine.names().of(tenant.id);
    let (guest, owner, database) = (&names.guest, &names.owner, &names.database);
    let mut before = format!(
        "GRANT CONNECT ON DATABASE {database} TO {guest}, {owner}; GRANT USAGE ON SCHEMA rowhouse TO {guest}, {owner}; \
         GRANT CREATE ON SCHEMA rowhouse TO {owner}; ALTER ROLE {guest} NOINHERIT; ALTER ROLE {owner} NOINHERIT"
    );
    if let Some(groups) = &names.groups {
        before.push_str(&format!(
            "; REVOKE {} FROM {guest}; REVOKE {} FROM {owner}",
            groups.guests, groups.owners
        ));
    }
    room.as_owner(&tenant, &before).await;
    let fresh = room.other_host().session(&tenant);
    assert_eq!(rows(&fresh, "SELECT count(*) FROM article").await, [[Value::Integer(1)]]);
    drop((session, fresh));
    room.engine.reset(&tenant).await.unwrap();
    let fresh = room.other_host().session(&tenant);
    fresh.migrate([migration(1, &[ARTICLE])].into(), Duration::from_secs(60)).await.unwrap();
    fresh.execute("INSERT INTO article (title) VALUES ('new')", vec![]).await.unwrap();
    assert_eq!(rows(&fresh, "SELECT title FROM article").await, [[text("new")]]);
}

async fn other_hosts_lose_their_connections(room: Room) {
    let (tenant, _session) = room.with_articles(1, |_| {}).await;
    let host = room.other_host();
    let elsewhere = host.session(&tenant);
    let mut transaction = elsewhere.begin(Mode::Write).await.unwrap();
    transaction.execute("UPDATE article SET body = 'x'", vec![]).await.unwrap();
    room.engine.remove(tenant.id, Duration::from_secs(10)).await.unwrap();
    assert!(transaction.commit().await.is_err());
    assert!(query(&elsewhere, "SELECT 1", vec![]).await.is_err());
    assert_eq!(room.engine.rescan(tenant.id).await.unwrap(), 0);
}

#[tokio::test]
async fn a_server_that_is_away_is_noticed_when_it_is_used() {
    let server = DataServer {
        name: DataServerName::local(),
        engine: Dialect::Postgresql,
        isolation: Isolation::Database,
        url: Some(Secret::from_text("postgres://postgres:hidden@127.0.0.1:1/postgres")),
        connections: 8,
        spares: 0,
    };
    let engine = Engine::new(&server, &key(), &testing::known()).unwrap();
    let tenant = testing::tenant(Limits::default());
    let refused = query(&engine.session(&tenant), "SELECT 1", vec![]).await;
    let Err(SqlError::Other { sqlstate: Some(state), message }) = refused else {
        unreachable!("{refused:?}")
    };
    assert_eq!((state.as_str(), message.as_str()), ("08001", "the database could not be opened"));
    let refused = engine.provision(&tenant).await.unwrap_err().to_string();
    assert!(!refused.contains("hidden"), "{refused}");
}

#[tokio::test]
async fn a_spare_database_becomes_a_tenants() {
    let room = Room::new(Isolation::Database).await;
    assert_eq!(room.engine.keep_spares(2).await.unwrap(), 2);
    let mut db = admin(&testing::postgresql()).await;
    let spares = "SELECT oid::bigint FROM pg_database WHERE starts_with(datname, 'rh_spare_') ORDER BY oid";
    let before: Vec<i64> = sqlx::query_scalar(spares).fetch_all(&mut db).await.unwrap();
    let (tenant, session) = room.with_articles(1, |_| {}).await;
    let own = "SELECT oid::bigint FROM pg_database WHERE datname = $1";
    let name = room.engine.names().of(tenant.id).database;
    let taken: i64 = sqlx::query_scalar(own).bind(name).fetch_one(&mut db).await.unwrap();
    // Other tests take spares too.
    assert!(before.contains(&taken), "{taken} of {before:?}");
    assert_eq!(rows(&session, "SELECT count(*) FROM article").await, [[Value::Integer(1)]]);
    room.engine.keep_spares(0).await.unwrap();
}
