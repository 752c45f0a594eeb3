//! Fills a tenant's tables in one transaction, as the tenant's writer.
//!
//! Foreign keys are off and checked at the end, so tables may refer to each other in circles. Triggers are
//! off: what they once wrote is among the rows. A connection that was used so is never used again.
//! Dropping the import before its end takes everything back. In a file that tenants share, the others' writes wait
//! for the import's end, because such a file has one writer.

use super::PATIENCE;
use super::connection::Conn;
use super::errors::Failure;
use super::run::Bound;
use super::schema::{self, Schema, quote};
use super::session::Session;
use super::slots::Checkout;
use crate::transfer::{Import, RowBlock, TableShape};
use crate::{ConstraintKind, SqlError};
use rowhouse_base::Subject;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Time of one step: the longest writes a block, checks all foreign keys or commits.
const STEP: Duration = Duration::from_secs(600);

/// A running import.
pub(crate) struct Importer {
    session: Session,
    checkout: Option<Checkout>,
    schema: Arc<Schema>,
    sequences: Vec<(String, i64)>,
}

impl Importer {
    /// Takes the writer's turn and begins.
    pub(super) async fn open(session: &Session) -> Result<Self, SqlError> {
        let checkout = session.writer(Instant::now() + PATIENCE).await?;
        let mut import = Self {
            session: session.clone(),
            checkout: Some(checkout),
            schema: Arc::default(),
            sequences: Vec::new(),
        };
        import.schema = Arc::new(import.call(begin).await?);
        Ok(import)
    }

    /// The highest keys that tables ever had, set when the import finishes.
    pub(crate) fn set_sequences(&mut self, sequences: Vec<(String, i64)>) {
        self.sequences = sequences;
    }

    async fn call<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Conn) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, SqlError> {
        let checkout = self.checkout.take().ok_or(SqlError::Closed)?;
        let until = Instant::now() + PATIENCE;
        let (checkout, result) = self.session.on_thread(checkout, until, STEP, work).await?;
        // After some errors the engine has rolled back by itself.
        if checkout.conn.as_ref().is_some_and(|conn| !conn.db.is_autocommit()) {
            self.checkout = Some(checkout);
        }
        result.map_err(Failure::into_sql)
    }
}

impl Import for Importer {
    fn tables(&self) -> &[TableShape] {
        &self.schema.tables
    }

    async fn clear(&mut self) -> Result<(), SqlError> {
        let schema = Arc::clone(&self.schema);
        self.call(move |conn| conn.try_as_host(|db| clear(db, &schema))).await
    }

    async fn write(&mut self, table: &str, columns: &[String], rows: RowBlock) -> Result<(), SqlError> {
        let shape = self.schema.tables.iter().find(|shape| shape.name == table);
        let shape = shape.ok_or_else(|| SqlError::Syntax(format!("no such table: {table}")))?;
        if let Some(other) = columns.iter().find(|name| !shape.columns.iter().any(|one| one.name == **name)) {
            return Err(SqlError::Syntax(format!("table {table} has no column named {other}")));
        }
        let names: Vec<_> = columns.iter().map(|name| quote(name)).collect();
        let holes = vec!["?"; columns.len()].join(", ");
        let physical = self.schema.physical(table);
        let text = format!("INSERT INTO {physical} ({}) VALUES ({holes})", names.join(", "));
        let width = columns.len();
        self.call(move |conn| {
            if rows.iter().any(|row| row.len() != width) {
                return Err(SqlError::Parameter("a row has more or fewer values than columns".into()).into());
            }
            conn.try_as_host(|db| {
                let mut statement = db.prepare(&text)?;
                for row in &rows {
                    for (place, value) in (1..).zip(row) {
                        statement.raw_bind_parameter(place, Bound(value))?;
                    }
                    statement.raw_execute()?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn finish(mut self) -> Result<(), SqlError> {
        let (schema, sequences) = (Arc::clone(&self.schema), std::mem::take(&mut self.sequences));
        self.call(move |conn| finish(conn, &schema, &sequences)).await
    }
}

fn begin(conn: &mut Conn) -> Result<Schema, Failure> {
    // Never given back to guests: it is closed when the import ends, however it ends.
    conn.doubtful = true;
    conn.moved.insert(Subject::everything());
    conn.try_as_host(|db| {
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        db.execute_batch("PRAGMA foreign_keys = OFF")
    })?;
    conn.begin_write()?;
    let prefix = conn.owner.as_ref().map(|owner| &owner.prefix);
    conn.try_as_host(|db| schema::read(db, prefix))
}

fn clear(db: &Connection, schema: &Schema) -> Result<(), rusqlite::Error> {
    for table in &schema.tables {
        db.execute_batch(&format!("DELETE FROM {}", schema.physical(&table.name)))?;
    }
    if db.table_exists(None, "sqlite_sequence")? {
        for table in &schema.tables {
            db.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [schema.in_file(&table.name)])?;
        }
    }
    for index in schema.virtuals.iter().filter(|one| !one.external) {
        // One without content of its own refuses this and has another word for it.
        let name = schema.physical(&index.name);
        if db.execute_batch(&format!("DELETE FROM {name}")).is_err() {
            db.execute_batch(&format!("INSERT INTO {name}({name}) VALUES ('delete-all')"))?;
        }
    }
    rebuild(db, schema)
}

/// Makes full-text indexes over other tables anew.
fn rebuild(db: &Connection, schema: &Schema) -> Result<(), rusqlite::Error> {
    for index in schema.virtuals.iter().filter(|one| one.external) {
        let name = schema.physical(&index.name);
        db.execute_batch(&format!("INSERT INTO {name}({name}) VALUES ('rebuild')"))?;
    }
    Ok(())
}

fn finish(conn: &mut Conn, schema: &Schema, sequences: &[(String, i64)]) -> Result<(), Failure> {
    conn.try_as_host(|db| {
        rebuild(db, schema)?;
        // The engine itself has noted the highest key of the rows written.
        if sequences.is_empty() || !db.table_exists(None, "sqlite_sequence")? {
            return Ok(());
        }
        for (table, highest) in sequences {
            let table = schema.in_file(table);
            let raised = "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1";
            if db.execute(raised, (&table, highest))? == 0 {
                db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", (&table, highest))?;
            }
        }
        Ok(())
    })?;
    let orphan = conn.try_as_host(|db| {
        // Table by table: the rest of a shared file is none of its business.
        let mut statement = db.prepare("SELECT 1 FROM pragma_foreign_key_check(?1) LIMIT 1")?;
        for table in &schema.tables {
            if statement.exists([schema.in_file(&table.name)])? {
                return Ok(Some(&table.name));
            }
        }
        Ok(None)
    })?;
    if let Some(table) = orphan {
        return Err(SqlError::Constraint {
            kind: ConstraintKind::ForeignKey,
            message: format!("a foreign key of table {table} leads nowhere"),
        }
        .into());
    }
    conn.commit_write()?;
    // The log may be as large as the database by now. Where a reader is in the way it shrinks later.
    let written = conn.as_host(|db| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(())));
    if let Err(error) = written {
        tracing::debug!(%error, "the log of an import was not written back at once");
    }
    Ok(())
}
