//! What a hostile guest or module tries, and how it ends.

use super::*;
use crate::{LimitKind, MigrateError, SqlError};
use std::time::{Duration, Instant};

/// A statement that must be refused as not allowed, by every way in.
const DENIED: [&str; 66] = [
    "ATTACH DATABASE ':memory:' AS other",
    "ATTACH DATABASE '/etc/passwd' AS other",
    "DETACH DATABASE main",
    "VACUUM",
    "VACUUM INTO '/tmp/stolen.db'",
    "PRAGMA writable_schema = ON",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA max_page_count = 1000000",
    "PRAGMA hard_heap_limit = 0",
    "PRAGMA database_list",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA trusted_schema = ON",
    "PRAGMA table_info(article)",
    "PRAGMA data_version = 1",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT x",
    "RELEASE x",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x (a)",
    "CREATE TABLE x AS SELECT * FROM article",
    "CREATE INDEX x ON article (body)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE TEMP VIEW x AS SELECT 1",
    "CREATE TRIGGER x AFTER INSERT ON article BEGIN SELECT 1; END",
    "CREATE TEMP TRIGGER x AFTER INSERT ON article BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "CREATE VIRTUAL TABLE x USING dbstat",
    "DROP TABLE article",
    "DROP TABLE _rowhouse_migrations",
    "ALTER TABLE article RENAME TO other",
    "ALTER TABLE _rowhouse_migrations RENAME TO mine",
    "ANALYZE",
    "REINDEX",
    "EXPLAIN SELECT * FROM article",
    "EXPLAIN QUERY PLAN SELECT * FROM article",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM main.sqlite_schema",
    "SELECT * FROM sqlite_temp_master",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_list()",
    "SELECT * FROM dbstat",
    "SELECT * FROM _rowhouse_migrations",
    "SELECT * FROM \"_RowHouse_Migrations\"",
    "SELECT (SELECT count(*) FROM _rowhouse_migrations) FROM article",
    "WITH x AS (SELECT * FROM _rowhouse_migrations) SELECT * FROM x",
    "DELETE FROM _rowhouse_migrations",
    "UPDATE _rowhouse_migrations SET checksum = ''",
    "INSERT INTO _rowhouse_migrations VALUES (9, 'x', 'x', 0)",
    "SELECT * FROM _rowhouse_versions",
    "DELETE FROM _rowhouse_versions",
    "UPDATE _rowhouse_versions SET moved = 0",
    "INSERT INTO _rowhouse_versions (subject, moved) VALUES ('*', 0)",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT json_patch('{}', '{}')",
    "SELECT json_pretty('{}')",
    "SELECT sqlite_compileoption_get(0)",
    "SELECT sqlite_version()",
    "SELECT sqlite_rename_table('a','b','c','d','e','f','g')",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE article",
];

pub(super) async fn refused_by_every_way_in(room: Room) {
    let (_tenant, mut db) = room.with_articles(1, |limits| limits.statements = 10_000).await;
    for text in DENIED {
        let query = db.query(text, vec![]).await.map(|_rows| ());
        let execute = db.execute(text, vec![]).await.map(|_outcome| ());
        let cursor = db.open_cursor(text, vec![]).await.map(|_cursor| ());
        let mut transaction = db.begin(crate::Mode::Write).await.unwrap();
        let inside = transaction.execute(text, vec![]).await.map(|_outcome| ());
        transaction.rollback().await.unwrap();
        for (way, result) in
            [("query", query), ("execute", execute), ("cursor", cursor), ("transaction", inside)]
        {
            // A function or table that doesn't exist at all is as good as denied.
            assert!(
                matches!(result, Err(SqlError::Denied(_) | SqlError::Syntax(_))),
                "{way} of {text}: {result:?}"
            );
        }
    }
    let rows = db.query("SELECT count(*) FROM article", vec![]).await.unwrap();
    assert_eq!(rows.rows, [vec![Value::Integer(1)]]);
}

