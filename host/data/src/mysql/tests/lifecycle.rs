//! What the host does to tenants: make, find, measure, empty, remove.

use super::*;

#[tokio::test]
async fn made_twice_and_removed_twice() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(10, |_| {}).await;
        let other = room.with_articles(1, |_| {}).await;
        let id = site.tenant.id;
        room.engine.provision(&site.tenant).await.unwrap();
        assert_eq!(site.titles().await.len(), 10, "provisioning again changes nothing");
        assert!(room.engine.usage(id).await.unwrap() >= 16_384);
        let found = room.engine.tenants().await.unwrap();
        assert!(found.contains(&id) && found.contains(&other.tenant.id), "{found:?}");
        let before = room.engine.rescan(id).await.unwrap();
        let gone = room.engine.remove(id, LONG).await.unwrap();
        // Two users, the host's two tables and the tenant's, and a database of its own.
        assert_eq!(gone.objects, if isolation == Isolation::Database { 6 } else { 5 });
        assert!(before > gone.objects, "{before}: rights count as well");
        assert!(gone.bytes >= 16_384, "{gone:?}");
        assert_eq!(room.engine.rescan(id).await.unwrap(), 0);
        assert_eq!(room.engine.remove(id, LONG).await.unwrap(), removed(0, 0));
        let found = room.engine.tenants().await.unwrap();
        assert!(!found.contains(&id) && found.contains(&other.tenant.id), "{found:?}");
        assert!(site.query("SELECT title FROM article", vec![]).await.is_err());
        assert_eq!(room.engine.rescan(id).await.unwrap(), 0, "a late request makes nothing anew");
        assert_eq!(other.titles().await.len(), 1);
    }
}

#[tokio::test]
async fn connections_in_use_keep_a_tenant() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(1, |_| {}).await;
    let held = site.session.begin(crate::Mode::Read).await.unwrap();
    let refused = room.engine.remove(site.tenant.id, Duration::ZERO).await;
    assert_eq!(refused, Err(SqlError::Limit(crate::LimitKind::Connections)));
    assert_eq!(site.titles().await.len(), 1);
    drop(held);
    room.engine.remove(site.tenant.id, LONG).await.unwrap();
}

/// Another server of ours may hold connections that this one doesn't know of.
#[tokio::test]
async fn connections_of_other_servers_are_ended() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(1, |_| {}).await;
        let elsewhere = room.twin().session(&site.tenant);
        let mut held = elsewhere.begin(crate::Mode::Write).await.unwrap();
        held.execute(INSERT, vec![text("late")]).await.unwrap();
        room.engine.remove(site.tenant.id, LONG).await.unwrap();
        assert!(held.commit().await.is_err());
        assert_eq!(room.engine.rescan(site.tenant.id).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn half_made_ones_are_found_and_completed_or_removed() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        for complete in [true, false] {
            let site = room.with_articles(1, |_| {}).await;
            let id = site.tenant.id;
            let control = &room.engine.server.control;
            control.execute(&format!("DROP USER '{}'@'%'", site.session.names.guest)).await.unwrap();
            control
                .execute(&format!("SET PASSWORD FOR '{}'@'%' = PASSWORD('x')", site.session.names.migrator))
                .await
                .unwrap();
            assert!(room.engine.tenants().await.unwrap().contains(&id));
            if complete {
                room.engine.provision(&site.tenant).await.unwrap();
                assert_eq!(room.twin().session(&site.tenant).applied().await.unwrap().len(), 1);
                assert_eq!(
                    room.twin()
                        .session(&site.tenant)
                        .query_packed("SELECT * FROM article", vec![])
                        .await
                        .map(|bytes| unpack(&bytes).rows.len()),
                    Ok(1)
                );
            } else {
                room.engine.remove(id, LONG).await.unwrap();
                assert_eq!(room.engine.rescan(id).await.unwrap(), 0);
            }
        }
    }
}

