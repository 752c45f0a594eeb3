//! Reads a tenant's tables for an archive, all over one snapshot.
//!
//! A task holds the connection with its read-only transaction and streams one table after another in the
//! order of its primary key; the server goes on only as far as blocks are taken. A table without one comes
//! in the order the server keeps it. Dropped, the task ends and the connection with it.

use super::connect::{Conn, Gate};
use super::engine::Engine;
use super::names::{Names, quoted};
use super::session::{Session, in_time};
use super::shape::{self, Shapes};
use super::{decode, run};
use crate::pool::Lease;
use crate::transfer::{ColumnKind, Export, RowBlock, TableShape};
use crate::{SqlError, Value};
use futures_util::StreamExt;
use rowhouse_base::tasks;
use rowhouse_tenant::Tenant;
use sqlx::{AssertSqlSafe, Executor, Row};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Rows and bytes of a block, whichever comes first.
const ROWS: usize = 500;
const BYTES: usize = 1 << 20;

/// The asking side of an export.
pub(crate) struct Dump {
    tables: Vec<TableShape>,
    sequences: Vec<(String, i64)>,
    asks: mpsc::Sender<TableShape>,
    blocks: mpsc::Receiver<Result<RowBlock, SqlError>>,
    /// The table that is being read.
    current: Option<String>,
}

impl Engine {
    /// Begins an export.
    pub(crate) async fn export(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Result<Dump, SqlError> {
        let session = self.session(tenant);
        let until = Instant::now() + session.time();
        let (lease, tables, sequences) = in_time(until, async {
            let mut lease = session.lease(until, true).await?;
            let conn = lease.conn()?;
            // An export may take as long as it takes.
            session.host(conn, NO_LIMIT).await?;
            session.host(conn, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
            let known = self.known_tables(&session.names).await?;
            let Shapes { tables, counters: mut sequences, .. } =
                shape::read(conn, &session.names, &known).await?;
            sequences.retain(|(_table, highest)| *highest > 0);
            Ok((lease, tables, sequences))
        })
        .await?;
        let (asks, asked) = mpsc::channel(1);
        let (found, blocks) = mpsc::channel(1);
        tasks::spawn("export a database", serve(session, lease, asked, found));
        Ok(Dump { tables, sequences, asks, blocks, current: None })
    }
}

impl Dump {
    /// The highest keys that tables ever gave out.
    pub(crate) fn sequences(&self) -> &[(String, i64)] {
        &self.sequences
    }
}

/// Takes the server's own bound off a session that is closed afterwards.
/// Counters of keys are the server's own, not what it remembered of them.
pub(super) const NO_LIMIT: &str = "SET net_write_timeout = 600 /*M!100100 , max_statement_time = 0 */ \
     /*!50708 , max_execution_time = 0 */ /*!80000 , information_schema_stats_expiry = 0 */";

impl Export for Dump {
    fn tables(&self) -> &[TableShape] {
        &self.tables
    }

    async fn next(&mut self, table: &TableShape) -> Result<RowBlock, SqlError> {
        if self.current.as_deref() != Some(&table.name) {
            self.asks.send(table.clone()).await.map_err(|_ended| SqlError::Closed)?;
            self.current = Some(table.name.clone());
        }
        let block = self.blocks.recv().await.ok_or(SqlError::Closed)??;
        if block.is_empty() {
            self.current = None;
        }
        Ok(block)
    }
}

async fn serve(
    session: Session,
    mut lease: Lease<Gate>,
    mut asked: mpsc::Receiver<TableShape>,
    found: mpsc::Sender<Result<RowBlock, SqlError>>,
) {
    // The connection is closed in the end: its settings are an export's.
    let Ok(conn) = lease.conn() else { return };
    while let Some(table) = asked.recv().await {
        let result = tokio::select! {
            result = read(conn, &session.names, &table, &found) => result,
            () = found.closed() => return,
        };
        if let Err(error) = result {
            let _unheard = found.send(Err(error)).await;
            return;
        }
    }
}

/// Sends a table's rows in blocks, an empty one at the end.
async fn read(
    conn: &mut Conn,
    names: &Names,
    table: &TableShape,
    found: &mpsc::Sender<Result<RowBlock, SqlError>>,
) -> Result<(), SqlError> {
    let list =
        |columns: Vec<&String>| columns.into_iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", ");
    let columns = list(table.columns.iter().map(|column| &column.name).collect());
    let order = match table.key.as_slice() {
        [] => String::new(),
        key => format!(" ORDER BY {}", list(key.iter().collect())),
    };
    let text = format!("SELECT {columns} FROM {}{order}", names.qualified(&names.physical(&table.name)));
    let declared: Vec<ColumnKind> = table.columns.iter().map(|column| column.kind).collect();
    conn.busy = true;
    let mut stream = conn.db.fetch_many(sqlx::query(AssertSqlSafe(text)));
    let mut kinds = None;
    let (mut block, mut bytes) = (Vec::new(), 0);
    while let Some(step) = stream.next().await {
        let row = match step {
            Ok(sqlx::Either::Right(row)) => row,
            Ok(sqlx::Either::Left(_end)) => continue,
            Err(error) => {
                drop(stream);
                return Err(run::answered(&mut conn.busy, &error, names).error);
            }
        };
        let kinds = kinds.get_or_insert_with(|| decode::kinds(row.columns()));
        let mut values = decode::values(&row, kinds)?;
        for (value, kind) in values.iter_mut().zip(&declared) {
            as_declared(value, *kind);
        }
        bytes += values.iter().map(|value| value.heap_len() + 8).sum::<usize>();
        block.push(values);
        if block.len() >= ROWS || bytes >= BYTES {
            send(found, std::mem::take(&mut block)).await?;
            bytes = 0;
        }
    }
    drop(stream);
    conn.busy = false;
    if !block.is_empty() {
        send(found, block).await?;
    }
    send(found, Vec::new()).await
}

async fn send(found: &mpsc::Sender<Result<RowBlock, SqlError>>, block: RowBlock) -> Result<(), SqlError> {
    found.send(Ok(block)).await.map_err(|_unheard| SqlError::Closed)
}

/// MariaDB's results don't tell JSON and UUIDs from text; its catalogue does.
fn as_declared(value: &mut Value, kind: ColumnKind) {
    if let Value::Text(text) = value {
        match kind {
            ColumnKind::Json => *value = Value::Json(std::mem::take(text)),
            ColumnKind::Uuid => *value = Value::Uuid(std::mem::take(text).to_ascii_lowercase()),
            _ => {}
        }
    }
}
