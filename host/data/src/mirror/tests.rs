//! Mirrors of one bucket in memory, as two servers would have them, used as a guest's calls use them.

mod room;

use super::*;
use crate::objects::testing::TestStore;
use cap_std::ambient_authority;
use object_store::ObjectStore;
use std::fs;
use tempfile::TempDir;

/// A server's mirror of a tenant.
struct Side {
    mirror: Arc<Mirror>,
    _dir: TempDir,
}

fn side(store: &Arc<TestStore>, tenant: TenantId) -> Side {
    let dir = tempfile::tempdir().unwrap();
    let parent = Arc::new(Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap());
    let bucket = Arc::new(Bucket::over(Arc::clone(store) as Arc<dyn ObjectStore>, "sites"));
    let mirror = Mirror::make(bucket, tenant, &parent, dir.path()).unwrap();
    mirror.meter.set_limits(1 << 20, 100);
    Side { mirror, _dir: dir }
}

impl Side {
    /// A request that begins when the files were changed so often.
    async fn at(&self, files: u64) -> Arc<MirrorSession> {
        let session = self.unready(files);
        session.ready().await.unwrap();
        session
    }

    fn unready(&self, files: u64) -> Arc<MirrorSession> {
        MirrorSession::new(&self.mirror, Some(Mark { everything: 7, files }))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.mirror.path.join(path)
    }

    fn length(&self, path: &str) -> Option<u64> {
        fs::metadata(self.path(path)).ok().map(|facts| facts.len())
    }
}

impl MirrorSession {
    async fn write(&self, path: &str, bytes: &[u8]) {
        let _alone = self.changing(Needs::Nothing).await.unwrap();
        self.note(path);
        fs::write(self.mirror.path.join(path), bytes).unwrap();
        self.counts_here(path);
    }

    async fn remove(&self, path: &str) {
        let _alone = self.changing(Needs::Nothing).await.unwrap();
        self.note(path);
        self.note_parent(path);
        fs::remove_file(self.mirror.path.join(path)).unwrap();
        self.counts_here(path);
    }

    async fn make_folder(&self, path: &str) {
        let _alone = self.changing(Needs::Nothing).await.unwrap();
        self.note(path);
        fs::create_dir(self.mirror.path.join(path)).unwrap();
    }

    async fn read(&self, path: &str) -> Result<Vec<u8>, MirrorError> {
        let _still = self.reading(path).await?;
        Ok(fs::read(self.mirror.path.join(path)).unwrap_or_default())
    }
}

#[tokio::test]
async fn two_mirrors_see_each_others_writes_once_the_count_has_moved() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let (one, other) = (side(&store, id), side(&store, id));
    assert_eq!(other.at(0).await.read("note").await.unwrap(), b"");

    let writer = one.at(0).await;
    writer.make_folder("a").await;
    writer.write("note", b"one").await;
    writer.write("a/100% ~ä\n", b"odd").await;
    writer.push().await.unwrap();
    let reader = other.at(0).await;
    assert_eq!(other.length("note"), None, "the count has not moved");
    drop(reader);

    let reader = other.at(1).await;
    assert_eq!((other.length("note"), other.length("a/100% ~ä\n")), (Some(3), Some(3)));
    assert_eq!(other.mirror.meter.used(), (6, 3));
    assert_eq!(store.gets(), 0, "sizes need no download");
    assert!(other.mirror.is_missing("note"));
    for _time in 0..2 {
        assert_eq!(reader.read("note").await.unwrap(), b"one");
    }
    assert_eq!(store.gets(), 1);
    assert_eq!(reader.read("a/100% ~ä\n").await.unwrap(), b"odd");

    writer.write("note", b"longer").await;
    writer.remove("a/100% ~ä\n").await;
    writer.push().await.unwrap();
    assert_eq!(reader.read("note").await.unwrap(), b"one", "a request that has begun goes on as it is");
    let reader = other.at(2).await;
    assert_eq!((other.length("note"), other.length("a/100% ~ä\n")), (Some(6), None));
    assert_eq!(reader.read("note").await.unwrap(), b"longer");
    assert!(other.path("a").is_dir(), "a folder outlives its files");
    let prefix = format!("sites/{id}/");
    assert!(store.keys().await.iter().all(|key| key.starts_with(&prefix)));
}

