//! Runs statements on a connection, on whichever thread it is called. Nothing here waits for anything
//! but the engine.

use super::authorizer::{Probe, Stance};
use super::connection::{Conn, Plans};
use super::errors::{Failure, Phase, read};
use super::plan::{Declared, Head, Plan};
use super::{program, text};
use crate::packed::{BLOB, DECIMAL, Encoder, JSON, TEXT, TooLarge, UUID};
use crate::{LimitKind, Outcome, SqlError, Value};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Row, Statement};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Bounds of one result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) rows: u32,
    pub(super) bytes: usize,
    /// Time of the statement.
    pub(super) time: Duration,
}

/// What became of an attempt on the calling thread.
#[derive(Debug)]
pub(super) enum Inline {
    /// Done.
    Rows(Vec<u8>),
    /// It is a read that belongs on a thread of the pool.
    Read,
    /// It changes something.
    Write,
}

/// A statement that took less on a thread of the pool may run on the calling thread next time, if it is of
/// a kind that may at all.
const QUICK: Duration = Duration::from_micros(500);

/// Past this, a statement on the calling thread was no good idea.
const SLOW: Duration = Duration::from_millis(3);

/// Tries a read with the small budget.
pub(super) fn query_inline(
    conn: &mut Conn,
    text: &str,
    params: &[Value],
    bounds: Bounds,
) -> Result<Inline, Failure> {
    let started = Instant::now();
    conn.budget.arm_inline(started);
    let plan = match plan(conn, text) {
        Ok(plan) => plan,
        Err(Failure::Late) => return Ok(Inline::Read),
        Err(failure) => return Err(failure),
    };
    if !plan.readonly {
        return Ok(Inline::Write);
    }
    if !plan.may_run_inline() {
        return Ok(Inline::Read);
    }
    let result = rows(conn, &plan, text, params, bounds);
    if started.elapsed() > SLOW {
        plan.slow.store(true, Relaxed);
    }
    match result {
        Ok(rows) => Ok(Inline::Rows(rows)),
        Err(Failure::Late) => {
            plan.slow.store(true, Relaxed);
            Ok(Inline::Read)
        }
        Err(Failure::Busy(_)) => Ok(Inline::Read),
        Err(failure) => Err(failure),
    }
}

/// Runs a query to its end, within `bounds.time`. One that writes and returns rows is all or nothing.
pub(super) fn query(
    conn: &mut Conn,
    text: &str,
    params: &[Value],
    bounds: Bounds,
) -> Result<Vec<u8>, Failure> {
    let started = Instant::now();
    conn.budget.arm_until(started + bounds.time);
    let plan = plan(conn, text)?;
    if plan.readonly {
        let result = rows(conn, &plan, text, params, bounds);
        let quick = result.is_ok() && started.elapsed() < QUICK;
        plan.quick.store(quick, Relaxed);
        if quick {
            // It was slow with other parameters, or the machine was busy.
            plan.slow.store(false, Relaxed);
        }
        return result;
    }
    // A result that turns out too large must take the writes back with it.
    let nested = !conn.db.is_autocommit();
    if nested {
        conn.try_as_host(|db| db.execute_batch("SAVEPOINT _rowhouse_statement"))?;
    } else {
        conn.begin_write()?;
    }
    conn.budget.arm_until(started + bounds.time);
    let result = rows(conn, &plan, text, params, bounds);
    let end = match result {
        Ok(_) => "RELEASE _rowhouse_statement",
        Err(_) => "ROLLBACK TO _rowhouse_statement; RELEASE _rowhouse_statement",
    };
    let ended = match (nested, &result) {
        // Some errors end the transaction by themselves.
        _ if conn.db.is_autocommit() => Ok(()),
        (true, _) => conn.try_as_host(|db| db.execute_batch(end)),
        (false, Ok(_)) => conn.commit_write(),
        (false, Err(_)) => Ok(()),
    };
    if !nested || ended.is_err() {
        conn.roll_back();
    }
    let rows = result?;
    ended.map(|()| rows)
}

