//! Migrations of one tenant's database: a ledger beside the tenant's tables, one migration a transaction.
//!
//! The host's tables begin with `_rowhouse_`. The authorizer keeps migrations away from them; what it is
//! not told about (the new name of a renamed table, the target of a foreign key) is found by looking at
//! the schema before each commit.

use super::authorizer::{RESERVED, Stance};
use super::connection::Conn;
use super::errors::{Failure, Phase, read};
use super::text;
use crate::migrate::{Applied, Migration};
use crate::{Dialect, SqlError};
use rowhouse_base::Timestamp;
use std::time::{Duration, Instant};

/// The host's own tables.
pub(super) const LEDGER: &str = "CREATE TABLE IF NOT EXISTS _rowhouse_migrations (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL
) STRICT";

/// Anything in the schema that belongs to the host or speaks of what does, beside the ledger itself.
const FOREIGN: &str = "SELECT name FROM sqlite_schema WHERE name <> '_rowhouse_migrations'
    AND tbl_name <> '_rowhouse_migrations' AND (instr(lower(coalesce(sql, '')), ?1) > 0
    OR instr(lower(name), ?1) > 0) LIMIT 1";

/// A step that failed: its index in the migration, none for what the host does around the steps.
pub(super) struct Failed {
    pub(super) statement: Option<usize>,
    pub(super) failure: Failure,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { statement: None, failure }
    }
}

/// What the ledger says, in order of version.
pub(super) fn applied(conn: &Conn) -> Result<Vec<Applied>, Failure> {
    conn.try_as_host(|db| {
        let mut statement =
            db.prepare("SELECT version, name, checksum FROM _rowhouse_migrations ORDER BY version")?;
        let rows = statement.query_map([], |row| {
            Ok(Applied { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? })
        })?;
        rows.collect()
    })
}

/// Applies one migration, all or nothing. Does nothing where the ledger has it by now.
pub(super) fn apply(conn: &mut Conn, migration: &Migration, time: Duration) -> Result<(), Failed> {
    // Rebuilding a table needs foreign keys off; they are checked before the commit. Where they can't be
    // switched on again the connection is closed, so that guests never write without them.
    let was_doubtful = std::mem::replace(&mut conn.doubtful, true);
    conn.try_as_host(|db| db.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE"))?;
    let end = Instant::now() + time;
    let result = apply_in_transaction(conn, migration, end)
        .and_then(|()| conn.try_as_host(|db| db.execute_batch("COMMIT")).map_err(Failed::from));
    conn.roll_back();
    let on = conn.as_host(|db| {
        db.execute_batch("PRAGMA foreign_keys = ON")?;
        db.query_row("PRAGMA foreign_keys", [], |row| row.get::<_, bool>(0))
    });
    if conn.db.is_autocommit() && on == Ok(true) {
        conn.doubtful = was_doubtful;
    }
    result
}

fn apply_in_transaction(conn: &Conn, migration: &Migration, end: Instant) -> Result<(), Failed> {
    let version = migration.version;
    let done: bool = conn.try_as_host(|db| {
        db.query_row("SELECT count(*) FROM _rowhouse_migrations WHERE version = ?1", [version], |row| {
            row.get(0)
        })
    })?;
    if done {
        return Ok(());
    }
    for (index, statement) in migration.statements(Dialect::Sqlite).iter().enumerate() {
        step(conn, statement, end).map_err(|failure| Failed { statement: Some(index), failure })?;
    }
    check(conn)?;
    let checksum = migration.checksum(Dialect::Sqlite).to_string();
    conn.try_as_host(|db| {
        db.execute(
            "INSERT INTO _rowhouse_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
            (version, &migration.name, checksum, Timestamp::now().0),
        )
    })?;
    Ok(())
}

fn step(conn: &Conn, statement: &str, end: Instant) -> Result<(), Failure> {
    text::check_migration(statement)?;
    conn.probe.clear();
    conn.probe.set_stance(Stance::Migration);
    conn.budget.arm_until(end);
    let result = run_step(conn, statement);
    conn.probe.set_stance(Stance::Guest);
    result
}

fn run_step(conn: &Conn, statement: &str) -> Result<(), Failure> {
    let mut prepared = conn.db.prepare(statement).map_err(|error| read(conn, Phase::Compile, error))?;
    if prepared.is_explain() != 0 || prepared.parameter_count() > 0 {
        return Err(SqlError::Parameter("a migration takes no parameters".to_owned()).into());
    }
    super::run::finish(conn, &mut prepared)
}

/// Nothing but the ledger may have or name the host's prefix, and no foreign key may lead nowhere.
fn check(conn: &Conn) -> Result<(), Failure> {
    let trespass = conn.try_as_host(|db| {
        let mut statement = db.prepare(FOREIGN)?;
        let mut rows = statement.query([RESERVED])?;
        rows.next()?.map(|row| row.get::<_, String>(0)).transpose()
    })?;
    if let Some(name) = trespass {
        return Err(SqlError::Denied(format!("`{name}` uses names that begin with {RESERVED}")).into());
    }
    let ledger: i64 = conn.try_as_host(|db| {
        let query = "SELECT count(*) FROM sqlite_schema WHERE tbl_name = '_rowhouse_migrations' AND type = 'table'
            AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE tbl_name = '_rowhouse_migrations' AND type <> 'table')";
        db.query_row(query, [], |row| row.get(0))
    })?;
    if ledger != 1 {
        return Err(SqlError::Denied(format!("names that begin with {RESERVED} belong to the host")).into());
    }
    let orphan = conn.try_as_host(|db| {
        let mut statement = db.prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        rows.next()?.map(|row| row.get::<_, String>(0)).transpose()
    })?;
    match orphan {
        Some(table) => Err(SqlError::Constraint {
            kind: crate::ConstraintKind::ForeignKey,
            message: format!("a foreign key of table {table} leads nowhere"),
        }
        .into()),
        None => Ok(()),
    }
}
