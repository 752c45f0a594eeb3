//! The ledger of migrations in the tenant's database, and how far a migration that was cut off had come.
//!
//! The server commits each change of a table by itself, so a migration can't be taken back as a whole.
//! Therefore each statement is noted. One that changes rows is committed together with its note; one that
//! changes tables is announced before and noted after, and where only the announcement is found, an answer
//! that it was already done is as good as its success. A migration that failed may be edited from the
//! statement that failed on, because what ran before it is known by its digest.

use super::connect::Conn;
use super::names::{LEDGER, Names};
use crate::migrate::{Applied, Migration};
use crate::{Dialect, SqlError};
use rowhouse_base::{Digest, Timestamp};
use sqlx::mysql::{MySql, MySqlArguments, MySqlRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, Row};

/// One migration's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) version: u32,
    name: String,
    checksum: String,
    /// How many of its statements have run, and the digest of their texts.
    pub(super) statements: u32,
    pub(super) trail: String,
    /// The next one was announced.
    pub(super) begun: bool,
    pub(super) done: bool,
}

/// The statement that makes the ledger where it is missing.
pub(super) fn table(names: &Names) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (version INT UNSIGNED NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
         checksum VARCHAR(100) NOT NULL, applied_at BIGINT NOT NULL, statements INT UNSIGNED NOT NULL, \
         trail VARCHAR(100) NOT NULL, begun BOOLEAN NOT NULL, done BOOLEAN NOT NULL) \
         ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        names.qualified(&names.physical(LEDGER))
    )
}

/// The digest of the first `count` statements.
pub(super) fn trail(statements: &[String], count: usize) -> String {
    let mut bytes = Vec::new();
    for text in statements.iter().take(count) {
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    Digest::of(&bytes).to_string()
}

/// The lines that are done.
pub(super) fn applied(lines: &[Line]) -> Vec<Applied> {
    lines
        .iter()
        .filter(|line| line.done)
        .map(|line| Applied {
            version: line.version,
            name: line.name.clone(),
            checksum: line.checksum.clone(),
        })
        .collect()
}

/// The ledger in one connection's hands.
pub(super) struct Ledger<'a> {
    table: String,
    names: &'a Names,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(names: &'a Names) -> Self {
        Self { table: names.qualified(&names.physical(LEDGER)), names }
    }

    /// All lines in order of version.
    pub(super) async fn lines(&self, conn: &mut Conn) -> Result<Vec<Line>, SqlError> {
        let text = format!(
            "SELECT version, name, checksum, statements, trail, begun, done FROM {} ORDER BY version",
            self.table
        );
        conn.busy = true;
        let rows = conn.db.fetch_all(query(text)).await;
        let rows = rows.map_err(|error| super::run::answered(&mut conn.busy, &error, self.names).error)?;
        conn.busy = false;
        rows.iter().map(line).collect::<Result<_, _>>().map_err(|error| super::errors::host(&error))
    }

    /// Opens a migration's line.
    pub(super) async fn open(&self, conn: &mut Conn, migration: &Migration) -> Result<(), SqlError> {
        let text = format!("INSERT INTO {} VALUES (?, ?, '', 0, 0, ?, FALSE, FALSE)", self.table);
        let query = query(text).bind(migration.version).bind(&migration.name).bind(trail(&[], 0));
        self.write(conn, query).await
    }

    /// Announces a statement, or takes the announcement back.
    pub(super) async fn announce(&self, conn: &mut Conn, version: u32, begun: bool) -> Result<(), SqlError> {
        let text = format!("UPDATE {} SET begun = ? WHERE version = ?", self.table);
        self.write(conn, query(text).bind(begun).bind(version)).await
    }

    /// Notes that so many statements have run.
    pub(super) async fn note(
        &self,
        conn: &mut Conn,
        migration: &Migration,
        count: usize,
    ) -> Result<(), SqlError> {
        let text =
            format!("UPDATE {} SET statements = ?, trail = ?, begun = FALSE WHERE version = ?", self.table);
        let trail = trail(migration.statements(Dialect::Mysql), count);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.write(conn, query(text).bind(count).bind(trail).bind(migration.version)).await
    }

    /// Closes a migration's line: from here on it is applied.
    pub(super) async fn close(&self, conn: &mut Conn, migration: &Migration) -> Result<(), SqlError> {
        let text = format!(
            "UPDATE {} SET name = ?, checksum = ?, applied_at = ?, begun = FALSE, done = TRUE WHERE version = ?",
            self.table
        );
        let query = query(text)
            .bind(&migration.name)
            .bind(migration.checksum(Dialect::Mysql).to_string())
            .bind(Timestamp::now().0)
            .bind(migration.version);
        self.write(conn, query).await
    }

    async fn write(&self, conn: &mut Conn, query: Query<'_, MySql, MySqlArguments>) -> Result<(), SqlError> {
        conn.busy = true;
        let result = conn.db.execute(query).await;
        result.map_err(|error| super::run::answered(&mut conn.busy, &error, self.names).error)?;
        conn.busy = false;
        Ok(())
    }
}

/// The host's own text with values in it.
fn query<'q>(text: String) -> Query<'q, MySql, MySqlArguments> {
    sqlx::query(AssertSqlSafe(text))
}

fn line(row: &MySqlRow) -> Result<Line, sqlx::Error> {
    Ok(Line {
        version: row.try_get(0)?,
        name: row.try_get(1)?,
        checksum: row.try_get(2)?,
        statements: row.try_get(3)?,
        trail: row.try_get(4)?,
        begun: row.try_get(5)?,
        done: row.try_get(6)?,
    })
}
