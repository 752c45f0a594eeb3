//! What each kind of statement moves, and what none moves.

use super::*;

on_all!(
    statements_move_what_they_change,
    what_does_not_commit_moves_nothing,
    subjects_move_by_themselves,
    every_change_of_the_whole_moves_everything,
    guests_can_not_reach_the_counts,
    lines_are_brought_together_and_sums_stay,
    too_many_tags_are_forgotten_with_every_page,
);

async fn statements_move_what_they_change(room: &Room) {
    let all = ["t:author", "t:article", "t:remark"];
    // The embedded engine tells what a statement changes; of the others it is known what it may change.
    let linked = |exact: &[&str], possible: &[&str]| {
        set(if room.engine == Dialect::Sqlite { exact } else { possible })
    };
    let one = async |text: &str| room.moved(room.say(text)).await;
    let written = one("INSERT INTO author (id, name) VALUES (1, 'a'), (2, 'b')").await;
    assert_eq!(written, linked(&["t:author"], &all));
    let written = one("INSERT INTO article (id, author_id, title) VALUES (1, 1, 'x')").await;
    assert_eq!(written, linked(&["t:article"], &["t:article", "t:remark"]));
    assert_eq!(one("INSERT INTO remark (id, article_id) VALUES (1, 1)").await, set(&["t:remark"]));
    assert_eq!(one("UPDATE lonely SET n = 1").await, set(&["t:lonely"]));
    assert_eq!(one("UPDATE remark SET body = 'y'").await, set(&["t:remark"]));
    let named = one("UPDATE author SET name = 'c' WHERE id = 1").await;
    assert_eq!(named, linked(&["t:author"], &all));
    let numbered = one("UPDATE author SET id = 3 WHERE id = 1").await;
    assert_eq!(numbered, linked(&["t:author", "t:article"], &all));
    assert_eq!(one("DELETE FROM author WHERE id = 3").await, set(&all));
    assert_eq!(one("DELETE FROM article").await, set(&["t:article", "t:remark"]));
    assert_eq!(one("INSERT INTO lonely (id, n) SELECT id, 0 FROM author").await, set(&["t:lonely"]));
    if room.engine != Dialect::Mysql {
        let returning = room.moved(async {
            let text = "INSERT INTO lonely (id, n) VALUES (50, 1) RETURNING id";
            room.data.open(&room.tenant).query(text, vec![]).await.unwrap();
        });
        assert_eq!(returning.await, set(&["t:lonely"]));
    }
    let batch = room.moved(async {
        let texts = ["INSERT INTO author (id, name) VALUES (7, 'x')", "UPDATE lonely SET n = n + 1"];
        let statements = texts.map(|text| Statement { text: text.into(), params: vec![] });
        room.data.open(&room.tenant).batch(statements.into()).await.unwrap();
    });
    let most = ["t:author", "t:article", "t:remark", "t:lonely"];
    assert_eq!(batch.await, linked(&["t:author", "t:lonely"], &most));
    let transaction = room.moved(async {
        let mut transaction = room.data.open(&room.tenant).begin(Mode::Write).await.unwrap();
        transaction.query("SELECT id FROM author", vec![]).await.unwrap();
        transaction.execute("UPDATE lonely SET n = n + 1", vec![]).await.unwrap();
        transaction.execute("INSERT INTO remark (id) VALUES (9)", vec![]).await.unwrap();
        transaction.commit().await.unwrap();
    });
    assert_eq!(transaction.await, set(&["t:lonely", "t:remark"]));
}

async fn what_does_not_commit_moves_nothing(room: &Room) {
    room.say("INSERT INTO lonely (id, n) VALUES (1, 1)").await;
    let nothing = BTreeSet::new();
    let db = || room.data.open(&room.tenant);
    let insert = "INSERT INTO lonely (id, n) VALUES (1, 2)";
    assert_eq!(
        room.moved(async { drop(db().query("SELECT * FROM lonely", vec![]).await.unwrap()) }).await,
        nothing
    );
    let failed = room.moved(async {
        let failed = db().execute(insert, vec![]).await;
        assert!(matches!(failed, Err(SqlError::Constraint { .. })), "{failed:?}");
    });
    assert_eq!(failed.await, nothing);
    let batch = room.moved(async {
        let texts = ["UPDATE lonely SET n = 9", insert];
        let statements = texts.map(|text| Statement { text: text.into(), params: vec![] });
        assert!(db().batch(statements.into()).await.is_err());
    });
    assert_eq!(batch.await, nothing);
    let rolled_back = room.moved(async {
        let mut transaction = db().begin(Mode::Write).await.unwrap();
        transaction.execute("UPDATE lonely SET n = 9", vec![]).await.unwrap();
        transaction.rollback().await.unwrap();
    });
    assert_eq!(rolled_back.await, nothing);
    let dropped = room.moved(async {
        let mut transaction = db().begin(Mode::Write).await.unwrap();
        transaction.execute("UPDATE lonely SET n = 9", vec![]).await.unwrap();
        drop(transaction);
    });
    assert_eq!(dropped.await, nothing);
    let read = room.moved(async {
        let mut transaction = db().begin(Mode::Read).await.unwrap();
        transaction.query("SELECT * FROM lonely", vec![]).await.unwrap();
        transaction.commit().await.unwrap();
    });
    assert_eq!(read.await, nothing);
    // The next writer moves its own and nothing of what was given up.
    assert_eq!(room.moved(room.say("UPDATE remark SET body = 'x'")).await, set(&["t:remark"]));
}