#[tokio::test]
async fn reset_leaves_an_empty_database() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(3, |_| {}).await;
        let other = room.with_articles(1, |_| {}).await;
        let view = migration(2, &["CREATE VIEW titles AS SELECT title FROM article"]);
        site.migrate(&[migration(1, &[ARTICLE, &articles(3)]), view]).await.unwrap();
        assert_eq!(site.query("SELECT title FROM titles", vec![]).await.unwrap().rows.len(), 3);
        room.engine.reset(&site.tenant).await.unwrap();
        assert!(site.session.applied().await.unwrap().is_empty());
        assert!(site.query("SELECT title FROM article", vec![]).await.is_err());
        site.migrate(&[migration(1, &[ARTICLE])]).await.unwrap();
        assert!(site.titles().await.is_empty());
        assert_eq!(other.titles().await.len(), 1);
    }
}

/// The host dies after a migration has made a table and before guests get a right on it; another was never made.
#[tokio::test]
async fn a_reset_takes_what_a_cut_migration_left() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(1, |_| {}).await;
        let names = &site.session.names;
        room.engine.grant_migrator(names, &["half".to_owned(), "never".to_owned()]).await.unwrap();
        let made = format!("CREATE TABLE {} (id INT)", names.qualified(&names.physical("half")));
        room.engine.server.control.execute(&made).await.unwrap();
        room.engine.reset(&site.tenant).await.unwrap();
        let left = room.engine.tables(names).await.unwrap();
        assert_eq!(left.len(), 2, "{isolation}: the host's own and no other: {left:?}");
    }
}

/// The users are gone and tables are left, or somebody else made some: no right leads to them.
#[tokio::test]
async fn what_nobody_has_a_right_on_is_found_and_removed() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(1, |_| {}).await;
        let other = room.with_articles(1, |_| {}).await;
        let (id, names) = (site.tenant.id, &site.session.names);
        let control = &room.engine.server.control;
        let [table, view] = ["foreign", "seen"].map(|own| names.qualified(&names.physical(own)));
        let made = format!("CREATE TABLE {table} (id INT); CREATE VIEW {view} AS SELECT id FROM {table}");
        control.execute(&made).await.unwrap();
        // Two users, the host's two tables, the tenant's and these two, and a database of its own.
        let gone = room.engine.remove(id, LONG).await.unwrap();
        assert_eq!(gone.objects, if isolation == Isolation::Database { 8 } else { 7 });
        assert_eq!(room.engine.rescan(id).await.unwrap(), 0);
        if isolation == Isolation::Prefix {
            control.execute(&made).await.unwrap();
            assert_eq!(room.engine.rescan(id).await.unwrap(), 2);
            assert_eq!(room.engine.remove(id, LONG).await.unwrap().objects, 2);
            assert_eq!(room.engine.rescan(id).await.unwrap(), 0);
        }
        assert_eq!(other.titles().await.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_an_error_and_not_a_wait() {
    let mut away = server(Isolation::Database, "", 4);
    away.url = Some(Secret::from_text("mysql://root:s3cret@127.0.0.1:1/"));
    let engine = Engine::new(&away, &key(), &crate::testing::known()).unwrap();
    let tenant = crate::testing::tenant(Limits::default());
    let refused = engine.session(&tenant).query_packed("SELECT 1 AS n", vec![]).await.unwrap_err();
    assert!(!format!("{refused:?} {refused}").contains("s3cret"));
    let refused = engine.provision(&tenant).await.unwrap_err();
    assert!(!format!("{refused:?} {refused}").contains("s3cret"));
    let mut unnamed = server(Isolation::Prefix, "x", 4);
    unnamed.url = Some(Secret::from_text("mysql://root@127.0.0.1/"));
    assert!(
        Engine::new(&unnamed, &key(), &crate::testing::known()).is_err(),
        "isolation \"prefix\" needs a database"
    );
}
