//! Values, parameters, outcomes, errors.

use super::*;
use crate::{ConstraintKind, Outcome, Statement};

const TABLE: &str = "CREATE TABLE v (id INT NOT NULL PRIMARY KEY, b TINYINT(1), i BIGINT, r DOUBLE, t TEXT, x VARBINARY(200), \
                     d DECIMAL(40,10), ts DATETIME(6), st TIMESTAMP(6) NULL, u CHAR(36), day DATE, tm TIME, ub BIGINT UNSIGNED, \
                     small SMALLINT, j JSON)";

fn extremes() -> Vec<Vec<Value>> {
    let row = |id: i64, i: i64, r: f64, t: &str, x: Vec<u8>, d: &str, ts: i64| {
        vec![
            Value::Integer(id),
            Value::Boolean(i > 0),
            Value::Integer(i),
            Value::Real(r),
            text(t),
            Value::Blob(x),
            Value::Decimal(d.into()),
            Value::Timestamp(ts),
            Value::Timestamp(1_700_000_000_123_456),
            text("0198c0de-0000-7000-8000-000000000001"),
            text("2024-02-29"),
            text("12:34:56"),
            Value::Integer(7),
            Value::Integer(-7),
            text("{\"a\": [1, 2]}"),
        ]
    };
    let mut nulls = vec![Value::Null; 15];
    nulls[0] = Value::Integer(3);
    vec![
        row(1, i64::MIN, 0.1, "häß 'x' \"y\" \\ `z` 😀 $1 ?", vec![0, 255, 39, 92], "-12.5000000000", 0),
        row(
            2,
            i64::MAX,
            -1.797_693_134_862_315_7e308,
            "",
            vec![],
            "123456789012345678901234567890.1234567890",
            -62_135_596_800_000_000,
        ),
        nulls,
    ]
}

#[tokio::test]
async fn values_come_back_as_declared() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.tenant(|_| {}).await;
        site.migrate(&[migration(1, &[TABLE])]).await.unwrap();
        let insert = "INSERT INTO v VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)";
        for row in extremes() {
            let done = site.session.execute(insert, row).await.unwrap();
            assert_eq!(done, Outcome { rows_affected: 1, last_insert_id: None });
        }
        for _ in 0..2 {
            let found = site.query("SELECT * FROM v ORDER BY id", vec![]).await.unwrap();
            assert_eq!(found.columns.len(), 15);
            assert_eq!(found.rows, extremes());
        }
        // Compared in their own types: no text, no double on the way.
        let by_value = "SELECT id FROM v WHERE d = $1 AND i = $2 AND ts = $3 AND x = $4 AND t = $5";
        let params = [6, 2, 7, 5, 4].map(|at| extremes()[1][at].clone()).to_vec();
        assert_eq!(site.query(by_value, params).await.unwrap().rows, [[Value::Integer(2)]]);
        site.session.execute("UPDATE v SET ub = 18446744073709551615, b = 5", vec![]).await.unwrap();
        let found = site.query("SELECT ub, b, NULL AS n FROM v WHERE id = 1", vec![]).await.unwrap();
        let wide = Value::Decimal("18446744073709551615".into());
        assert_eq!(found.rows, [[wide, Value::Integer(5), Value::Null]]);
    }
}

#[tokio::test]
async fn columns_are_named_without_rows() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(0, |_| {}).await;
    for _ in 0..2 {
        let found = site.query("SELECT id, title AS name FROM article", vec![]).await.unwrap();
        assert_eq!((found.columns, found.rows.len()), (vec!["id".to_owned(), "name".to_owned()], 0));
    }
    let nothing = site.query("UPDATE article SET body = 'x'", vec![]).await.unwrap();
    assert_eq!((nothing.columns.len(), nothing.rows.len()), (0, 0));
}

#[tokio::test]
async fn parameters_by_number() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(1, |_| {}).await;
    for _ in 0..2 {
        let found = site.query("SELECT $2 AS a, $1 AS b, $2 AS c", vec![text("a"), text("b")]).await.unwrap();
        assert_eq!(found.rows, [[text("b"), text("a"), text("b")]]);
    }
    for params in [vec![], vec![text("a"), text("b")]] {
        let refused = site.query("SELECT $1 AS a", params).await;
        assert!(matches!(refused, Err(SqlError::Parameter(_))), "{refused:?}");
    }
    for (value, what) in [
        (Value::Decimal("1e5".into()), "an exponent"),
        (Value::Decimal("1; DROP".into()), "no number"),
        (Value::Real(f64::NAN), "no number"),
        (Value::Timestamp(i64::MAX), "after the year 9999"),
    ] {
        let refused = site.query("SELECT $1 AS a", vec![value]).await;
        assert!(matches!(refused, Err(SqlError::Parameter(_))), "{what}: {refused:?}");
    }
    let quote = text("'; DROP TABLE article; -- \\");
    assert_eq!(site.query("SELECT $1 AS a", vec![quote.clone()]).await.unwrap().rows, [[quote]]);
}

