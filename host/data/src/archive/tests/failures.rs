//! Imports that fail leave no row and no file; what they are told about goes by name.

use super::*;
use crate::LimitKind;
use crate::SqlError;
use rowhouse_base::Chain;
use std::fs;

const SCHEMA: &[&str] = &[
    "CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "CREATE TABLE person (id INTEGER PRIMARY KEY, team INTEGER REFERENCES team (id))",
];

fn team() -> TableShape {
    shape("team", &[("id", ColumnKind::Integer), ("name", ColumnKind::Text)])
}

fn person() -> TableShape {
    shape("person", &[("id", ColumnKind::Integer), ("team", ColumnKind::Integer)])
}

fn folder_with_a_file() -> (TempDir, Dir) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    fs::write(dir.path().join("folder/file"), [0; 1000]).unwrap();
    let opened = Dir::open_ambient_dir(dir.path(), ambient_authority()).unwrap();
    (dir, opened)
}

/// Imports what must fail; the tenant is empty afterwards and takes a good archive.
async fn fails(room: &Room, tenant: &Arc<Tenant>, tables: &[(TableShape, Vec<Vec<Value>>)]) -> ArchiveError {
    let (_dir, files) = folder_with_a_file();
    let archive = room.read(craft(tables, Some(&files))).await.unwrap();
    let error = room.data.import(tenant, archive).await.unwrap_err();
    assert_eq!(fs::read_dir(room.files(tenant)).unwrap().count(), 0, "{error}");
    assert!(room.data.content(tenant).await.unwrap().iter().all(|table| table.rows == 0), "{error}");
    assert_eq!(room.data.files(tenant).await.unwrap().meter.used(), (0, 0), "{error}");
    room.assert_nothing_staged();
    error
}

#[tokio::test]
async fn nothing_is_left() {
    let room = room();
    let tenant = room.tenant(SCHEMA, |_| {}).await;
    let named = |id: i64, name: &str| vec![Value::Integer(id), text(name)];
    let orphan =
        [(team(), vec![named(1, "a")]), (person(), vec![vec![Value::Integer(1), Value::Integer(9)]])];
    let error = fails(&room, &tenant, &orphan).await;
    assert!(Chain(&error).to_string().contains("a foreign key of table person leads nowhere"), "{error:?}");
    let twice = [(team(), vec![named(1, "a"), named(2, "a")]), (person(), vec![])];
    let error = fails(&room, &tenant, &twice).await;
    assert!(Chain(&error).to_string().contains("UNIQUE constraint failed: team.name"), "{error:?}");
    assert!(error.to_string().contains("rows 1 to 2 of table team"), "{error}");
    let strange = [(shape("other", &[("id", ColumnKind::Integer)]), vec![vec![Value::Null]])];
    let error = fails(&room, &tenant, &strange).await;
    assert!(matches!(error, ArchiveError::Shape(_)), "{error:?}");
    let moment = [(team(), vec![vec![Value::Integer(1), Value::Timestamp(1)]])];
    let error = fails(&room, &tenant, &moment).await;
    assert!(matches!(error, ArchiveError::Value { row: 1, .. }), "{error:?}");
    // A key that the engine would have to make up is a value changed.
    let made_up = [(team(), vec![vec![Value::Null, text("a")]])];
    let error = fails(&room, &tenant, &made_up).await;
    assert!(matches!(error, ArchiveError::Differs { .. }), "{error:?}");
    let good = craft(&[(team(), vec![named(1, "a")])], None);
    let summary = room.data.import(&tenant, room.read(good).await.unwrap()).await.unwrap();
    assert_eq!(summary.emptied, ["person"]);
}

#[tokio::test]
async fn quotas_hold() {
    let room = room();
    let rows = (0..2_000).map(|id| vec![Value::Integer(id), text(&format!("{id}{}", "x".repeat(200)))]);
    let tables = [(team(), rows.collect())];
    let tenant = room.tenant(SCHEMA, |limits| limits.database_bytes = 200_000).await;
    let error = fails(&room, &tenant, &tables).await;
    assert!(
        matches!(error, ArchiveError::Sql { source: SqlError::Limit(LimitKind::DatabaseSize), .. }),
        "{error:?}"
    );
    let tenant = room.tenant(SCHEMA, |limits| limits.files_bytes = 999).await;
    assert!(matches!(fails(&room, &tenant, &tables).await, ArchiveError::Quota(_)));
    let tenant = room.tenant(SCHEMA, |limits| limits.files_count = 1).await;
    assert!(matches!(fails(&room, &tenant, &tables).await, ArchiveError::Quota(_)));
}

#[tokio::test]
async fn other_schema_versions_and_tenants_in_use_are_refused() {
    let room = room();
    let source = room.tenant(SCHEMA, |_| {}).await;
    let bytes = room.export(&source).await;
    let new = crate::testing::tenant(Limits::default());
    room.data.provision(&new).await.unwrap();
    let refused = room.data.import(&new, room.read(bytes.clone()).await.unwrap()).await;
    assert!(matches!(refused, Err(ArchiveError::Schema { archive: 1, tenant: 0 })), "{refused:?}");
    fs::write(room.files(&source).join("already there"), "x").unwrap();
    let (_dir, files) = folder_with_a_file();
    let archive = room.read(craft(&[(team(), vec![])], Some(&files))).await.unwrap();
    let refused = room.data.import(&source, archive).await;
    assert!(matches!(refused, Err(ArchiveError::NotEmpty)), "{refused:?}");
    assert!(room.files(&source).join("already there").exists(), "what was there stays");
    room.assert_nothing_staged();
}

#[tokio::test]
async fn a_crash_leaves_nothing_for_long() {
    let room = room();
    let tenant = room.tenant(SCHEMA, |_| {}).await;
    let archive = room.read(room.export(&tenant).await).await.unwrap();
    std::mem::forget(archive);
    let staging = room.dir.path().join("staging");
    assert_eq!(fs::read_dir(&staging).unwrap().count(), 1);
    let again = Data::new(DataConfig::new(room.dir.path())).unwrap();
    assert_eq!(fs::read_dir(&staging).unwrap().count(), 0);
    assert!(again.list_ids().await.unwrap().contains(&tenant.id));
}

/// Takes nothing.
struct Full;

impl Write for Full {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_target_that_is_full_ends_the_export() {
    let room = room();
    let tenant = room.tenant(SCHEMA, |limits| limits.connections = 1).await;
    let refused = room.data.export(&tenant, ArchiveFacts::of(&tenant, None), Full).await;
    assert!(matches!(refused, Err(ArchiveError::Output(_))), "{refused:?}");
    // Its connection came back.
    assert_eq!(room.data.content(&tenant).await.unwrap().len(), 2);
}

#[tokio::test]
async fn futures_may_travel() {
    fn travels<T: Send>(future: T) -> T {
        future
    }
    let room = room();
    let tenant = room.tenant(SCHEMA, |_| {}).await;
    let to = Memory::default();
    travels(room.data.export(&tenant, ArchiveFacts::of(&tenant, None), to.clone())).await.unwrap();
    let archive = travels(room.data.read_archive(io::Cursor::new(to.bytes()))).await.unwrap();
    travels(room.data.import(&tenant, archive)).await.unwrap();
    travels(room.data.content(&tenant)).await.unwrap();
}
