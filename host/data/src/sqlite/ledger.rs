//! The ledger of applied migrations: a table in the tenant's file, or lines of one table where tenants
//! share the file. Guests and migrations never reach it.

use super::connection::Conn;
use super::errors::Failure;
use crate::Dialect;
use crate::migrate::{Applied, Migration};
use rowhouse_base::Timestamp;
use rusqlite::Row;

/// The host's own table in a tenant's file.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS _rowhouse_migrations (
    version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL
) STRICT";

/// What the ledger says, in order of version.
pub(super) fn applied(conn: &Conn) -> Result<Vec<Applied>, Failure> {
    let line = |row: &Row<'_>| Ok(Applied { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? });
    conn.try_as_host(|db| match &conn.owner {
        None => db
            .prepare("SELECT version, name, checksum FROM _rowhouse_migrations ORDER BY version")?
            .query_map([], line)?
            .collect(),
        Some(owner) => db
            .prepare(
                "SELECT version, name, checksum FROM _rowhouse_migrations WHERE tenant = ?1 ORDER BY version",
            )?
            .query_map([&owner.id], line)?
            .collect(),
    })
}

/// True where the ledger has this version.
pub(super) fn has(conn: &Conn, version: u32) -> Result<bool, Failure> {
    conn.try_as_host(|db| match &conn.owner {
        None => {
            let text = "SELECT count(*) FROM _rowhouse_migrations WHERE version = ?1";
            db.query_row(text, [version], |row| row.get(0))
        }
        Some(owner) => {
            let text = "SELECT count(*) FROM _rowhouse_migrations WHERE tenant = ?1 AND version = ?2";
            db.query_row(text, (&owner.id, version), |row| row.get(0))
        }
    })
}

/// Writes a line.
pub(super) fn note(conn: &Conn, migration: &Migration) -> Result<(), Failure> {
    let (version, name) = (migration.version, &migration.name);
    let checksum = migration.checksum(Dialect::Sqlite).to_string();
    let at = Timestamp::now().0;
    conn.try_as_host(|db| match &conn.owner {
        None => db.execute(
            "INSERT INTO _rowhouse_migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
            (version, name, checksum, at),
        ),
        Some(owner) => db.execute(
            "INSERT INTO _rowhouse_migrations (tenant, version, name, checksum, applied_at) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (&owner.id, version, name, checksum, at),
        ),
    })?;
    Ok(())
}