/// The host's own statements must not be found again by a guest that sends the same text.
#[tokio::test]
async fn host_statements_are_not_cached() {
    let room = room();
    let (tenant, mut db) = room.with_articles(1, |limits| limits.connections = 1).await;
    for text in [
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "SELECT version, name, checksum FROM _rowhouse_migrations ORDER BY version",
    ] {
        let mut transaction = db.begin(crate::Mode::Write).await.unwrap();
        transaction.commit().await.unwrap();
        assert!(room.data.schema_version(&tenant).await.unwrap() > 0);
        assert!(matches!(db.query(text, vec![]).await, Err(SqlError::Denied(_))), "{text}");
        assert!(matches!(db.execute(text, vec![]).await, Err(SqlError::Denied(_))), "{text}");
    }
}

/// Each took from many seconds to minutes, or gigabytes, with the engine's own functions.
pub(super) async fn bombs_end_in_time(room: Room) {
    let (_tenant, mut db) = room.with_articles(1, |limits| limits.statement_ms = 1_000).await;
    let big = 1_000_000;
    let a = text(&"a".repeat(big));
    let ab = text(&format!("{}b", "a".repeat(big / 2)));
    let alphabet = text(&('\u{100}'..'\u{9000}').cycle().take(big / 3).collect::<String>());
    let bombs: Vec<(&str, Vec<Value>)> = vec![
        ("SELECT instr($1, $2)", vec![a.clone(), ab.clone()]),
        ("SELECT replace($1, $2, 'x')", vec![a.clone(), ab.clone()]),
        ("SELECT replace($1, 'a', $2)", vec![a.clone(), ab.clone()]),
        ("SELECT trim($1, $2)", vec![alphabet.clone(), alphabet.clone()]),
        ("SELECT ltrim($1, $2)", vec![a.clone(), alphabet.clone()]),
        ("SELECT rtrim($1, $2)", vec![a.clone(), alphabet]),
        ("SELECT unhex($1, $2)", vec![a.clone(), a.clone()]),
        ("SELECT $1 LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%a%ab'", vec![a.clone()]),
        ("SELECT $1 LIKE '%a____________________________________________b'", vec![a.clone()]),
        ("SELECT $1 GLOB '*a*a*a*a*a*a*a*a*a*a*[!a]*'", vec![a.clone()]),
        ("SELECT $1 LIKE $2", vec![a.clone(), a.clone()]),
        ("SELECT json_extract($1, '$[0][0]')", vec![text(&"[".repeat(big))]),
        ("SELECT printf('%.1000000000c', 'x')", vec![]),
        ("SELECT printf('%*d', 2000000000, 1)", vec![]),
        ("SELECT length(randomblob(1000000000))", vec![]),
        ("SELECT zeroblob(1000000000)", vec![]),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n", vec![]),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT count(*) FROM n", vec![]),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT group_concat(i) FROM n",
            vec![],
        ),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) \
             SELECT count(*) FROM n a, n b, n c, n d WHERE instr($1, $2) + a.i < 0",
            vec![a.clone(), ab],
        ),
        (
            "WITH RECURSIVE n(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM n) SELECT max(length(s)) FROM n",
            vec![],
        ),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT i FROM n ORDER BY -i",
            vec![],
        ),
    ];
    for (text, params) in bombs {
        let started = Instant::now();
        let _either = db.query(text, params).await;
        assert!(started.elapsed() < Duration::from_secs(8), "{text} took {:?}", started.elapsed());
    }
    assert_eq!(db.query("SELECT 1", vec![]).await.unwrap().rows, [vec![Value::Integer(1)]]);
}

