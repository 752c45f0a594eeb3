//! Two tenants in one file: what one tries on the other, with the guard and without it. Without it the
//! engine's authorizer and the look at the schema stand alone.

use super::*;
use crate::guard::Prefix;
use crate::testing::corpus::statements;
use crate::{Mode, Statement};

const SECRET: &str = "the neighbour's own words";

const CORPUS: &str = include_str!("../../../tests/corpus/sqlite.sql");

const TABLE: &str = "CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, body TEXT)";

/// A victim with something to lose, and an attacker who knows its prefix.
struct Pair {
    room: Room,
    victim: Arc<Tenant>,
    attacker: Arc<Tenant>,
}

impl Pair {
    async fn new(guarded: bool) -> Self {
        // Without the guard nobody writes the prefix but the test.
        let room = shared_room_with(true, |_| {});
        let own = ["CREATE TABLE diary (id INTEGER PRIMARY KEY AUTOINCREMENT, words TEXT)"];
        let mut pair = Vec::new();
        for words in [SECRET, "mine"] {
            let tenant = room.tenant(|limits| limits.statements = u32::MAX).await;
            let view = "CREATE VIEW latest AS SELECT words FROM diary ORDER BY id DESC LIMIT 1";
            let steps = [TABLE, own[0], "CREATE INDEX diary_words ON diary (words)", view];
            room.data.migrate(&tenant, &[migration(1, &steps)]).await.unwrap();
            let mut db = room.data.open(&tenant);
            db.execute("INSERT INTO article (title, body) VALUES ($1, $1)", vec![text(words)]).await.unwrap();
            db.execute("INSERT INTO diary (words) VALUES ($1)", vec![text(words)]).await.unwrap();
            pair.push(tenant);
        }
        let (attacker, victim) = (pair.pop().unwrap(), pair.pop().unwrap());
        let room = match guarded {
            true => room,
            false => {
                let file = room.dir.path().join("servers/farm.db");
                let engine = Engine::shared_without_guard(&DataConfig::new(room.dir.path()), file).unwrap();
                Room { data: Door::Shared(engine), dir: room.dir }
            }
        };
        Self { room, victim, attacker }
    }

    /// Everything in the file that is not the attacker's.
    fn rest(&self) -> Vec<String> {
        let db = rusqlite::Connection::open(self.room.dir.path().join("servers/farm.db")).unwrap();
        let own = Prefix::of(self.attacker.id);
        let mut rest = Vec::new();
        let mut dump = |text: &str| {
            let mut statement = db.prepare(text).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<_> =
                    (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at).unwrap()).collect();
                rest.push(format!("{values:?}"));
            }
        };
        dump(&format!(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE '%{own}%' ORDER BY 1, 2"
        ));
        let victim = Prefix::of(self.victim.id);
        dump(&format!("SELECT * FROM {victim}article"));
        dump(&format!("SELECT * FROM {victim}diary"));
        dump(&format!("SELECT * FROM {victim}latest"));
        dump(&format!("SELECT * FROM sqlite_sequence WHERE name NOT LIKE '{own}%' ORDER BY name"));
        dump(&format!("SELECT * FROM _rowhouse_migrations WHERE tenant <> '{}'", self.attacker.id));
        dump(&format!("SELECT * FROM _rowhouse_versions WHERE tenant <> '{}'", self.attacker.id));
        dump(&format!("SELECT * FROM _rowhouse_tenants WHERE id <> '{}'", self.attacker.id));
        rest
    }

    fn fill(&self, text: &str) -> String {
        let (own, victim) = (Prefix::of(self.attacker.id), Prefix::of(self.victim.id));
        text.replace("{own}", own.as_str()).replace("{neighbour}", victim.as_str())
    }

    /// What every way in answers.
    async fn answers(&self, text: &str) -> Vec<Result<String, SqlError>> {
        let mut db = self.room.data.open(&self.attacker);
        let shown = |rows: Result<crate::Rows, SqlError>| rows.map(|rows| format!("{rows:?}"));
        let mut answers = vec![shown(db.query(text, vec![]).await)];
        answers.push(db.execute(text, vec![]).await.map(|outcome| format!("{outcome:?}")));
        let batch = Statement { text: text.to_owned(), params: vec![] };
        answers.push(db.batch(vec![batch]).await.map(|outcomes| format!("{outcomes:?}")));
        answers.push(match db.open_cursor(text, vec![]).await {
            Ok(mut cursor) => cursor.next(100).await.map(|page| String::from_utf8_lossy(&page).into_owned()),
            Err(error) => Err(error),
        });
        let mut transaction = db.begin(Mode::Write).await.unwrap();
        answers.push(shown(transaction.query(text, vec![]).await));
        drop(transaction);
        answers
    }

    /// Checks that no answer tells anything of the victim.
    fn check_told(&self, text: &str, told: &str) {
        let prefix = Prefix::of(self.victim.id);
        for secret in [SECRET, prefix.as_str(), Prefix::of(self.attacker.id).as_str()] {
            // What it wrote itself it may read again.
            assert!(!told.contains(secret) || text.contains(secret), "{text} tells {told}");
        }
    }
}

