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
use super::run;
use super::shapes::{self, Table};
use crate::transfer::{Import, RowBlock, TableShape};
use crate::{SqlError, Value};
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

/// Sequences that number a column: sequence, table, column.
const SEQUENCES: &str = "SELECT s.relname::text, c.relname::text, a.attname::text FROM pg_depend d \
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_class c ON c.oid = d.refobjid \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid \
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
    AND d.deptype IN ('a', 'i') AND MINE";

/// All of a tenant's tables, open for filling.
pub(crate) struct PostgresImport {
    owner: Owner,
    names: TenantNames,
    tables: Vec<Table>,
    shapes: Vec<TableShape>,
    impatient: Vec<(String, String)>,
}

impl PostgresImport {
    pub(super) async fn open(engine: &Arc<Engine>, tenant: &Arc<Tenant>) -> Result<Self, SqlError> {
        let names = engine.names().of(tenant.id);
        let mut owner = Owner::open(engine, tenant.id, PATIENCE).await?;
        let (tables, impatient) = begin(owner.conn()?, &names).await.map_err(Failure::into_sql)?;
        let shapes = tables.iter().map(|table| table.shape.clone()).collect();
        Ok(Self { owner, names, tables, shapes, impatient })
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
        let sequences: Vec<(String, String, String)> = shapes::fetch(conn, SEQUENCES).await?;
        for (sequence, table, column) in sequences {
            let (table, column) = (quoted(&table), quoted(&column));
            conn.say_text(format!(
                "SELECT setval('{SCHEMA}.{}'::regclass, most) FROM (SELECT max({column}) AS most \
                 FROM {SCHEMA}.{table}) AS found WHERE most > 0",
                quoted(&sequence).replace('\'', "''")
            ))
            .await?;
        }
        conn.say("COMMIT").await
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