/// Runs a statement for what it does. Rows that it returns are left out.
pub(super) fn execute(
    conn: &mut Conn,
    text: &str,
    params: &[Value],
    time: Duration,
) -> Result<Outcome, Failure> {
    conn.budget.arm_until(Instant::now() + time);
    let plan = plan(conn, text)?;
    check_count(&plan, params)?;
    // What it changes is counted together with it, and so in a transaction.
    if plan.readonly || !conn.db.is_autocommit() {
        return perform(conn, &plan, text, params);
    }
    conn.begin_write()?;
    conn.budget.arm_until(Instant::now() + time);
    let result = perform(conn, &plan, text, params).and_then(|outcome| conn.commit_write().map(|()| outcome));
    conn.roll_back();
    result
}

fn perform(conn: &mut Conn, plan: &Plan, text: &str, params: &[Value]) -> Result<Outcome, Failure> {
    conn.note(plan);
    conn.probe.clear();
    let mut statement = conn.db.prepare_cached(text).map_err(|error| read(conn, Phase::Compile, error))?;
    bind(&mut statement, plan, params)?;
    let result = finish(conn, &mut statement);
    forget_if_stale(&conn.probe, &mut conn.plans, statement, text);
    conn.note_anew(plan.readonly);
    result?;
    if plan.readonly {
        return Ok(Outcome::default());
    }
    let rows_affected = conn.db.changes();
    let last_insert_id = (plan.tells_row_id && rows_affected > 0).then(|| conn.db.last_insert_rowid());
    Ok(Outcome { rows_affected, last_insert_id })
}

/// Steps to the end.
pub(super) fn finish(conn: &Conn, statement: &mut Statement<'_>) -> Result<(), Failure> {
    let mut rows = statement.raw_query();
    while rows.next().map_err(|error| read(conn, Phase::Run, error))?.is_some() {}
    Ok(())
}

/// Compiles the statement, or finds it compiled, and tells what is known of it.
pub(super) fn plan(conn: &mut Conn, text: &str) -> Result<Arc<Plan>, Failure> {
    let key = text.trim();
    if let Some(plan) = conn.plans.get(key) {
        return Ok(Arc::clone(plan));
    }
    text::check_single(key)?;
    conn.bound_plans();
    conn.probe.set_stance(Stance::Guest);
    conn.probe.clear();
    let statement = conn.db.prepare_cached(key).map_err(|error| read(conn, Phase::Compile, error))?;
    if !conn.probe.was_asked() {
        // The engine asks about every statement, so there is none in this text.
        statement.discard();
        return Err(SqlError::Syntax("the statement is empty".to_owned()).into());
    }
    let plan = match Plan::read(&statement, &conn.probe) {
        Ok(plan) => plan,
        Err(error) => {
            statement.discard();
            return Err(error.into());
        }
    };
    drop(statement);
    let plan = Arc::new(plan.with_virtual_tables(conn));
    if let Err(failure) = program::check(conn, key) {
        // It must not be found compiled.
        conn.db.flush_prepared_statement_cache();
        conn.plans.clear();
        return Err(failure);
    }
    conn.plans.insert(key.into(), Arc::clone(&plan));
    Ok(plan)
}

fn rows(
    conn: &mut Conn,
    plan: &Plan,
    text: &str,
    params: &[Value],
    bounds: Bounds,
) -> Result<Vec<u8>, Failure> {
    check_count(plan, params)?;
    conn.note(plan);
    conn.probe.clear();
    let mut statement = conn.db.prepare_cached(text).map_err(|error| read(conn, Phase::Compile, error))?;
    bind(&mut statement, plan, params)?;
    let result = read_rows(conn, plan, &mut statement, bounds);
    forget_if_stale(&conn.probe, &mut conn.plans, statement, text);
    conn.note_anew(plan.readonly);
    result
}

fn read_rows(
    conn: &Conn,
    plan: &Plan,
    statement: &mut Statement<'_>,
    bounds: Bounds,
) -> Result<Vec<u8>, Failure> {
    let mut rows = statement.raw_query();
    let mut row = rows.next().map_err(|error| read(conn, Phase::Run, error))?;
    // The engine compiles again after a change of the schema; the columns may be others then.
    let fresh = match row {
        Some(row) if conn.probe.was_asked() => Some(Head::read(row.as_ref())?),
        _ => None,
    };
    let head = fresh.as_ref().unwrap_or(&plan.head);
    let mut out = Encoder::with_room(&head.packed, plan.room.load(Relaxed));
    while let Some(found) = row {
        write_row(&mut out, found, head)?;
        if out.rows() > bounds.rows {
            return Err(SqlError::Limit(LimitKind::Rows).into());
        }
        if out.len() > bounds.bytes {
            return Err(SqlError::Limit(LimitKind::Bytes).into());
        }
        row = rows.next().map_err(|error| read(conn, Phase::Run, error))?;
    }
    plan.room.store(out.room(), Relaxed);
    Ok(out.finish(false))
}

