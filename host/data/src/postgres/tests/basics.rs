//! Values, parameters, outcomes.

use super::*;
use crate::postgres::errors::Failure;
use crate::postgres::run;

both!(
    values_come_back,
    nulls_extremes_and_empty_results,
    parameters_fit_or_are_refused,
    outcomes_and_constraints,
    a_batch_is_all_or_nothing,
    statements_follow_a_changed_schema,
    a_read_that_writes_is_refused,
);

const KINDS: &str = "CREATE TABLE v (b boolean, s smallint, i integer, l bigint, f real, r double precision, \
    t text, c varchar(40), x bytea, d numeric(20, 4), n numeric, ts timestamptz, tz timestamp, da date, ti time, \
    j json, jb jsonb, u uuid)";

const PLACES: &str = "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18";

async fn values_come_back(room: Room) {
    let (_tenant, session) = room.with_tables(&[KINDS], |_| {}).await;
    let values = vec![
        Value::Boolean(true),
        Value::Integer(-7),
        Value::Integer(70_000),
        Value::Integer(i64::MIN),
        Value::Real(0.5),
        Value::Real(0.1),
        text("häß 'x' \"y\" \\ 🦀 $1"),
        text("🦀🦀"),
        Value::Blob(vec![0, 255, b'\'']),
        Value::Decimal("-12.5000".into()),
        Value::Decimal("100000000000000000000000000000.000000000001".into()),
        Value::Timestamp(1_700_000_000_000_001),
        Value::Timestamp(-1),
        text("0001-01-01"),
        text("23:59:59.999999"),
        Value::Json("{\"a\": [1, 2]}".into()),
        Value::Json("{\"a\": [1, 2], \"é\": null}".into()),
        Value::Uuid("0198c0de-0000-7000-8000-00000000000a".into()),
    ];
    let inserted = session.execute(&format!("INSERT INTO v VALUES ({PLACES})"), values.clone()).await;
    assert_eq!(inserted, Ok(Outcome { rows_affected: 1, last_insert_id: None }));
    for _ in 0..2 {
        let found = query(&session, "SELECT * FROM v", vec![]).await.unwrap();
        let names = "b s i l f r t c x d n ts tz da ti j jb u";
        assert_eq!(found.columns, names.split(' ').collect::<Vec<_>>());
        assert_eq!(found.rows, std::slice::from_ref(&values));
    }
    let by_value = "SELECT count(*) FROM v WHERE d = $1 AND u = $2 AND ts = $3 AND x = $4 AND jb = $5";
    let given = vec![
        Value::Decimal("-12.5".into()),
        text("0198C0DE-0000-7000-8000-00000000000A"),
        text("2023-11-14T22:13:20.000001Z"),
        values[8].clone(),
        text("{\"é\":null,\"a\":[1,2]}"),
    ];
    assert_eq!(query(&session, by_value, given).await.unwrap().rows, [[Value::Integer(1)]]);
}

async fn nulls_extremes_and_empty_results(room: Room) {
    let (_tenant, session) = room.with_tables(&[KINDS], |_| {}).await;
    let empty = query(&session, "SELECT t, l AS number FROM v", vec![]).await.unwrap();
    assert_eq!(empty, Rows { columns: vec!["t".into(), "number".into()], rows: vec![] });
    let insert = format!("INSERT INTO v VALUES ({PLACES})");
    session.execute(&insert, vec![Value::Null; 18]).await.unwrap();
    assert_eq!(rows(&session, "SELECT * FROM v").await, [vec![Value::Null; 18]]);
    session.execute("DELETE FROM v", vec![]).await.unwrap();
    let some = "INSERT INTO v (l, r, t, x, n, ts) VALUES ($1, $2, $3, $4, $5, $6)";
    let extremes = vec![
        Value::Integer(i64::MAX),
        Value::Real(f64::MIN_POSITIVE),
        text(""),
        Value::Blob(vec![]),
        Value::Decimal(format!("0.{}1", "0".repeat(200))),
        Value::Timestamp(253_402_300_799_999_999),
    ];
    session.execute(some, extremes.clone()).await.unwrap();
    assert_eq!(rows(&session, "SELECT l, r, t, x, n, ts FROM v").await, [extremes]);
}