/// Statements on the victim's tables by their real names.
const ATTACKS: [&str; 44] = [
    "SELECT * FROM {neighbour}article",
    "SELECT count(*) FROM {neighbour}article",
    "SELECT 1 FROM {neighbour}article",
    "SELECT * FROM \"{neighbour}article\"",
    "SELECT * FROM main.{neighbour}article",
    "SELECT * FROM {neighbour}latest",
    "SELECT count(*) FROM {neighbour}latest",
    "SELECT (SELECT words FROM {neighbour}diary)",
    "SELECT EXISTS (SELECT 1 FROM {neighbour}diary)",
    "SELECT a.title FROM {own}article AS a JOIN {neighbour}article AS b ON a.id = b.id",
    "SELECT a.title FROM {own}article AS a, {neighbour}article AS b",
    "SELECT * FROM {own}article NATURAL JOIN {neighbour}article",
    "SELECT * FROM {own}article JOIN {neighbour}article USING (id)",
    "DELETE FROM {own}article WHERE id IN (SELECT id FROM {own}article NATURAL JOIN {neighbour}article)",
    "SELECT title FROM {own}article UNION ALL SELECT title FROM {neighbour}article",
    "SELECT title FROM {own}article EXCEPT SELECT title FROM {neighbour}article",
    "SELECT title FROM {own}article WHERE title IN (SELECT title FROM {neighbour}article)",
    "SELECT title FROM {own}article WHERE title NOT IN {neighbour}latest",
    "SELECT title FROM {own}article ORDER BY (SELECT count(*) FROM {neighbour}article)",
    "WITH x AS (SELECT * FROM {neighbour}article) SELECT * FROM x",
    "WITH {own}article AS (SELECT * FROM {neighbour}article) SELECT * FROM {own}article",
    "SELECT sum(length(b.body)) OVER () FROM {neighbour}article AS b",
    "INSERT INTO {neighbour}article (title) VALUES ('x')",
    "INSERT OR REPLACE INTO {neighbour}article (id, title) VALUES (1, 'x')",
    "INSERT INTO {own}article (title) SELECT body FROM {neighbour}article",
    "INSERT INTO {own}article (title) VALUES ((SELECT words FROM {neighbour}diary))",
    "INSERT INTO {own}article (title) VALUES ('z') RETURNING (SELECT words FROM {neighbour}diary)",
    "REPLACE INTO {neighbour}article (id, title) VALUES (1, 'x')",
    "UPDATE {neighbour}article SET title = 'x'",
    "UPDATE {own}article SET title = (SELECT words FROM {neighbour}diary)",
    "UPDATE {own}article SET title = b.title FROM {neighbour}article AS b",
    "DELETE FROM {neighbour}article",
    "DELETE FROM {own}article WHERE EXISTS (SELECT 1 FROM {neighbour}article)",
    "SELECT name FROM sqlite_schema",
    "SELECT seq FROM sqlite_sequence",
    "UPDATE sqlite_sequence SET seq = 99",
    "SELECT * FROM _rowhouse_tenants",
    "DELETE FROM _rowhouse_migrations",
    "DELETE FROM _rowhouse_versions",
    "UPDATE _rowhouse_versions SET moved = 0",
    "SELECT name FROM pragma_table_list",
    "SELECT name FROM dbstat",
    "DROP TABLE {neighbour}article",
    "ALTER TABLE {own}article RENAME TO {neighbour}other",
];

