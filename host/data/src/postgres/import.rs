//! Fills a tenant's tables in one transaction, as the tenant's owner.
//!
//! Foreign keys are checked at the end, so that rows may come in any order: they are made to wait within the
//! transaction and are what they were after it. Dropped before it is finished, it leaves everything as it was.

use super::connect::Conn;
use super::engine::Engine;
use super::errors::Failure;
use super::export::PATIENCE;
use super::names::{SCHEMA, TenantNames, quoted};
use super::owner::Owner;
use super::shapes::{self, Table};
use super::{run, sequences, versions};
use crate::transfer::{Import, RowBlock, TableShape};
use crate::{SqlError, Value};
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use std::sync::Arc;

/// Parameters of one statement; the engine takes 65,535.
const PARAMETERS: usize = 30_000;

/// Rows of one statement.
const ROWS: usize = 500;

/// Foreign keys that don't wait by themselves: table and name.
const IMPATIENT: &str = "SELECT c.relname::text, k.conname::text FROM pg_constraint k \
    JOIN pg_class c ON c.oid = k.conrelid WHERE k.contype = 'f' AND NOT k.condeferrable \
    AND k.conparentid = 0 AND MINE";

/// All of a tenant's tables, open for filling.
pub(crate) struct PostgresImport {
    owner: Owner,
    tenant: TenantId,
    names: TenantNames,
    tables: Vec<Table>,
    shapes: Vec<TableShape>,
    impatient: Vec<(String, String)>,
    sequences: Vec<(String, i64)>,
}

impl PostgresImport {
    pub(super) async fn open(engine: &Arc<Engine>, tenant: &Arc<Tenant>) -> Result<Self, SqlError> {
        let names = engine.names().of(tenant.id);
        let mut owner = Owner::open(engine, tenant.id, PATIENCE).await?;
        let (tables, impatient) = begin(owner.conn()?, &names).await.map_err(Failure::into_sql)?;
        let shapes = tables.iter().map(|table| table.shape.clone()).collect();
        Ok(Self { owner, tenant: tenant.id, names, tables, shapes, impatient, sequences: Vec::new() })
    }

    /// The highest keys that tables ever gave out, set when the import finishes.
    pub(crate) fn set_sequences(&mut self, sequences: Vec<(String, i64)>) {
        self.sequences = sequences;
    }

    fn table(&self, name: &str) -> Result<&Table, SqlError> {
        let found = self.tables.iter().find(|table| table.shape.name == name);
        found.ok_or_else(|| SqlError::Syntax(format!("there is no table `{name}` to write to")))
    }

    /// `INSERT` of so many rows into these columns, in their order.
    fn insert(&self, table: &str, columns: &[String], rows: usize) -> Result<String, SqlError> {
        let table = self.table(table)?;
        let mut casts = Vec::with_capacity(columns.len());
        for name in columns {
            let mut shapes = table.shape.columns.iter().zip(&table.casts);
            let (_shape, cast) = shapes
                .find(|(column, _)| column.name == *name)
                .ok_or_else(|| SqlError::Syntax(format!("`{}` has no column `{name}`", table.shape.name)))?;
            casts.push(cast.as_ref().map_or_else(String::new, |cast| format!("::text::{cast}")));
        }
        let mut number = 0;
        let rows: Vec<String> = (0..rows)
            .map(|_row| {
                let values: Vec<String> = casts
                    .iter()
                    .map(|cast| {
                        number += 1;
                        format!("${number}{cast}")
                    })
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let columns: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let (physical, columns) = (table.physical(&self.names), columns.join(", "));
        Ok(format!("INSERT INTO {physical} ({columns}) OVERRIDING SYSTEM VALUE VALUES {}", rows.join(", ")))
    }

    async fn end(&mut self) -> Result<(), Failure> {
        let impatient = std::mem::take(&mut self.impatient);
        let conn = self.owner.conn()?;
        conn.say("SET CONSTRAINTS ALL IMMEDIATE").await?;
        alter(conn, &impatient, "NOT DEFERRABLE").await?;
        sequences::set(conn, &self.names, &self.sequences).await?;
        conn.say_text(versions::everything(&self.names)).await?;
        let writing = self.owner.engine().writing(self.tenant, self.owner.conn()?);
        self.owner.conn()?.say("COMMIT").await?;
        writing.settled().await;
        Ok(())
    }
}

impl Import for PostgresImport {
    fn tables(&self) -> &[TableShape] {
        &self.shapes
    }

    async fn clear(&mut self) -> Result<(), SqlError> {
        let all: Vec<String> = self.tables.iter().map(|table| table.physical(&self.names)).collect();
        if all.is_empty() {
            return Ok(());
        }
        let text = format!("TRUNCATE {}", all.join(", "));
        self.owner.conn()?.say_text(text).await.map_err(Failure::into_sql)
    }

    async fn write(&mut self, table: &str, columns: &[String], rows: RowBlock) -> Result<(), SqlError> {
        if columns.is_empty() {
            return if rows.is_empty() {
                Ok(())
            } else {
                Err(SqlError::Parameter("rows without columns".into()))
            };
        }
        for chunk in rows.chunks(ROWS.min(PARAMETERS / columns.len()).max(1)) {
            let text = self.insert(table, columns, chunk.len())?;
            if let Some(short) = chunk.iter().find(|row| row.len() != columns.len()) {
                let message = format!("a row has {} values for {} columns", short.len(), columns.len());
                return Err(SqlError::Parameter(message));
            }
            let values: Vec<Value> = chunk.iter().flatten().cloned().collect();
            run::execute(self.owner.conn()?, &text, &values).await.map_err(Failure::into_sql)?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), SqlError> {
        self.end().await.map_err(Failure::into_sql)
    }
}

async fn begin(conn: &mut Conn, names: &TenantNames) -> Result<(Vec<Table>, Vec<(String, String)>), Failure> {
    conn.say("BEGIN READ WRITE").await?;
    let tables = shapes::read(conn, names).await?;
    let impatient = shapes::fetch(conn, IMPATIENT).await?;
    alter(conn, &impatient, "DEFERRABLE INITIALLY DEFERRED").await?;
    conn.say("SET CONSTRAINTS ALL DEFERRED").await?;
    Ok((tables, impatient))
}

async fn alter(conn: &mut Conn, constraints: &[(String, String)], to: &str) -> Result<(), Failure> {
    for (table, name) in constraints {
        let (table, name) = (quoted(table), quoted(name));
        conn.say_text(format!("ALTER TABLE {SCHEMA}.{table} ALTER CONSTRAINT {name} {to}")).await?;
    }
    Ok(())
}