async fn parameters_fit_or_are_refused(room: Room) {
    let (_tenant, session) = room.with_tables(&[KINDS], |_| {}).await;
    let twice =
        query(&session, "SELECT $2 AS a, $1 AS b, $2 AS c", vec![text("a"), text("b")]).await.unwrap();
    assert_eq!(twice.rows, [[text("b"), text("a"), text("b")]]);
    for (statement, params) in [
        ("SELECT $1", vec![]),
        ("SELECT $1", vec![text("a"), text("b")]),
        ("SELECT 1", vec![text("a")]),
        ("INSERT INTO v (i) VALUES ($1)", vec![Value::Integer(i64::MAX)]),
        ("INSERT INTO v (i) VALUES ($1)", vec![text("1")]),
        ("INSERT INTO v (b) VALUES ($1)", vec![Value::Integer(2)]),
        ("INSERT INTO v (u) VALUES ($1)", vec![text("no uuid")]),
        ("INSERT INTO v (n) VALUES ($1)", vec![Value::Decimal("1e5".into())]),
        ("INSERT INTO v (ts) VALUES ($1)", vec![text("yesterday")]),
        ("INSERT INTO v (x) VALUES ($1)", vec![text("text")]),
        ("INSERT INTO v (t) VALUES ($1)", vec![text("a\0b")]),
    ] {
        let refused = session.execute(statement, params).await;
        assert!(matches!(refused, Err(SqlError::Parameter(_))), "{statement}: {refused:?}");
    }
    assert_eq!(rows(&session, "SELECT count(*) FROM v").await, [[Value::Integer(0)]]);
    // What SQLite guests are used to.
    session
        .execute(
            "INSERT INTO v (b, n, jb) VALUES ($1, $2, $3)",
            vec![Value::Integer(1), Value::Integer(5), text("[]")],
        )
        .await
        .unwrap();
    let found = rows(&session, "SELECT b, n, jb FROM v").await;
    assert_eq!(found, [[Value::Boolean(true), Value::Decimal("5".into()), Value::Json("[]".into())]]);
}

async fn outcomes_and_constraints(room: Room) {
    let child = "CREATE TABLE label (page bigint REFERENCES article (id), n integer CHECK (n > 0))";
    let (tenant, session) = room.with_tables(&[ARTICLE, child], |_| {}).await;
    let insert = "INSERT INTO article (title) VALUES ($1)";
    assert_eq!(session.execute(insert, vec![text("a")]).await.unwrap().rows_affected, 1);
    let upsert = "INSERT INTO article (title) VALUES ('a') ON CONFLICT (title) DO UPDATE SET body = 'b'";
    assert_eq!(session.execute(upsert, vec![]).await.unwrap().rows_affected, 1);
    assert_eq!(session.execute("UPDATE article SET body = 'c'", vec![]).await.unwrap().rows_affected, 1);
    assert_eq!(session.execute("SELECT title FROM article", vec![]).await.unwrap(), Outcome::default());
    for (statement, value, expected) in [
        (insert, text("a"), ConstraintKind::Unique),
        (insert, Value::Null, ConstraintKind::NotNull),
        ("INSERT INTO label (page) VALUES ($1)", Value::Integer(99), ConstraintKind::ForeignKey),
        ("INSERT INTO label (n) VALUES ($1)", Value::Integer(0), ConstraintKind::Check),
    ] {
        let refused = session.execute(statement, vec![value]).await;
        let Err(SqlError::Constraint { kind, message }) = refused else { unreachable!("{refused:?}") };
        assert_eq!(kind, expected, "{message}");
        let names = room.engine.names().of(tenant.id);
        assert!(names.prefix.is_none_or(|prefix| !message.contains(prefix.as_str())), "{message}");
    }
    let returning = "INSERT INTO article (title) VALUES ('r') RETURNING title, body";
    assert_eq!(rows(&session, returning).await, [[text("r"), Value::Null]]);
    for wrong in ["SELEC 1", "SELECT * FROM nowhere", "SELECT nothing FROM article", "", "SELECT '"] {
        let refused = query(&session, wrong, vec![]).await;
        assert!(matches!(refused, Err(SqlError::Syntax(_))), "{wrong}: {refused:?}");
    }
    let refused = query(&session, "SELECT 1 / 0", vec![]).await;
    assert!(
        matches!(&refused, Err(SqlError::Other { sqlstate: Some(state), .. }) if state == "22012"),
        "{refused:?}"
    );
    let unreadable = query(&session, "SELECT INTERVAL '1 day' AS age", vec![]).await;
    assert!(
        matches!(&unreadable, Err(SqlError::Other { message, .. }) if message.contains("age"))
            || matches!(&unreadable, Err(SqlError::Denied(_))),
        "{unreadable:?}"
    );
    assert_eq!(rows(&session, "SELECT count(*) FROM article").await, [[Value::Integer(2)]]);
}

