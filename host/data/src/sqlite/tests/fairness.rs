//! One writer per file: who waits for whom where tenants share it, and for how long.

use super::*;
use crate::{LimitKind, Mode};
use std::time::{Duration, Instant};

const INSERT: &str = "INSERT INTO article (title) VALUES ($1)";

/// A tenant with very many writers has one place in the line; another one's writes come every second turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_writes_takes_every_second_turn_at_most() {
    let room = shared_room();
    let change = |limits: &mut Limits| {
        limits.connections = 8;
        limits.statement_ms = 30_000;
    };
    let (bad, _) = room.with_articles(0, change).await;
    let (_good, mut good) = room.with_articles(0, |limits| limits.statement_ms = 30_000).await;
    let done = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let flood: Vec<_> = (0..200)
        .map(|number| {
            let (mut db, done) = (room.data.open(&bad), Arc::clone(&done));
            tokio::spawn(async move {
                db.execute(INSERT, vec![Value::Integer(number)]).await.unwrap();
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            })
        })
        .collect();
    let mut waited = Vec::new();
    for number in 0..20 {
        let before = done.load(std::sync::atomic::Ordering::SeqCst);
        good.execute(INSERT, vec![Value::Integer(number)]).await.unwrap();
        waited.push(done.load(std::sync::atomic::Ordering::SeqCst) - before);
    }
    // The one that holds the turn and the one that waits for it before us; finished ones may be told late.
    waited.sort_unstable();
    assert!(waited[10] <= 4, "{waited:?}");
    for task in flood {
        task.await.unwrap();
    }
}

/// A transaction that asks nothing ends by itself, and the others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_transaction_gives_its_turn_up() {
    let room = shared_room();
    let (tenant, mut idle) = room.with_articles(0, |limits| limits.statement_ms = 200).await;
    let (_other, mut others) = room.with_articles(0, |limits| limits.statement_ms = 10_000).await;
    let mut transaction = idle.begin(Mode::Write).await.unwrap();
    transaction.execute(INSERT, vec![text("lost")]).await.unwrap();
    let started = Instant::now();
    others.execute(INSERT, vec![text("waited")]).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(transaction.execute(INSERT, vec![text("late")]).await, Err(SqlError::Limit(LimitKind::Time)));
    assert_eq!(transaction.commit().await, Err(SqlError::Closed));
    let rows = room.data.open(&tenant).query("SELECT * FROM article", vec![]).await.unwrap().rows;
    assert!(rows.is_empty(), "{rows:?}");
}

/// A busy one ends with the time of a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_transaction_ends_with_the_time_of_a_request() {
    let room = shared_room();
    let change = |limits: &mut Limits| {
        limits.wall_ms = 300;
        limits.statements = u32::MAX;
    };
    let (_tenant, mut busy) = room.with_articles(0, change).await;
    let (_other, mut others) = room.with_articles(0, |limits| limits.statement_ms = 10_000).await;
    let mut transaction = busy.begin(Mode::Write).await.unwrap();
    let endless = tokio::spawn(async move {
        loop {
            if let Err(error) = transaction.query("SELECT 1", vec![]).await {
                return error;
            }
        }
    });
    others.execute(INSERT, vec![text("waited")]).await.unwrap();
    assert_eq!(endless.await.unwrap(), SqlError::Limit(LimitKind::Time));
}

/// Reads wait for no writer, of whichever tenant.
#[tokio::test]
async fn readers_go_on_beside_a_writer() {
    let room = shared_room();
    let (_tenant, mut db) = room.with_articles(1, |_| {}).await;
    let (_other, mut others) = room.with_articles(2, |_| {}).await;
    let mut transaction = db.begin(Mode::Write).await.unwrap();
    transaction.execute(INSERT, vec![text("new")]).await.unwrap();
    assert_eq!(others.query("SELECT * FROM article", vec![]).await.unwrap().rows.len(), 2);
    transaction.commit().await.unwrap();
    assert_eq!(db.query("SELECT * FROM article", vec![]).await.unwrap().rows.len(), 2);
}