async fn attacks_reach_nothing(guarded: bool) {
    let pair = Pair::new(guarded).await;
    let before = pair.rest();
    for text in ATTACKS {
        let text = pair.fill(text);
        for (way, answer) in pair.answers(&text).await.into_iter().enumerate() {
            let Err(error) = answer else { unreachable!("way {way} of {text}: {answer:?}") };
            pair.check_told(&text, &error.to_string());
            assert!(matches!(error, SqlError::Denied(_) | SqlError::Syntax(_)), "{text}: {error:?}");
        }
        assert_eq!(pair.rest(), before, "{text}");
    }
}

#[tokio::test]
async fn attacks_reach_nothing_with_the_guard() {
    attacks_reach_nothing(true).await;
}

#[tokio::test]
async fn attacks_reach_nothing_without_the_guard() {
    attacks_reach_nothing(false).await;
}

/// The corpus of hostile statements, past the guard: whatever the engine lets through reaches the
/// attacker's own tables alone.
#[tokio::test]
async fn the_corpus_reaches_nothing_without_the_guard() {
    let mut pair = Pair::new(false).await;
    let mut tenant = Tenant::clone(&pair.attacker);
    Arc::make_mut(&mut tenant.limits).statement_ms = 100;
    pair.attacker = Arc::new(tenant);
    let before = pair.rest();
    let mut seen = 0;
    for line in statements(CORPUS) {
        let text = pair.fill(line);
        let mut db = pair.room.data.open(&pair.attacker);
        let answer = match db.query(&text, vec![]).await {
            Ok(rows) => format!("{rows:?}"),
            Err(error) => error.to_string(),
        };
        assert!(!answer.contains(SECRET), "{text} tells {answer}");
        let prefix = Prefix::of(pair.victim.id);
        assert!(!answer.contains(prefix.as_str()) || text.contains(prefix.as_str()), "{text} tells {answer}");
        seen += 1;
    }
    assert!(seen >= 100, "{seen} statements");
    assert_eq!(pair.rest(), before);
}

