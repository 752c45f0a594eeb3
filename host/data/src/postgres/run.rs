//! Runs statements on a connection, within bounds of rows and bytes. Time is the caller's: every future here
//! may be dropped at any point, and the connection then knows that it was left busy.

use super::connect::{Conn, Health};
use super::decode::{self, Column};
use super::encode;
use super::errors::{self, Failure};
use super::kind::Kind;
use crate::packed::{Encoder, ROOM};
use crate::{LimitKind, SqlError, Value};
use futures_util::TryStreamExt;
use rowhouse_base::Limits;
use sqlx::postgres::PgStatement;
use sqlx::{AssertSqlSafe, Column as _, Either, Executor, SqlSafeStr, Statement};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bounds of one result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) rows: u32,
    pub(super) bytes: usize,
}

impl Bounds {
    pub(super) fn of(limits: &Limits) -> Self {
        Self { rows: limits.rows, bytes: usize::try_from(limits.result_bytes).unwrap_or(usize::MAX) }
    }

    /// Refuses parameters that are larger than a result may be: a connection holds them whole.
    pub(super) fn check(self, params: &[Value]) -> Result<(), SqlError> {
        let bytes = params.iter().map(Value::heap_len).fold(0, usize::saturating_add);
        if bytes > self.bytes { Err(SqlError::Limit(LimitKind::Bytes)) } else { Ok(()) }
    }
}

/// What is known of a prepared statement.
#[derive(Debug)]
pub(super) struct Plan {
    statement: PgStatement,
    /// The head of its result: names, packed.
    pub(super) head: Vec<u8>,
    pub(super) columns: Vec<Column>,
    parameters: Vec<Kind>,
    /// Room for its next result, by the last one.
    room: AtomicUsize,
}

impl Plan {
    fn read(statement: PgStatement) -> Result<Self, SqlError> {
        let columns: Vec<Column> = statement
            .columns()
            .iter()
            .map(|column| Column { name: column.name().to_owned(), kind: Kind::of(column.type_info()) })
            .collect();
        let head = Encoder::new(columns.iter().map(|column| column.name.as_str()))
            .map_err(|_too_large| SqlError::Limit(LimitKind::Complexity))?
            .as_bytes()
            .to_vec();
        let parameters = match statement.parameters() {
            Some(Either::Left(types)) => types.iter().map(Kind::of).collect(),
            _ => Vec::new(),
        };
        Ok(Self { statement, head, columns, parameters, room: AtomicUsize::new(ROOM) })
    }
}

/// Where the rows of a statement go.
enum Sink<'a> {
    Rows { out: &'a mut Encoder, bounds: Bounds },
    Nowhere,
}

/// Runs a statement and packs its rows. The caller knows in which transaction.
pub(super) async fn query(
    conn: &mut Conn,
    text: &str,
    params: &[Value],
    bounds: Bounds,
) -> Result<Vec<u8>, Failure> {
    let plan = plan(conn, text).await?;
    let mut out = Encoder::with_room(&plan.head, plan.room.load(Relaxed));
    run(conn, &plan, text, params, Sink::Rows { out: &mut out, bounds }).await?;
    plan.room.store(out.room(), Relaxed);
    Ok(out.finish(false))
}

/// Runs a statement for what it does. Returns the number of rows it changed.
pub(super) async fn execute(conn: &mut Conn, text: &str, params: &[Value]) -> Result<u64, Failure> {
    let plan = plan(conn, text).await?;
    run(conn, &plan, text, params, Sink::Nowhere).await
}

/// Prepares the statement, or finds it prepared.
pub(super) async fn plan(conn: &mut Conn, text: &str) -> Result<Arc<Plan>, Failure> {
    if let Some(plan) = conn.plans.get(text) {
        return Ok(Arc::clone(plan));
    }
    let plan = Arc::new(Plan::read(prepare(conn, text).await?)?);
    conn.plans.put(text.into(), Arc::clone(&plan));
    Ok(plan)
}

/// Has the server parse the statement, and asks what it takes and gives.
async fn prepare(conn: &mut Conn, text: &str) -> Result<PgStatement, Failure> {
    conn.health = Health::Busy;
    let prepared = (&mut conn.db).prepare(AssertSqlSafe(Arc::<str>::from(text)).into_sql_str()).await;
    conn.heard(prepared)
}

async fn run(
    conn: &mut Conn,
    plan: &Plan,
    text: &str,
    params: &[Value],
    mut sink: Sink<'_>,
) -> Result<u64, Failure> {
    let arguments = encode::arguments(&plan.parameters, params).inspect_err(|_misfit| {
        // The column may have become wider since: the next attempt asks the server again.
        conn.plans.pop(text);
    })?;
    conn.health = Health::Busy;
    let mut affected = 0;
    let mut rows = (&mut conn.db).fetch_many(plan.statement.query_with(arguments));
    let ended = loop {
        match rows.try_next().await {
            Ok(Some(Either::Left(done))) => affected += done.rows_affected(),
            // Leaving here leaves the connection busy: the rest of the rows is not wanted.
            Ok(Some(Either::Right(row))) => take(&mut sink, &row, &plan.columns)?,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop(rows);
    conn.heard(ended).map(|()| affected)
}

fn take(sink: &mut Sink<'_>, row: &sqlx::postgres::PgRow, columns: &[Column]) -> Result<(), SqlError> {
    let Sink::Rows { out, bounds } = sink else { return Ok(()) };
    if out.rows() >= bounds.rows {
        return Err(SqlError::Limit(LimitKind::Rows));
    }
    decode::write_row(out, row, columns)?;
    if out.len() > bounds.bytes {
        return Err(SqlError::Limit(LimitKind::Bytes));
    }
    Ok(())
}

/// Forgets prepared statements after the tables have changed.
pub(super) async fn forget(conn: &mut Conn) -> Result<(), Failure> {
    use sqlx::Connection;
    conn.plans.clear();
    conn.health = Health::Busy;
    let cleared = conn.db.clear_cached_statements().await;
    conn.heard(cleared).map(drop)
}

/// Reads an error of rows that the host fetches itself.
pub(super) fn unheard(conn: &mut Conn, error: sqlx::Error) -> Failure {
    let failure = errors::read(error, conn.prefix.as_ref());
    conn.health = if matches!(failure, Failure::Broken(_)) { Health::Broken } else { Health::Idle };
    failure
}
