//! What a page has read: through views, in transactions and by cursors; and what makes it unsure.

use super::*;

on_all!(
    pages_depend_on_what_they_read,
    pages_that_fail_or_write_are_not_stored,
    a_migration_elsewhere_changes_what_is_linked
);

async fn read(room: &Room, work: impl AsyncFnOnce(&mut crate::TenantDb)) -> Arc<ReadLog> {
    let log = ReadLog::new(room.versions().await);
    let mut db = room.data.open(&room.tenant).logged_to(Arc::clone(&log));
    work(&mut db).await;
    log
}

fn names(stamp: &Stamp) -> BTreeSet<String> {
    stamp.subjects().map(ToString::to_string).collect()
}

async fn pages_depend_on_what_they_read(room: &Room) {
    room.say("INSERT INTO author (id, name) VALUES (1, 'a')").await;
    room.say("INSERT INTO article (id, author_id, title) VALUES (1, 1, 'x')").await;
    let query = async |text: &str| {
        let log = read(room, async |db| drop(db.query(text, vec![]).await.unwrap())).await;
        log.stamp([]).unwrap()
    };
    assert_eq!(names(&query("SELECT 1").await), set(&["*"]));
    assert_eq!(names(&query("SELECT count(*) FROM lonely").await), set(&["*", "t:lonely"]));
    let nested = "SELECT n FROM lonely WHERE EXISTS (SELECT 1 FROM remark WHERE article_id = 5)";
    assert_eq!(names(&query(nested).await), set(&["*", "t:lonely", "t:remark"]));
    let view = query("SELECT title FROM again").await;
    assert!(names(&view).is_superset(&set(&["*", "t:article", "t:author"])), "{view:?}");
    assert!(names(&view).is_disjoint(&set(&["t:lonely", "t:remark"])), "{view:?}");
    room.say("UPDATE lonely SET n = 5").await;
    assert!(view.holds(&*room.versions().await));
    room.say("UPDATE author SET name = 'b'").await;
    assert!(!view.holds(&*room.versions().await));
    let more = read(room, async |db| {
        let mut cursor = db.open_cursor("SELECT title FROM article", vec![]).await.unwrap();
        cursor.next(10).await.unwrap();
        let mut transaction = db.begin(Mode::Read).await.unwrap();
        transaction.query("SELECT id FROM remark", vec![]).await.unwrap();
        transaction.commit().await.unwrap();
    });
    let more = more.await.stamp([Subject::tag("menu")]).unwrap();
    assert_eq!(names(&more), set(&["*", "g:menu", "t:article", "t:remark"]));
}

async fn pages_that_fail_or_write_are_not_stored(room: &Room) {
    let failed = read(room, async |db| {
        assert!(db.query("SELECT nothing FROM nowhere", vec![]).await.is_err());
    });
    let failed = failed.await;
    assert!(!failed.is_sure() && failed.stamp([]).is_none());
    let wrote = read(room, async |db| {
        db.execute("INSERT INTO lonely (id, n) VALUES (1, 1)", vec![]).await.unwrap();
    });
    let wrote = wrote.await;
    assert!(wrote.is_sure() && wrote.has_written() && wrote.stamp([]).is_none());
    let taken_back = read(room, async |db| {
        let mut transaction = db.begin(Mode::Write).await.unwrap();
        transaction.execute("UPDATE lonely SET n = 3", vec![]).await.unwrap();
        transaction.rollback().await.unwrap();
    });
    assert!(taken_back.await.has_written());
}

/// Foreign keys and views that another server has made since this one looked.
async fn a_migration_elsewhere_changes_what_is_linked(room: &Room) {
    room.say("INSERT INTO lonely (id, n) VALUES (1, 1), (2, 2)").await;
    room.say("DELETE FROM lonely WHERE id = 2").await;
    let page = read(room, async |db| drop(db.query("SELECT title FROM again", vec![]).await.unwrap())).await;
    assert!(page.stamp([]).is_some());
    let elsewhere = if room.engine == Dialect::Sqlite { Arc::clone(&room.data) } else { room.other() };
    // Nothing is heard of it either.
    room.wire.loses.store(true, SeqCst);
    let late = migration(
        2,
        &[
            "CREATE TABLE late (id INTEGER PRIMARY KEY, lonely_id INTEGER, \
             FOREIGN KEY (lonely_id) REFERENCES lonely (id) ON DELETE CASCADE)",
            "DROP VIEW again",
            "CREATE VIEW again AS SELECT l.id AS title FROM late AS l",
        ],
    );
    elsewhere.migrate(&room.tenant, &[tables(), late]).await.unwrap();
    room.say("INSERT INTO late (id, lonely_id) VALUES (1, 1)").await;
    room.data.doubt(room.tenant.id);
    let page = read(room, async |db| drop(db.query("SELECT title FROM again", vec![]).await.unwrap())).await;
    let page = page.stamp([]).unwrap();
    assert!(names(&page).contains("t:late"), "{page:?}");
    room.say("DELETE FROM lonely WHERE id = 1").await;
    assert!(!page.holds(&room.truth().await), "what the new key has removed");
    let page = room.versions().await.stamp([Subject::table("late")]);
    let unmoved = room.versions().await.stamp([Subject::table("remark")]);
    room.say("INSERT INTO lonely (id, n) VALUES (5, 5)").await;
    room.say("DELETE FROM lonely WHERE id = 5").await;
    let now = room.truth().await;
    assert!(!page.holds(&now) && unmoved.holds(&now), "exact again");
}