async fn subjects_move_by_themselves(room: &Room) {
    let moved = async |subjects: Vec<Subject>| {
        room.moved(async { room.data.move_subjects(&room.tenant, &subjects).await.unwrap() }).await
    };
    assert_eq!(moved(vec![Subject::tag("menu"), Subject::files()]).await, set(&["g:menu", "f"]));
    assert_eq!(moved(vec![Subject::everything()]).await, set(&["*"]));
    assert_eq!(moved(vec![]).await, set(&[]));
    // What no database keeps is everything; marks of the language mean nothing.
    assert_eq!(moved(vec![Subject::tag(&"x".repeat(300))]).await, set(&["*"]));
    assert_eq!(moved(vec![Subject::tag("a\0b")]).await, set(&["*"]));
    for odd in ["it's", "\\'); DROP TABLE lonely; --", "ü 🦀 ", "ü 🦀", "A", "a", ""] {
        let before = room.versions().await;
        assert_eq!(moved(vec![Subject::tag(odd)]).await, set(&[]));
        assert_eq!(room.versions().await.of(&Subject::tag(odd)), before.of(&Subject::tag(odd)) + 1, "{odd}");
    }
}

async fn every_change_of_the_whole_moves_everything(room: &Room) {
    room.say("INSERT INTO lonely (id, n) VALUES (1, 1)").await;
    let page = room.versions().await.stamp([Subject::table("lonely")]);
    let extra = migration(2, &["CREATE TABLE extra (id INTEGER PRIMARY KEY)"]);
    let migrated = room.moved(async {
        room.data.migrate(&room.tenant, &[tables(), extra]).await.unwrap();
    });
    assert!(migrated.await.contains("*"));
    assert!(!page.holds(&*room.versions().await));
    let page = room.versions().await.stamp([]);
    room.data.reset_database(&room.tenant).await.unwrap();
    assert!(!page.holds(&*room.versions().await), "a database that was emptied repeats its versions");
    let page = room.versions().await.stamp([]);
    room.data.remove(&room.tenant).await.unwrap();
    room.data.provision(&room.tenant).await.unwrap();
    assert!(!page.holds(&*room.versions().await), "a database made anew repeats the old one's versions");
    room.data.migrate(&room.tenant, &[tables()]).await.unwrap();
    room.say("INSERT INTO lonely (id, n) VALUES (1, 1)").await;
    if (room.engine, room.isolation) == (Dialect::Sqlite, Isolation::Prefix) {
        // Has no archives.
        return;
    }
    let page = room.versions().await.stamp([Subject::tag("unmoved")]);
    let path = room.dir.path().join("archive");
    let facts = crate::ArchiveFacts::of(&room.tenant, None);
    room.data.export(&room.tenant, facts, std::fs::File::create(&path).unwrap()).await.unwrap();
    let staged = room.data.read_archive(std::fs::File::open(&path).unwrap()).await.unwrap();
    assert!(page.holds(&*room.versions().await));
    room.data.import(&room.tenant, staged).await.unwrap();
    assert!(!page.holds(&*room.versions().await));
}

