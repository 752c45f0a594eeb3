//! Out of one tenant into another: what comes back is what was there.

use super::*;
use std::fs;

const SCHEMA: &[&str] = &[
    "CREATE TABLE every_kind (id INTEGER PRIMARY KEY AUTOINCREMENT, flag BOOLEAN, big BIGINT, ratio REAL, body TEXT,
     bytes BLOB, price DECIMAL(10,2), exact DECIMAL TEXT, at TIMESTAMP, data JSON, uid UUID, anything,
     doubled INTEGER GENERATED ALWAYS AS (big + 1))",
    "CREATE TABLE empty (id INTEGER PRIMARY KEY, x TEXT NOT NULL)",
    "CREATE TABLE \"Odd \"\"na.me/ä\" (\"a b\" TEXT, \"\u{1f3e1}\" INTEGER)",
    "CREATE TABLE person (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES person (id), team INTEGER REFERENCES team (id))",
    "CREATE TABLE team (id INTEGER PRIMARY KEY, lead INTEGER NOT NULL REFERENCES person (id) DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TABLE label (name TEXT COLLATE NOCASE, place INTEGER, PRIMARY KEY (name, place)) WITHOUT ROWID",
    "CREATE TABLE log (entry TEXT)",
    "CREATE VIRTUAL TABLE search USING fts5(body, content='every_kind', content_rowid='id')",
    "CREATE TRIGGER logged AFTER INSERT ON every_kind BEGIN INSERT INTO log VALUES ('new ' || new.id); END",
    "CREATE VIEW bodies AS SELECT body FROM every_kind",
    "INSERT INTO log VALUES ('put there by the migration')",
];

async fn fill(db: &mut TenantDb) {
    let all = "INSERT INTO every_kind (flag, big, ratio, body, bytes, price, exact, at, data, uid, anything) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let uuid = || Value::Uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".to_owned());
    for (big, ratio, body) in [
        (i64::MIN, f64::MIN_POSITIVE, "grüße\n\"🏡\"\\ \u{0}end"),
        (i64::MAX, f64::INFINITY, ""),
        (0, -0.0, "e\u{301}"),
        (1 << 53, 0.1 + 0.2, "welcome home"),
    ] {
        let row = vec![
            Value::Boolean(big > 0),
            Value::Integer(big),
            Value::Real(ratio),
            text(body),
            Value::Blob(vec![0, 10, 255]),
            Value::Decimal("12.50".to_owned()),
            Value::Decimal("0.12345678901234567890".to_owned()),
            Value::Timestamp(1_700_000_000_000_001),
            Value::Json("{\"b\": [1, 2.50], \"a\": \"ä\"}".to_owned()),
            uuid(),
            text("12.50"),
        ];
        run(db, all, row).await;
    }
    run(db, all, vec![Value::Null; 11]).await;
    // What the engine's columns hold although they were not declared for it.
    let other = vec![
        Value::Integer(7),
        Value::Integer(3),
        text("no ratio"),
        Value::Blob(vec![1]),
        text("text"),
        text("n/a"),
        text("n/a"),
        text("2026-05-03"),
        text("{broken"),
        text("nobody"),
        Value::Blob(vec![]),
    ];
    run(db, all, other).await;
    run(db, "INSERT INTO \"Odd \"\"na.me/ä\" VALUES ('x', 1), ('x', 1), (NULL, NULL)", vec![]).await;
    let people = "INSERT INTO person (id, boss, team) VALUES (1, 2, NULL), (2, 1, NULL), (3, 3, NULL)";
    run(db, people, vec![]).await;
    run(db, "INSERT INTO team VALUES (1, 2)", vec![]).await;
    run(db, "UPDATE person SET team = 1", vec![]).await;
    run(db, "INSERT INTO label VALUES ('a', 1), ('A', 2), ('ä', 1), ('', -1)", vec![]).await;
}

async fn everything(db: &mut TenantDb) -> Vec<crate::Rows> {
    let mut all = vec![];
    for table in ["every_kind", "empty", "\"Odd \"\"na.me/ä\"", "person", "team", "label", "log"] {
        all.push(
            db.query(&format!("SELECT * FROM {table} ORDER BY 1, 2"), vec![])
                .await
                .unwrap_or_else(|_one_column| crate::Rows { columns: vec![table.to_owned()], rows: vec![] }),
        );
    }
    all.push(db.query("SELECT entry FROM log ORDER BY entry", vec![]).await.unwrap());
    all
}

