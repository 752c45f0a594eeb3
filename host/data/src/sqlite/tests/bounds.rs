//! Limits: each one is hit, says its name, and leaves the database as it was.

use super::*;
use crate::{LimitKind, SqlError};

fn limit<T>(kind: LimitKind) -> Result<T, SqlError> {
    Err(SqlError::Limit(kind))
}

pub(super) async fn rows_and_bytes_of_a_result(room: Room) {
    let change = |limits: &mut Limits| {
        limits.rows = 100;
        limits.result_bytes = 10_000;
    };
    let (_tenant, mut db) = room.with_articles(150, change).await;
    for _ in 0..3 {
        let some = db.query("SELECT id FROM article LIMIT 100", vec![]).await.unwrap();
        assert_eq!(some.rows.len(), 100);
        assert_eq!(db.query("SELECT id FROM article", vec![]).await, limit(LimitKind::Rows));
        let wide = "SELECT hex(zeroblob(3000)), id FROM article LIMIT 2";
        assert_eq!(db.query(wide, vec![]).await, limit(LimitKind::Bytes));
    }
    let huge = Value::Blob(vec![0; 2 << 20]);
    assert_eq!(db.query("SELECT length($1)", vec![huge.clone()]).await, limit(LimitKind::Bytes));
    assert_eq!(db.execute("UPDATE article SET body = $1", vec![huge]).await, limit(LimitKind::Bytes));
}

pub(super) async fn statements_of_a_request(room: Room) {
    let (tenant, mut db) = room.with_articles(1, |limits| limits.statements = 3).await;
    db.query("SELECT 1", vec![]).await.unwrap();
    let mut transaction = db.begin(crate::Mode::Write).await.unwrap();
    transaction.execute("DELETE FROM article", vec![]).await.unwrap();
    assert_eq!(transaction.execute("DELETE FROM article", vec![]).await, limit(LimitKind::Statements));
    transaction.commit().await.unwrap();
    assert_eq!(db.query("SELECT 1", vec![]).await, limit(LimitKind::Statements));
    let statement = crate::Statement { text: "SELECT 1".into(), params: vec![] };
    let mut other = room.data.open(&tenant);
    assert_eq!(other.batch(vec![statement; 4]).await, limit(LimitKind::Statements));
}

pub(super) async fn size_of_the_database(room: Room) {
    let (tenant, mut db) = room.with_articles(0, |limits| limits.database_bytes = 1 << 20).await;
    let fill = "INSERT INTO article (title, body) VALUES ($1, $2)";
    let mut written = 0;
    let last = loop {
        let body = Value::Blob(vec![7; 100_000]);
        match db.execute(fill, vec![Value::Text(format!("t{written}")), body]).await {
            Ok(_) if written < 100 => written += 1,
            other => break other,
        }
    };
    assert_eq!(last, limit(LimitKind::DatabaseSize));
    let rows = db.query("SELECT count(*) FROM article", vec![]).await.unwrap();
    assert_eq!(rows.rows, [vec![Value::Integer(written)]]);
    db.execute("DELETE FROM article", vec![]).await.unwrap();
    db.execute(fill, vec![text("again"), Value::Blob(vec![7; 100_000])]).await.unwrap();
    assert!(room.data.database_bytes(&tenant).await > 4096);
}

pub(super) async fn a_raised_quota_holds_at_once(room: Room) {
    let (tenant, mut db) = room.with_articles(0, |limits| limits.database_bytes = 100_000).await;
    let fill = "INSERT INTO article (title, body) VALUES ('a', zeroblob(500000))";
    assert_eq!(db.execute(fill, vec![]).await, limit(LimitKind::DatabaseSize));
    let mut raised = Limits::clone(&tenant.limits);
    raised.database_bytes = 1 << 20;
    let raised = Arc::new(Tenant { limits: Arc::new(raised), revision: 2, ..Tenant::clone(&tenant) });
    room.data.open(&raised).execute(fill, vec![]).await.unwrap();
}

/// A read that is too long for the calling thread is run again elsewhere and gives the same.
pub(super) async fn long_reads_move_to_a_thread(room: Room) {
    let (_tenant, mut db) = room.with_articles(5_000, |_| {}).await;
    db.query("SELECT id FROM article WHERE id = 1", vec![]).await.unwrap();
    let long = "SELECT id FROM article WHERE body <> $1 ORDER BY id DESC";
    for _ in 0..3 {
        let rows = db.query(long, vec![text("body 1")]).await.unwrap().rows;
        assert_eq!(rows.len(), 4_999);
        assert_eq!(rows[0], [Value::Integer(5_000)]);
    }
    for _ in 0..3 {
        let rows = db.query("SELECT count(*), max(length(title)) FROM article", vec![]).await.unwrap().rows;
        assert_eq!(rows, [vec![Value::Integer(5_000), Value::Integer(10)]]);
    }
}