/// Drops a statement that the engine compiled again while it ran, together with its plan: what is known
/// of it may no longer hold.
fn forget_if_stale(probe: &Probe, plans: &mut Plans, statement: CachedStatement<'_>, text: &str) {
    if probe.was_asked() {
        statement.discard();
        plans.remove(text.trim());
    }
}

/// Writes one row.
pub(super) fn write_row(out: &mut Encoder, row: &Row<'_>, head: &Head) -> Result<(), SqlError> {
    for (index, declared) in head.declared.iter().enumerate() {
        let value = row.get_ref(index).map_err(|error| SqlError::other(error.to_string()))?;
        write_value(out, value, *declared).map_err(|_too_large| SqlError::Limit(LimitKind::Bytes))?;
    }
    out.end_row();
    Ok(())
}

fn write_value(out: &mut Encoder, value: ValueRef<'_>, declared: Declared) -> Result<(), TooLarge> {
    match (value, declared) {
        (ValueRef::Null, _) => out.null(),
        (ValueRef::Integer(number @ (0 | 1)), Declared::Boolean) => out.boolean(number == 1),
        (ValueRef::Integer(number), Declared::Timestamp) => out.timestamp(number),
        (ValueRef::Integer(number), Declared::Decimal) => {
            return out.bytes(DECIMAL, number.to_string().as_bytes());
        }
        (ValueRef::Integer(number), Declared::Json) => return out.bytes(JSON, number.to_string().as_bytes()),
        (ValueRef::Integer(number), _) => out.integer(number),
        (ValueRef::Real(number), Declared::Decimal) => {
            return out.bytes(DECIMAL, number.to_string().as_bytes());
        }
        (ValueRef::Real(number), Declared::Json) => return out.bytes(JSON, number.to_string().as_bytes()),
        (ValueRef::Real(number), _) => out.real(number),
        (ValueRef::Blob(bytes), _) => return out.bytes(BLOB, bytes),
        (ValueRef::Text(bytes), declared) => {
            let kind = match declared {
                Declared::Json => JSON,
                Declared::Uuid => UUID,
                Declared::Decimal => DECIMAL,
                Declared::Plain | Declared::Boolean | Declared::Timestamp => TEXT,
            };
            return match std::str::from_utf8(bytes) {
                Ok(_text) => out.bytes(kind, bytes),
                // The engine doesn't check texts, and a guest may have cast bytes to one.
                Err(_utf8) => out.bytes(kind, String::from_utf8_lossy(bytes).as_bytes()),
            };
        }
    }
    Ok(())
}

pub(super) fn check_count(plan: &Plan, params: &[Value]) -> Result<(), SqlError> {
    if plan.given == params.len() {
        return Ok(());
    }
    Err(SqlError::Parameter(format!(
        "the statement takes {} parameters and {} were given",
        plan.given,
        params.len()
    )))
}

pub(super) fn bind(statement: &mut Statement<'_>, plan: &Plan, params: &[Value]) -> Result<(), SqlError> {
    for (at, given) in plan.parameters.iter().enumerate() {
        let value =
            params.get(*given).ok_or_else(|| SqlError::Parameter(format!("`${}` is missing", given + 1)))?;
        statement.raw_bind_parameter(at + 1, Bound(value)).map_err(|error| match error {
            rusqlite::Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::TooBig => {
                SqlError::Limit(LimitKind::Bytes)
            }
            other => SqlError::Parameter(other.to_string()),
        })?;
    }
    Ok(())
}

/// How a value is stored: booleans as 0 and 1, timestamps as microseconds, the rest as text.
pub(super) struct Bound<'a>(pub(super) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Boolean(value) => ValueRef::Integer(i64::from(*value)),
            Value::Integer(value) | Value::Timestamp(value) => ValueRef::Integer(*value),
            Value::Real(value) => ValueRef::Real(*value),
            Value::Text(text) | Value::Decimal(text) | Value::Json(text) | Value::Uuid(text) => {
                ValueRef::Text(text.as_bytes())
            }
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
