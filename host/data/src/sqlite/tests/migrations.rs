//! Migrations that are meant to work, and what a run tells.

use super::*;
use crate::{MigrateError, SqlError, fingerprint};

pub(super) async fn applies_what_is_pending_once(room: Room) {
    let tenant = room.tenant(|_| {}).await;
    let list = [
        migration(
            1,
            &[
                "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)",
                "INSERT INTO a (x) VALUES ('1')",
            ],
        ),
        migration(2, &["INSERT INTO a (x) VALUES ('2')"]),
        migration(3, &["INSERT INTO a (x) VALUES ('3')"]),
    ];
    assert_eq!(room.data.schema_version(&tenant).await.unwrap(), 0);
    for upto in [1, 1, 3, 3] {
        let state = room.data.migrate(&tenant, &list[..upto]).await.unwrap();
        assert_eq!((state.version as usize, state.fingerprint), (upto, fingerprint(&list[..upto])));
    }
    let behind = room.data.migrate(&tenant, &list[..2]).await.unwrap();
    assert_eq!(behind.version, 3, "a database may be ahead of a release that was rolled back");
    let mut db = room.data.open(&tenant);
    let rows = db.query("SELECT x FROM a ORDER BY id", vec![]).await.unwrap().rows;
    assert_eq!(rows, [[text("1")], [text("2")], [text("3")]]);
    let inserted = db.execute("INSERT INTO a (x) VALUES ('4')", vec![]).await.unwrap();
    assert_eq!(inserted.last_insert_id, Some(4));
    let edited = [migration(1, &["CREATE TABLE a (id INTEGER)"])];
    let refused = room.data.migrate(&tenant, &edited).await;
    assert!(matches!(refused, Err(MigrateError::Changed { version: 1, .. })), "{refused:?}");
}

pub(super) async fn names_the_statement_that_failed_and_keeps_what_went_before(room: Room) {
    let tenant = room.tenant(|_| {}).await;
    let list = [
        migration(1, &["CREATE TABLE a (x UNIQUE)"]),
        migration(2, &["INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (1)"]),
        migration(3, &["CREATE TABLE never (x)"]),
    ];
    let failed = room.data.migrate(&tenant, &list).await.unwrap_err();
    let MigrateError::Failed { version: 2, statement: Some(1), ref cause, .. } = failed else {
        unreachable!("{failed:?}");
    };
    assert!(matches!(cause, SqlError::Constraint { .. }), "{cause:?}");
    assert_eq!(failed.to_string(), "apply migration 2 (step 2), statement 2");
    assert_eq!(room.data.schema_version(&tenant).await.unwrap(), 1);
    let rows = room.data.open(&tenant).query("SELECT * FROM a", vec![]).await.unwrap();
    assert!(rows.rows.is_empty());
}

#[tokio::test]
async fn shapes_of_tables() {
    let room = room();
    let tenant = room.tenant(|_| {}).await;
    let steps = [
        "CREATE TABLE page (id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, body TEXT, old TEXT) STRICT",
        "CREATE TABLE tag (page INTEGER NOT NULL REFERENCES page (id) ON DELETE CASCADE, name TEXT, PRIMARY KEY (page, name)) WITHOUT ROWID",
        "CREATE INDEX tag_name ON tag (name)",
        "CREATE INDEX page_lower ON page (lower(slug)) WHERE body IS NOT NULL",
        "CREATE VIEW tagged AS SELECT page.slug, tag.name FROM page JOIN tag ON tag.page = page.id",
        "CREATE VIRTUAL TABLE search USING fts5(slug, body, content='page', content_rowid='id')",
        "CREATE TRIGGER page_insert AFTER INSERT ON page BEGIN \
         INSERT INTO search (rowid, slug, body) VALUES (new.id, new.slug, replace(new.body, 'x', 'y')); END",
        "INSERT INTO page (slug, body) VALUES ('home', 'welcome box')",
        "INSERT INTO tag VALUES (1, 'news')",
        "ALTER TABLE page ADD COLUMN shown INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE page DROP COLUMN old",
        "ALTER TABLE page RENAME COLUMN shown TO visible",
        "ALTER TABLE tag RENAME TO label",
        "DROP VIEW tagged",
        "DROP INDEX tag_name",
        "CREATE TABLE gone (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "DROP TABLE gone",
        "REINDEX page_lower",
    ];
    room.data.migrate(&tenant, &[migration(1, &steps)]).await.unwrap();
    // The engine's own recipe for changing a table: make another, copy, drop, rename.
    let rebuild = [
        "CREATE TABLE label_new (page INTEGER NOT NULL REFERENCES page (id) ON DELETE CASCADE, name TEXT NOT NULL)",
        "INSERT INTO label_new SELECT page, name FROM label",
        "DROP TABLE label",
        "ALTER TABLE label_new RENAME TO label",
    ];
    let orphan = ["INSERT INTO label VALUES (99, 'nowhere')"];
    let list = [migration(1, &steps), migration(2, &rebuild), migration(3, &orphan)];
    let refused = room.data.migrate(&tenant, &list).await;
    assert!(
        matches!(
            refused,
            Err(MigrateError::Failed { version: 3, statement: None, cause: SqlError::Constraint { .. }, .. })
        ),
        "{refused:?}"
    );
    let mut db = room.data.open(&tenant);
    let found = db
        .query("SELECT rowid FROM search WHERE search MATCH $1 ORDER BY rank", vec![text("boy")])
        .await
        .unwrap();
    assert_eq!(found.rows, [vec![Value::Integer(1)]]);
    db.execute("INSERT INTO page (slug, body) VALUES ('second', 'more welcome')", vec![]).await.unwrap();
    let found = db.query("SELECT count(*) FROM search WHERE search MATCH 'welcome'", vec![]).await.unwrap();
    assert_eq!(found.rows, [vec![Value::Integer(2)]]);
    for denied in [
        "SELECT snippet(search, 0, '', '', '', 1) FROM search",
        "SELECT highlight(search, 0, '', '') FROM search",
    ] {
        assert!(db.query(denied, vec![]).await.is_err(), "{denied}");
    }
    let refused = db.execute("DELETE FROM search_data", vec![]).await;
    assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
    let refused = db.execute("INSERT INTO label VALUES (99, 'nowhere')", vec![]).await;
    assert!(
        matches!(refused, Err(SqlError::Constraint { kind: crate::ConstraintKind::ForeignKey, .. })),
        "{refused:?}"
    );
    db.execute("DELETE FROM page WHERE slug = 'home'", vec![]).await.unwrap();
    assert!(
        db.query("SELECT * FROM label", vec![]).await.unwrap().rows.is_empty(),
        "foreign keys are on for guests"
    );
}

pub(super) async fn two_runs_at_once_apply_each_migration_once(room: Room) {
    let tenant = room.tenant(|_| {}).await;
    let list: Vec<_> =
        (1..=10).map(|version| migration(version, &[&format!("CREATE TABLE t{version} (x)")])).collect();
    let (first, second) = tokio::join!(room.data.migrate(&tenant, &list), room.data.migrate(&tenant, &list));
    assert_eq!(first.unwrap(), second.unwrap());
}
