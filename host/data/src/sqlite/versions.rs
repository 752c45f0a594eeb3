//! The counts of what was changed: a table of the host's beside the ledger, moved in the writing transaction.
//!
//! One row per subject, because a file has one writer at a time. Where tenants share the file, lines of one
//! table. The first count of everything is the time at which it began, so that a database made anew never
//! repeats what an older one said.

use super::connection::Conn;
use super::errors::Failure;
use super::session::Session;
use super::shared::Owner;
use crate::SqlError;
use crate::subjects::MOST_SUBJECTS;
use rowhouse_base::{Subject, Timestamp};
use rusqlite::{Connection, Error};
use std::collections::BTreeSet;
use tokio::time::Instant;

/// The host's own table in a tenant's file.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS _rowhouse_versions (
    subject TEXT PRIMARY KEY, moved INTEGER NOT NULL
) STRICT, WITHOUT ROWID";

/// The host's own tables in a tenant's file that is new.
pub(super) fn tables() -> String {
    format!("{};{TABLE};{}", super::ledger::TABLE, begin(None))
}

/// Begins the counts where there are none.
pub(super) fn begin(owner: Option<&Owner>) -> String {
    let at = Timestamp::now().0;
    match owner {
        None => format!("INSERT INTO _rowhouse_versions VALUES ('*', {at}) ON CONFLICT DO NOTHING"),
        Some(owner) => {
            format!(
                "INSERT INTO _rowhouse_versions VALUES ('{}', '*', {at}) ON CONFLICT DO NOTHING",
                owner.id
            )
        }
    }
}

/// Makes the table where a file of an older host has none, in the transaction that runs.
pub(super) fn complete(conn: &mut Conn) -> Result<(), Failure> {
    // Noted only where it was there before, because this transaction may be taken back.
    conn.has_counts =
        conn.has_counts || conn.try_as_host(|db| db.table_exists(Some("main"), "_rowhouse_versions"))?;
    if conn.has_counts {
        return Ok(());
    }
    conn.try_as_host(|db| db.execute_batch(&format!("{TABLE};{}", begin(None))))
}

/// Moves the counts in the transaction that runs.
pub(super) fn move_on(conn: &mut Conn, moved: &BTreeSet<Subject>) -> Result<(), Failure> {
    complete(conn)?;
    let conn = &*conn;
    conn.try_as_host(|db| {
        let text = match &conn.owner {
            None => {
                "INSERT INTO _rowhouse_versions (subject, moved) VALUES (?1, 1)
                 ON CONFLICT (subject) DO UPDATE SET moved = moved + 1"
            }
            Some(_owner) => {
                "INSERT INTO _rowhouse_versions (subject, moved, tenant) VALUES (?1, 1, ?2)
                 ON CONFLICT (tenant, subject) DO UPDATE SET moved = moved + 1"
            }
        };
        let mut statement = db.prepare(text)?;
        for subject in moved {
            match &conn.owner {
                None => statement.execute([subject.as_str()])?,
                Some(owner) => statement.execute([subject.as_str(), &owner.id])?,
            };
        }
        Ok(())
    })
}

fn read(conn: &Conn) -> Result<Vec<(String, u64)>, Failure> {
    conn.try_as_host(|db| {
        if !conn.has_counts && !db.table_exists(Some("main"), "_rowhouse_versions")? {
            return Ok(Vec::new());
        }
        let line = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
        match &conn.owner {
            None => {
                db.prepare("SELECT subject, moved FROM _rowhouse_versions")?.query_map([], line)?.collect()
            }
            Some(owner) => db
                .prepare("SELECT subject, moved FROM _rowhouse_versions WHERE tenant = ?1")?
                .query_map([&owner.id], line)?
                .collect(),
        }
    })
}

/// Forgets all tags, and every page with them. Done where there are too many.
fn forget_tags(conn: &mut Conn) -> Result<(), Failure> {
    conn.begin_write()?;
    conn.moved.insert(Subject::everything());
    let result = conn
        .try_as_host(|db| match &conn.owner {
            None => db.execute("DELETE FROM _rowhouse_versions WHERE subject >= 'g:' AND subject < 'g;'", []),
            Some(owner) => db.execute(
                "DELETE FROM _rowhouse_versions WHERE tenant = ?1 AND subject >= 'g:' AND subject < 'g;'",
                [&owner.id],
            ),
        })
        .and_then(|_gone| conn.commit_write());
    conn.roll_back();
    result
}

/// Begins a tenant's counts anew, higher than they ever were, where its tables were emptied.
pub(super) fn begin_again(db: &Connection, owner: &Owner) -> Result<(), Error> {
    db.execute("DELETE FROM _rowhouse_versions WHERE tenant = ?1 AND subject <> '*'", [&owner.id])?;
    let text = "INSERT INTO _rowhouse_versions (tenant, subject, moved) VALUES (?1, '*', ?2)
                ON CONFLICT (tenant, subject) DO UPDATE SET moved = max(moved + 1, ?2)";
    db.execute(text, (&owner.id, Timestamp::now().0)).map(drop)
}

impl Session {
    /// The counts as they are now.
    pub(crate) async fn versions(&self) -> Result<Vec<(String, u64)>, SqlError> {
        let until = Instant::now() + self.time();
        let mut checkout = self.engine.slots.checkout(&self.slot, until).await?;
        // A few rows of one page: a hop to a thread would cost more.
        if let Some(conn) = checkout.conn.as_deref_mut() {
            match read(conn) {
                Err(Failure::Busy(_)) => {}
                other => return other.map_err(Failure::into_sql),
            }
        }
        self.attempts(checkout, until, |conn| read(conn)).await
    }

    /// Moves subjects in a transaction of their own.
    pub(crate) async fn move_subjects(&self, subjects: BTreeSet<Subject>) -> Result<(), SqlError> {
        let checkout = self.writer(Instant::now() + self.time()).await?;
        self.attempts(checkout, Instant::now() + self.time(), move |conn| {
            conn.begin_write()?;
            conn.moved.extend(subjects.iter().cloned());
            let result = conn.commit_write();
            conn.roll_back();
            result
        })
        .await
    }

    /// Keeps the number of subjects within bounds.
    pub(crate) async fn prune_versions(&self) -> Result<(), SqlError> {
        let until = Instant::now() + self.time();
        let checkout = self.writer(until).await?;
        self.attempts(checkout, until, |conn| {
            if read(conn)?.len() > MOST_SUBJECTS { forget_tags(conn) } else { Ok(()) }
        })
        .await
    }
}
