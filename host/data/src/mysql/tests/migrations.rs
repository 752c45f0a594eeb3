//! Migrations: applied once, resumed where they stopped, by one server at a time.

use super::*;
use crate::MigrateError;

#[tokio::test]
async fn applies_what_is_pending_once() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.tenant(|_| {}).await;
        let list = [
            migration(1, &[ARTICLE, "INSERT INTO article (title) VALUES ('1')"]),
            migration(
                2,
                &[
                    "INSERT INTO article (title) VALUES ('2')",
                    "CREATE INDEX article_body ON article (body(20))",
                ],
            ),
            migration(3, &["ALTER TABLE article ADD COLUMN x INT", "UPDATE article SET x = 3"]),
        ];
        assert!(site.session.applied().await.unwrap().is_empty());
        for upto in [1, 1, 3, 3] {
            assert_eq!(site.migrate(&list[..upto]).await.unwrap() as usize, upto);
        }
        assert_eq!(site.migrate(&list[..2]).await.unwrap(), 3, "a database may be ahead");
        let found = site.query("SELECT title, x FROM article ORDER BY id", vec![]).await.unwrap();
        assert_eq!(found.rows, [[text("1"), Value::Integer(3)], [text("2"), Value::Integer(3)]]);
        let edited = [migration(1, &["CREATE TABLE article (id INT)"])];
        let refused = site.migrate(&edited).await;
        assert!(matches!(refused, Err(MigrateError::Changed { version: 1, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn goes_on_from_the_statement_that_failed() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.tenant(|_| {}).await;
        let first = migration(1, &[ARTICLE]);
        let one = "INSERT INTO article (title) VALUES ('a')";
        let broken = migration(2, &[one, "CREATE TABLE b (id INT)", one, "CREATE TABLE c (id INT)"]);
        let failed = site.migrate(&[first.clone(), broken]).await.unwrap_err();
        let MigrateError::Failed { version: 2, statement: Some(2), ref cause, .. } = failed else {
            unreachable!("{failed:?}");
        };
        assert!(matches!(cause, SqlError::Constraint { .. }), "{cause:?}");
        assert_eq!(site.session.applied().await.unwrap().len(), 1);
        assert_eq!(site.titles().await, [text("a")], "what ran is noted and not run again");
        let other = "INSERT INTO article (title) VALUES ('z')";
        let edited = migration(2, &[other, "CREATE TABLE b (id INT)", other]);
        let refused = site.migrate(&[first.clone(), edited]).await;
        assert!(matches!(refused, Err(MigrateError::Changed { version: 2, .. })), "{refused:?}");
        let mended = migration(2, &[one, "CREATE TABLE b (id INT)", other, "CREATE TABLE c (id INT)"]);
        assert_eq!(site.migrate(&[first, mended]).await.unwrap(), 2);
        assert_eq!(site.titles().await, [text("a"), text("z")]);
        assert!(site.query("SELECT id FROM c", vec![]).await.is_ok());
    }
}

/// The host dies after the server has made a table and before the ledger says so.
#[tokio::test]
async fn a_cut_between_statement_and_note_is_mended() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.tenant(|_| {}).await;
        let names = &site.session.names;
        let broken = migration(1, &[ARTICLE, "INSERT INTO article (nothing) VALUES (1)"]);
        assert!(site.migrate(&[broken]).await.is_err());
        let made = format!("CREATE TABLE {} (id INT)", names.qualified(&names.physical("b")));
        let ledger = names.qualified(&names.physical(super::super::names::LEDGER));
        let control = &room.engine.server.control;
        control.execute(&format!("{made}; UPDATE {ledger} SET begun = 1")).await.unwrap();
        let whole = [migration(1, &[ARTICLE, "CREATE TABLE b (id INT)", "INSERT INTO b VALUES (1)"])];
        assert_eq!(site.migrate(&whole).await.unwrap(), 1);
        let found = site.query("SELECT id FROM b", vec![]).await.unwrap();
        assert_eq!(found.rows, [[Value::Integer(1)]]);
        // Without the announcement it is an error as ever.
        let again = [whole[0].clone(), migration(2, &["CREATE TABLE b (id INT)"])];
        let refused = site.migrate(&again).await;
        assert!(matches!(refused, Err(MigrateError::Failed { statement: Some(0), .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn shapes_of_tables() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.tenant(|_| {}).await;
        let steps = [
            "CREATE TABLE page (id BIGINT PRIMARY KEY AUTO_INCREMENT, slug VARCHAR(80) NOT NULL UNIQUE, body TEXT, old TEXT) \
             ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
            "CREATE TABLE tag (page BIGINT NOT NULL, name VARCHAR(40) NOT NULL, PRIMARY KEY (page, name), \
             FOREIGN KEY (page) REFERENCES page (id) ON DELETE CASCADE)",
            "CREATE INDEX tag_name ON tag (name)",
            "CREATE VIEW tagged AS SELECT page.slug, tag.name FROM page JOIN tag ON tag.page = page.id",
            "INSERT INTO page (slug, body) VALUES ('home', 'welcome')",
            "INSERT INTO tag VALUES (1, 'news')",
            "ALTER TABLE page ADD COLUMN shown BOOLEAN NOT NULL DEFAULT TRUE",
            "ALTER TABLE page DROP COLUMN old",
            "DROP INDEX tag_name ON tag",
            "CREATE TABLE gone (id INT PRIMARY KEY)",
            "DROP TABLE gone",
        ];
        site.migrate(&[migration(1, &steps)]).await.unwrap();
        let found = site.query("SELECT slug, name FROM tagged", vec![]).await.unwrap();
        assert_eq!(found.rows, [[text("home"), text("news")]]);
        site.session.execute("DELETE FROM page WHERE slug = 'home'", vec![]).await.unwrap();
        assert!(site.query("SELECT name FROM tag", vec![]).await.unwrap().rows.is_empty());
    }
}

#[tokio::test]
async fn two_servers_at_once_apply_each_migration_once() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.tenant(|_| {}).await;
        let mut list = vec![migration(1, &[ARTICLE])];
        for version in 2..=6 {
            let insert = format!("INSERT INTO article (title) VALUES ('{version}')");
            list.push(migration(version, &[&insert, &format!("CREATE TABLE t{version} (x INT)")]));
        }
        let elsewhere = room.twin().session(&site.tenant);
        let (first, second) = tokio::join!(site.migrate(&list), elsewhere.migrate(list.clone().into(), LONG));
        assert_eq!((first.unwrap(), second.unwrap()), (6, 6));
        assert_eq!(site.titles().await.len(), 5);
    }
}

#[tokio::test]
async fn guests_change_no_tables_and_migrations_keep_off_the_hosts() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(1, |_| {}).await;
        for text in ["CREATE TABLE x (id INT)", "DROP TABLE article", "SELECT * FROM _rowhouse_migrations"] {
            let refused = site.session.execute(text, vec![]).await;
            assert!(matches!(refused, Err(SqlError::Denied(_))), "{text}: {refused:?}");
        }
        for text in [
            "CREATE TABLE _rowhouse_x (id INT)",
            "DROP TABLE _rowhouse_migrations",
            "ALTER TABLE article RENAME TO _rowhouse_x",
            "CREATE TABLE x (id INT) DATA DIRECTORY = '/tmp'",
            "CREATE DATABASE x",
            "GRANT SELECT ON article TO root",
        ] {
            let list = [
                migration(1, &[ARTICLE, &articles(1)]),
                migration(2, &["CREATE TABLE before_it (id INT)", text]),
            ];
            let refused = site.migrate(&list).await;
            assert!(
                matches!(refused, Err(MigrateError::Failed { version: 2, statement: Some(1), .. })),
                "{text}: {refused:?}"
            );
            assert!(
                site.query("SELECT id FROM before_it", vec![]).await.is_err(),
                "judged before anything runs"
            );
        }
    }
}
