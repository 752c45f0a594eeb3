//! One migration, statement by statement, each noted in the ledger.
//!
//! All statements are judged by the guard before the first runs. They run as the tenant's user for
//! migrations, which holds rights on the tenant's tables alone, so that what the guard let pass by mistake
//! still meets the server's own refusal.

use super::connect::Conn;
use super::errors;
use super::ledger::{Ledger, Line, trail};
use super::run::{self, Call};
use super::session::Session;
use crate::guard::Template;
use crate::migrate::Migration;
use crate::{Dialect, LimitKind, SqlError};
use sqlx::{Executor, SqlStr};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Attempts at a lock that a guest's transaction holds. Each waits 2 s in the server.
const ATTEMPTS: u32 = 10;

/// Pause between attempts, in which guests that queued up behind the attempt get their turn.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers that say: it exists, it is gone, it has that name already.
const ALREADY: [u16; 9] = [1050, 1051, 1054, 1060, 1061, 1091, 1146, 1826, 4092];

/// Statements that the server commits by themselves.
const SCHEMA: [&str; 5] = ["create", "alter", "drop", "rename", "truncate"];

/// Why a migration stopped.
pub(super) enum Failed {
    /// What had run of it differs from what the list says.
    Changed,
    /// A statement, or none for what the host does around them.
    Step(Option<usize>, SqlError),
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Self {
        Self::Step(None, error)
    }
}

/// A judged statement.
struct Step {
    text: SqlStr,
    /// The server commits it by itself.
    schema: bool,
}

/// Applies one migration, from where an earlier run had come.
pub(super) async fn apply(
    session: &Session,
    conn: &mut Conn,
    migration: &Migration,
    line: Option<&Line>,
    end: Instant,
) -> Result<(), Failed> {
    let texts = migration.statements(Dialect::Mysql);
    let (steps, tables) = judge(session, texts)?;
    let ledger = Ledger::new(&session.names);
    let first = match line {
        None => {
            ledger.open(conn, migration).await?;
            0
        }
        Some(line) => {
            let ran = usize::try_from(line.statements).unwrap_or(usize::MAX);
            if ran > texts.len() || trail(texts, ran) != line.trail {
                return Err(Failed::Changed);
            }
            ran
        }
    };
    session.engine.grant_migrator(&session.names, &tables).await?;
    for (index, step) in steps.iter().enumerate().skip(first) {
        let announced = index == first && line.is_some_and(|line| line.begun);
        let work = run_step(session, conn, migration, index, step, announced, end);
        let result = timeout_at(end, work).await.unwrap_or(Err(SqlError::Limit(LimitKind::Time)));
        result.map_err(|error| Failed::Step(Some(index), error))?;
    }
    session.engine.grant_guest(&session.names, &tables).await?;
    ledger.close(conn, migration).await?;
    Ok(())
}

/// The statements as the guard wrote them, and the guest's names of all their tables.
fn judge(session: &Session, texts: &[String]) -> Result<(Vec<Step>, Vec<String>), Failed> {
    let mut steps = Vec::with_capacity(texts.len());
    let mut tables = BTreeSet::new();
    for (index, text) in texts.iter().enumerate() {
        let template: Arc<Template> =
            session.engine.guard.migration(text).map_err(|error| Failed::Step(Some(index), error))?;
        tables.extend(template.tables().iter().cloned());
        let text = Call::text(&template, &session.names);
        steps.push(Step { schema: is_schema(text.as_str()), text });
    }
    Ok((steps, tables.into_iter().collect()))
}

fn is_schema(text: &str) -> bool {
    let word = text.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    SCHEMA.iter().any(|one| word.eq_ignore_ascii_case(one))
}

async fn run_step(
    session: &Session,
    conn: &mut Conn,
    migration: &Migration,
    index: usize,
    step: &Step,
    announced: bool,
    end: Instant,
) -> Result<(), SqlError> {
    let ledger = Ledger::new(&session.names);
    if step.schema && !announced {
        ledger.announce(conn, migration.version, true).await?;
    }
    for attempt in 1.. {
        match attempt_step(session, conn, migration, index, step, announced).await {
            Err(SqlError::Conflict(_)) if attempt < ATTEMPTS && Instant::now() < end => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                // The server has said that it did not happen.
                if step.schema && !conn.busy {
                    ledger.announce(conn, migration.version, false).await?;
                }
                return Err(error);
            }
            Ok(()) => break,
        }
    }
    Ok(())
}

async fn attempt_step(
    session: &Session,
    conn: &mut Conn,
    migration: &Migration,
    index: usize,
    step: &Step,
    announced: bool,
) -> Result<(), SqlError> {
    let ledger = Ledger::new(&session.names);
    if step.schema {
        return match statement(session, conn, step).await {
            Err((number, _already))
                if announced && number.is_some_and(|number| ALREADY.contains(&number)) =>
            {
                ledger.note(conn, migration, index + 1).await
            }
            Err((_, error)) => Err(error),
            Ok(()) => ledger.note(conn, migration, index + 1).await,
        };
    }
    session.host(conn, "START TRANSACTION READ WRITE").await?;
    let done = match statement(session, conn, step).await {
        Ok(()) => ledger.note(conn, migration, index + 1).await,
        Err((_, error)) => Err(error),
    };
    match done {
        Ok(()) => session.host(conn, "COMMIT").await,
        Err(error) if conn.busy => Err(error),
        Err(error) => {
            session.host(conn, "ROLLBACK").await?;
            Err(error)
        }
    }
}

/// Runs the statement. Fails with the server's number too.
async fn statement(session: &Session, conn: &mut Conn, step: &Step) -> Result<(), (Option<u16>, SqlError)> {
    conn.busy = true;
    // Prepared, so that the driver sends one statement and no more.
    let query = sqlx::query(step.text.clone());
    match conn.db.fetch_all(query).await {
        Ok(_rows) => {
            conn.busy = false;
            Ok(())
        }
        Err(error) => {
            let number = errors::number(&error);
            Err((number, run::answered(&mut conn.busy, &error, &session.names).error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_schema;

    #[test]
    fn tells_tables_from_rows() {
        assert!(is_schema("CREATE TABLE `a` (`x` INT)"));
        assert!(is_schema(" alter table a add b int"));
        assert!(!is_schema("INSERT INTO a VALUES (1)"));
        assert!(!is_schema("UPDATE a SET dropped = 1"));
        assert!(!is_schema(""));
    }
}
