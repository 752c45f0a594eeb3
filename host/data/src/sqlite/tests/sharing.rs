//! Several tenants and several instances of one tenant: who waits, who doesn't, what is kept open, and
//! what is left after a removal.

use super::*;
use crate::{DataError, LimitKind, Mode, SqlError};
use futures_util::StreamExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_tenant_slows_nobody_else() {
    let room = room_with(|config| config.sql_threads = 2);
    let (bad, _) = room.with_articles(1, |limits| limits.statement_ms = 3_000).await;
    let (_good, mut db) = room.with_articles(1, |limits| limits.statement_ms = 10_000).await;
    let flood: Vec<_> = (0..20)
        .map(|_| {
            let mut db = room.data.open(&bad);
            tokio::spawn(async move { db.query(ENDLESS, vec![]).await.map(|_rows| ()) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    for number in 0..20 {
        db.execute("INSERT INTO article (title) VALUES ($1)", vec![Value::Integer(number)]).await.unwrap();
        db.query("SELECT * FROM article", vec![]).await.unwrap();
    }
    assert!(started.elapsed() < Duration::from_millis(2_500), "took {:?}", started.elapsed());
    for task in flood {
        let ended = task.await.unwrap();
        let limits = [LimitKind::Time, LimitKind::Connections];
        assert!(matches!(ended, Err(SqlError::Limit(kind)) if limits.contains(&kind)), "{ended:?}");
    }
}

pub(super) async fn connections_of_one_tenant_are_capped_and_waited_for(room: Room) {
    let change = |limits: &mut Limits| {
        limits.connections = 2;
        limits.statement_ms = 300;
    };
    let (tenant, mut db) = room.with_articles(1, change).await;
    let first = db.begin(Mode::Read).await.unwrap();
    let second = db.begin(Mode::Read).await.unwrap();
    let full = db.query("SELECT 1", vec![]).await;
    assert_eq!(full, Err(SqlError::Limit(LimitKind::Connections)));
    let mut other = room.data.open(&tenant);
    let waiting = tokio::spawn(async move { other.query("SELECT 1", vec![]).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(first);
    waiting.await.unwrap().unwrap();
    drop(second);
}

#[tokio::test]
async fn writers_take_turns() {
    let room = room();
    let (tenant, mut db) = room.with_articles(0, |limits| limits.statement_ms = 300).await;
    let mut writer = db.begin(Mode::Write).await.unwrap();
    writer.execute("INSERT INTO article (title) VALUES ('first')", vec![]).await.unwrap();
    let insert = "INSERT INTO article (title) VALUES ('second')";
    let refused = room.data.open(&tenant).execute(insert, vec![]).await;
    assert!(matches!(refused, Err(SqlError::Conflict(_))), "{refused:?}");
    assert!(room.data.open(&tenant).query("SELECT * FROM article", vec![]).await.unwrap().rows.is_empty());
    let mut other = room.data.open(&tenant);
    let waiting = tokio::spawn(async move { other.execute(insert, vec![]).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    writer.commit().await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn another_process_with_the_lock_is_a_conflict() {
    let room = room();
    let (tenant, mut db) = room.with_articles(0, |limits| limits.statement_ms = 200).await;
    let file = room.dir.path().join(format!("tenants/{}/site.db", tenant.id));
    let raw = rusqlite::Connection::open(file).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    let insert = "INSERT INTO article (title) VALUES ('x')";
    assert!(matches!(db.execute(insert, vec![]).await, Err(SqlError::Conflict(_))));
    assert!(matches!(db.begin(Mode::Write).await.err(), Some(SqlError::Conflict(_))));
    db.query("SELECT * FROM article", vec![]).await.unwrap();
    raw.execute_batch("COMMIT").unwrap();
    db.execute(insert, vec![]).await.unwrap();
}

#[tokio::test]
async fn the_coldest_connection_makes_room() {
    let room = room_with(|config| config.open_connections = 3);
    let mut tenants = Vec::new();
    for _ in 0..10 {
        tenants.push(room.with_articles(1, |_| {}).await.0);
    }
    for round in 0..3 {
        for tenant in &tenants {
            let rows = room.data.open(tenant).query("SELECT title FROM article", vec![]).await.unwrap();
            assert_eq!(rows.rows.len(), 1, "round {round}");
            assert!(room.data.engine().slots.idle() <= 3);
        }
    }
    let slots = &room.data.engine().slots;
    let warm: Vec<_> = tenants.iter().map(|tenant| slots.idle_of(tenant.id)).collect();
    assert_eq!(warm, [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    // All busy: the next one waits, and says so when it waited long enough.
    let mut held = Vec::new();
    for tenant in tenants.iter().take(3) {
        held.push(room.data.open(tenant).begin(Mode::Read).await.unwrap());
    }
    let last = tenants.last().unwrap();
    let mut other = room.data.open(last);
    let waiting = tokio::spawn(async move { other.query("SELECT title FROM article", vec![]).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    held.pop();
    waiting.await.unwrap().unwrap();
}

/// Who needs a place gets the coldest one, and takes nobody's connection between two statements.
#[tokio::test]
async fn a_connection_stays_open_between_the_statements_of_a_page() {
    const PAGES: u64 = 200;
    let room = room_with(|config| config.open_connections = 30);
    let mut tenants = Vec::new();
    for _ in 0..40 {
        tenants.push(room.with_articles(1, |_| {}).await.0);
    }
    let before = room.data.engine().opened();
    let pages = (0..PAGES).map(|page| {
        let mut db = room.data.open(&tenants[usize::try_from(page * 7 % 40).unwrap()]);
        async move {
            for _ in 0..4 {
                assert_eq!(db.query("SELECT title FROM article", vec![]).await.unwrap().rows.len(), 1);
                tokio::task::yield_now().await;
            }
        }
    });
    futures_util::stream::iter(pages).buffer_unordered(8).collect::<Vec<()>>().await;
    let opened = room.data.engine().opened() - before;
    // A thread may be late now and then, and its page's connection the coldest by then.
    assert!((1..=PAGES + PAGES / 4).contains(&opened), "{opened} connections for {PAGES} pages");
}

/// The file is this process's own, index of the log included, unless others are let in.
#[tokio::test]
async fn files_are_locked_for_this_process() {
    for lock in [true, false] {
        let room = room_with(|config| config.lock_databases = lock);
        let (tenant, mut db) = room.with_articles(1, |_| {}).await;
        db.query("SELECT title FROM article", vec![]).await.unwrap();
        let file = room.dir.path().join("tenants").join(tenant.id.to_string()).join("site.db");
        let inode = format!(":{} ", std::fs::metadata(&file).unwrap().ino());
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        let own: Vec<&str> = locks.lines().filter(|line| line.contains(&inode)).collect();
        assert!(!own.is_empty(), "{locks}");
        assert_eq!(own.iter().any(|line| line.contains(" WRITE ")), lock, "{own:?}");
        assert_eq!(file.with_file_name("site.db-shm").exists(), !lock);
    }
}

/// A request that is given up in the middle of a statement leaves no connection and no lock behind.
pub(super) async fn dropped_futures_give_everything_back(room: Room) {
    let change = |limits: &mut Limits| {
        limits.connections = 1;
        limits.statement_ms = 400;
    };
    let (tenant, mut db) = room.with_articles(0, change).await;
    let mut transaction = db.begin(Mode::Write).await.unwrap();
    transaction.execute("INSERT INTO article (title) VALUES ('lost')", vec![]).await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(50), transaction.query(ENDLESS, vec![])).await;
    assert!(given_up.is_err());
    assert_eq!(transaction.query("SELECT 1", vec![]).await, Err(SqlError::Closed));
    let mut other = room.data.open(&tenant);
    let given_up = tokio::time::timeout(Duration::from_millis(50), other.query(ENDLESS, vec![])).await;
    assert!(given_up.is_err());
    tokio::time::sleep(Duration::from_millis(800)).await;
    other.execute("INSERT INTO article (title) VALUES ('kept')", vec![]).await.unwrap();
    let rows = db.query("SELECT title FROM article", vec![]).await.unwrap().rows;
    assert_eq!(rows, [[text("kept")]]);
}

#[tokio::test]
async fn cursors_of_one_tenant_leave_threads_to_others() {
    let room = room_with(|config| config.cursor_threads = 3);
    let (_bad, mut bad) = room.with_articles(50, |limits| limits.statement_ms = 200).await;
    let (_good, mut good) = room.with_articles(50, |_| {}).await;
    let all = "SELECT id FROM article";
    let first = bad.open_cursor(all, vec![]).await.unwrap();
    let _second = bad.open_cursor(all, vec![]).await.unwrap();
    assert_eq!(bad.open_cursor(all, vec![]).await.err(), Some(SqlError::Limit(LimitKind::Connections)));
    good.open_cursor(all, vec![]).await.unwrap().next(10).await.unwrap();
    drop(first);
    bad.open_cursor(all, vec![]).await.unwrap();
}

#[tokio::test]
async fn provisions_twice_removes_twice_and_leaves_nothing() {
    let room = room_with(|config| config.removal_wait = Duration::from_millis(200));
    let (tenant, mut db) = room.with_articles(5, |_| {}).await;
    let (other, _) = room.with_articles(5, |_| {}).await;
    room.data.provision(&tenant).await;
    assert_eq!(db.query("SELECT * FROM article", vec![]).await.unwrap().rows.len(), 5);
    let files = room.data.files(&tenant).await.unwrap();
    files.dir.create_dir("a").unwrap();
    files.dir.write("a/b.txt", "hello").unwrap();
    let mut ids = room.data.list_ids().await.unwrap();
    ids.sort();
    assert_eq!(ids, [tenant.id, other.id]);
    let usage = room.data.usage(&tenant).await.unwrap();
    assert_eq!((usage.files_bytes, usage.files_count), (5, 2));

    let held = db.begin(Mode::Read).await.unwrap();
    let refused = room.data.remove(&tenant).await;
    assert!(matches!(refused, Err(DataError::Busy { .. })), "{refused:?}");
    assert_eq!(room.data.open(&tenant).query("SELECT * FROM article", vec![]).await.unwrap().rows.len(), 5);
    drop(held);
    let removed = room.data.remove(&tenant).await.unwrap();
    assert!(removed.entries >= 4 && removed.bytes > 4096, "{removed:?}");
    for nothing in [room.data.rescan(&tenant).await.unwrap(), room.data.remove(&tenant).await.unwrap()] {
        assert_eq!((nothing.entries, nothing.bytes), (0, 0));
    }
    assert!(!room.data.list_ids().await.unwrap().contains(&tenant.id));
    assert!(room.data.list_ids().await.unwrap().contains(&other.id));
    assert_eq!(room.data.list_ids().await.unwrap(), [other.id]);
    assert!(db.query("SELECT * FROM article", vec![]).await.is_err());
    assert!(room.data.open(&tenant).query("SELECT * FROM article", vec![]).await.is_err());
    assert!(!room.data.list_ids().await.unwrap().contains(&tenant.id), "a late request makes nothing anew");
}

#[tokio::test]
async fn folders_and_files_are_for_the_server_alone() {
    use std::os::unix::fs::PermissionsExt;
    let room = room();
    let (tenant, _db) = room.with_articles(1, |_| {}).await;
    let mode = |path: &str| {
        let path = room.dir.path().join("tenants").join(tenant.id.to_string()).join(path);
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode(""), mode("files")), (0o700, 0o700));
    assert_eq!((mode("site.db"), mode("site.db-wal")), (0o600, 0o600));
}

#[tokio::test]
async fn instances_share_one_meter() {
    let room = room();
    let tenant = room.tenant(|limits| limits.files_bytes = 10).await;
    let first = room.data.files(&tenant).await.unwrap();
    first.dir.write("x", "12345").unwrap();
    first.meter.grow(5).unwrap();
    let second = room.data.files(&tenant).await.unwrap();
    assert!(second.meter.grow(6).is_err());
    drop((first, second));
    let third = room.data.files(&tenant).await.unwrap();
    assert_eq!(third.meter.used(), (5, 1), "counted anew from the disk");
    assert!(third.dir.open("../site.db").is_err());
    assert!(third.dir.open("/etc/passwd").is_err());
}
