//! A database as a whole: exported over one snapshot, filled, emptied, copied.

use super::*;
use crate::transfer::{Export as _, Import as _};
use crate::{DataError, Mode, SqlError};
use std::time::Duration;

async fn titles(db: &mut TenantDb) -> usize {
    db.query("SELECT title FROM article", vec![]).await.unwrap().rows.len()
}

#[tokio::test]
async fn an_export_sees_one_moment() {
    let room = room();
    let (tenant, mut db) = room.with_articles(1_200, |_| {}).await;
    let mut export = room.data.engine().export(&tenant).await.unwrap();
    db.execute("INSERT INTO article (title) VALUES ('later')", vec![]).await.unwrap();
    db.execute("DELETE FROM article WHERE id < 100", vec![]).await.unwrap();
    let table = export.tables()[0].clone();
    for _twice in 0..2 {
        let mut sizes = vec![];
        loop {
            let block = export.next(&table).await.unwrap();
            sizes.push(block.len());
            if block.is_empty() {
                break;
            }
        }
        assert_eq!(sizes, [500, 500, 200, 0]);
    }
    let mut unknown = table.clone();
    unknown.name = "_rowhouse_migrations".to_owned();
    assert!(export.next(&unknown).await.is_err(), "the ledger is the host's");
    drop(export);
    assert_eq!(titles(&mut db).await, 1_102);
}

#[tokio::test]
async fn an_import_that_is_dropped_changes_nothing_and_the_next_can_begin() {
    let room = room();
    let (tenant, mut db) = room.with_articles(3, |limits| limits.connections = 1).await;
    for committed in [false, true] {
        let mut import = room.data.engine().import(&tenant).await.unwrap();
        import.clear().await.unwrap();
        let columns = ["title".to_owned()];
        let twice = vec![vec![text("a")], vec![text("a")]];
        let refused = import.write("article", &columns, twice).await;
        assert!(matches!(refused, Err(SqlError::Constraint { .. })), "{refused:?}");
        import.clear().await.unwrap();
        import.write("article", &columns, vec![vec![text("b")]]).await.unwrap();
        assert!(import.write("_rowhouse_migrations", &columns, vec![]).await.is_err());
        assert!(import.write("article", &["x".to_owned()], vec![]).await.is_err());
        assert!(import.write("article", &columns, vec![vec![]]).await.is_err());
        if committed {
            import.finish().await.unwrap();
        } else {
            drop(import);
        }
        assert_eq!(titles(&mut db).await, if committed { 1 } else { 3 });
    }
    // Guests' connections have their foreign keys and triggers.
    let on = db.query("SELECT count(*) FROM article", vec![]).await.unwrap();
    assert_eq!(on.rows, [vec![Value::Integer(1)]]);
}

#[tokio::test]
async fn a_reset_database_is_as_new() {
    let room = room();
    let (tenant, mut db) = room.with_articles(100, |_| {}).await;
    assert_eq!(titles(&mut db).await, 100);
    for _twice in 0..2 {
        room.data.alone().reset_database(&tenant).await.unwrap();
        assert_eq!(room.data.alone().schema_version(&tenant).await.unwrap(), 0);
    }
    assert!(matches!(db.query("SELECT * FROM article", vec![]).await, Err(SqlError::Syntax(_))));
    let again = "CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT)";
    room.data.alone().migrate(&tenant, &[migration(1, &[again])]).await.unwrap();
    assert_eq!(titles(&mut db).await, 0);
    room.data.alone().close().await;
    let folder = room.dir.path().join("tenants").join(tenant.id.to_string());
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains(".new")), "{left:?}");
}

#[tokio::test]
async fn what_is_in_use_is_not_reset() {
    let room = room_with(|config| config.removal_wait = Duration::from_millis(50));
    let (tenant, mut db) = room.with_articles(2, |_| {}).await;
    let mut transaction = db.begin(Mode::Write).await.unwrap();
    transaction.execute("DELETE FROM article WHERE id = 1", vec![]).await.unwrap();
    let refused = room.data.alone().reset_database(&tenant).await;
    assert!(matches!(refused, Err(DataError::Busy { .. })), "{refused:?}");
    transaction.commit().await.unwrap();
    assert_eq!(titles(&mut db).await, 1);
}

#[tokio::test]
async fn a_log_without_its_database_is_never_replayed() {
    let room = room();
    let (tenant, mut db) = room.with_articles(50, |_| {}).await;
    let file = room.dir.path().join("tenants").join(tenant.id.to_string()).join("site.db");
    let log = std::fs::read(file.with_extension("db-wal")).unwrap();
    assert!(!log.is_empty());
    // As after a crash: the log lies there and nobody has the database open.
    assert_eq!(titles(&mut db).await, 50);
    room.data.alone().close().await;
    std::fs::write(file.with_extension("db-wal"), &log).unwrap();
    room.data.alone().reset_database(&tenant).await.unwrap();
    assert_eq!(room.data.alone().schema_version(&tenant).await.unwrap(), 0);
    let refused = db.query("SELECT * FROM article", vec![]).await;
    assert!(matches!(refused, Err(SqlError::Syntax(_))), "{refused:?}");
}
