//! Limits: which one is told, and what is left of the work on the server.

use super::*;
use crate::{LimitKind, Mode};

fn limit<T>(kind: LimitKind) -> Result<T, SqlError> {
    Err(SqlError::Limit(kind))
}

#[tokio::test]
async fn a_late_statement_ends_on_the_server() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(1_000, |limits| limits.statement_ms = 300).await;
        assert_eq!(site.query(ENDLESS, vec![]).await, limit(LimitKind::Time));
        room.until_quiet(&site).await;
        let write = format!("INSERT INTO article (title) {ENDLESS}");
        assert_eq!(site.session.execute(&write, vec![]).await, limit(LimitKind::Time));
        room.until_quiet(&site).await;
        let mut transaction = site.session.begin(Mode::Write).await.unwrap();
        transaction.execute(INSERT, vec![text("new")]).await.unwrap();
        assert_eq!(rows(&mut transaction, ENDLESS).await, limit(LimitKind::Time));
        assert_eq!(transaction.commit().await, Err(SqlError::Closed), "all of it is rolled back");
        room.until_quiet(&site).await;
        assert_eq!(
            site.session.open_cursor(ENDLESS, vec![]).await.err(),
            Some(SqlError::Limit(LimitKind::Time))
        );
        room.until_quiet(&site).await;
        assert_eq!(site.titles().await.len(), 1_000);
    }
}

#[tokio::test]
async fn a_dropped_future_ends_on_the_server() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(1_000, |limits| limits.statement_ms = 60_000).await;
    let patience = Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, site.query(ENDLESS, vec![])).await.is_err());
    room.until_quiet(&site).await;
    let mut transaction = site.session.begin(Mode::Write).await.unwrap();
    transaction.execute(INSERT, vec![text("new")]).await.unwrap();
    assert!(tokio::time::timeout(patience, rows(&mut transaction, ENDLESS)).await.is_err());
    room.until_quiet(&site).await;
    assert_eq!(transaction.commit().await, Err(SqlError::Closed));
    assert_eq!(site.titles().await.len(), 1_000);
    let usage = room.engine.pool_use();
    assert_eq!(usage.open, usage.idle, "{usage:?}");
}

#[tokio::test]
async fn rows_and_bytes() {
    let room = Room::new(Isolation::Database).await;
    let site = room
        .with_articles(1_000, |limits| {
            limits.rows = 100;
            limits.result_bytes = 5_000;
        })
        .await;
    assert_eq!(site.query("SELECT id FROM article", vec![]).await, limit(LimitKind::Rows));
    let wide = "SELECT repeat('x', 9000) AS x";
    assert_eq!(site.query(wide, vec![]).await, limit(LimitKind::Bytes));
    let mut cursor = site.session.open_cursor(wide, vec![]).await.unwrap();
    assert_eq!(cursor.next(1).await, limit(LimitKind::Bytes));
    assert_eq!(site.query("SELECT id FROM article LIMIT 100", vec![]).await.unwrap().rows.len(), 100);
}

#[tokio::test]
async fn a_full_database_takes_no_more_but_lets_go() {
    for isolation in BOTH {
        let room = Room::new(isolation).await;
        let site = room.with_articles(10, |limits| limits.database_bytes = 1 << 20).await;
        let big = text(&"x".repeat(60_000));
        let fill = "UPDATE article SET body = $1 WHERE id = $2";
        let mut refused = Ok(());
        for id in 1..=40_i64 {
            let params = vec![big.clone(), Value::Integer(1 + id % 10)];
            refused = site.session.execute(fill, params).await.map(drop);
            if refused.is_err() {
                break;
            }
        }
        assert_eq!(refused, limit(LimitKind::DatabaseSize));
        assert_eq!(site.titles().await.len(), 10);
        site.session.execute("DELETE FROM article WHERE id > 5", vec![]).await.unwrap();
    }
}

#[tokio::test]
async fn connections_are_the_tenants_own() {
    let room = Room::new(Isolation::Database).await;
    let site = room
        .with_articles(1, |limits| {
            limits.connections = 1;
            limits.statement_ms = 300;
        })
        .await;
    let held = site.session.begin(Mode::Read).await.unwrap();
    assert_eq!(site.query("SELECT 1 AS n", vec![]).await, limit(LimitKind::Connections));
    drop(held);
    assert!(site.query("SELECT 1 AS n", vec![]).await.is_ok());
}

/// 200 tenants at work at once on 20 connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tenants_share_few_connections() {
    let room = Arc::new(Room::with(Isolation::Prefix, 24).await);
    let mut sites = Vec::new();
    for _ in 0..200 {
        sites.push(room.tenant(|limits| limits.statement_ms = 60_000).await);
    }
    let tasks: Vec<_> = sites
        .into_iter()
        .map(|site| {
            let room = Arc::clone(&room);
            tokio::spawn(async move {
                for _ in 0..3 {
                    let found = site.query("SELECT $1 AS id", vec![text(&site.tenant.id.to_string())]).await;
                    assert_eq!(found.unwrap().rows, [[text(&site.tenant.id.to_string())]]);
                    assert!(room.engine.pool_use().open <= 20);
                }
                site
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(room.engine.pool_use().total, 20);
    room.engine.close_idle(Duration::ZERO);
    assert_eq!(room.engine.pool_use().open, 0);
}

/// A connection that the server closed while it rested is replaced before anybody notices.
#[tokio::test]
async fn a_server_that_hung_up_is_called_again() {
    let room = Room::new(Isolation::Database).await;
    let site = room.with_articles(1, |_| {}).await;
    assert!(site.query("SELECT 1 AS n", vec![]).await.is_ok());
    let guest = &site.session.names.guest;
    let query =
        format!("SELECT CAST(max(id) AS SIGNED) FROM information_schema.processlist WHERE user = '{guest}'");
    let thread = room.ask(&query).await;
    room.engine.server.killer.end(thread.try_into().unwrap()).await;
    // Used a moment ago, so it isn't asked before; the statement meets the broken line once.
    let first = site.query("SELECT 1 AS n", vec![]).await;
    assert!(
        matches!(first, Err(SqlError::Other { ref sqlstate, .. }) if sqlstate.as_deref() == Some("08006")),
        "{first:?}"
    );
    assert!(site.query("SELECT 1 AS n", vec![]).await.is_ok());
}