/// Migrations, each refused as a whole.
const MIGRATIONS: [&[&str]; 38] = [
    &["CREATE TABLE plain (x INTEGER)"],
    &["CREATE TABLE {neighbour}new (x INTEGER)"],
    &["CREATE TABLE _rowhouse_new (x INTEGER)"],
    &["CREATE TABLE {own}a (x INTEGER)", "ALTER TABLE {own}a RENAME TO plain"],
    &["CREATE TABLE {own}a (x INTEGER)", "ALTER TABLE {own}a RENAME TO {neighbour}a"],
    &["ALTER TABLE {own}article RENAME TO \"{neighbour}b\""],
    &["ALTER TABLE {neighbour}article RENAME TO {own}stolen"],
    &["ALTER TABLE {neighbour}article RENAME TO {neighbour}gone"],
    &["ALTER TABLE {neighbour}article ADD COLUMN x INTEGER"],
    &["ALTER TABLE {neighbour}article RENAME COLUMN body TO x"],
    &["ALTER TABLE {neighbour}article DROP COLUMN body"],
    &["DROP TABLE {neighbour}article"],
    &["DROP VIEW {neighbour}latest"],
    &["DROP INDEX {neighbour}diary_words"],
    &["DROP TABLE _rowhouse_tenants"],
    &["CREATE INDEX {own}i ON {neighbour}article (body)"],
    &["CREATE INDEX {neighbour}i ON {own}article (body)"],
    &["CREATE INDEX plain ON {own}article (body)"],
    &["CREATE VIEW {own}spy AS SELECT * FROM {neighbour}article"],
    &["CREATE VIEW {own}spy AS SELECT {own}article.id FROM {own}article JOIN {neighbour}article USING (id)"],
    &["DELETE FROM {own}article WHERE id IN (SELECT id FROM {own}article NATURAL JOIN {neighbour}article)"],
    &["CREATE VIEW {own}spy AS SELECT name FROM sqlite_schema"],
    &["CREATE VIEW {own}broken AS SELECT * FROM {own}nothing"],
    &["CREATE VIEW {neighbour}v AS SELECT 1"],
    &["CREATE TRIGGER {own}t AFTER INSERT ON {own}article BEGIN DELETE FROM {neighbour}article; END"],
    &["CREATE TRIGGER {own}t AFTER INSERT ON {neighbour}article BEGIN SELECT 1; END"],
    &["CREATE TABLE {own}c (x INTEGER REFERENCES {neighbour}article (id))"],
    &["CREATE TABLE {own}c (x TEXT REFERENCES \"{neighbour}article\" (title) ON DELETE RESTRICT)"],
    &["ALTER TABLE {own}article ADD COLUMN n INTEGER REFERENCES {neighbour}article (id)"],
    &["CREATE TABLE {own}copy AS SELECT * FROM {neighbour}article"],
    &["CREATE TABLE {own}copy AS SELECT * FROM sqlite_schema"],
    &["INSERT INTO {own}article (title) SELECT name FROM sqlite_schema"],
    &["INSERT INTO {own}article (title) SELECT words FROM {neighbour}diary"],
    &["DELETE FROM sqlite_sequence"],
    &["UPDATE sqlite_sequence SET seq = 1000"],
    &["/* CREATE */ DELETE FROM {neighbour}diary"],
    &["CREATE VIRTUAL TABLE {own}f USING fts5(body, content='{neighbour}article')"],
    &["REINDEX"],
];

async fn migrations_reach_nothing(guarded: bool) {
    let pair = Pair::new(guarded).await;
    let before = pair.rest();
    for (at, steps) in MIGRATIONS.iter().enumerate() {
        let steps: Vec<String> = steps.iter().map(|text| pair.fill(text)).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let applied = first_migration();
        let result = pair.room.data.migrate(&pair.attacker, &[applied, migration(2, &steps)]).await;
        // The guard gives its prefix to whatever name it lets through.
        let renamed = guarded && at == 0;
        match result {
            Err(MigrateError::Failed { version: 2, cause, .. }) => {
                pair.check_told(&format!("{steps:?}"), &cause.to_string());
                assert_eq!(pair.room.data.schema_version(&pair.attacker).await.unwrap(), 1, "{steps:?}");
            }
            Ok(_) if renamed => return rest_of_migrations(&pair, &before).await,
            other => unreachable!("{steps:?}: {other:?}"),
        }
        assert_eq!(pair.rest(), before, "{steps:?}");
    }
}

/// With the guard: each after the one before, since some are harmless once they are rewritten.
async fn rest_of_migrations(pair: &Pair, before: &[String]) {
    for steps in MIGRATIONS {
        let room = &pair.room;
        let attacker = room.tenant(|_| {}).await;
        let steps: Vec<String> = steps.iter().map(|text| pair.fill(text)).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let _either = room.data.migrate(&attacker, &[migration(1, &steps)]).await;
        assert!(room.data.engine().close(attacker.id, std::time::Duration::from_secs(1)).await);
        room.data.registry().remove(attacker.id).await.unwrap();
        assert_eq!(pair.rest(), before, "{steps:?}");
    }
}

