//! When what is known is trusted, with databases behind it: commits, dropped futures, other servers.

use super::*;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

on_all!(a_commit_is_known_before_its_writer_is_answered, dropped_writers_leave_nothing_old_behind);

/// For conditions that come by themselves.
const PATIENCE: Duration = Duration::from_secs(60);

async fn a_commit_is_known_before_its_writer_is_answered(room: &Room) {
    room.say("INSERT INTO lonely (id, n) VALUES (1, 1)").await;
    assert_eq!(room.data.known_versions(&room.tenant), None);
    let first = room.versions().await;
    assert!(Arc::ptr_eq(&first, &room.data.known_versions(&room.tenant).unwrap()));
    room.data.open(&room.tenant).query("SELECT n FROM lonely", vec![]).await.unwrap();
    assert!(room.data.known_versions(&room.tenant).is_some(), "nothing was written");
    room.say("UPDATE lonely SET n = 2").await;
    assert_eq!(room.data.known_versions(&room.tenant), None);
    let lonely = Subject::table("lonely");
    assert_eq!(room.versions().await.of(&lonely), first.of(&lonely) + 1);
    room.data.doubt(room.tenant.id);
    assert_eq!(room.data.known_versions(&room.tenant), None);
    room.versions().await;
    room.data.doubt_all();
    assert_eq!(room.data.known_versions(&room.tenant), None);
    if room.engine == Dialect::Sqlite {
        return;
    }
    let other = room.other();
    other.versions(&room.tenant).await.unwrap();
    room.wire.told.lock().clear();
    room.say("UPDATE lonely SET n = 3").await;
    assert_eq!(other.known_versions(&room.tenant), None, "the other was told before the writer was answered");
    assert_eq!(*room.wire.told.lock(), [room.tenant.id]);
}

/// Whoever gives up on a write leaves it to chance whether it happens, but never versions from before it.
async fn dropped_writers_leave_nothing_old_behind(room: &Room) {
    room.say("INSERT INTO lonely (id, n) VALUES (1, 1)").await;
    room.wire.others.store(room.engine != Dialect::Sqlite, SeqCst);
    let stop = AtomicBool::new(false);
    let loads = async {
        while !stop.load(SeqCst) {
            drop(room.data.versions(&room.tenant).await);
            tokio::task::yield_now().await;
        }
    };
    let writes = async {
        for round in 0..40_u64 {
            let mut db = room.data.open(&room.tenant);
            let write = db.execute("UPDATE lonely SET n = n + 1 WHERE id = 1", vec![]);
            let _given_up = timeout(Duration::from_micros(round * 100), write).await;
        }
        stop.store(true, SeqCst);
    };
    tokio::join!(loads, writes);
    // Once nothing is open any more, what is known is what is there, and stays so without another word.
    room.wire.others.store(false, SeqCst);
    let until = Instant::now() + PATIENCE;
    loop {
        // May find no free connection while those that were given up are being closed.
        let before = room.data.versions(&room.tenant).await.ok();
        let known = room.data.known_versions(&room.tenant);
        if known.is_some() && known == before && known.as_deref() == Some(&room.truth().await) {
            break;
        }
        assert!(Instant::now() < until, "{known:?} is not what is there");
        sleep(Duration::from_millis(5)).await;
    }
    // Nobody told what the truth is: an older one that came late would be seen here.
    let rows = room.data.open(&room.tenant).query("SELECT n FROM lonely", vec![]).await.unwrap().rows;
    let Some(Value::Integer(count)) = rows.first().and_then(|row| row.first()) else { panic!("{rows:?}") };
    assert!((1..=41).contains(count));
}

/// The writer was given up once its statement was with a thread, which commits all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_nobody_waits_for_is_told() {
    on(Dialect::Sqlite, Isolation::Database, async |room: &Room| {
        room.say("INSERT INTO lonely (id, n) VALUES (1, 1)").await;
        room.wire.others.store(true, SeqCst);
        room.versions().await;
        let mut db = room.data.open(&room.tenant);
        drop(db.execute("UPDATE lonely SET n = 2", vec![]).now_or_never());
        let until = Instant::now() + PATIENCE;
        while !room.wire.told.lock().contains(&room.tenant.id) {
            assert!(Instant::now() < until, "nobody was told");
            sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*room.versions().await, room.truth().await);
        let rows = room.data.open(&room.tenant).query("SELECT n FROM lonely", vec![]).await.unwrap().rows;
        assert_eq!(rows, [[Value::Integer(2)]]);
    })
    .await;
}
