//! Transactions and cursors: when they end, what others see, what memory they take.

use super::*;

both!(
    commit_roll_back_and_end,
    a_failed_statement_leaves_the_rest,
    reads_see_one_snapshot_and_write_nothing,
    two_writers_never_overwrite_one_another,
    cursors_page_over_one_snapshot,
    a_cursor_over_many_rows,
    a_dropped_transaction_lets_others_write,
);

const INSERT: &str = "INSERT INTO article (title) VALUES ($1)";
const COUNT: &str = "SELECT count(*) FROM article";

async fn titles(session: &Session) -> Vec<Vec<Value>> {
    rows(session, "SELECT title FROM article ORDER BY title").await
}

async fn commit_roll_back_and_end(room: Room) {
    let (_tenant, session) = room.with_articles(0, |_| {}).await;
    let mut transaction = session.begin(Mode::Write).await.unwrap();
    transaction.execute(INSERT, vec![text("a")]).await.unwrap();
    let seen = unpack(&transaction.query_packed(COUNT, vec![]).await.unwrap()).rows;
    assert_eq!(seen, [[Value::Integer(1)]]);
    assert!(titles(&session).await.is_empty(), "others see it after the commit");
    transaction.commit().await.unwrap();
    assert_eq!(transaction.commit().await, Err(SqlError::Closed));
    assert_eq!(transaction.rollback().await, Err(SqlError::Closed));
    assert_eq!(titles(&session).await, [[text("a")]]);

    let mut transaction = session.begin(Mode::Write).await.unwrap();
    transaction.execute(INSERT, vec![text("b")]).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(transaction.query_packed("SELECT 1", vec![]).await, Err(SqlError::Closed));
    assert_eq!(titles(&session).await, [[text("a")]]);
    let usage = room.engine.pool_use();
    assert_eq!(usage.open, usage.idle, "connections come back: {usage:?}");
}

async fn a_failed_statement_leaves_the_rest(room: Room) {
    let (_tenant, session) = room.with_articles(0, |limits| limits.rows = 2).await;
    let mut transaction = session.begin(Mode::Write).await.unwrap();
    assert!(
        transaction.query_packed("SELECT nothing", vec![]).await.is_err(),
        "the first statement may fail"
    );
    for (title, works) in [("a", true), ("a", false), ("b", true), ("b", false), ("c", true)] {
        let result = transaction.execute(INSERT, vec![text(title)]).await;
        assert_eq!(result.is_ok(), works, "{title}: {result:?}");
    }
    assert!(transaction.query_packed("SELECT 1 / 0", vec![]).await.is_err());
    let refused = transaction.execute(INSERT, vec![]).await;
    assert!(matches!(refused, Err(SqlError::Parameter(_))), "{refused:?}");
    transaction.commit().await.unwrap();
    assert_eq!(rows(&session, COUNT).await, [[Value::Integer(3)]]);
    let many = "INSERT INTO article (title) VALUES ('x'), ('y'), ('z') RETURNING id";
    assert_eq!(session.query_packed(many, vec![]).await, Err(SqlError::Limit(LimitKind::Rows)));
    assert_eq!(rows(&session, COUNT).await, [[Value::Integer(3)]]);
}

async fn reads_see_one_snapshot_and_write_nothing(room: Room) {
    let (_tenant, session) = room.with_articles(1, |_| {}).await;
    let mut transaction = session.begin(Mode::Read).await.unwrap();
    let one = session.query_packed(COUNT, vec![]).await.unwrap();
    assert_eq!(transaction.query_packed(COUNT, vec![]).await.unwrap(), one);
    session.execute(INSERT, vec![text("new")]).await.unwrap();
    assert_eq!(transaction.query_packed(COUNT, vec![]).await.unwrap(), one);
    let refused = transaction.execute("DELETE FROM article", vec![]).await;
    assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
    assert_eq!(transaction.query_packed(COUNT, vec![]).await.unwrap(), one);
    transaction.commit().await.unwrap();
    assert_ne!(session.query_packed(COUNT, vec![]).await.unwrap(), one);
}

