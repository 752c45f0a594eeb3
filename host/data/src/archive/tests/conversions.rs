//! Between engines that differ: a made one with strict columns and lower-case names stands for the others.

use super::*;
use crate::SqlError;
use crate::archive::container::ArchiveLimits;
use crate::archive::{load, reader};
use crate::transfer::{Export, Import, RowBlock};

/// A row and its table.
type Row = (String, Vec<Value>);

/// Keeps rows in memory. Columns take their own kind alone.
#[derive(Clone)]
struct Strict {
    shapes: Vec<TableShape>,
    rows: Arc<Mutex<Vec<Row>>>,
    /// Stores every text in lower case, as a server with the wrong settings might.
    careless: bool,
    read: usize,
}

impl Strict {
    fn new(shapes: &[TableShape]) -> Self {
        Self { shapes: shapes.to_vec(), rows: Arc::default(), careless: false, read: 0 }
    }
}

fn fits(value: &Value, kind: ColumnKind) -> bool {
    matches!(
        (value, kind),
        (Value::Null, _)
            | (Value::Boolean(_), ColumnKind::Boolean)
            | (Value::Integer(_), ColumnKind::Integer)
            | (Value::Real(_), ColumnKind::Real)
            | (Value::Text(_), ColumnKind::Text)
            | (Value::Blob(_), ColumnKind::Blob)
            | (Value::Decimal(_), ColumnKind::Decimal)
            | (Value::Timestamp(_), ColumnKind::Timestamp)
            | (Value::Json(_), ColumnKind::Json)
            | (Value::Uuid(_), ColumnKind::Uuid)
    )
}

impl Import for Strict {
    fn tables(&self) -> &[TableShape] {
        &self.shapes
    }

    async fn clear(&mut self) -> Result<(), SqlError> {
        self.rows.lock().clear();
        Ok(())
    }

    async fn write(&mut self, table: &str, columns: &[String], rows: RowBlock) -> Result<(), SqlError> {
        let shape = self.shapes.iter().find(|shape| shape.name == table).unwrap();
        for row in rows {
            let stored = shape.columns.iter().map(|column| {
                let given = columns.iter().position(|name| *name == column.name);
                let value = given.map_or(Value::Null, |at| row[at].clone());
                assert!(fits(&value, column.kind), "{value:?} in {column:?}");
                match value {
                    Value::Text(text) if self.careless => Value::Text(text.to_lowercase()),
                    // As PostgreSQL gives it back.
                    Value::Json(text) if text.starts_with('{') => Value::Json(format!("  {text} ")),
                    other => other,
                }
            });
            self.rows.lock().push((table.to_owned(), stored.collect()));
        }
        Ok(())
    }

    async fn finish(self) -> Result<(), SqlError> {
        Ok(())
    }
}

impl Export for Strict {
    fn tables(&self) -> &[TableShape] {
        &self.shapes
    }

    async fn next(&mut self, table: &TableShape) -> Result<RowBlock, SqlError> {
        let rows = self.rows.lock();
        let found = rows.iter().rev().filter(|(name, _)| *name == table.name).map(|(_, row)| row.clone());
        let block: RowBlock = found.skip(self.read).take(2).collect();
        self.read = if block.is_empty() { 0 } else { self.read + block.len() };
        Ok(block)
    }
}

fn staged(tables: &[(TableShape, Vec<Vec<Value>>)]) -> Arc<StagedArchive> {
    let yard = Yard::new();
    let bytes = craft(tables, None);
    let archive = reader::read(&bytes[..], yard.staging(), &ArchiveLimits::default()).unwrap();
    // The archive removes its own folder; the one around it is empty then.
    let _kept = yard.dir.keep();
    Arc::new(archive)
}

async fn load_into(target: &mut Strict, archive: &Arc<StagedArchive>) -> Result<(), ArchiveError> {
    let pairs = load::pair(archive, &target.shapes)?;
    let expected = load::load(target, archive, &pairs, false).await?;
    load::verify(&mut target.clone(), &pairs, &expected).await
}

