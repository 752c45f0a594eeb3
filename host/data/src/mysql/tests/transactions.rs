//! Transactions: what commits, what is taken back, and what an error ends.

use super::*;
use crate::{LimitKind, Mode};

#[tokio::test]
async fn commit_roll_back_and_end() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(0, |_| {}).await;
        let mut transaction = site.session.begin(Mode::Write).await.unwrap();
        transaction.execute(INSERT, vec![text("a")]).await.unwrap();
        assert_eq!(rows(&mut transaction, "SELECT title FROM article").await.unwrap().rows.len(), 1);
        assert!(site.titles().await.is_empty(), "others see it after the commit");
        transaction.commit().await.unwrap();
        assert_eq!(transaction.commit().await, Err(SqlError::Closed));
        assert_eq!(transaction.rollback().await, Err(SqlError::Closed));
        assert_eq!(site.titles().await, [text("a")]);

        let mut transaction = site.session.begin(Mode::Write).await.unwrap();
        transaction.execute(INSERT, vec![text("b")]).await.unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!(rows(&mut transaction, "SELECT 1 AS n").await, Err(SqlError::Closed));

        let mut transaction = site.session.begin(Mode::Write).await.unwrap();
        transaction.execute(INSERT, vec![text("c")]).await.unwrap();
        drop(transaction);
        // Waits for the rollback of the other one's row.
        site.session.execute(INSERT, vec![text("c")]).await.unwrap();
        assert_eq!(site.titles().await, [text("a"), text("c")]);
    }
}

#[tokio::test]
async fn a_failed_statement_leaves_the_rest() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(0, |limits| limits.rows = 2).await;
    let mut transaction = site.session.begin(Mode::Write).await.unwrap();
    transaction.execute(INSERT, vec![text("a")]).await.unwrap();
    assert!(transaction.execute(INSERT, vec![text("a")]).await.is_err());
    assert!(transaction.execute("INSERT INTO nowhere VALUES (1)", vec![]).await.is_err());
    let many = "INSERT INTO article (title) VALUES ('x'), ('y'), ('z') RETURNING id";
    let late = Err(SqlError::Limit(LimitKind::Rows));
    assert_eq!(rows(&mut transaction, many).await, late);
    let read = "SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3";
    assert_eq!(rows(&mut transaction, read).await, late);
    transaction.execute(INSERT, vec![text("b")]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(site.titles().await, [text("a"), text("b")]);
    assert_eq!(site.query(many, vec![]).await, late);
    assert_eq!(site.titles().await, [text("a"), text("b")]);
}

/// The answer is far from read when its bound is passed: the server must stop, and the transaction go on.
#[tokio::test]
async fn a_huge_result_is_given_up_inside_a_transaction() {
    let room = Room::new(Isolation::Database).await;
    let site = room
        .with_articles(1_000, |limits| {
            limits.rows = 10;
            limits.statement_ms = 30_000;
        })
        .await;
    let mut transaction = site.session.begin(Mode::Write).await.unwrap();
    transaction.execute(INSERT, vec![text("kept")]).await.unwrap();
    let huge = "SELECT a.body FROM article AS a CROSS JOIN article AS b CROSS JOIN article AS c";
    for _ in 0..5 {
        assert_eq!(rows(&mut transaction, huge).await, Err(SqlError::Limit(LimitKind::Rows)));
        let count = rows(&mut transaction, "SELECT count(*) AS n FROM article").await.unwrap();
        assert_eq!(count.rows, [[Value::Integer(1_001)]]);
    }
    transaction.commit().await.unwrap();
    let kept = site.query("SELECT id FROM article WHERE title = 'kept'", vec![]).await.unwrap();
    assert_eq!(kept.rows.len(), 1);
}

#[tokio::test]
async fn reading_ones_see_one_snapshot_and_write_nothing() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(1, |_| {}).await;
        let mut transaction = site.session.begin(Mode::Read).await.unwrap();
        site.session.execute(INSERT, vec![text("new")]).await.unwrap();
        let count = rows(&mut transaction, "SELECT count(*) AS n FROM article").await.unwrap();
        assert_eq!(count.rows, [[Value::Integer(1)]]);
        let refused = transaction.execute("DELETE FROM article", vec![]).await;
        assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
        transaction.commit().await.unwrap();
    }
}

/// What the guard takes for a read meets the server's own refusal where it writes.
#[tokio::test]
async fn the_server_holds_reads_to_reading() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(1, |_| {}).await;
    let until = tokio::time::Instant::now() + LONG;
    for reading in [true, false, true] {
        let mut lease = site.session.lease(until, reading).await.unwrap();
        let conn = lease.conn().unwrap();
        let result = site.session.host(conn, "UPDATE article SET body = 'x'").await;
        match reading {
            true => assert!(matches!(result, Err(SqlError::Denied(_))), "{result:?}"),
            false => assert_eq!(result, Ok(())),
        }
        super::super::session::give_back(lease);
    }
}

#[tokio::test]
async fn a_lock_that_stays_and_a_deadlock_are_conflicts() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(2, |limits| limits.statement_ms = 4_000).await;
    let update = |id: i64| format!("UPDATE article SET body = 'x' WHERE id = {id}");
    let mut one = site.session.begin(Mode::Write).await.unwrap();
    let mut two = site.session.begin(Mode::Write).await.unwrap();
    let (first, second) = (update(1), update(2));
    one.execute(&first, vec![]).await.unwrap();
    let refused = two.execute(&first, vec![]).await;
    assert!(matches!(refused, Err(SqlError::Conflict(_))), "{refused:?}");
    two.execute(&second, vec![]).await.unwrap();
    let (a, b) = tokio::join!(one.execute(&second, vec![]), two.execute(&first, vec![]));
    let lost = if a.is_err() { &a } else { &b };
    assert!(matches!(lost, Err(SqlError::Conflict(_))), "{a:?} {b:?}");
    assert_ne!(a.is_ok(), b.is_ok(), "{a:?} {b:?}");
    let (mut winner, mut loser) = if a.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(loser.commit().await, Err(SqlError::Closed), "the server rolled all of it back");
    winner.commit().await.unwrap();
}
