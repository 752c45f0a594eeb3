//! The room's door where files are in a bucket.

use super::{Bucket, Needs, TestStore};
use crate::home::Home;
use crate::mirrors::Mirrors;
use crate::{ArchiveFacts, Data, DataConfig, Migration, MirrorSession, Removal};
use object_store::ObjectStore;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Limits, Subject};
use rowhouse_tenant::Tenant;
use std::io::{Seek as _, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

struct Room {
    data: Arc<Data>,
    store: Arc<TestStore>,
    tenant: Arc<Tenant>,
    _dir: TempDir,
}

/// Makes a tenant's database, with a table.
async fn make(data: &Data, tenant: &Arc<Tenant>) {
    data.provision(tenant).await.unwrap();
    let texts = vec!["CREATE TABLE page (id INTEGER PRIMARY KEY)".to_owned()];
    let name = "create page".to_owned();
    let one = Migration { version: 1, name, sqlite: texts.clone(), postgresql: texts.clone(), mysql: texts };
    data.migrate(tenant, &[one]).await.unwrap();
}

fn bucket(store: &Arc<TestStore>) -> Bucket {
    Bucket::over(Arc::clone(store) as Arc<dyn ObjectStore>, "")
}

impl Room {
    async fn new() -> Self {
        let (dir, store) = (tempfile::tempdir().unwrap(), TestStore::new());
        let data = Data::over(DataConfig::new(dir.path()), bucket(&store)).unwrap();
        let tenant = crate::testing::tenant(Limits::default());
        make(&data, &tenant).await;
        Self { data, store, tenant, _dir: dir }
    }

    async fn begin(&self) -> Arc<MirrorSession> {
        let files = self.data.files(&self.tenant).await.unwrap();
        let session = self.data.begin_files(&self.tenant, files.mirror.as_ref().unwrap()).await;
        session.ready().await.unwrap();
        session
    }

    async fn settle(&self, session: &Arc<MirrorSession>) {
        let settled = self.data.settle(&self.tenant, Some(session), &[Subject::files()]).await;
        settled.stored.unwrap();
        settled.told.unwrap();
    }

    async fn count(&self) -> u64 {
        self.data.versions(&self.tenant).await.unwrap().of(&Subject::files())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_are_stored_before_the_count_moves() {
    let room = Room::new().await;
    let session = room.begin().await;
    session.write("note", b"one").await;
    let before = room.count().await;
    let closed = room.store.gate.write().await;
    let (data, tenant, files) = (Arc::clone(&room.data), Arc::clone(&room.tenant), Arc::clone(&session));
    let settling = tokio::spawn(async move { data.settle(&tenant, Some(&files), &[Subject::files()]).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(room.count().await, before, "nothing is stored yet");
    assert!(!settling.is_finished());
    drop(closed);
    let settled = settling.await.unwrap();
    assert!(settled.stored.is_ok() && settled.told.is_ok());
    assert_eq!(room.count().await, before + 1);
    assert_eq!(room.store.keys().await, [format!("{}/note", room.tenant.id)]);
    // Nobody else changed anything: nothing is listed again.
    let lists = room.store.lists();
    assert_eq!(room.begin().await.read("note").await.unwrap(), b"one");
    assert_eq!((room.store.lists(), room.store.gets()), (lists, 0));
}

#[tokio::test]
async fn a_failure_is_told_and_the_count_moves_for_what_else_was_stored() {
    let room = Room::new().await;
    let session = room.begin().await;
    session.write("note", b"one").await;
    room.store.refuse(true);
    let before = room.count().await;
    let settled = room.data.settle(&room.tenant, Some(&session), &[Subject::files()]).await;
    assert!(settled.stored.is_err() && settled.told.is_ok());
    assert_eq!(room.count().await, before + 1);
    room.store.refuse(false);
    drop(session);
    assert_eq!(room.begin().await.read("note").await.unwrap(), b"", "what nobody has is not here either");
}

#[tokio::test]
async fn a_removed_tenant_leaves_nothing_in_the_bucket() {
    let room = Room::new().await;
    let session = room.begin().await;
    session.make_folder("a").await;
    session.write("a/b", b"four").await;
    room.settle(&session).await;
    drop(session);
    let usage = room.data.usage(&room.tenant).await.unwrap();
    assert_eq!((usage.files_bytes, usage.files_count), (4, 2));
    assert!(room.data.rescan(&room.tenant).await.unwrap().bytes >= 4);
    let removed = room.data.remove(&room.tenant).await.unwrap();
    assert!(removed.entries >= 2 && removed.bytes >= 4, "{removed:?}");
    assert_eq!(room.data.rescan(&room.tenant).await.unwrap(), Removal::default());
    assert_eq!(room.store.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_archive_has_what_the_bucket_has_and_fills_another_tenant() {
    let room = Room::new().await;
    let session = room.begin().await;
    session.make_folder("a").await;
    session.make_folder("empty").await;
    session.write("a/b", b"four").await;
    room.settle(&session).await;
    drop(session);

    let mut file = tempfile::tempfile().unwrap();
    let facts = ArchiveFacts::of(&room.tenant, None);
    let written = room.data.export(&room.tenant, facts, file.try_clone().unwrap()).await.unwrap();
    assert_eq!((written.files, written.file_bytes), (1, 4));
    file.flush().unwrap();
    file.rewind().unwrap();
    let archive = room.data.read_archive(file.try_clone().unwrap()).await.unwrap();
    let copy = Arc::new(Tenant { id: TenantId::new(), ..Tenant::clone(&room.tenant) });
    make(&room.data, &copy).await;
    room.data.import(&copy, archive).await.unwrap();
    let below = |id: TenantId| format!("{id}/");
    let keys = room.store.keys().await;
    let of = |id: TenantId| -> Vec<String> {
        keys.iter().filter_map(|key| key.strip_prefix(&below(id)).map(str::to_owned)).collect()
    };
    assert_eq!(of(copy.id), ["a/b", "a/~", "empty/~"]);
    assert_eq!(of(copy.id), of(room.tenant.id));

    // A tenant that has files takes none.
    file.rewind().unwrap();
    let archive = room.data.read_archive(file.try_clone().unwrap()).await.unwrap();
    assert!(room.data.import(&copy, archive).await.is_err());
    room.data.reset(&copy).await.unwrap();
    assert_eq!(room.data.usage(&copy).await.unwrap().files_count, 0);
    make(&room.data, &copy).await;
    // One that can't be stored leaves nothing.
    file.rewind().unwrap();
    let archive = room.data.read_archive(file).await.unwrap();
    let files = room.data.files(&copy).await.unwrap();
    room.data.begin_files(&copy, files.mirror.as_ref().unwrap()).await.ready().await.unwrap();
    let closed = room.store.gate.write().await;
    let (data, target) = (Arc::clone(&room.data), Arc::clone(&copy));
    let importing = tokio::spawn(async move { data.import(&target, archive).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(100)).await;
    room.store.refuse(true);
    drop(closed);
    assert!(importing.await.unwrap().is_err());
    room.store.refuse(false);
    assert_eq!(room.data.usage(&copy).await.unwrap().files_count, 0);
}

#[tokio::test]
async fn mirrors_are_let_go_of_where_they_take_too_much() {
    let (dir, store) = (tempfile::tempdir().unwrap(), TestStore::new());
    let home = Home::open(dir.path()).unwrap();
    let mirrors = Mirrors::over(bucket(&store), &home, 5).unwrap();
    let (first, second, third) = (TenantId::new(), TenantId::new(), TenantId::new());
    let mut used = Vec::new();
    for id in [first, second, third] {
        let mirror = mirrors.of(id).unwrap();
        let session = MirrorSession::new(&mirror, None);
        session.ready().await.unwrap();
        session.write("note", b"four").await;
        session.push().await.unwrap();
        drop(session);
        used.push(mirror);
    }
    mirrors.shrink();
    let folders = || std::fs::read_dir(dir.path().join("mirrors")).unwrap().count();
    assert_eq!(folders(), 3, "all of them are in use");
    let same = Arc::clone(&used[2]);
    used.clear();
    mirrors.shrink();
    // A task removes the folders.
    for _attempt in 0..100 {
        if folders() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(folders(), 1);
    assert!(Arc::ptr_eq(&mirrors.of(third).unwrap(), &same));
    let session = MirrorSession::new(&mirrors.of(first).unwrap(), None);
    session.ready().await.unwrap();
    let _alone = session.changing(Needs::File("note")).await.unwrap();
}
