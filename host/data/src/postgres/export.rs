//! Reads all of a tenant's tables over one snapshot, as the tenant's owner.

use super::connect::Conn;
use super::engine::Engine;
use super::errors::Failure;
use super::names::{TenantNames, quoted};
use super::owner::Owner;
use super::pages::Pages;
use super::sequences;
use super::shapes::{self, Table};
use crate::transfer::{Export, RowBlock, TableShape};
use crate::{SqlError, packed};
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use std::time::Duration;

/// How long one block may take, and whoever asks may pause between blocks.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// Rows and bytes of one block.
const BLOCK_ROWS: u32 = 500;
const BLOCK_BYTES: usize = 1 << 20;

/// All of a tenant's tables, open for reading.
pub(crate) struct PostgresExport {
    owner: Owner,
    names: TenantNames,
    tables: Vec<Table>,
    shapes: Vec<TableShape>,
    sequences: Vec<(String, i64)>,
    /// The table being read; its pages until the last was handed out.
    reading: Option<(String, Option<Pages>)>,
}

impl PostgresExport {
    pub(super) async fn open(engine: &Arc<Engine>, tenant: &Arc<Tenant>) -> Result<Self, SqlError> {
        let names = engine.names().of(tenant.id);
        let mut owner = Owner::open(engine, tenant.id, PATIENCE).await?;
        let conn = owner.conn()?;
        conn.say("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(Failure::into_sql)?;
        let tables = shapes::read(conn, &names).await.map_err(Failure::into_sql)?;
        let shapes = tables.iter().map(|table| table.shape.clone()).collect();
        let sequences = sequences::read(conn, &names).await.map_err(Failure::into_sql)?;
        Ok(Self { owner, names, tables, shapes, sequences, reading: None })
    }

    /// The highest keys that tables ever gave out.
    pub(crate) fn sequences(&self) -> &[(String, i64)] {
        &self.sequences
    }

    async fn block(&mut self, table: &str) -> Result<Vec<u8>, Failure> {
        let conn = self.owner.conn()?;
        let reading = match self.reading.take() {
            Some((name, pages)) if name == table => pages,
            other => {
                if other.is_some() {
                    conn.say("CLOSE ALL").await?;
                }
                Some(open(conn, &self.tables, &self.names, table).await?)
            }
        };
        let Some(mut pages) = reading else {
            self.reading = Some((table.to_owned(), None));
            return Ok(Vec::new());
        };
        let (bytes, more) = pages.page(conn, BLOCK_ROWS, BLOCK_BYTES, usize::MAX / 4).await?;
        self.reading = Some((table.to_owned(), more.then_some(pages)));
        Ok(bytes)
    }
}

impl Export for PostgresExport {
    fn tables(&self) -> &[TableShape] {
        &self.shapes
    }

    async fn next(&mut self, table: &TableShape) -> Result<RowBlock, SqlError> {
        let bytes = self.block(&table.name).await.map_err(Failure::into_sql)?;
        if bytes.is_empty() {
            return Ok(RowBlock::new());
        }
        let decoded = packed::decode(&bytes).map_err(|error| SqlError::other(error.to_string()))?;
        Ok(decoded.0.rows)
    }
}

async fn open(conn: &mut Conn, tables: &[Table], names: &TenantNames, name: &str) -> Result<Pages, Failure> {
    let found = tables.iter().find(|table| table.shape.name == name);
    let table = found.ok_or_else(|| SqlError::Syntax(format!("there is no table `{name}`")))?;
    let columns: Vec<String> = std::iter::zip(&table.shape.columns, &table.casts)
        .map(|(column, cast)| match cast {
            Some(_type) => format!("{}::text", quoted(&column.name)),
            None => quoted(&column.name),
        })
        .collect();
    // Without a key in the order of the disk, which doesn't change under a snapshot.
    let key: Vec<String> = table.shape.key.iter().map(|column| quoted(column)).collect();
    let order = if key.is_empty() { "ctid".to_owned() } else { key.join(", ") };
    let physical = table.physical(names);
    let text = format!("SELECT {} FROM {physical} ORDER BY {order}", columns.join(", "));
    Pages::open(conn, &text, &[]).await
}
