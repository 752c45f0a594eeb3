//! Limits: each one is hit, says its name, and ends the work on the server.

use super::*;

both!(
    rows_and_bytes_of_a_result,
    size_of_the_tables,
    connections_of_a_tenant,
    a_changed_limit_holds_at_once,
    few_connections_serve_many_tenants,
    a_deadline_ends_the_work_on_the_server,
    a_dropped_statement_ends_on_the_server,
    the_server_ends_what_the_host_forgets,
);

/// Minutes of work for the server over a hundred rows, and no row before the end.
const LONG: &str = "SELECT count(*) FROM article a, article b, article c, article d, article e";

fn limit<T>(kind: LimitKind) -> Result<T, SqlError> {
    Err(SqlError::Limit(kind))
}

async fn rows_and_bytes_of_a_result(room: Room) {
    let change = |limits: &mut Limits| {
        limits.rows = 100;
        limits.result_bytes = 10_000;
    };
    let (tenant, session) = room.with_articles(150, change).await;
    for _ in 0..3 {
        assert_eq!(rows(&session, "SELECT id FROM article LIMIT 100").await.len(), 100);
        assert_eq!(query(&session, "SELECT id FROM article", vec![]).await, limit(LimitKind::Rows));
    }
    let wide = "SELECT a.body, b.body AS b, c.body AS c, a.title, b.title AS t, a.body AS d, b.body AS e, c.body \
                AS f, a.body AS g, a.body AS h, a.body AS i, a.body AS j, a.body AS k FROM article a, article b, \
                article c LIMIT 100";
    assert_eq!(query(&session, wide, vec![]).await, limit(LimitKind::Bytes));
    let huge = Value::Text("x".repeat(20_000));
    assert_eq!(session.execute("UPDATE article SET body = $1", vec![huge]).await, limit(LimitKind::Bytes));
    room.quiet(&tenant).await;
}

async fn size_of_the_tables(room: Room) {
    let (tenant, session) = room.with_articles(0, |limits| limits.database_bytes = 200_000).await;
    let fill = "INSERT INTO article (title, body) VALUES ($1, $2)";
    session.execute(fill, vec![text("first"), text("x")]).await.unwrap();
    // Long values go to a table beside it, which counts too.
    let noise: String = (0..40_000_u32).map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761))).collect();
    session.execute(fill, vec![text("large"), text(&noise)]).await.unwrap();
    // Deleting is allowed, and has the size looked up anew.
    session.execute("DELETE FROM article WHERE title = 'first'", vec![]).await.unwrap();
    assert_eq!(session.execute(fill, vec![text("more"), text("x")]).await, limit(LimitKind::DatabaseSize));
    let returning = "INSERT INTO article (title) VALUES ('r') RETURNING id";
    assert_eq!(query(&session, returning, vec![]).await, limit(LimitKind::DatabaseSize));
    let batch = vec![Statement { text: returning.into(), params: vec![] }];
    assert_eq!(session.batch(batch).await, limit(LimitKind::DatabaseSize));
    assert_eq!(rows(&session, "SELECT count(*) FROM article").await, [[Value::Integer(1)]]);
    assert!(room.engine.usage(tenant.id).await.unwrap() > 300_000);
}

async fn connections_of_a_tenant(room: Room) {
    let change = |limits: &mut Limits| {
        limits.connections = 2;
        limits.statement_ms = 300;
    };
    let (_tenant, session) = room.with_articles(1, change).await;
    let held = [session.begin(Mode::Read).await.unwrap(), session.begin(Mode::Read).await.unwrap()];
    assert_eq!(query(&session, "SELECT 1", vec![]).await, limit(LimitKind::Connections));
    drop(held);
    assert_eq!(rows(&session, "SELECT count(*) FROM article").await.len(), 1);
}

