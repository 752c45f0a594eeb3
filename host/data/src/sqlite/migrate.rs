//! Migrations of one tenant's database: a ledger beside the tenant's tables, one migration a transaction.
//!
//! The authorizer keeps migrations away from the host's tables and, in a shared file, from other tenants';
//! what it is not told about is found by [`trespass`] before each commit.

use super::authorizer::Stance;
use super::connection::Conn;
use super::errors::{Failure, Phase, read};
use super::trespass::{self, Before};
use super::{ledger, program, text, versions};
use crate::migrate::Migration;
use crate::{Dialect, SqlError};
use rowhouse_base::Subject;
use std::borrow::Cow;
use std::time::{Duration, Instant};

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

/// Applies one migration, all or nothing. Does nothing where the ledger has it by now.
pub(super) fn apply(conn: &mut Conn, migration: &Migration, time: Duration) -> Result<(), Failed> {
    // Rebuilding a table needs foreign keys off; they are checked before the commit. Where they can't be
    // switched on again the connection is closed, so that guests never write without them.
    let was_doubtful = std::mem::replace(&mut conn.doubtful, true);
    conn.try_as_host(|db| db.execute_batch("PRAGMA foreign_keys = OFF"))?;
    let end = Instant::now() + time;
    let result = conn
        .begin_write()
        .map_err(Failed::from)
        .and_then(|()| {
            conn.moved.insert(Subject::everything());
            // A file of an older host has no counts yet, and a migration may make nothing of that name.
            versions::complete(conn).map_err(Failed::from)?;
            apply_in_transaction(conn, migration, end)
        })
        .and_then(|()| conn.commit_write().map_err(Failed::from));
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

fn apply_in_transaction(conn: &mut Conn, migration: &Migration, end: Instant) -> Result<(), Failed> {
    if ledger::has(conn, migration.version)? {
        return Ok(());
    }
    let before = Before::read(conn)?;
    for (index, statement) in migration.statements(Dialect::Sqlite).iter().enumerate() {
        step(conn, statement, end).map_err(|failure| Failed { statement: Some(index), failure })?;
    }
    trespass::check(conn, &before)?;
    ledger::note(conn, migration)?;
    Ok(())
}

fn step(conn: &mut Conn, statement: &str, end: Instant) -> Result<(), Failure> {
    text::check_migration(statement)?;
    let (statement, stance) = match &conn.owner {
        None => (Cow::Borrowed(statement), Stance::Migration),
        Some(owner) => {
            let statement = owner.migration(statement)?;
            // What changes rows alone has no business in the schema, where the others' names are.
            let shapes = text::changes_schema(&statement);
            (Cow::Owned(statement), if shapes { Stance::Migration } else { Stance::Guest })
        }
    };
    if stance == Stance::Guest {
        // Compiled once as a guest's: the authorizer's word comes first.
        conn.probe.clear();
        conn.db.prepare(&statement).map(drop).map_err(|error| read(conn, Phase::Compile, error))?;
        program::check(conn, &statement)?;
    }
    conn.probe.clear();
    conn.probe.set_stance(stance);
    conn.budget.arm_until(end);
    let result = run_step(conn, &statement);
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