#[tokio::test]
async fn every_kind_of_value_and_table() {
    let room = room();
    let tenant = room.tenant(SCHEMA, |_| {}).await;
    let mut db = room.data.open(&tenant);
    fill(&mut db).await;
    run(&mut db, "INSERT INTO every_kind (id) VALUES (500)", vec![]).await;
    run(&mut db, "DELETE FROM every_kind WHERE id = 500", vec![]).await;
    let bytes = room.export(&tenant).await;
    let archive = room.read(bytes).await.unwrap();
    assert_eq!((archive.engine(), archive.schema_version()), ("sqlite", 1));
    assert_eq!(archive.facts().name, "club");
    assert_eq!(archive.left_out(), ["search"]);
    let content = room.data.content(&tenant).await.unwrap();
    assert_eq!(archive.tables().cloned().collect::<Vec<_>>(), content);
    let other = room.tenant(SCHEMA, |_| {}).await;
    let summary = room.data.import(&other, archive).await.unwrap();
    assert_eq!((summary.tables.len(), summary.emptied.len()), (7, 0));
    assert_eq!(room.data.content(&other).await.unwrap(), content);
    let mut copy = room.data.open(&other);
    assert_eq!(everything(&mut copy).await, everything(&mut db).await);
    // Keys are never used again, indexes are made anew, guests' connections are as they were.
    run(&mut copy, "INSERT INTO every_kind (body) VALUES ('new')", vec![]).await;
    let next = copy.query("SELECT max(id) FROM every_kind", vec![]).await.unwrap();
    assert_eq!(next.rows, [vec![Value::Integer(501)]]);
    let found = copy.query("SELECT rowid FROM search WHERE search MATCH 'welcome'", vec![]).await.unwrap();
    assert_eq!(found.rows, [vec![Value::Integer(4)]]);
    let logged = copy.query("SELECT entry FROM log WHERE entry = 'new 501'", vec![]).await.unwrap();
    assert_eq!(logged.rows.len(), 1, "triggers are on again");
    let orphan = copy.execute("INSERT INTO person (boss) VALUES (99)", vec![]).await;
    assert!(orphan.is_err(), "foreign keys are on again");
    room.assert_nothing_staged();
}

#[tokio::test]
async fn files_with_odd_names() {
    let room = room();
    let tenant = room.tenant(&[], |_| {}).await;
    let long = "l".repeat(255);
    let deep = format!("deep/{}", ["d".repeat(120), "e".repeat(120), long.clone()].join("/"));
    let names = [
        "plain.txt",
        "with space/and\nnewline",
        "..dots",
        "-dash",
        "back\\slash",
        "häuser/🏡.png",
        "manifest.json",
        "tables/x.ndjson",
        &deep,
    ];
    let folder = room.files(&tenant);
    for (index, name) in names.iter().enumerate() {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), vec![b'x'; index * 50_000]).unwrap();
    }
    fs::create_dir(folder.join("nothing in it")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.join("link")).unwrap();
    let to = Memory::default();
    let facts = ArchiveFacts::of(&tenant, None);
    let summary = room.data.export(&tenant, facts, to.clone()).await.unwrap();
    assert_eq!((summary.files, summary.left_out), (9, vec!["files/link".to_owned()]));
    let archive = room.read(to.bytes()).await.unwrap();
    assert_eq!(archive.files(), (9, (0..9).map(|index| index * 50_000).sum()));
    let other = room.tenant(&[], |_| {}).await;
    let held = room.data.files(&other).await.unwrap();
    room.data.import(&other, archive).await.unwrap();
    for (index, name) in names.iter().enumerate() {
        assert_eq!(fs::read(room.files(&other).join(name)).unwrap(), vec![b'x'; index * 50_000], "{name}");
    }
    assert!(room.files(&other).join("nothing in it").is_dir());
    assert!(fs::symlink_metadata(room.files(&other).join("link")).is_err());
    // The quota counts what was placed.
    let usage = room.data.usage(&other).await.unwrap();
    assert_eq!(held.meter.used(), (usage.files_bytes, usage.files_count));
    room.assert_nothing_staged();
}

/// The most memory that this process had so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_hundred_thousand_rows_in_constant_memory() {
    let room = room();
    let schema = ["CREATE TABLE big (id INTEGER PRIMARY KEY, body TEXT, noise BLOB)"];
    let tenant = room.tenant(&schema, |limits| limits.statement_ms = 60_000).await;
    let mut db = room.data.open(&tenant);
    let rows = "INSERT INTO big (body, noise) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                WHERE i < 100000) SELECT 'row ' || i, randomblob(800) FROM n";
    run(&mut db, rows, vec![]).await;
    let before = peak();
    let file = room.dir.path().join("archive");
    let to = fs::File::create(&file).unwrap();
    room.data.export(&tenant, ArchiveFacts::of(&tenant, None), to).await.unwrap();
    let packed = fs::metadata(&file).unwrap().len();
    let archive = room.data.read_archive(fs::File::open(&file).unwrap()).await.unwrap();
    let content: Vec<_> = archive.tables().cloned().collect();
    let other = room.tenant(&schema, |_| {}).await;
    let summary = room.data.import(&other, archive).await.unwrap();
    let grown = peak().saturating_sub(before);
    assert_eq!(summary.tables[0].rows, 100_000);
    assert_eq!(summary.tables, content);
    assert!(packed > 80_000_000, "{packed}");
    // Parts of 4 MiB as they grow, blocks of 1 MiB on their way, the window of the compression.
    assert!(grown < 64 << 20, "{} MiB", grown >> 20);
}