#[tokio::test]
async fn a_mirror_is_listed_again_only_where_the_count_says_so() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let one = side(&store, id);
    for files in [3, 3, 2] {
        one.at(files).await;
    }
    assert_eq!(store.lists(), 1, "an older count is covered");
    one.at(4).await;
    assert_eq!(store.lists(), 2);
    // Nobody knows the count.
    MirrorSession::new(&one.mirror, None).ready().await.unwrap();
    MirrorSession::new(&one.mirror, None).ready().await.unwrap();
    assert_eq!(store.lists(), 4);
    // A database made anew counts from the beginning.
    let anew = Mark { everything: 8, files: 0 };
    MirrorSession::new(&one.mirror, Some(anew)).ready().await.unwrap();
    assert_eq!(store.lists(), 5);
}

#[test]
fn a_listing_goes_on_being_good_only_where_nobody_else_moved_the_count() {
    let mark = |everything, files| Some(Mark { everything, files });
    for (before, now, expected) in [
        (mark(1, 5), mark(1, 6), mark(1, 6)),
        (mark(1, 5), mark(1, 7), None),
        (mark(1, 5), mark(2, 6), None),
        (mark(1, 5), None, None),
        (None, mark(1, 6), None),
    ] {
        let mut listed = Listed { at: before, ..Listed::default() };
        listed.moved_to(now);
        assert_eq!(listed.at, expected);
    }
}

#[tokio::test]
async fn what_could_not_be_stored_is_not_kept_here() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let one = side(&store, id);
    let first = one.at(0).await;
    first.write("note", b"stored").await;
    first.make_folder("kept").await;
    first.push().await.unwrap();
    drop(first);

    let second = one.at(0).await;
    second.write("note", b"changed").await;
    second.write("new", b"new").await;
    second.make_folder("made").await;
    store.refuse(true);
    second.push().await.unwrap_err();
    assert!(!second.is_dirty(), "it is given up, and told");
    drop(second);
    one.unready(0).ready().await.unwrap_err();
    assert!(matches!(one.unready(0).ready().await, Err(MirrorError::Away)), "not asked at once again");
    store.refuse(false);
    tokio::time::sleep(PAUSE).await;
    let third = one.at(0).await;
    assert_eq!(third.read("note").await.unwrap(), b"stored");
    assert!(one.length("new").is_none() && !one.path("made").exists() && one.path("kept").is_dir());
    assert_eq!(one.mirror.meter.used(), (6, 2));
}

#[tokio::test]
async fn placeholders_are_never_uploaded() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let (one, other) = (side(&store, id), side(&store, id));
    let writer = one.at(0).await;
    writer.write("note", b"one").await;
    writer.push().await.unwrap();
    let session = other.at(1).await;
    session.note("note");
    let puts = store.puts();
    session.push().await.unwrap();
    // Somebody removed it who is no guest.
    fs::remove_file(other.path("note")).unwrap();
    session.note("note");
    session.push().await.unwrap();
    assert_eq!((store.puts(), store.keys().await.len()), (puts, 1));
    assert_eq!(session.read("note").await.unwrap(), b"one");
}

#[tokio::test]
async fn what_a_request_holds_is_replaced_by_nobody() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let (one, other) = (side(&store, id), side(&store, id));
    let writer = one.at(0).await;
    writer.write("note", b"mine").await;
    let elsewhere = other.at(0).await;
    elsewhere.write("note", b"theirs").await;
    elsewhere.write("another", b"theirs").await;
    elsewhere.push().await.unwrap();

    let reader = one.at(1).await;
    assert_eq!(reader.read("note").await.unwrap(), b"mine");
    assert_eq!(reader.read("another").await.unwrap(), b"theirs");
    writer.push().await.unwrap();
    drop((writer, reader, elsewhere));
    assert_eq!(other.at(2).await.read("note").await.unwrap(), b"mine", "who stores last is right");
    // What was left as it was makes the listing good for one request only.
    let lists = store.lists();
    one.at(1).await;
    assert_eq!(store.lists(), lists + 1);
}

