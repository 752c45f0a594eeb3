//! Single statements: what they return, what they refuse.

use crate::setup::{Site, one};
use rowhouse_data::{ConstraintKind, SqlError, Value, packed};

pub(crate) async fn empty_results_name_their_columns(site: &Site) {
    let rows =
        site.db().query("SELECT id, title AS name FROM article WHERE id = $1", vec![Value::Integer(9)]).await;
    let rows = rows.unwrap();
    assert_eq!(rows.columns, ["id", "name"]);
    assert!(rows.rows.is_empty());
}

pub(crate) async fn writes_say_what_they_did(site: &Site) {
    site.articles(5).await;
    let mut db = site.db();
    let changed = db
        .execute("UPDATE article SET rating = $1 WHERE id < $2", vec![Value::Integer(3), Value::Integer(2)]);
    assert_eq!(changed.await.unwrap().rows_affected, 2);
    let gone = db.execute("DELETE FROM article WHERE id >= $1", vec![Value::Integer(3)]).await.unwrap();
    assert_eq!(gone.rows_affected, 2);
    assert_eq!(site.count("article").await, 3);
    let insert = "INSERT INTO remark (article_id, body) VALUES ($1, $2)";
    let first = db.execute(insert, vec![Value::Integer(1), Value::Text("a".into())]).await.unwrap();
    let second = db.execute(insert, vec![Value::Integer(1), Value::Text("b".into())]).await.unwrap();
    assert_eq!((first.rows_affected, second.rows_affected), (1, 1));
    if let (Some(first), Some(second)) = (first.last_insert_id, second.last_insert_id) {
        assert_eq!(second, first + 1);
    }
    let upsert = site.say(
        "INSERT INTO article (id, title) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET title = excluded.title",
        "INSERT INTO article (id, title) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET title = excluded.title",
        "INSERT INTO article (id, title) VALUES ($1, $2) ON DUPLICATE KEY UPDATE title = VALUES(title)",
    );
    db.execute(upsert, vec![Value::Integer(1), Value::Text("other".into())]).await.unwrap();
    let title = db.query("SELECT title FROM article WHERE id = 1", vec![]).await;
    assert_eq!(one(title), Value::Text("other".into()));
    let query = "INSERT INTO article (id, title) VALUES ($1, $2) RETURNING id";
    let made = db.query(query, vec![Value::Integer(77), Value::Text("made".into())]).await;
    assert_eq!(one(made), Value::Integer(77));
}

pub(crate) async fn constraints_are_told_apart(site: &Site) {
    site.articles(2).await;
    let mut db = site.db();
    for (kind, text) in [
        (ConstraintKind::Unique, "INSERT INTO article (id, title) VALUES (0, 'new')"),
        (ConstraintKind::Unique, "INSERT INTO article (id, title) VALUES (9, 'title 000001')"),
        (ConstraintKind::NotNull, "INSERT INTO article (id, title) VALUES (9, NULL)"),
        (ConstraintKind::Check, "INSERT INTO article (id, title, rating) VALUES (9, 'x', -1)"),
        (ConstraintKind::ForeignKey, "INSERT INTO remark (article_id) VALUES (99)"),
    ] {
        match db.execute(text, vec![]).await {
            Err(SqlError::Constraint { kind: found, message }) => {
                assert_eq!(found, kind, "{text}: {message}");
                assert!(!message.contains(&site.tenant.id.to_string()), "{message}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(site.count("article").await, 2);
}

pub(crate) async fn joins_groups_and_common_tables(site: &Site) {
    site.articles(4).await;
    let mut db = site.db();
    for (article, body) in [(1, "a"), (1, "b"), (3, "c")] {
        let values = vec![Value::Integer(article), Value::Text(body.into())];
        db.execute("INSERT INTO remark (article_id, body) VALUES ($1, $2)", values).await.unwrap();
    }
    let text = "WITH busy AS (SELECT article_id, count(*) AS n FROM remark GROUP BY article_id) \
                SELECT article.title, COALESCE(busy.n, 0) AS n FROM article LEFT JOIN busy ON busy.article_id = article.id \
                WHERE EXISTS (SELECT 1 FROM remark r WHERE r.article_id = article.id) OR article.id = $1 \
                ORDER BY n DESC, article.id LIMIT 3";
    let rows = db.query(text, vec![Value::Integer(0)]).await.unwrap();
    let found: Vec<(Value, Value)> =
        rows.rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let expected = [("title 000001", 2), ("title 000003", 1), ("title 000000", 0)]
        .map(|(title, count)| (Value::Text(title.into()), Value::Integer(count)));
    assert_eq!(found, expected);
    let windowed = "SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) AS place FROM article ORDER BY id";
    assert_eq!(db.query(windowed, vec![]).await.unwrap().rows[0], [Value::Integer(0), Value::Integer(4)]);
}

pub(crate) async fn what_guests_may_not_do(site: &Site) {
    for text in [
        "CREATE TABLE other (id INTEGER)",
        "DROP TABLE article",
        "ALTER TABLE article ADD COLUMN x INTEGER",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SELECT * FROM _rowhouse_migrations",
        "SELECT 1; SELECT 2",
        "DELETE FROM article; DELETE FROM remark",
    ] {
        let refused = site.db().execute(text, vec![]).await;
        assert!(matches!(refused, Err(SqlError::Denied(_) | SqlError::Syntax(_))), "{text}: {refused:?}");
    }
    let engine =
        site.say("SELECT name FROM sqlite_schema", "SELECT * FROM pg_roles", "SELECT * FROM mysql.user");
    assert!(site.db().query(engine, vec![]).await.is_err(), "{engine}");
}

pub(crate) async fn mistakes_are_syntax_errors(site: &Site) {
    for text in ["SELEC 1", "SELECT nothing FROM article", "SELECT * FROM nowhere", "SELECT (1", ""] {
        let refused = site.db().query(text, vec![]).await;
        // With rights by table, MySQL doesn't say whether a table that isn't the tenant's is there.
        let hidden = text.contains("nowhere") && matches!(refused, Err(SqlError::Denied(_)));
        assert!(hidden || matches!(refused, Err(SqlError::Syntax(_))), "{text}: {refused:?}");
    }
}

pub(crate) async fn a_hundred_thousand_rows_in_pages(site: &Site) {
    const ROWS: i64 = 100_000;
    site.articles(ROWS).await;
    let mut cursor =
        site.db().open_cursor("SELECT id, title FROM article ORDER BY id", vec![]).await.unwrap();
    let (mut next, mut pages) = (0, 0);
    loop {
        let (rows, more) = packed::decode(&cursor.next(1_000).await.unwrap()).unwrap();
        for row in &rows.rows {
            assert_eq!(row[0], Value::Integer(next));
            next += 1;
        }
        pages += 1;
        if !more {
            break;
        }
        assert!(rows.rows.len() <= 1_000);
    }
    assert_eq!(next, ROWS);
    assert!(pages >= 100);
    assert_eq!(cursor.next(1).await, Err(SqlError::Closed));
    let writing = site.db().open_cursor("DELETE FROM article RETURNING id", vec![]).await.map(drop);
    assert!(matches!(writing, Err(SqlError::Denied(_) | SqlError::Syntax(_))), "{writing:?}");
}
