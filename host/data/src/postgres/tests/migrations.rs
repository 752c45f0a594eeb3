//! Migrations: all or nothing, once, and by one server at a time.

use super::*;
use crate::MigrateError;

both!(
    applies_what_is_pending_once,
    a_failing_step_takes_its_migration_back,
    servers_take_turns,
    a_table_in_use_is_waited_for,
    a_run_that_was_dropped_leaves_nothing,
);

const MINUTE: Duration = Duration::from_secs(60);

async fn applies_what_is_pending_once(room: Room) {
    let tenant = room.tenant(|_| {}).await;
    let session = room.engine.session(&tenant);
    let list = [
        migration(
            1,
            &["CREATE TABLE a (x text)", "CREATE INDEX a_x ON a (x)", "INSERT INTO a (x) VALUES ('1')"],
        ),
        migration(2, &["INSERT INTO a (x) VALUES ('2')"]),
        migration(3, &["ALTER TABLE a ADD COLUMN y integer NOT NULL DEFAULT 7"]),
    ];
    assert!(session.applied().await.unwrap().is_empty());
    for upto in [1, 1, 3, 3] {
        let version = session.migrate(list[..upto].into(), MINUTE).await.unwrap();
        assert_eq!(version as usize, upto);
    }
    assert_eq!(session.migrate(list[..2].into(), MINUTE).await.unwrap(), 3, "a database may be ahead");
    let found = rows(&session, "SELECT x, y FROM a ORDER BY x").await;
    assert_eq!(found, [[text("1"), Value::Integer(7)], [text("2"), Value::Integer(7)]]);
    let edited = [migration(1, &["CREATE TABLE a (x integer)"])];
    let refused = session.migrate(edited.into(), MINUTE).await;
    assert!(matches!(refused, Err(MigrateError::Changed { version: 1, .. })), "{refused:?}");
}

async fn a_failing_step_takes_its_migration_back(room: Room) {
    let tenant = room.tenant(|_| {}).await;
    let session = room.engine.session(&tenant);
    let good = migration(1, &["CREATE TABLE a (x text UNIQUE)"]);
    let bad = migration(
        2,
        &["INSERT INTO a (x) VALUES ('1')", "CREATE TABLE b (y text)", "INSERT INTO a (x) VALUES ('1')"],
    );
    let failed = session.migrate([good.clone(), bad].into(), MINUTE).await;
    let Err(MigrateError::Failed { version: 2, statement: Some(2), cause, .. }) = failed else {
        unreachable!("{failed:?}");
    };
    assert!(matches!(cause, SqlError::Constraint { kind: ConstraintKind::Unique, .. }), "{cause:?}");
    assert_eq!(session.applied().await.unwrap().len(), 1);
    assert!(rows(&session, "SELECT x FROM a").await.is_empty());
    assert!(query(&session, "SELECT y FROM b", vec![]).await.is_err());
    let mended = migration(2, &["CREATE TABLE b (y text)"]);
    assert_eq!(session.migrate([good, mended].into(), MINUTE).await.unwrap(), 2);
}

async fn servers_take_turns(room: Room) {
    let tenant = room.tenant(|_| {}).await;
    let list: Vec<_> =
        (1..=10).map(|version| migration(version, &[&format!("CREATE TABLE t{version} (x text)")])).collect();
    let (one, two) = (room.engine.session(&tenant), room.other_host().session(&tenant));
    let (first, second) =
        tokio::join!(one.migrate(list.clone().into(), MINUTE), two.migrate(list.clone().into(), MINUTE));
    assert_eq!((first.unwrap(), second.unwrap()), (10, 10));
    assert_eq!(one.applied().await.unwrap().len(), 10);
}

async fn a_table_in_use_is_waited_for(room: Room) {
    let (_tenant, session) = room.with_articles(1, |_| {}).await;
    let mut reader = session.begin(Mode::Read).await.unwrap();
    reader.query_packed("SELECT id FROM article", vec![]).await.unwrap();
    let list = [migration(1, &[ARTICLE]), migration(2, &["ALTER TABLE article ADD COLUMN x text"])];
    let run = tokio::spawn({
        let session = session.clone();
        async move { session.migrate(list.into(), MINUTE).await }
    });
    // Longer than one attempt waits.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    reader.commit().await.unwrap();
    assert_eq!(run.await.unwrap().unwrap(), 2);
}

async fn a_run_that_was_dropped_leaves_nothing(room: Room) {
    let tenant = room.tenant(|_| {}).await;
    let session = room.engine.session(&tenant);
    let list = [migration(1, &["CREATE TABLE a (x text)", "INSERT INTO a (x) VALUES ('1')"])];
    for millis in [0, 5, 10, 20, 40] {
        let run = session.migrate(list.clone().into(), MINUTE);
        let _given_up = tokio::time::timeout(Duration::from_millis(millis), run).await;
    }
    assert_eq!(session.migrate(list.into(), MINUTE).await.unwrap(), 1);
    assert_eq!(rows(&session, "SELECT x FROM a").await, [[text("1")]]);
}
