//! Archives through the room's door and, where an archive must be wrong, made by hand.

mod alterations;
mod conversions;
mod failures;
mod round_trip;

use super::manifest::{ArchivedTable, Manifest};
use super::writer::ArchiveWriter;
use super::{ArchiveError, ArchiveFacts, StagedArchive, Staging};
use crate::transfer::{ColumnKind, ColumnShape, TableShape};
use crate::{Data, DataConfig, Dialect, Migration, TenantDb, Value};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use parking_lot::Mutex;
use rowhouse_base::Limits;
use rowhouse_tenant::Tenant;
use std::io::{self, Write};
use std::sync::Arc;
use tempfile::TempDir;

/// A data room of its own, removed with it.
struct Room {
    data: Arc<Data>,
    dir: TempDir,
}

fn room() -> Room {
    let dir = tempfile::tempdir().unwrap();
    Room { data: Data::new(DataConfig::new(dir.path())).unwrap(), dir }
}

impl Room {
    /// A tenant with this schema.
    async fn tenant(&self, schema: &[&str], change: impl FnOnce(&mut Limits)) -> Arc<Tenant> {
        let mut limits = Limits::default();
        change(&mut limits);
        let tenant = crate::testing::tenant(limits);
        self.data.provision(&tenant).await.unwrap();
        self.data.migrate(&tenant, &[migration(schema)]).await.unwrap();
        tenant
    }

    async fn export(&self, tenant: &Arc<Tenant>) -> Vec<u8> {
        let to = Memory::default();
        self.data.export(tenant, ArchiveFacts::of(tenant, None), to.clone()).await.unwrap();
        to.bytes()
    }

    async fn read(&self, bytes: Vec<u8>) -> Result<StagedArchive, ArchiveError> {
        self.data.read_archive(io::Cursor::new(bytes)).await
    }

    fn files(&self, tenant: &Tenant) -> std::path::PathBuf {
        self.dir.path().join("tenants").join(tenant.id.to_string()).join("files")
    }

    /// Nothing is left of an archive.
    fn assert_nothing_staged(&self) {
        assert_eq!(std::fs::read_dir(self.dir.path().join("staging")).unwrap().count(), 0);
    }
}

fn migration(schema: &[&str]) -> Migration {
    Migration {
        version: 1,
        name: "schema".to_owned(),
        sqlite: schema.iter().map(|&text| text.to_owned()).collect(),
        postgresql: vec![],
        mysql: vec![],
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

async fn run(db: &mut TenantDb, statement: &str, params: Vec<Value>) {
    db.execute(statement, params).await.unwrap();
}

/// Bytes written, still there when the writer has gone.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().clone()
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shape(name: &str, columns: &[(&str, ColumnKind)]) -> TableShape {
    let columns = columns.iter().map(|(name, kind)| ColumnShape { name: (*name).to_owned(), kind: *kind });
    TableShape { name: name.to_owned(), columns: columns.collect(), key: vec![], references: vec![] }
}

fn manifest(shapes: &[TableShape]) -> Manifest {
    let tenant = crate::testing::tenant(Limits::default());
    let tables = shapes.iter().map(|shape| ArchivedTable { shape: shape.clone(), sequence: None });
    Manifest::new(Dialect::Sqlite, 1, ArchiveFacts::of(&tenant, None), tables.collect(), vec![])
}

/// An archive of these tables, made without any engine.
fn craft(tables: &[(TableShape, Vec<Vec<Value>>)], files: Option<&Dir>) -> Vec<u8> {
    let shapes: Vec<_> = tables.iter().map(|(shape, _)| shape.clone()).collect();
    let to = Memory::default();
    let mut writer = ArchiveWriter::begin(to.clone(), &manifest(&shapes)).unwrap();
    for (shape, rows) in tables {
        writer.begin_table(&shape.name, shape.columns.iter().map(|column| column.name.as_str()));
        writer.rows(rows).unwrap();
        writer.end_table().unwrap();
    }
    if let Some(files) = files {
        writer.files(files).unwrap();
    }
    writer.finish().unwrap();
    to.bytes()
}

/// A folder for staging, removed with it.
struct Yard {
    dir: TempDir,
}

impl Yard {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn staging(&self) -> Staging {
        Staging::make(&Dir::open_ambient_dir(self.dir.path(), ambient_authority()).unwrap()).unwrap()
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(self.dir.path()).unwrap().count() == 0
    }
}
