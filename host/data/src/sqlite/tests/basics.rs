//! Values, parameters, outcomes, transactions, cursors.

use super::*;
use crate::{ConstraintKind, Dialect, Mode, Outcome, SqlError, Statement, packed};

#[tokio::test]
async fn values_come_back_as_declared() {
    let room = room();
    let tenant = room.tenant(|_| {}).await;
    let table = "CREATE TABLE v (n, b BOOLEAN, i INTEGER, r REAL, t TEXT, x BLOB, d DECIMAL TEXT, ts TIMESTAMP, \
                 j JSON, u UUID)";
    room.data.migrate(&tenant, &[migration(1, &[table])]).await.unwrap();
    let mut db = room.data.open(&tenant);
    assert_eq!(db.dialect(), Dialect::Sqlite);
    let values = vec![
        Value::Null,
        Value::Boolean(true),
        Value::Integer(i64::MIN),
        Value::Real(0.1),
        text("häß 'x' \"y\""),
        Value::Blob(vec![0, 255]),
        Value::Decimal("-12.50".into()),
        Value::Timestamp(1_700_000_000_000_001),
        Value::Json("{\"a\":[1,2]}".into()),
        Value::Uuid("0198c0de-0000-7000-8000-000000000001".into()),
    ];
    let insert = "INSERT INTO v VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)";
    db.execute(insert, values.clone()).await.unwrap();
    // Twice: the first goes through a thread, the second may run on this one.
    for _ in 0..2 {
        let rows = db.query("SELECT * FROM v", vec![]).await.unwrap();
        assert_eq!(rows.columns, ["n", "b", "i", "r", "t", "x", "d", "ts", "j", "u"]);
        assert_eq!(rows.rows, std::slice::from_ref(&values));
    }
    let rows = db.query("SELECT b + 1 AS n, NULL, CAST(x'ff' AS TEXT) FROM v", vec![]).await.unwrap();
    assert_eq!(rows.rows, [vec![Value::Integer(2), Value::Null, text("\u{fffd}")]]);
    assert!(db.sql_time() > std::time::Duration::ZERO);
    assert_eq!(db.statements(), 4);
}

pub(super) async fn parameters_by_number(room: Room) {
    let (_tenant, mut db) = room.with_articles(1, |_| {}).await;
    for _ in 0..2 {
        let rows = db.query("SELECT $2, $1, $2", vec![text("a"), text("b")]).await.unwrap();
        assert_eq!(rows.rows, [vec![text("b"), text("a"), text("b")]]);
    }
    for (statement, params) in [
        ("SELECT ?", vec![text("a")]),
        ("SELECT ?1", vec![text("a")]),
        ("SELECT :a", vec![text("a")]),
        ("SELECT @a", vec![text("a")]),
        ("SELECT $a", vec![text("a")]),
        ("SELECT $1", vec![]),
        ("SELECT $1", vec![text("a"), text("b")]),
        ("SELECT 1", vec![text("a")]),
        ("SELECT $2", vec![text("a"), text("b")]),
    ] {
        // The guard knows no parameters but `$1`, `$2`, …: to it the others are characters out of place.
        let guarded = matches!(room.data, Door::Shared(_));
        let fits = |refused: &Option<SqlError>| match refused {
            Some(SqlError::Parameter(_)) => true,
            Some(SqlError::Denied(_)) => guarded,
            _ => false,
        };
        let refused = db.query(statement, params.clone()).await.err();
        assert!(fits(&refused), "{statement}: {refused:?}");
        let refused = db.execute(statement, params).await.err();
        assert!(fits(&refused), "{statement}: {refused:?}");
    }
}

