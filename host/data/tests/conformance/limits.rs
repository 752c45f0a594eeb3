//! Limits, and the wall between tenants.

use crate::setup::{Site, one};
use rowhouse_data::{LimitKind, Mode, SqlError, Value};

pub(crate) async fn rows_bytes_and_statements(site: &Site) {
    site.articles(50).await;
    let all = "SELECT id, title FROM article";
    let few = site.limited(|limits| limits.rows = 49).query(all, vec![]).await;
    assert_eq!(few.map(drop), Err(SqlError::Limit(LimitKind::Rows)));
    let small = site.limited(|limits| limits.result_bytes = 500).query(all, vec![]).await;
    assert_eq!(small.map(drop), Err(SqlError::Limit(LimitKind::Bytes)));
    assert_eq!(site.limited(|limits| limits.rows = 50).query(all, vec![]).await.unwrap().rows.len(), 50);
    let mut twice = site.limited(|limits| limits.statements = 2);
    twice.query(all, vec![]).await.unwrap();
    twice.query(all, vec![]).await.unwrap();
    assert_eq!(twice.query(all, vec![]).await.map(drop), Err(SqlError::Limit(LimitKind::Statements)));
    assert_eq!(site.db().query(all, vec![]).await.unwrap().rows.len(), 50);
}

pub(crate) async fn a_deadline_ends_the_statement_and_nothing_else(site: &Site) {
    site.articles(2_000).await;
    // Eight thousand million combinations: minutes on any engine.
    let endless = "SELECT count(*) FROM article a, article b, article c WHERE a.title || b.title <> c.title";
    let endless = site.say(
        endless,
        endless,
        "SELECT count(*) FROM article a, article b, article c WHERE concat(a.title, b.title) <> c.title",
    );
    let mut hurried = site.limited(|limits| limits.statement_ms = 200);
    assert_eq!(hurried.query(endless, vec![]).await.map(drop), Err(SqlError::Limit(LimitKind::Time)));
    let mut transaction = hurried.begin(Mode::Write).await.unwrap();
    assert_eq!(transaction.query(endless, vec![]).await.map(drop), Err(SqlError::Limit(LimitKind::Time)));
    drop(transaction);
    assert_eq!(one(hurried.query("SELECT count(*) FROM article", vec![]).await), Value::Integer(2_000));
}

pub(crate) async fn connections_are_bounded_per_tenant(site: &Site) {
    let mut db = site.limited(|limits| {
        limits.connections = 2;
        // Opening them takes a while on a busy machine, and is waited for no longer than this.
        limits.statement_ms = 5_000;
    });
    let _held = [db.begin(Mode::Read).await.unwrap(), db.begin(Mode::Read).await.unwrap()];
    let refused = db.begin(Mode::Read).await.map(drop);
    assert_eq!(refused, Err(SqlError::Limit(LimitKind::Connections)));
}

pub(crate) async fn a_neighbour_is_out_of_reach(site: &Site) {
    let neighbour = site.neighbour().await;
    let mut theirs = site.data.open(&neighbour);
    let insert = "INSERT INTO article (id, title) VALUES (1, 'theirs')";
    theirs.execute(insert, vec![]).await.unwrap();
    assert_eq!(site.count("article").await, 0, "the same name is another table");
    site.articles(3).await;
    site.db().execute("DELETE FROM article", vec![]).await.unwrap();
    assert_eq!(one(theirs.query("SELECT title FROM article", vec![]).await), Value::Text("theirs".into()));
    site.remove(&neighbour).await;
}