fn source() -> (TableShape, Vec<Vec<Value>>) {
    let columns = [
        ("Id", ColumnKind::Integer),
        ("Shown", ColumnKind::Integer),
        ("Price", ColumnKind::Decimal),
        ("Data", ColumnKind::Json),
        ("At", ColumnKind::Timestamp),
        ("Uid", ColumnKind::Uuid),
        ("Body", ColumnKind::Text),
    ];
    let row = |id: i64, price: &str| {
        vec![
            Value::Integer(id),
            Value::Integer(id % 2),
            Value::Decimal(price.to_owned()),
            Value::Json("{\"a\":1.50,\"b\":[]}".to_owned()),
            Value::Timestamp(id * 1_000_000),
            Value::Uuid("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11".to_owned()),
            text("Häuser"),
        ]
    };
    (shape("Page", &columns), vec![row(1, "12.50"), row(2, "-0.0"), vec![Value::Null; 7], row(4, "1e3")])
}

/// The same table as another engine declares it.
fn target() -> TableShape {
    let columns = [
        ("body", ColumnKind::Text),
        ("uid", ColumnKind::Uuid),
        ("at", ColumnKind::Timestamp),
        ("data", ColumnKind::Json),
        ("price", ColumnKind::Decimal),
        ("shown", ColumnKind::Boolean),
        ("id", ColumnKind::Integer),
        ("added_here", ColumnKind::Integer),
    ];
    shape("page", &columns)
}

#[tokio::test]
async fn the_hash_outlives_the_move() {
    let archive = staged(&[source(), (shape("gone", &[("x", ColumnKind::Text)]), vec![])]);
    let mut other = Strict::new(&[target()]);
    load_into(&mut other, &archive).await.unwrap();
    // Without the column that the archive doesn't have, all is as in the archive.
    let rows = other.rows.lock().iter().map(|(_, row)| row[..7].to_vec()).collect();
    let mut seven = target();
    seven.columns.pop();
    let back = staged(&[(seven, rows)]);
    let (there, here) = (archive.tables().next().unwrap(), back.tables().next().unwrap());
    assert_eq!((there.rows, there.content), (here.rows, here.content));
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let (page, mut rows) = source();
    rows[3][1] = Value::Integer(7);
    let archive = staged(&[(page, rows)]);
    let refused = load_into(&mut Strict::new(&[target()]), &archive).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "row 4 of table Page, column Shown: the integer 7 does not fit a column of kind boolean"
    );
    let mut less = target();
    less.columns.retain(|column| column.name != "price");
    let refused = load_into(&mut Strict::new(&[less]), &archive).await.unwrap_err();
    assert!(refused.to_string().contains("table page has no column Price"), "{refused}");
    let refused = load_into(&mut Strict::new(&[]), &archive).await.unwrap_err();
    assert!(refused.to_string().contains("there is no table Page"), "{refused}");
}

#[tokio::test]
async fn an_engine_that_changes_values_is_found_out() {
    let archive = staged(&[source()]);
    let mut careless = Strict { careless: true, ..Strict::new(&[target()]) };
    let refused = load_into(&mut careless, &archive).await;
    assert!(matches!(refused, Err(ArchiveError::Differs { .. })), "{refused:?}");
}

/// Kinds of other engines in SQLite's columns, and back.
#[tokio::test]
async fn into_the_embedded_engine() {
    let room = room();
    let schema =
        ["CREATE TABLE page (id INTEGER, shown BOOLEAN, price DECIMAL(10,2), data JSON, at TIMESTAMP, \
         uid UUID, body VARCHAR(20))"];
    let tenant = room.tenant(&schema, |_| {}).await;
    let bytes = craft(&[source()], None);
    let archive = room.read(bytes).await.unwrap();
    let content = archive.tables().next().unwrap().content;
    room.data.import(&tenant, archive).await.unwrap();
    assert_eq!(room.data.content(&tenant).await.unwrap()[0].content, content);
}