/// The engine's memory is bounded for the whole process; who asks for more gets an error.
#[tokio::test]
async fn memory_bombs_end_in_an_error() {
    let room = room_with(|config| config.heap_limit = 64 << 20);
    let (_tenant, mut db) = room.with_articles(1, |_| {}).await;
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000)";
    for text in [
        format!("{rows} SELECT json_group_array(hex(zeroblob(100000))) FROM n"),
        format!("{rows} SELECT randomblob(100000) AS b FROM n ORDER BY b"),
        format!("{rows} SELECT count(DISTINCT randomblob(100000)) FROM n"),
    ] {
        let refused = db.query(&text, vec![]).await;
        let limits = [LimitKind::Bytes, LimitKind::Time];
        assert!(
            matches!(refused, Err(SqlError::Limit(kind)) if limits.contains(&kind)),
            "{text}: {refused:?}"
        );
        assert_eq!(db.query("SELECT 1", vec![]).await.unwrap().rows, [vec![Value::Integer(1)]]);
    }
}

pub(super) async fn endless_statements_say_why_they_ended(room: Room) {
    let (_tenant, mut db) = room.with_articles(1, |limits| limits.statement_ms = 200).await;
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n";
    for _ in 0..2 {
        assert_eq!(db.query(endless, vec![]).await, Err(SqlError::Limit(LimitKind::Time)));
    }
    let write = format!("INSERT INTO article (title) {endless}");
    assert_eq!(db.execute(&write, vec![]).await, Err(SqlError::Limit(LimitKind::Time)));
    let mut transaction = db.begin(crate::Mode::Write).await.unwrap();
    assert_eq!(transaction.execute(&write, vec![]).await, Err(SqlError::Limit(LimitKind::Time)));
    assert_eq!(transaction.commit().await, Err(SqlError::Closed), "the engine rolls all of it back");
}

pub(super) async fn complexity_is_bounded(room: Room) {
    let (_tenant, mut db) = room.with_articles(1, |_| {}).await;
    let columns: Vec<String> = (0..600).map(|i| format!("{i}")).collect();
    for text in [
        format!("SELECT {}1{}", "(1+".repeat(200), ")".repeat(200)),
        format!("SELECT '{}'", "x".repeat(100_000)),
        vec!["SELECT 1"; 30].join(" UNION ALL "),
        format!("SELECT {}", columns.join(",")),
        format!("SELECT {}", "SELECT 1;".repeat(10_000)),
        format!("SELECT 1 FROM {}", vec!["article"; 70].join(",")),
        format!("SELECT $1001{}", ""),
    ] {
        let refused = db.query(&text, vec![]).await;
        assert!(
            matches!(
                refused,
                Err(SqlError::Limit(LimitKind::Complexity) | SqlError::Denied(_) | SqlError::Parameter(_))
            ),
            "{}: {refused:?}",
            text.get(..60.min(text.len())).unwrap()
        );
    }
}

