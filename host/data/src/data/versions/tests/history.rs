//! Readers, writers and a cache at once over one tenant, and a judge: a page whose stamp holds must not be older
//! than a write that was acknowledged before anybody looked.
//!
//! Each writer owns a row and counts up in it; some writes are given up halfway. The judge is proved by worlds in
//! which something is wrong: it must find that.

use super::*;
use std::sync::atomic::AtomicI64;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const WRITERS: usize = 3;
const READERS: usize = 3;

/// How the world is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum World {
    Sound,
    /// Hints are lost and nothing bounds the age of what is known.
    Deaf,
    /// Pages take their versions after they have read.
    LateStamp,
}

/// A stored page: the rows that it shows.
#[derive(Clone)]
struct Page {
    rows: [i64; WRITERS],
    stamp: Stamp,
}

#[derive(Default)]
struct Model {
    /// What each writer was told has happened.
    acknowledged: [AtomicI64; WRITERS],
    page: Mutex<Option<Page>>,
    wrong: Mutex<Option<String>>,
    hits: AtomicI64,
    fills: AtomicI64,
    writes: AtomicI64,
}

fn seconds() -> Duration {
    let seconds = std::env::var("ROWHOUSE_TEST_FIRE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

impl Model {
    fn acknowledged(&self) -> [i64; WRITERS] {
        std::array::from_fn(|writer| self.acknowledged[writer].load(SeqCst))
    }

    fn is_over(&self, until: Instant) -> bool {
        Instant::now() >= until || self.wrong.lock().is_some()
    }

    async fn write(&self, rooms: &[Arc<Data>], tenant: &Arc<Tenant>, writer: usize, until: Instant) {
        let mut next = 0;
        while !self.is_over(until) {
            next += 1;
            let room = &rooms[(writer + usize::try_from(next).unwrap()) % rooms.len()];
            let mut db = room.open(tenant);
            // One that was given up may still come, but never over a later one.
            let text = "UPDATE lonely SET n = $1 WHERE id = $2 AND n < $3";
            let id = i64::try_from(writer).unwrap();
            let values = vec![Value::Integer(next), Value::Integer(id), Value::Integer(next)];
            let write = db.execute(text, values);
            let given_up = next % 7 == 3;
            let patience = if given_up {
                Duration::from_micros(u64::try_from(next % 50 * 60).unwrap())
            } else {
                until - Instant::now() + PATIENCE
            };
            match timeout(patience, write).await {
                Ok(Ok(_outcome)) => {
                    self.acknowledged[writer].fetch_max(next, SeqCst);
                    self.writes.fetch_add(1, SeqCst);
                }
                // Another writer of the same row that was given up is in the way, or it took too long.
                Ok(Err(SqlError::Conflict(_) | SqlError::Limit(_))) | Err(_) => {}
                Ok(Err(error)) => panic!("{error:?}"),
            }
            // In two fifths of the time nobody writes: on a machine that is busy with other things, no page would
            // stand long enough to be shown otherwise.
            let left = until.saturating_duration_since(Instant::now()).as_millis() % 250;
            if left < 100 {
                tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap() + 1)).await;
            } else if next % 5 == 0 {
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
    }

    async fn read(
        &self,
        world: World,
        rooms: &[Arc<Data>],
        tenant: &Arc<Tenant>,
        reader: usize,
        until: Instant,
    ) {
        let room = &rooms[reader % rooms.len()];
        while !self.is_over(until) {
            let page = self.page.lock().clone();
            let before = self.acknowledged();
            let versions = room.versions(tenant).await.unwrap();
            if let Some(page) = page.filter(|page| page.stamp.holds(&versions)) {
                self.hits.fetch_add(1, SeqCst);
                self.judge(&page, before);
                tokio::task::yield_now().await;
                continue;
            }
            let log = ReadLog::new(Arc::clone(&versions));
            let mut db = room.open(tenant).logged_to(Arc::clone(&log));
            let Ok(found) = db.query("SELECT n FROM lonely ORDER BY id", vec![]).await else { continue };
            let mut rows = [0; WRITERS];
            for (slot, row) in rows.iter_mut().zip(&found.rows) {
                let Some(Value::Integer(n)) = row.first() else { panic!("{row:?}") };
                *slot = *n;
            }
            let mut stamp = log.stamp([]).unwrap();
            if world == World::LateStamp {
                let writes = self.writes.load(SeqCst);
                while self.writes.load(SeqCst) == writes && !self.is_over(until) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                stamp = room.versions(tenant).await.unwrap().stamp([Subject::table("lonely")]);
            }
            let page = Page { rows, stamp };
            if world != World::LateStamp {
                // Nor is a page older than what was acknowledged before it was made.
                self.judge(&page, before);
            }
            self.fills.fetch_add(1, SeqCst);
            *self.page.lock() = Some(page);
        }
    }

    fn judge(&self, page: &Page, before: [i64; WRITERS]) {
        if page.rows.iter().zip(before).any(|(shown, told)| *shown < told) {
            *self.wrong.lock() = Some(format!("{:?} was shown after {before:?} was told", page.rows));
        }
    }
}

/// For statements that must end by themselves.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the judge found.
async fn live(room: &Room, world: World, time: Duration) -> Option<String> {
    let rows: Vec<String> = (0..WRITERS).map(|writer| format!("({writer}, 0)")).collect();
    room.say(&format!("INSERT INTO lonely (id, n) VALUES {}", rows.join(", "))).await;
    let mut rooms = vec![Arc::clone(&room.data)];
    if room.engine != Dialect::Sqlite {
        rooms.push(room.other());
    }
    if world == World::Deaf {
        room.wire.loses.store(true, SeqCst);
        rooms.iter().for_each(|room| room.known().trust_forever());
    }
    let (model, until) = (Model::default(), Instant::now() + time);
    let writers = (0..WRITERS).map(|writer| model.write(&rooms, &room.tenant, writer, until));
    let readers = (0..READERS).map(|reader| model.read(world, &rooms, &room.tenant, reader, until));
    tokio::join!(futures_util::future::join_all(writers), futures_util::future::join_all(readers));
    let counts = [&model.hits, &model.fills, &model.writes].map(|count| count.load(SeqCst));
    println!("{:?} {:?} {world:?}: hits, fills, writes {counts:?}", room.engine, room.isolation);
    let wrong = model.wrong.lock().take();
    assert!(wrong.is_some() || counts.iter().all(|count| *count > 0), "nothing happened: {counts:?}");
    wrong
}

async fn what_holds_is_never_older_than_what_was_told(room: &Room) {
    assert_eq!(live(room, World::Sound, seconds()).await, None);
}

async fn the_judge_finds_lost_hints_without_a_bound(room: &Room) {
    assert!(live(room, World::Deaf, PATIENCE).await.is_some());
}

async fn the_judge_finds_versions_read_after_the_data(room: &Room) {
    assert!(live(room, World::LateStamp, PATIENCE).await.is_some());
}

on_all!(what_holds_is_never_older_than_what_was_told, the_judge_finds_versions_read_after_the_data);

// Where the data is on a server: the embedded engine has no other process to hear of.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_judge_finds_lost_hints_on_postgresql() {
    on(Dialect::Postgresql, Isolation::Database, the_judge_finds_lost_hints_without_a_bound).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_judge_finds_lost_hints_on_mysql() {
    on(Dialect::Mysql, Isolation::Prefix, the_judge_finds_lost_hints_without_a_bound).await;
}