pub(super) async fn outcomes_and_constraints(room: Room) {
    let (_tenant, mut db) = room.with_articles(0, |_| {}).await;
    let insert = "INSERT INTO article (title) VALUES ($1)";
    let first = db.execute(insert, vec![text("a")]).await.unwrap();
    assert_eq!(first, Outcome { rows_affected: 1, last_insert_id: Some(1) });
    let upsert = "INSERT INTO article (title) VALUES ('a') ON CONFLICT (title) DO UPDATE SET body = 'b'";
    assert_eq!(db.execute(upsert, vec![]).await.unwrap(), Outcome { rows_affected: 1, last_insert_id: None });
    let update = db.execute("UPDATE article SET body = 'c'", vec![]).await.unwrap();
    assert_eq!(update, Outcome { rows_affected: 1, last_insert_id: None });
    let refused = db.execute(insert, vec![text("a")]).await;
    let Err(SqlError::Constraint { kind: ConstraintKind::Unique, message }) = refused else {
        unreachable!("{refused:?}");
    };
    assert_eq!(message, "UNIQUE constraint failed: article.title");
    let refused = db.execute(insert, vec![Value::Null]).await;
    assert!(
        matches!(refused, Err(SqlError::Constraint { kind: ConstraintKind::NotNull, .. })),
        "{refused:?}"
    );
    let rows =
        db.query("INSERT INTO article (title) VALUES ('r') RETURNING id, title", vec![]).await.unwrap();
    assert_eq!(rows.rows, [vec![Value::Integer(2), text("r")]]);
    let with = "WITH x(t) AS (VALUES ('w')) INSERT INTO article (title) SELECT t FROM x RETURNING title";
    assert_eq!(db.query(with, vec![]).await.unwrap().rows, [vec![text("w")]]);
    for wrong in
        ["SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM article", "", "-- nothing", "SELECT '"]
    {
        let refused = db.query(wrong, vec![]).await;
        assert!(matches!(refused, Err(SqlError::Syntax(_))), "{wrong}: {refused:?}");
    }
}

pub(super) async fn a_batch_is_all_or_nothing(room: Room) {
    let (_tenant, mut db) = room.with_articles(0, |_| {}).await;
    let insert = |title: &str| Statement {
        text: "INSERT INTO article (title) VALUES ($1)".into(),
        params: vec![text(title)],
    };
    let outcomes = db.batch(vec![insert("a"), insert("b")]).await.unwrap();
    assert_eq!(outcomes.len(), 2);
    assert!(db.batch(vec![insert("c"), insert("a")]).await.is_err());
    assert_eq!(titles(&mut db).await, ["a", "b"]);
}

pub(super) async fn transactions_commit_roll_back_and_end(room: Room) {
    let (tenant, mut db) = room.with_articles(0, |_| {}).await;
    let insert = "INSERT INTO article (title) VALUES ($1)";
    let mut transaction = db.begin(Mode::Write).await.unwrap();
    transaction.execute(insert, vec![text("a")]).await.unwrap();
    assert_eq!(transaction.query("SELECT title FROM article", vec![]).await.unwrap().rows.len(), 1);
    assert!(titles(&mut room.data.open(&tenant)).await.is_empty(), "others see it after the commit");
    transaction.commit().await.unwrap();
    assert_eq!(transaction.commit().await, Err(SqlError::Closed));
    assert_eq!(transaction.rollback().await, Err(SqlError::Closed));
    assert_eq!(titles(&mut db).await, ["a"]);

    let mut transaction = db.begin(Mode::Write).await.unwrap();
    transaction.execute(insert, vec![text("b")]).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(transaction.query("SELECT 1", vec![]).await, Err(SqlError::Closed));

    let mut transaction = db.begin(Mode::Write).await.unwrap();
    transaction.execute(insert, vec![text("c")]).await.unwrap();
    drop(transaction);
    // The next writer waits for the rollback.
    db.execute(insert, vec![text("d")]).await.unwrap();
    assert_eq!(titles(&mut db).await, ["a", "d"]);
}

pub(super) async fn a_failed_statement_leaves_the_rest_of_its_transaction(room: Room) {
    let (_tenant, mut db) = room.with_articles(0, |limits| limits.rows = 2).await;
    let mut transaction = db.begin(Mode::Write).await.unwrap();
    transaction.execute("INSERT INTO article (title) VALUES ('a')", vec![]).await.unwrap();
    assert!(transaction.execute("INSERT INTO article (title) VALUES ('a')", vec![]).await.is_err());
    let many = "INSERT INTO article (title) VALUES ('x'), ('y'), ('z') RETURNING id";
    assert_eq!(transaction.query(many, vec![]).await, Err(SqlError::Limit(crate::LimitKind::Rows)));
    transaction.commit().await.unwrap();
    assert_eq!(titles(&mut db).await, ["a"]);
    assert_eq!(db.query(many, vec![]).await, Err(SqlError::Limit(crate::LimitKind::Rows)));
    assert_eq!(titles(&mut db).await, ["a"]);
}