/// What a module's migrations may not do. Each fails as a whole and leaves nothing behind.
#[tokio::test]
async fn migrations_keep_off_the_hosts_tables() {
    let room = room();
    let (tenant, _db) = room.with_articles(0, |_| {}).await;
    let first = migration(
        1,
        &["CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, body TEXT)"],
    );
    for steps in [
        &["CREATE TABLE a (x)", "ALTER TABLE a RENAME TO _rowhouse_a"][..],
        &["CREATE TABLE a (x)", "ALTER TABLE a RENAME TO \"_ROWHOUSE_b\""],
        &["CREATE TABLE _rowhouse_c (x)"],
        &["CREATE TABLE a (x REFERENCES _rowhouse_migrations (version))"],
        &["CREATE VIEW v AS SELECT * FROM _rowhouse_migrations"],
        &["CREATE TRIGGER t AFTER INSERT ON _rowhouse_migrations BEGIN SELECT 1; END"],
        &["CREATE TRIGGER t AFTER INSERT ON article BEGIN DELETE FROM _rowhouse_migrations; END"],
        &["CREATE TRIGGER _rowhouse_t AFTER INSERT ON article BEGIN SELECT 1; END"],
        &["CREATE INDEX i ON _rowhouse_migrations (name)"],
        &["CREATE INDEX _rowhouse_i ON article (body)"],
        &["ALTER TABLE article RENAME COLUMN body TO _rowhouse_body"],
        &["ALTER TABLE _rowhouse_migrations RENAME TO ours"],
        &["ALTER TABLE _rowhouse_migrations ADD COLUMN x"],
        &["DROP TABLE _rowhouse_migrations"],
        &["DROP TABLE _rowhouse_versions"],
        &["DELETE FROM _rowhouse_versions"],
        &["CREATE INDEX i ON _rowhouse_versions (moved)"],
        &["CREATE TRIGGER t AFTER UPDATE ON _rowhouse_versions BEGIN SELECT 1; END"],
        &["DELETE FROM _rowhouse_migrations"],
        &["CREATE TABLE copy AS SELECT * FROM _rowhouse_migrations"],
        &["INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, 'x')"],
        &["PRAGMA writable_schema = ON"],
        &["ATTACH DATABASE ':memory:' AS x"],
        &["CREATE TEMP TABLE x (a)"],
        &["CREATE VIRTUAL TABLE x USING fts4(a)"],
        &["CREATE VIRTUAL TABLE x USING rtree(a, b, c)"],
        &["COMMIT"],
        &["CREATE TABLE half (x)", "ROLLBACK"],
        &["VACUUM"],
        &["SELECT load_extension('x')"],
        &["SELECT $1"],
        &["CREATE TABLE a (x)", "SELEC"],
    ] {
        let result = room.data.migrate(&tenant, &[first.clone(), migration(2, steps)]).await;
        assert!(matches!(result, Err(MigrateError::Failed { version: 2, .. })), "{steps:?}: {result:?}");
        assert_eq!(room.data.schema_version(&tenant).await.unwrap(), 1, "{steps:?}");
    }
    let file = room.dir.path().join(format!("tenants/{}/site.db", tenant.id));
    let raw = rusqlite::Connection::open(file).unwrap();
    let mut names =
        raw.prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY 1").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(names, ["_rowhouse_migrations", "_rowhouse_versions", "article"]);
}

/// A schema made by other means (an archive, a repair by hand) can't be used to reach the host's tables.
#[tokio::test]
async fn views_triggers_and_keys_made_elsewhere_reach_nothing() {
    let room = room();
    let (tenant, mut db) = room.with_articles(0, |_| {}).await;
    let file = room.dir.path().join(format!("tenants/{}/site.db", tenant.id));
    let raw = rusqlite::Connection::open(file).unwrap();
    raw.execute_batch(
        "CREATE VIEW spy AS SELECT * FROM _rowhouse_migrations;
         CREATE TRIGGER wipe AFTER INSERT ON article BEGIN DELETE FROM _rowhouse_migrations; END;
         CREATE TABLE child (v REFERENCES _rowhouse_migrations (version));
         CREATE VIEW evil AS SELECT load_extension('/tmp/x');",
    )
    .unwrap();
    for text in [
        "SELECT * FROM spy",
        "INSERT INTO article (title) VALUES ('x')",
        "INSERT INTO child VALUES (1)",
        "SELECT * FROM evil",
    ] {
        let refused = db.query(text, vec![]).await;
        assert!(matches!(refused, Err(SqlError::Denied(_) | SqlError::Syntax(_))), "{text}: {refused:?}");
    }
    let lines: i64 =
        raw.query_row("SELECT count(*) FROM _rowhouse_migrations", [], |row| row.get(0)).unwrap();
    assert_eq!(lines, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_in_place_of_the_database_is_not_followed() {
    let room = room();
    let (victim, _db) = room.with_articles(3, |_| {}).await;
    let tenant = room.tenant(|_| {}).await;
    let tenants = room.dir.path().join("tenants");
    let file = tenants.join(format!("{}/site.db", tenant.id));
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(tenants.join(format!("{}/site.db", victim.id)), &file).unwrap();
    let mut db = room.data.open(&tenant);
    let refused = db.query("SELECT * FROM article", vec![]).await;
    let Err(SqlError::Other { message, .. }) = refused else { unreachable!("{refused:?}") };
    assert!(!message.contains("tenants"), "{message}");
}