async fn a_changed_limit_holds_at_once(room: Room) {
    let (tenant, session) = room.with_articles(1, |limits| limits.statement_ms = 2_000).await;
    rows(&session, "SELECT 1").await;
    let mut raised = Tenant::clone(&tenant);
    raised.limits = Arc::new(Limits { statement_ms: 60_000, ..Limits::default() });
    let session = room.engine.session(&Arc::new(raised));
    let mut lease = session.lease().await.unwrap();
    let conn = lease.conn().unwrap();
    assert_eq!(conn.server_limit, Duration::from_secs(61));
    let said: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&mut conn.db).await.unwrap();
    assert_eq!(said, "61s");
    lease.keep();
}

async fn few_connections_serve_many_tenants(room: Room) {
    // The roles are what costs time: a database each would be half a minute.
    let count = if room.scratch.is_some() { 80 } else { 12 };
    let mut sessions = Vec::new();
    for _ in 0..count {
        sessions.push(room.tenant(|limits| limits.statement_ms = 60_000).await);
    }
    let most = room.server.connections;
    let tasks: Vec<_> = sessions
        .iter()
        .cycle()
        .take(count * 3)
        .map(|tenant| {
            let session = room.engine.session(tenant);
            tokio::spawn(async move { query(&session, "SELECT 1", vec![]).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
        assert!(room.engine.pool_use().open <= most);
    }
    let usage = room.engine.pool_use();
    assert_eq!((usage.waiting, usage.open), (0, usage.idle), "{usage:?}");
    room.engine.close_idle(Duration::ZERO);
    assert_eq!(room.engine.pool_use().open, 0);
}

async fn a_deadline_ends_the_work_on_the_server(room: Room) {
    let (tenant, session) = room.with_articles(100, |limits| limits.statement_ms = 500).await;
    rows(&session, "SELECT 1").await;
    assert_eq!(query(&session, LONG, vec![]).await, limit(LimitKind::Time));
    room.quiet(&tenant).await;
    assert_eq!(session.execute(LONG, vec![]).await, limit(LimitKind::Time));
    room.quiet(&tenant).await;
    let mut transaction = session.begin(Mode::Write).await.unwrap();
    assert_eq!(transaction.query_packed(LONG, vec![]).await, limit(LimitKind::Time));
    assert_eq!(transaction.commit().await, Err(SqlError::Closed));
    room.quiet(&tenant).await;
    let mut cursor = session.open_cursor(LONG, vec![]).await.unwrap();
    assert_eq!(cursor.next(10).await, limit(LimitKind::Time));
    room.quiet(&tenant).await;
    assert_eq!(rows(&session, "SELECT 1").await, [[Value::Integer(1)]]);
    assert_eq!(room.engine.pool_use().open, 1, "connections left busy are closed");
}

async fn a_dropped_statement_ends_on_the_server(room: Room) {
    let (tenant, session) = room.with_articles(100, |limits| limits.statement_ms = 60_000).await;
    for _ in 0..3 {
        let work = tokio::spawn({
            let session = session.clone();
            async move { query(&session, LONG, vec![]).await }
        });
        while room.at_work(&tenant).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        work.abort();
        room.quiet(&tenant).await;
    }
    assert_eq!(room.engine.pool_use().open, 0);
    assert_eq!(rows(&session, "SELECT 1").await, [[Value::Integer(1)]]);
}

/// The belt beside the braces: where the host is gone, the server ends the statement by itself.
async fn the_server_ends_what_the_host_forgets(room: Room) {
    let (tenant, session) = room.with_articles(100, |limits| limits.statement_ms = 200).await;
    let mut lease = session.lease().await.unwrap();
    let conn = lease.conn().unwrap();
    let long = LONG.replace("article", &room.physical(&tenant, "article"));
    let ended = sqlx::query(AssertSqlSafe(long)).execute(&mut conn.db).await.unwrap_err();
    assert_eq!(ended.as_database_error().and_then(|error| error.code()).as_deref(), Some("57014"));
}
