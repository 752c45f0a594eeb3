//! Transactions: what stays, what goes, and what others see.

use crate::setup::{Site, one};
use rowhouse_data::{Mode, SqlError, Statement, Value};

const INSERT: &str = "INSERT INTO article (id, title) VALUES ($1, $2)";

fn article(id: i64) -> Vec<Value> {
    vec![Value::Integer(id), Value::Text(format!("title {id}"))]
}

pub(crate) async fn commit_keeps_and_rollback_undoes(site: &Site) {
    let mut db = site.db();
    let mut kept = db.begin(Mode::Write).await.unwrap();
    kept.execute(INSERT, article(1)).await.unwrap();
    assert_eq!(one(kept.query("SELECT count(*) FROM article", vec![]).await), Value::Integer(1));
    kept.commit().await.unwrap();
    assert_eq!(kept.execute(INSERT, article(2)).await.map(drop), Err(SqlError::Closed));
    let mut undone = db.begin(Mode::Write).await.unwrap();
    undone.execute(INSERT, article(3)).await.unwrap();
    undone.rollback().await.unwrap();
    assert_eq!(undone.rollback().await, Err(SqlError::Closed));
    assert_eq!(site.count("article").await, 1);
}

pub(crate) async fn dropping_rolls_back(site: &Site) {
    let mut db = site.db();
    for _ in 0..10 {
        let mut transaction = db.begin(Mode::Write).await.unwrap();
        transaction.execute(INSERT, article(1)).await.unwrap();
        drop(transaction);
    }
    // A statement given up half-way is undone as well, and the connection is not left in a transaction.
    let mut transaction = db.begin(Mode::Write).await.unwrap();
    tokio::select! {
        biased;
        () = tokio::task::yield_now() => {}
        _done = transaction.execute(INSERT, article(2)) => {}
    }
    drop(transaction);
    let mut last = db.begin(Mode::Write).await.unwrap();
    last.execute(INSERT, article(1)).await.unwrap();
    last.commit().await.unwrap();
    assert_eq!(site.count("article").await, 1);
}

pub(crate) async fn a_failed_statement_leaves_the_rest(site: &Site) {
    let mut db = site.db();
    let mut transaction = db.begin(Mode::Write).await.unwrap();
    transaction.execute(INSERT, article(1)).await.unwrap();
    let refused = transaction.execute(INSERT, article(1)).await;
    assert!(matches!(refused, Err(SqlError::Constraint { .. })), "{refused:?}");
    assert!(transaction.query("SELECT nothing FROM article", vec![]).await.is_err());
    transaction.execute(INSERT, article(2)).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(site.count("article").await, 2);
}

pub(crate) async fn readers_see_one_snapshot_and_write_nothing(site: &Site) {
    site.articles(2).await;
    let mut db = site.db();
    let mut reader = db.begin(Mode::Read).await.unwrap();
    assert_eq!(one(reader.query("SELECT count(*) FROM article", vec![]).await), Value::Integer(2));
    site.db().execute(INSERT, article(7)).await.unwrap();
    assert_eq!(one(reader.query("SELECT count(*) FROM article", vec![]).await), Value::Integer(2));
    let refused = reader.execute(INSERT, article(8)).await;
    assert!(matches!(refused, Err(SqlError::Denied(_))), "{refused:?}");
    drop(reader);
    assert_eq!(site.count("article").await, 3);
}

pub(crate) async fn batches_are_all_or_nothing(site: &Site) {
    let insert = |id| Statement { text: INSERT.into(), params: article(id) };
    let outcomes = site.db().batch(vec![insert(1), insert(2)]).await.unwrap();
    assert_eq!(outcomes.iter().map(|one| one.rows_affected).collect::<Vec<_>>(), [1, 1]);
    let refused = site.db().batch(vec![insert(3), insert(1)]).await;
    assert!(matches!(refused, Err(SqlError::Constraint { .. })), "{refused:?}");
    assert_eq!(site.count("article").await, 2);
    assert_eq!(site.db().batch(vec![]).await, Ok(vec![]));
}

/// Two transactions that want the same two rows in opposite order: both end, at most one is told to run
/// again, and whatever committed is there as a whole.
pub(crate) async fn writers_in_each_others_way_conflict_or_wait(site: &Site) {
    site.articles(2).await;
    let turn = async |first: i64, second: i64, mark: i64| -> Result<(), SqlError> {
        let mut db = site.db();
        let mut transaction = db.begin(Mode::Write).await?;
        let update = "UPDATE article SET rating = $1 WHERE id = $2";
        transaction.execute(update, vec![Value::Integer(mark), Value::Integer(first)]).await?;
        tokio::task::yield_now().await;
        transaction.execute(update, vec![Value::Integer(mark), Value::Integer(second)]).await?;
        transaction.commit().await
    };
    for round in 0..5 {
        let (one, two) = (round * 2 + 1, round * 2 + 2);
        let ended = tokio::join!(turn(0, 1, one), turn(1, 0, two));
        for result in [&ended.0, &ended.1] {
            assert!(matches!(result, Ok(()) | Err(SqlError::Conflict(_))), "{result:?}");
        }
        assert!(ended.0.is_ok() || ended.1.is_ok(), "{ended:?}");
        let marks = site.db().query("SELECT rating FROM article ORDER BY id", vec![]).await.unwrap().rows;
        assert_eq!(marks[0], marks[1], "half a transaction is there");
        let expected = [one, two].map(|mark| vec![Value::Integer(mark)]);
        assert!(expected.contains(&marks[0]), "{marks:?}");
    }
}