async fn two_writers_never_overwrite_one_another(room: Room) {
    let (_tenant, session) = room.with_articles(1, |limits| limits.statement_ms = 600).await;
    let update = "UPDATE article SET body = $1";
    let mut first = session.begin(Mode::Write).await.unwrap();
    let mut second = session.begin(Mode::Write).await.unwrap();
    for transaction in [&mut first, &mut second] {
        transaction.query_packed("SELECT body FROM article", vec![]).await.unwrap();
    }
    first.execute(update, vec![text("first")]).await.unwrap();
    let waited = second.execute(update, vec![text("second")]).await;
    assert!(matches!(waited, Err(SqlError::Conflict(_))), "a lock was waited for: {waited:?}");
    first.commit().await.unwrap();
    let late = second.execute(update, vec![text("second")]).await;
    assert!(matches!(late, Err(SqlError::Conflict(_))), "the row has changed since: {late:?}");
    second.rollback().await.unwrap();
    assert_eq!(rows(&session, "SELECT body FROM article").await, [[text("first")]]);
}

async fn cursors_page_over_one_snapshot(room: Room) {
    let (_tenant, session) = room.with_articles(25, |_| {}).await;
    let by = "SELECT id FROM article WHERE id > $1 ORDER BY id";
    let mut cursor = session.open_cursor(by, vec![Value::Integer(0)]).await.unwrap();
    let mut seen = Vec::new();
    for expected in [(10, true), (10, true), (5, false)] {
        let (found, more) = packed::decode(&cursor.next(10).await.unwrap()).unwrap();
        assert_eq!((found.rows.len(), more), expected);
        assert_eq!(found.columns, ["id"]);
        seen.extend(found.rows);
        session.execute("DELETE FROM article WHERE id > 12", vec![]).await.unwrap();
    }
    assert_eq!(seen.len(), 25);
    assert_eq!(cursor.next(10).await, Err(SqlError::Closed));
    let refused = session.open_cursor("DELETE FROM article", vec![]).await.err();
    assert!(matches!(refused, Some(SqlError::Denied(_))), "{refused:?}");
    let refused = session.open_cursor("SELECT nothing", vec![]).await.err();
    assert!(matches!(refused, Some(SqlError::Syntax(_))), "{refused:?}");
    let mut empty = session.open_cursor(by, vec![Value::Integer(1_000)]).await.unwrap();
    let (found, more) = packed::decode(&empty.next(0).await.unwrap()).unwrap();
    assert_eq!((found.columns.as_slice(), found.rows.len(), more), (["id".to_owned()].as_slice(), 0, false));
    drop(session.open_cursor(by, vec![Value::Integer(0)]).await.unwrap());
    assert_eq!(rows(&session, COUNT).await, [[Value::Integer(12)]]);
}

async fn a_cursor_over_many_rows(room: Room) {
    let (_tenant, session) = room.with_articles(100_000, |_| {}).await;
    let mut cursor = session.open_cursor("SELECT id, title FROM article ORDER BY id", vec![]).await.unwrap();
    let (mut seen, mut largest) = (0_i64, 0);
    loop {
        let page = cursor.next(5_000).await.unwrap();
        largest = largest.max(page.len());
        let (found, more) = packed::decode(&page).unwrap();
        for row in found.rows {
            seen += 1;
            assert_eq!(row, [Value::Integer(seen), text(&format!("title {seen}"))]);
        }
        if !more {
            break;
        }
    }
    assert_eq!(seen, 100_000);
    assert!(largest < 200_000, "a page of 5,000 rows: {largest}");
}

async fn a_dropped_transaction_lets_others_write(room: Room) {
    let (tenant, session) = room.with_articles(1, |_| {}).await;
    let mut transaction = session.begin(Mode::Write).await.unwrap();
    transaction.execute("UPDATE article SET body = 'lost'", vec![]).await.unwrap();
    drop(transaction);
    session.execute("UPDATE article SET title = 'kept'", vec![]).await.unwrap();
    assert_eq!(rows(&session, "SELECT title, body FROM article").await, [[text("kept"), text("body 1")]]);
    room.quiet(&tenant).await;
}
