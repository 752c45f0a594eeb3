//! Tenants of one shared file: made, measured, reset and removed.

use super::*;
use crate::Mode;
use std::time::Duration;

const WAIT: Duration = Duration::from_millis(200);

fn raw(room: &Room) -> rusqlite::Connection {
    rusqlite::Connection::open(room.dir.path().join("servers/farm.db")).unwrap()
}

fn count(room: &Room, text: &str) -> i64 {
    raw(room).query_row(text, [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn provisions_twice_removes_twice_and_leaves_nothing() {
    let room = shared_room();
    let (tenant, mut db) = room.with_articles(5, |_| {}).await;
    let (other, mut others) = room.with_articles(7, |_| {}).await;
    let registry = room.data.registry();
    registry.provision(tenant.id).await.unwrap();
    assert_eq!(db.query("SELECT * FROM article", vec![]).await.unwrap().rows.len(), 5);
    let mut both = [tenant.id, other.id];
    both.sort();
    assert_eq!(registry.ids().await.unwrap(), both);
    // The table, the index of its unique column, a line of the ledger and the host's own line.
    let found = registry.contents(tenant.id).await.unwrap();
    assert_eq!(found.entries, 4);
    assert_eq!(found.bytes, registry.bytes(tenant.id).await.unwrap());

    let held = db.begin(Mode::Read).await.unwrap();
    assert!(!room.data.engine().close(tenant.id, WAIT).await, "in use");
    drop(held);
    assert!(room.data.engine().close(tenant.id, WAIT).await);
    assert_eq!(registry.remove(tenant.id).await.unwrap(), found);
    for nothing in [registry.contents(tenant.id).await, registry.remove(tenant.id).await] {
        assert_eq!(nothing.unwrap(), crate::Removal::default());
    }
    assert!(!registry.exists(tenant.id).await.unwrap());
    assert!(registry.exists(other.id).await.unwrap());
    assert_eq!(registry.ids().await.unwrap(), [other.id]);
    assert_eq!(others.query("SELECT * FROM article", vec![]).await.unwrap().rows.len(), 7);

    // A late request makes nothing anew.
    let late = room.data.migrate(&tenant, &[migration(1, &["CREATE TABLE late (x INTEGER)"])]).await;
    assert!(late.is_err(), "{late:?}");
    assert!(room.data.open(&tenant).begin(Mode::Write).await.is_err());
    assert!(room.data.open(&tenant).query("SELECT * FROM article", vec![]).await.is_err());
    assert!(db.query("SELECT * FROM article", vec![]).await.is_err());
    assert_eq!(registry.contents(tenant.id).await.unwrap().entries, 0);
}

#[tokio::test]
async fn a_reset_tenant_is_as_new() {
    let room = shared_room();
    let (tenant, db) = room.with_articles(50, |_| {}).await;
    let (_other, mut others) = room.with_articles(7, |_| {}).await;
    drop(db);
    let view = migration(2, &["CREATE VIEW titles AS SELECT title FROM article"]);
    let table = "CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, body TEXT)";
    let fresh = [migration(1, &[table]), view];
    assert!(room.data.engine().close(tenant.id, WAIT).await);
    let registry = room.data.registry();
    assert_eq!(registry.reset(tenant.id).await.unwrap().entries, 4);
    let left = registry.contents(tenant.id).await.unwrap();
    assert_eq!((left.entries, left.bytes), (1, 0));
    assert_eq!(room.data.schema_version(&tenant).await.unwrap(), 0);
    assert_eq!(room.data.migrate(&tenant, &fresh).await.unwrap().version, 2);
    let mut db = room.data.open(&tenant);
    assert!(db.query("SELECT * FROM titles", vec![]).await.unwrap().rows.is_empty());
    assert_eq!(others.query("SELECT * FROM article", vec![]).await.unwrap().rows.len(), 7);
    assert!(room.data.engine().close(tenant.id, WAIT).await);
    registry.remove(tenant.id).await.unwrap();
    assert_eq!(registry.contents(tenant.id).await.unwrap().entries, 0);
}

/// What each write has counted is what the engine's own statistics say of the tenant's tables.
#[tokio::test]
async fn pages_are_counted_as_the_engine_counts_them() {
    let room = shared_room();
    let (tenant, mut db) = room.with_articles(300, |_| {}).await;
    let (_other, mut others) = room.with_articles(100, |_| {}).await;
    for size in [10, 5_000, 20_000] {
        let fill = "INSERT INTO article (title, body) VALUES ($1, $2)";
        let body = Value::Blob(vec![1; size]);
        db.execute(fill, vec![text(&format!("big {size}")), body.clone()]).await.unwrap();
        others.execute(fill, vec![text(&format!("big {size}")), body]).await.unwrap();
    }
    db.execute("DELETE FROM article WHERE id < 200", vec![]).await.unwrap();
    let mut transaction = others.begin(Mode::Write).await.unwrap();
    transaction.execute("UPDATE article SET body = $1", vec![Value::Blob(vec![2; 9_000])]).await.unwrap();
    drop(transaction);
    db.execute("DELETE FROM article WHERE title = 'big 10'", vec![]).await.unwrap();
    let prefix = crate::guard::Prefix::of(tenant.id);
    let real = count(&room, &format!("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%{prefix}%'"));
    let counted = i64::try_from(room.data.registry().bytes(tenant.id).await.unwrap()).unwrap();
    // Pages of the schema and of the host's tables are counted for whoever made them.
    assert!((counted - real).abs() <= 3 * 4096, "counted {counted}, real {real}");
}

/// The process ends in the middle of a transaction: nothing of it is there, and the next one goes on.
#[tokio::test]
async fn a_crash_leaves_nothing_half_done() {
    let room = shared_room();
    let (tenant, mut db) = room.with_articles(1, |_| {}).await;
    let (_other, mut others) = room.with_articles(1, |_| {}).await;
    let before = room.data.registry().contents(tenant.id).await.unwrap();
    let mut transaction = db.begin(Mode::Write).await.unwrap();
    let fill = "INSERT INTO article (title, body) VALUES ($1, $2)";
    for number in 0..20 {
        let body = Value::Blob(vec![3; 50_000]);
        transaction.execute(fill, vec![text(&format!("lost {number}")), body]).await.unwrap();
    }
    // As the files are at this moment: what another process finds after a crash.
    let after = tempfile::tempdir().unwrap();
    for name in ["farm.db", "farm.db-wal"] {
        std::fs::copy(room.dir.path().join("servers").join(name), after.path().join(name)).unwrap();
    }
    let engine = Engine::shared(
        &DataConfig::new(after.path()),
        after.path().join("farm.db"),
        &crate::testing::known(),
    )
    .unwrap();
    let again = Room { data: Door::Shared(engine), dir: after };
    assert_eq!(again.data.registry().contents(tenant.id).await.unwrap(), before);
    let mut revived = again.data.open(&tenant);
    assert_eq!(revived.query("SELECT * FROM article", vec![]).await.unwrap().rows.len(), 1);
    revived.execute(fill, vec![text("kept"), Value::Null]).await.unwrap();
    let check: String = rusqlite::Connection::open(again.dir.path().join("farm.db"))
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    // In the process that goes on, dropping it frees the file for the others.
    drop(transaction);
    others.execute(fill, vec![text("next"), Value::Null]).await.unwrap();
    assert_eq!(room.data.registry().contents(tenant.id).await.unwrap(), before);
}

#[tokio::test]
async fn the_file_is_for_the_server_alone() {
    use std::os::unix::fs::PermissionsExt;
    let room = shared_room();
    let (_tenant, _db) = room.with_articles(1, |_| {}).await;
    let mode =
        |path: &str| std::fs::metadata(room.dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("servers"), mode("servers/farm.db"), mode("servers/farm.db-wal")),
        (0o700, 0o600, 0o600)
    );
}