async fn a_batch_is_all_or_nothing(room: Room) {
    let (_tenant, session) = room.with_articles(0, |_| {}).await;
    let insert = |title: &str| Statement {
        text: "INSERT INTO article (title) VALUES ($1)".into(),
        params: vec![text(title)],
    };
    assert_eq!(session.batch(vec![insert("a"), insert("b")]).await.unwrap().len(), 2);
    assert!(session.batch(vec![insert("c"), insert("a")]).await.is_err());
    assert_eq!(rows(&session, "SELECT title FROM article ORDER BY title").await, [[text("a")], [text("b")]]);
}

async fn statements_follow_a_changed_schema(room: Room) {
    let (_tenant, session) = room.with_articles(1, |_| {}).await;
    let all = "SELECT * FROM article";
    for _ in 0..2 {
        assert_eq!(query(&session, all, vec![]).await.unwrap().columns.len(), 3);
    }
    let insert = "INSERT INTO article (title, body) VALUES ($1, 'x')";
    session.execute(insert, vec![text("before")]).await.unwrap();
    let change = ["ALTER TABLE article ADD COLUMN shown boolean NOT NULL DEFAULT true"];
    let list = [migration(1, &[ARTICLE]), migration(2, &change)];
    assert_eq!(session.migrate(list.into(), Duration::from_secs(60)).await.unwrap(), 2);
    let found = query(&session, all, vec![]).await.unwrap();
    assert_eq!(found.columns, ["id", "title", "body", "shown"]);
    let mut transaction = session.begin(Mode::Write).await.unwrap();
    assert_eq!(unpack(&transaction.query_packed(all, vec![]).await.unwrap()).columns.len(), 4);
    transaction.execute(insert, vec![text("after")]).await.unwrap();
    transaction.commit().await.unwrap();
}

/// The engine's word, not the guard's: outside a write, a connection's transactions only read.
async fn a_read_that_writes_is_refused(room: Room) {
    let (tenant, session) = room.with_articles(1, |_| {}).await;
    let table = room.physical(&tenant, "article");
    let mut lease = session.lease().await.unwrap();
    let conn = lease.conn().unwrap();
    for sneaky in [
        format!("WITH gone AS (DELETE FROM {table} RETURNING id) SELECT * FROM gone"),
        format!("UPDATE {table} SET title = 'x' RETURNING title"),
        format!("SELECT title FROM {table} FOR UPDATE"),
    ] {
        let refused = run::query(conn, &sneaky, &[], session.bounds()).await;
        assert!(matches!(refused, Err(Failure::Sql(SqlError::Denied(_)))), "{sneaky}: {refused:?}");
    }
    lease.keep();
    let mut transaction = session.begin(Mode::Read).await.unwrap();
    let refused = transaction.query_packed("DELETE FROM article RETURNING id", vec![]).await;
    assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
    drop(transaction);
    assert_eq!(rows(&session, "SELECT title FROM article").await, [[text("title 1")]]);
}