async fn guests_can_not_reach_the_counts(room: &Room) {
    room.say("INSERT INTO lonely (id, n) VALUES (1, 1)").await;
    let before = room.truth().await;
    for table in ["_rowhouse_versions", "rowhouse_versions", "_ROWHOUSE_versions"] {
        for text in [
            format!("SELECT * FROM {table}"),
            format!("DELETE FROM {table}"),
            format!("UPDATE {table} SET moved = 0"),
            format!("INSERT INTO {table} (subject) VALUES ('t:lonely')"),
            format!("UPDATE lonely SET n = (SELECT count(*) FROM {table})"),
        ] {
            let refused = room.data.open(&room.tenant).query(&text, vec![]).await;
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
        let drops = migration(2, &[&format!("DROP TABLE {table}")]);
        assert!(room.data.migrate(&room.tenant, &[tables(), drops]).await.is_err());
    }
    let subject = Subject::table("lonely");
    assert_eq!(room.truth().await.of(&subject), before.of(&subject));
}

async fn lines_are_brought_together_and_sums_stay(room: &Room) {
    let tags: Vec<Subject> = (0..200).map(|number| Subject::tag(&format!("tag {number}"))).collect();
    let engine = room.data.engines.of(&room.tenant).unwrap();
    for round in 1..=6 {
        room.data.move_subjects(&room.tenant, &tags).await.unwrap();
        // Meanwhile lines are brought together; a sum is never another one.
        let versions = room.versions().await;
        assert!(tags.iter().all(|tag| versions.of(tag) == round), "round {round}");
    }
    if room.engine == Dialect::Sqlite {
        return;
    }
    // One that runs beside writers and beside another one.
    let writes = async {
        for _ in 0..20 {
            room.data.move_subjects(&room.tenant, &tags[..3]).await.unwrap();
        }
    };
    let prunes = async {
        for _ in 0..5 {
            let _one_may_give_way = engine.prune_versions(&room.tenant, tags.len()).await;
        }
    };
    tokio::join!(writes, prunes, async {
        for _ in 0..5 {
            let _one_may_give_way = engine.prune_versions(&room.tenant, tags.len()).await;
        }
    });
    engine.prune_versions(&room.tenant, tags.len()).await.unwrap();
    let (counts, lines) = engine.versions(&room.tenant).await.unwrap();
    assert_eq!(lines as usize, counts.len(), "each subject has one line");
    let truth = room.truth().await;
    assert_eq!((truth.of(&tags[0]), truth.of(&tags[3])), (26, 6));
}

async fn too_many_tags_are_forgotten_with_every_page(room: &Room) {
    let tag = Subject::tag("0 0");
    let page = {
        room.data.move_subjects(&room.tenant, std::slice::from_ref(&tag)).await.unwrap();
        room.versions().await.stamp([tag])
    };
    for part in 0..5 {
        let tags: Vec<Subject> =
            (0..1_000).map(|number| Subject::tag(&format!("{part} {}", number + 1))).collect();
        room.data.move_subjects(&room.tenant, &tags).await.unwrap();
    }
    assert!(page.holds(&*room.versions().await));
    let engine = room.data.engines.of(&room.tenant).unwrap();
    let until = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    // The load above has asked for it.
    while engine.versions(&room.tenant).await.unwrap().0.len() > 1_000 {
        assert!(tokio::time::Instant::now() < until, "nobody forgets the tags");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    while page.holds(&*room.versions().await) {
        assert!(tokio::time::Instant::now() < until, "the page stands without its tag");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn triggers_and_full_text_are_seen_by_the_embedded_engine() {
    on(Dialect::Sqlite, Isolation::Database, async |room: &Room| {
        let more = migration(
            2,
            &[
                "CREATE TABLE extra (id INTEGER PRIMARY KEY)",
                "CREATE TRIGGER follow AFTER INSERT ON lonely BEGIN INSERT INTO extra (id) VALUES (new.id); END",
                "CREATE VIRTUAL TABLE words USING fts5 (body)",
                "CREATE VIRTUAL TABLE late USING fts5 (title, content = 'article')",
            ],
        );
        room.data.migrate(&room.tenant, &[tables(), more]).await.unwrap();
        let moved = room.moved(room.say("INSERT INTO lonely (id, n) VALUES (1, 1)")).await;
        assert_eq!(moved, set(&["t:lonely", "t:extra"]));
        assert_eq!(room.moved(room.say("UPDATE lonely SET n = 2")).await, set(&["t:lonely"]));
        let moved = room.moved(room.say("INSERT OR REPLACE INTO author (id, name) VALUES (1, 'x')")).await;
        assert_eq!(moved, set(&["t:author", "t:article", "t:remark"]));
        // An index over another table reads more than the engine tells.
        for (text, sure) in [
            ("SELECT * FROM words WHERE words MATCH 'a'", true),
            ("SELECT * FROM late WHERE late MATCH 'a'", false),
            ("SELECT changes()", false),
        ] {
            let mut sures = Vec::new();
            for _ in 0..3 {
                let log = ReadLog::new(room.versions().await);
                room.data.open(&room.tenant).logged_to(Arc::clone(&log)).query(text, vec![]).await.unwrap();
                sures.push(log.is_sure());
            }
            assert_eq!(sures.last(), Some(&sure), "{text}: {sures:?}");
            assert!(sure || !sures.contains(&true), "{text}: {sures:?}");
        }
    })
    .await;
}