#[tokio::test]
async fn a_rename_takes_the_whole_tree_along() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let (one, other) = (side(&store, id), side(&store, id));
    let writer = one.at(0).await;
    for folder in ["a", "a/b"] {
        writer.make_folder(folder).await;
    }
    writer.write("a/b/c", b"deep").await;
    writer.write("ab", b"not in it").await;
    writer.push().await.unwrap();
    drop(writer);

    let session = other.at(1).await;
    session.opened(4, "a/b/c".into());
    let alone = session.changing(Needs::Tree("a")).await.unwrap();
    assert_eq!(store.gets(), 1, "what is renamed is here");
    let renaming = session.renaming("a", "z").await.unwrap();
    fs::rename(other.path("a"), other.path("z")).unwrap();
    session.renamed(renaming);
    drop(alone);
    assert_eq!(session.path_of(4).as_deref(), Some("z/b/c"));
    session.push().await.unwrap();
    let keys: Vec<String> = store.keys().await;
    let below: Vec<_> = keys.iter().filter_map(|key| key.strip_prefix(&format!("sites/{id}/"))).collect();
    assert_eq!(below, ["ab", "z/b/c", "z/b/~", "z/~"]);
    let reader = one.at(2).await;
    assert_eq!(reader.read("z/b/c").await.unwrap(), b"deep");
    assert!(!one.path("a").exists());

    // Another request is writing to it.
    reader.hold("z/b/c");
    let busy = one.at(2).await;
    let _alone = busy.changing(Needs::Tree("z")).await.unwrap();
    assert!(matches!(busy.renaming("z", "y").await, Err(MirrorError::Busy(_))));
    assert!(reader.renaming("z", "y").await.is_ok());
}

#[tokio::test]
async fn a_file_and_a_folder_may_take_each_others_place() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let (one, other) = (side(&store, id), side(&store, id));
    let writer = one.at(0).await;
    writer.write("x", b"file").await;
    writer.make_folder("y").await;
    writer.push().await.unwrap();
    other.at(1).await;
    writer.remove("x").await;
    writer.make_folder("x").await;
    writer.write("x/in", b"1").await;
    fs::remove_dir(one.path("y")).unwrap();
    writer.write("y", b"file").await;
    writer.push().await.unwrap();
    let reader = other.at(2).await;
    assert!(other.path("x").is_dir() && other.path("y").is_file());
    assert_eq!(reader.read("x/in").await.unwrap(), b"1");
    assert_eq!(reader.read("y").await.unwrap(), b"file");
}

#[tokio::test]
async fn a_failed_fetch_is_told_and_leaves_the_placeholder() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let (one, other) = (side(&store, id), side(&store, id));
    let writer = one.at(0).await;
    writer.write("note", b"one").await;
    writer.push().await.unwrap();
    let reader = other.at(1).await;
    store.refuse(true);
    assert!(matches!(reader.read("note").await, Err(MirrorError::Bucket(_))));
    assert!(other.mirror.is_missing("note"));
    store.refuse(false);
    assert_eq!(reader.read("note").await.unwrap(), b"one");
    assert_eq!(fs::read_dir(other.mirror.path.parent().unwrap().join(SPARE)).unwrap().count(), 0);
    // It is gone from the bucket since it was listed.
    writer.write("soon gone", b"x").await;
    writer.push().await.unwrap();
    let late = other.at(2).await;
    writer.remove("soon gone").await;
    writer.push().await.unwrap();
    assert_eq!(late.read("soon gone").await.unwrap(), b"");
    assert_eq!(other.length("soon gone"), None);
}

#[tokio::test]
async fn what_was_not_stored_when_it_was_cut_short_is_stored_the_next_time() {
    let (store, id) = (TestStore::new(), TenantId::new());
    let one = side(&store, id);
    let writer = one.at(0).await;
    writer.write("note", b"one").await;
    let closed = store.gate.write().await;
    let cut = tokio::time::timeout(Duration::from_millis(50), writer.push()).await;
    assert!(cut.is_err() && writer.is_dirty());
    drop(closed);
    writer.push().await.unwrap();
    assert!(!writer.is_dirty());
    assert_eq!(store.keys().await.len(), 1);
}