pub(super) async fn reading_transactions_see_one_snapshot_and_write_nothing(room: Room) {
    let (tenant, mut db) = room.with_articles(1, |_| {}).await;
    let mut transaction = db.begin(Mode::Read).await.unwrap();
    let count = "SELECT count(*) FROM article";
    assert_eq!(transaction.query(count, vec![]).await.unwrap().rows, [vec![Value::Integer(1)]]);
    let mut other = room.data.open(&tenant);
    other.execute("INSERT INTO article (title) VALUES ('new')", vec![]).await.unwrap();
    assert_eq!(transaction.query(count, vec![]).await.unwrap().rows, [vec![Value::Integer(1)]]);
    let refused = transaction.execute("DELETE FROM article", vec![]).await;
    assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
    transaction.commit().await.unwrap();
}

pub(super) async fn cursors_page_over_one_snapshot(room: Room) {
    let (tenant, mut db) = room.with_articles(25, |_| {}).await;
    let mut cursor = db.open_cursor("SELECT id FROM article ORDER BY id", vec![]).await.unwrap();
    let mut other = room.data.open(&tenant);
    let mut seen = Vec::new();
    for expected in [(10, true), (10, true), (5, false)] {
        let (rows, more) = packed::decode(&cursor.next(10).await.unwrap()).unwrap();
        assert_eq!((rows.rows.len(), more), expected);
        seen.extend(rows.rows);
        other.execute("DELETE FROM article WHERE id > 12", vec![]).await.unwrap();
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(cursor.next(10).await, Err(SqlError::Closed));
    let refused = db.open_cursor("DELETE FROM article", vec![]).await.err();
    assert!(matches!(refused, Some(SqlError::Denied(_))), "{refused:?}");
    assert!(matches!(db.open_cursor("SELECT nothing", vec![]).await.err(), Some(SqlError::Syntax(_))));
    let mut empty =
        db.open_cursor("SELECT id FROM article WHERE id < $1", vec![Value::Integer(0)]).await.unwrap();
    assert!(!packed::decode(&empty.next(0).await.unwrap()).unwrap().1);
}

pub(super) async fn statements_follow_a_changed_schema(room: Room) {
    let (tenant, mut db) = room.with_articles(1, |_| {}).await;
    let all = "SELECT * FROM article";
    for _ in 0..3 {
        assert_eq!(db.query(all, vec![]).await.unwrap().columns.len(), 3);
    }
    let first = migration(
        1,
        &[
            "CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, body TEXT)",
            "INSERT INTO article (title, body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
         WHERE i < 1) SELECT 'title ' || i, 'body ' || i FROM n",
        ],
    );
    let second = migration(2, &["ALTER TABLE article ADD COLUMN shown BOOLEAN NOT NULL DEFAULT 1"]);
    room.data.migrate(&tenant, &[first, second]).await.unwrap();
    let rows = db.query(all, vec![]).await.unwrap();
    assert_eq!(rows.columns, ["id", "title", "body", "shown"]);
    assert_eq!(rows.rows[0][3], Value::Boolean(true));
}

async fn titles(db: &mut TenantDb) -> Vec<String> {
    let rows = db.query("SELECT title FROM article ORDER BY title", vec![]).await.unwrap();
    rows.rows
        .into_iter()
        .map(|row| match &row[0] {
            Value::Text(title) => title.clone(),
            other => unreachable!("{other:?}"),
        })
        .collect()
}

/// The guest room awaits these inside tasks.
#[expect(dead_code, reason = "checked by compiling")]
fn futures_are_send(db: &'static mut TenantDb, transaction: &'static mut crate::Transaction) {
    fn check(_future: impl Send) {}
    check(transaction.execute("", vec![]));
    check(db.begin(Mode::Read));
}
