//! Reads a tenant's tables over one snapshot, block by block.
//!
//! As with a cursor, the read transaction and its open statement stay on one thread with a connection of
//! their own until the export is dropped, read to its end, or not asked for a long time. It writes nothing
//! and keeps nobody from writing. Values are what guests get from the same columns.

use super::connection::Conn;
use super::errors::{Failure, Phase, read};
use super::plan::Head;
use super::schema::{self, Schema, quote};
use super::session::Session;
use super::{PATIENCE, run};
use crate::packed::{self, Encoder};
use crate::transfer::{Export, RowBlock, TableShape};
use crate::{LimitKind, SqlError};
use rusqlite::{Rows, Statement};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Rows of one block.
const BLOCK_ROWS: u32 = 500;

/// Bytes after which a block ends, however few rows it has.
const BLOCK_BYTES: usize = 1 << 20;

/// How long the snapshot is kept while nobody asks: the other side may be a slow network.
const IDLE: Duration = Duration::from_secs(600);

/// A running export.
pub(crate) struct Exporter {
    schema: Arc<Schema>,
    asks: SyncSender<Ask>,
}

struct Ask {
    /// Place of the table in the schema.
    table: usize,
    answer: oneshot::Sender<Result<RowBlock, SqlError>>,
}

impl Exporter {
    /// Fixes the snapshot.
    pub(super) async fn open(session: &Session) -> Result<Self, SqlError> {
        let until = Instant::now() + PATIENCE;
        let thread = session.engine.cursor_permits.clone();
        let late = SqlError::Limit(LimitKind::Connections);
        let thread = session.slot.permit(&thread, until, late).await?;
        let mut checkout = session.engine.slots.checkout(&session.slot, until).await?;
        checkout.extra.push(thread);
        let share = match checkout.conn {
            Some(_) => None,
            None => Some(session.engine.slots.share(until).await?),
        };
        let (asks, asked) = sync_channel(1);
        let (opened, open) = oneshot::channel();
        let (slot, quota) = (Arc::clone(&session.slot), session.tenant.limits.database_bytes);
        session.engine.cursors.run(move || match super::ready(&mut checkout, &slot, quota, share) {
            Ok(conn) => serve(conn, opened, &asked),
            Err(failure) => {
                let _unheard = opened.send(Err(failure.into_sql()));
            }
        });
        match open.await {
            Ok(schema) => Ok(Self { schema: Arc::new(schema?), asks }),
            Err(_thread) => Err(SqlError::other("the export's thread failed")),
        }
    }

    /// Virtual tables, which are not exported.
    pub(crate) fn left_out(&self) -> Vec<String> {
        self.schema.virtuals.iter().map(|one| one.name.clone()).collect()
    }

    /// Tables that never use a key again, with the highest key so far.
    pub(crate) fn sequences(&self) -> &[(String, i64)] {
        &self.schema.sequences
    }
}

impl Export for Exporter {
    fn tables(&self) -> &[TableShape] {
        &self.schema.tables
    }

    async fn next(&mut self, table: &TableShape) -> Result<RowBlock, SqlError> {
        let place = self.schema.tables.iter().position(|one| one.name == table.name);
        let table = place.ok_or_else(|| SqlError::other(format!("there is no table {}", table.name)))?;
        let (answer, block) = oneshot::channel();
        self.asks.try_send(Ask { table, answer }).map_err(|_ended| SqlError::Closed)?;
        block.await.map_err(|_ended| SqlError::Closed)?
    }
}

fn serve(conn: &mut Conn, opened: oneshot::Sender<Result<Schema, SqlError>>, asked: &Receiver<Ask>) {
    let prefix = conn.owner.as_ref().map(|owner| &owner.prefix);
    let begun = conn.as_host(|db| {
        db.execute_batch("BEGIN")?;
        schema::read(db, prefix)
    });
    if let Ok(schema) = &begun {
        let schema = schema.clone();
        if opened.send(begun).is_ok() {
            let mut next = asked.recv_timeout(IDLE).ok();
            while let Some(ask) = next {
                next = serve_table(conn, &schema, ask, asked);
            }
        }
    } else {
        let _unheard = opened.send(begun);
    }
    conn.roll_back();
}

/// Serves what is asked of one table; gives back the first ask for another.
fn serve_table(conn: &Conn, schema: &Schema, first: Ask, asked: &Receiver<Ask>) -> Option<Ask> {
    let table = first.table;
    let mut statement = match prepare(conn, schema, table) {
        Ok(statement) => statement,
        Err(failure) => {
            let _unheard = first.answer.send(Err(failure.into_sql()));
            return asked.recv_timeout(IDLE).ok();
        }
    };
    let head = Head::read(&statement);
    let mut rows = statement.raw_query();
    let mut ask = first;
    loop {
        let block = match &head {
            Ok(head) => next_block(conn, &mut rows, head).map_err(Failure::into_sql),
            Err(error) => Err(error.clone()),
        };
        let ended = !block.as_ref().is_ok_and(|rows| !rows.is_empty());
        let _unheard = ask.answer.send(block);
        match asked.recv_timeout(IDLE) {
            Ok(next) if next.table == table && !ended => ask = next,
            other => return other.ok(),
        }
    }
}

fn prepare<'a>(conn: &'a Conn, schema: &Schema, table: usize) -> Result<Statement<'a>, Failure> {
    let (Some(shape), Some(order)) = (schema.tables.get(table), schema.orders.get(table)) else {
        return Err(SqlError::Closed.into());
    };
    let columns: Vec<_> = shape.columns.iter().map(|column| quote(&column.name)).collect();
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {order}") };
    let text = format!("SELECT {} FROM {}{order}", columns.join(", "), schema.physical(&shape.name));
    conn.prepare_as_host(&text)
}

fn next_block(conn: &Conn, rows: &mut Rows<'_>, head: &Head) -> Result<RowBlock, Failure> {
    let mut block = Encoder::from_head(&head.packed);
    while block.rows() < BLOCK_ROWS && block.len() < BLOCK_BYTES {
        match rows.next().map_err(|error| read(conn, Phase::Run, error))? {
            Some(row) => run::write_row(&mut block, row, head)?,
            None => break,
        }
    }
    let (rows, _more) =
        packed::decode(&block.finish(false)).map_err(|error| SqlError::other(error.to_string()))?;
    Ok(rows.rows)
}