#[tokio::test]
async fn outcomes_and_constraints() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(0, |_| {}).await;
        let tag = "CREATE TABLE tag (article BIGINT NOT NULL, name VARCHAR(20) NOT NULL, weight INT, \
                   CHECK (weight > 0), FOREIGN KEY (article) REFERENCES article (id))";
        let first = migration(1, &[ARTICLE, &articles(0)]);
        site.migrate(&[first, migration(2, &[tag])]).await.unwrap();
        let done = site.session.execute(INSERT, vec![text("a")]).await.unwrap();
        assert_eq!(done, Outcome { rows_affected: 1, last_insert_id: Some(1) });
        let update = "UPDATE article SET body = 'c'";
        for _ in 0..2 {
            let done = site.session.execute(update, vec![]).await.unwrap();
            assert_eq!(done, Outcome { rows_affected: 1, last_insert_id: None }, "matched, changed or not");
        }
        for (statement, kind) in [
            ("INSERT INTO article (title) VALUES ('a')", ConstraintKind::Unique),
            ("INSERT INTO article (title) VALUES (NULL)", ConstraintKind::NotNull),
            ("INSERT INTO article (body) VALUES ('x')", ConstraintKind::NotNull),
            ("INSERT INTO tag VALUES (99, 'x', 1)", ConstraintKind::ForeignKey),
            ("INSERT INTO tag VALUES (1, 'x', -1)", ConstraintKind::Check),
        ] {
            let refused = site.session.execute(statement, vec![]).await;
            let Err(SqlError::Constraint { kind: found, message }) = refused else {
                unreachable!("{statement}: {refused:?}");
            };
            assert_eq!(found, kind, "{message}");
            let names = &site.session.names;
            assert!(!message.contains(&names.guest) && !message.contains(&room.shared), "{message}");
            assert!(
                !names.prefix.as_ref().is_some_and(|prefix| message.contains(prefix.as_str())),
                "{message}"
            );
        }
        let found =
            site.query("INSERT INTO article (title) VALUES ('r') RETURNING title", vec![]).await.unwrap();
        assert_eq!(found.rows, [[text("r")]]);
        assert_eq!(site.titles().await, [text("a"), text("r")]);
        for wrong in ["SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM article", "", "SELECT '"] {
            let refused = site.query(wrong, vec![]).await;
            let Err(SqlError::Syntax(message) | SqlError::Denied(message)) = refused else {
                // Where tables have prefixes a user may not even ask for one that isn't there.
                unreachable!("{wrong}: {refused:?}");
            };
            assert!(!message.contains(&room.shared) && !message.contains("rh_"), "{message}");
        }
    }
}

#[tokio::test]
async fn texts_compare_by_their_characters() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(0, |_| {}).await;
    for title in ["a", "A", "ä"] {
        site.session.execute(INSERT, vec![text(title)]).await.unwrap();
    }
    assert_eq!(site.titles().await, [text("A"), text("a"), text("ä")]);
    let found = site.query("SELECT title FROM article WHERE title = $1", vec![text("A")]).await.unwrap();
    assert_eq!(found.rows.len(), 1);
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(0, |_| {}).await;
        let insert = |title: &str| Statement { text: INSERT.into(), params: vec![text(title)] };
        assert_eq!(site.session.batch(vec![insert("a"), insert("b")]).await.unwrap().len(), 2);
        assert!(site.session.batch(vec![insert("c"), insert("a")]).await.is_err());
        assert_eq!(site.titles().await, [text("a"), text("b")]);
    }
}

#[tokio::test]
async fn statements_follow_a_changed_schema() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(1, |_| {}).await;
    let all = "SELECT * FROM article";
    for _ in 0..3 {
        assert_eq!(site.query(all, vec![]).await.unwrap().columns.len(), 3);
    }
    let second = migration(2, &["ALTER TABLE article ADD COLUMN shown BOOLEAN NOT NULL DEFAULT TRUE"]);
    site.migrate(&[migration(1, &[ARTICLE, &articles(1)]), second]).await.unwrap();
    let found = site.query(all, vec![]).await.unwrap();
    assert_eq!(found.columns, ["id", "title", "body", "shown"]);
    assert_eq!(found.rows[0][3], Value::Boolean(true));
}

/// The guest room awaits these inside tasks.
#[expect(dead_code, reason = "checked by compiling")]
fn futures_are_send(
    session: &'static Session,
    transaction: &'static mut Transaction,
    cursor: &'static mut Cursor,
) {
    fn check(_future: impl Send) {}
    check(session.query_packed("", vec![]));
    check(session.execute("", vec![]));
    check(session.batch(vec![]));
    check(session.migrate([].into(), LONG));
    check(session.begin(crate::Mode::Read));
    check(transaction.execute("", vec![]));
    check(cursor.next(1));
}