fn first_migration() -> Migration {
    let view = "CREATE VIEW latest AS SELECT words FROM diary ORDER BY id DESC LIMIT 1";
    let diary = "CREATE TABLE diary (id INTEGER PRIMARY KEY AUTOINCREMENT, words TEXT)";
    migration(1, &[TABLE, diary, "CREATE INDEX diary_words ON diary (words)", view])
}

#[tokio::test]
async fn migrations_reach_nothing_with_the_guard() {
    migrations_reach_nothing(true).await;
}

#[tokio::test]
async fn migrations_reach_nothing_without_the_guard() {
    migrations_reach_nothing(false).await;
}

/// The engine's messages name tables; guests see their own names in them.
#[tokio::test]
async fn errors_have_no_prefix() {
    let pair = Pair::new(true).await;
    let mut db = pair.room.data.open(&pair.attacker);
    for (text, expected) in [
        ("INSERT INTO article (title) VALUES ('mine')", "UNIQUE constraint failed: article.title"),
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELECT article.nothing FROM article", "no such column: article.nothing"),
    ] {
        let error = db.query(text, vec![]).await.unwrap_err().to_string();
        pair.check_told(text, &error);
        assert!(error.contains(expected), "{text}: {error}");
    }
    let orphan = ["CREATE TABLE child (a INTEGER REFERENCES article (id))", "INSERT INTO child VALUES (99)"];
    let failed = pair.room.data.migrate(&pair.attacker, &[first_migration(), migration(2, &orphan)]).await;
    let Err(MigrateError::Failed { cause: SqlError::Constraint { message, .. }, .. }) = failed else {
        unreachable!("{failed:?}");
    };
    assert_eq!(message, "a foreign key of table child leads nowhere");
}

/// What modules do to their tables works beside others, whose tables have the same names.
#[tokio::test]
async fn shapes_of_tables() {
    let room = shared_room();
    let steps = [
        "CREATE TABLE page (id INTEGER PRIMARY KEY, slug TEXT NOT NULL UNIQUE, body TEXT, old TEXT) STRICT",
        "CREATE TABLE tag (page INTEGER NOT NULL REFERENCES page (id) ON DELETE CASCADE, name TEXT, PRIMARY KEY (page, name)) WITHOUT ROWID",
        "CREATE INDEX tag_name ON tag (name)",
        "CREATE INDEX page_lower ON page (lower(slug)) WHERE body IS NOT NULL",
        "CREATE VIEW tagged AS SELECT page.slug, tag.name FROM page JOIN tag ON tag.page = page.id",
        "INSERT INTO page (slug, body) VALUES ('home', 'welcome box')",
        "INSERT INTO tag VALUES (1, 'news')",
        "ALTER TABLE page ADD COLUMN shown INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE page DROP COLUMN old",
        "ALTER TABLE page RENAME COLUMN shown TO visible",
        "DROP VIEW tagged",
        "ALTER TABLE tag RENAME TO label",
        "DROP INDEX tag_name",
        "CREATE TABLE gone (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "DROP TABLE gone",
        "CREATE TABLE label_new (page INTEGER NOT NULL REFERENCES page (id) ON DELETE CASCADE, name TEXT NOT NULL)",
        "INSERT INTO label_new SELECT page, name FROM label",
        "DROP TABLE label",
        "ALTER TABLE label_new RENAME TO label",
    ];
    let first = room.tenant(|_| {}).await;
    let second = room.tenant(|_| {}).await;
    for tenant in [&first, &second] {
        room.data.migrate(tenant, &[migration(1, &steps)]).await.unwrap();
    }
    let mut db = room.data.open(&first);
    db.execute("DELETE FROM page WHERE slug = 'home'", vec![]).await.unwrap();
    assert!(db.query("SELECT * FROM label", vec![]).await.unwrap().rows.is_empty(), "foreign keys are on");
    let mut other = room.data.open(&second);
    assert_eq!(other.query("SELECT * FROM label", vec![]).await.unwrap().rows.len(), 1);
    assert_eq!(other.query("SELECT visible FROM page", vec![]).await.unwrap().rows, [[Value::Integer(1)]]);
}
