//! Runs one prepared statement on a connection and reads what it answers, within bounds.
//!
//! A statement that the connection has prepared before takes one round trip. The connection is marked busy
//! until the server has said that the statement ended; who drops it before ends the statement as well.

use super::connect::Conn;
use super::decode::{self, Kind};
use super::errors;
use super::names::Names;
use crate::guard::Template;
use crate::packed::Encoder;
use crate::{LimitKind, Outcome, SqlError};
use futures_util::StreamExt;
use sqlx::mysql::{MySqlArguments, MySqlColumn, MySqlQueryResult, MySqlStatement};
use sqlx::{AssertSqlSafe, Column, Either, Executor, Row, SqlSafeStr, SqlStr, Statement};
use std::sync::Arc;

/// What a result may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) rows: u32,
    pub(super) bytes: usize,
}

/// A statement that the guard let pass, with its parameters.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) template: Arc<Template>,
    pub(super) text: SqlStr,
    pub(super) arguments: MySqlArguments,
    /// About what it would add to the database.
    pub(super) weight: u64,
}

impl Call {
    /// The guard's text for this tenant.
    pub(super) fn text(template: &Template, names: &Names) -> SqlStr {
        AssertSqlSafe(template.text(names.prefix.as_ref()).into_owned()).into_sql_str()
    }

    /// True where it only removes rows, which a full database allows.
    pub(super) fn removes(&self) -> bool {
        self.text.as_str().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("delete"))
    }
}

/// Why a statement came to nothing, and what that means for the transaction around it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: SqlError,
    /// True where the server has rolled back all of it.
    pub(super) ended: bool,
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        Self { error, ended: false }
    }
}

/// Prepares the statement, or finds it prepared.
pub(super) async fn prepare(conn: &mut Conn, call: &Call, names: &Names) -> Result<MySqlStatement, Failure> {
    conn.busy = true;
    let statement =
        conn.db.prepare(call.text.clone()).await.map_err(|error| answered(&mut conn.busy, &error, names))?;
    let places = statement.parameters().and_then(Either::right).unwrap_or_default();
    if places != call.template.parameters().len() {
        conn.busy = false;
        let message = format!("the database counts {places} parameters in the statement");
        return Err(SqlError::Parameter(message).into());
    }
    Ok(statement)
}

/// Reads an error. Where the server answered, the statement has ended.
pub(super) fn answered(busy: &mut bool, error: &sqlx::Error, names: &Names) -> Failure {
    if errors::is_answer(error) {
        *busy = false;
    }
    Failure { error: errors::guest(error, names), ended: errors::ends_transaction(error) }
}

/// Names of the columns and how to read them.
pub(super) struct Head {
    pub(super) packed: Vec<u8>,
    pub(super) kinds: Vec<Kind>,
}

impl Head {
    pub(super) fn read(columns: &[MySqlColumn]) -> Result<Self, SqlError> {
        Ok(Self { packed: begin(columns)?.as_bytes().to_vec(), kinds: decode::kinds(columns) })
    }
}

/// Begins a result with the names of its columns.
fn begin(columns: &[MySqlColumn]) -> Result<Encoder, SqlError> {
    let names = columns.iter().map(|column| column.name());
    Encoder::new(names).map_err(|_too_large| SqlError::Limit(LimitKind::Complexity))
}

/// All rows, packed.
pub(super) async fn rows(
    conn: &mut Conn,
    call: Call,
    names: &Names,
    bounds: Bounds,
) -> Result<Vec<u8>, Failure> {
    let statement = prepare(conn, &call, names).await?;
    let mut page: Option<(Encoder, Vec<Kind>)> = None;
    let query = sqlx::query_with(call.text, call.arguments);
    let mut stream = conn.db.fetch_many(query);
    while let Some(step) = stream.next().await {
        let row = match step {
            Ok(Either::Right(row)) => row,
            Ok(Either::Left(_end)) => continue,
            Err(error) => {
                drop(stream);
                return Err(answered(&mut conn.busy, &error, names));
            }
        };
        let (out, kinds) = match &mut page {
            Some(page) => page,
            // The rows' own columns: a table may have changed since the statement was prepared.
            None => page.insert((begin(row.columns())?, decode::kinds(row.columns()))),
        };
        decode::write_row(out, &row, kinds)?;
        if out.rows() > bounds.rows {
            return Err(SqlError::Limit(LimitKind::Rows).into());
        }
        if out.len() > bounds.bytes {
            return Err(SqlError::Limit(LimitKind::Bytes).into());
        }
    }
    drop(stream);
    conn.busy = false;
    match page {
        Some((out, _kinds)) => Ok(out.finish(false)),
        None => Ok(begin(statement.columns())?.finish(false)),
    }
}

/// Runs the statement for what it does; rows are read and left out.
pub(super) async fn execute(conn: &mut Conn, call: Call, names: &Names) -> Result<Outcome, Failure> {
    let _statement = prepare(conn, &call, names).await?;
    let mut result = MySqlQueryResult::default();
    let query = sqlx::query_with(call.text, call.arguments);
    let mut stream = conn.db.fetch_many(query);
    while let Some(step) = stream.next().await {
        match step {
            Ok(Either::Left(end)) => result.extend([end]),
            Ok(Either::Right(_row)) => {}
            Err(error) => {
                drop(stream);
                return Err(answered(&mut conn.busy, &error, names));
            }
        }
    }
    drop(stream);
    conn.busy = false;
    if call.template.reads_only() {
        return Ok(Outcome::default());
    }
    let rows_affected = result.rows_affected();
    // For several rows the server tells the first key, which is not what the room promises.
    let id = (rows_affected == 1).then(|| i64::try_from(result.last_insert_id()).ok()).flatten();
    Ok(Outcome { rows_affected, last_insert_id: id.filter(|id| *id != 0) })
}
