//! Looks into the server's catalogue: none is missed, and none opens another tenant's tables.

use super::super::catalogue::{ACTIONS, THERE, VIEWS, each, literal};
use super::super::shape::{COLUMNS, KEYS, TABLES};
use super::*;
use crate::transfer::{Export, Import};
use sqlx::Executor;
use std::collections::BTreeSet;

/// What is there without the host's own, and what the host takes to be there. By the guest's names.
async fn there_and_known(room: &Room, site: &Site) -> (BTreeSet<String>, BTreeSet<String>) {
    let names = &site.session.names;
    let there = room.engine.tables(names).await.unwrap();
    let known = room.engine.known_tables(names).await.unwrap();
    (
        there.iter().filter_map(|table| names.own(table)).map(str::to_owned).collect(),
        known.iter().filter_map(|table| names.own(table)).map(str::to_owned).collect(),
    )
}

#[tokio::test]
async fn no_table_is_missed() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.tenant(|_| {}).await;
        let (there, known) = there_and_known(&room, &site).await;
        assert!(there.is_empty() && known.is_empty(), "{there:?} {known:?}");
        let first = migration(
            1,
            &[
                ARTICLE,
                "CREATE TABLE before_it (id INT PRIMARY KEY)",
                "ALTER TABLE before_it RENAME TO after_it",
                "CREATE VIEW shown AS SELECT id FROM after_it",
            ],
        );
        site.migrate(std::slice::from_ref(&first)).await.unwrap();
        let (there, known) = there_and_known(&room, &site).await;
        assert_eq!(there.iter().map(String::as_str).collect::<Vec<_>>(), ["after_it", "article", "shown"]);
        assert!(known.is_superset(&there), "{isolation}: {known:?}");
        for text in ["SELECT id FROM article", "SELECT id FROM after_it", "SELECT id FROM shown"] {
            site.query(text, vec![]).await.unwrap();
        }
        let broken = migration(2, &["CREATE TABLE half (id INT)", "INSERT INTO half (nothing) VALUES (1)"]);
        assert!(site.migrate(&[first, broken]).await.is_err());
        let (there, known) = there_and_known(&room, &site).await;
        assert!(there.contains("half") && known.is_superset(&there), "{isolation}: {known:?}");
        for user in [&site.session.names.guest, &site.session.names.migrator] {
            room.engine.server.control.execute(&format!("DROP USER '{user}'@'%'")).await.unwrap();
            let (there, known) = there_and_known(&room, &site).await;
            assert_eq!(there, known, "{isolation}: rights went with the user");
            room.engine.provision(&site.tenant).await.unwrap();
            let (there, known) = there_and_known(&room, &site).await;
            assert!(known.is_superset(&there), "{isolation}: {known:?}");
            room.twin().session(&site.tenant).query_packed("SELECT id FROM after_it", vec![]).await.unwrap();
        }
    }
}

/// The server says how it would go about it.
#[tokio::test]
async fn a_look_opens_one_table() {
    let room = Room::new(Isolation::Prefix).await;
    let site = room.with_articles(1, |_| {}).await;
    let names = &site.session.names;
    let tables = [names.physical("article")];
    let until = tokio::time::Instant::now() + LONG;
    let mut lease = site.session.lease(until, true).await.unwrap();
    let db = &mut lease.conn().unwrap().db;
    for schema in [literal(&names.database), "DATABASE()".to_owned()] {
        for question in [THERE, ACTIONS, VIEWS, TABLES, COLUMNS, KEYS] {
            let text = format!("EXPLAIN {}", each(&schema, question, &tables));
            let rows = db.fetch_all(sqlx::raw_sql(sqlx::AssertSqlSafe(text.clone()))).await.unwrap();
            let way: Vec<u8> = rows[0].try_get_unchecked("Extra").unwrap();
            let way = String::from_utf8_lossy(&way);
            assert!(way.contains("Scanned 0 databases"), "{text}: {way}");
        }
    }
}

/// How often the host has asked for a list of tables. Its connection counts its own statements.
async fn lists(room: &Room) -> i64 {
    room.ask(
        "SELECT CAST(variable_value AS SIGNED) FROM information_schema.session_status \
         WHERE variable_name = 'COM_SHOW_TABLES'",
    )
    .await
}

#[tokio::test]
async fn only_a_removal_lists_tables() {
    let room = Room::new(Isolation::Prefix).await;
    let site = room.with_articles(1, |_| {}).await;
    let view = migration(2, &["CREATE VIEW titles AS SELECT title FROM article"]);
    site.migrate(&[migration(1, &[ARTICLE, &articles(1)]), view]).await.unwrap();
    // The commit looks for what is linked with the table.
    site.session.execute(INSERT, vec![text("new")]).await.unwrap();
    assert_eq!(site.query("SELECT title FROM titles", vec![]).await.unwrap().rows.len(), 2);
    room.engine.provision(&site.tenant).await.unwrap();
    assert_eq!(room.engine.export(&site.tenant).await.unwrap().tables().len(), 1);
    assert_eq!(room.engine.import(&site.tenant).await.unwrap().tables().len(), 1);
    assert!(room.engine.usage(site.tenant.id).await.unwrap() > 0);
    assert!(room.engine.is_reachable().await);
    room.engine.reset(&site.tenant).await.unwrap();
    assert_eq!(lists(&room).await, 0);
    room.engine.remove(site.tenant.id, LONG).await.unwrap();
    assert_eq!(lists(&room).await, 1);
    assert_eq!(room.engine.rescan(site.tenant.id).await.unwrap(), 0);
    assert_eq!(lists(&room).await, 2);
}
