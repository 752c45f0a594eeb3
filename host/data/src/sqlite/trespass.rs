//! What a migration has done to the schema, looked at before it commits.
//!
//! The authorizer isn't told everything: not the new name of a renamed table, the target of a foreign key
//! or what a view reads. So nothing but the tenant's own may differ or be named afterwards, and no foreign
//! key may lead nowhere.

use super::authorizer::{RESERVED, Stance};
use super::connection::Conn;
use super::errors::{Failure, Phase, read};
use super::program;
use super::shared::Owner;
use crate::{ConstraintKind, SqlError};
use rusqlite::{Connection, OptionalExtension, Params};
use sha2::{Digest, Sha256};

/// Anything in the schema that belongs to the host or speaks of what does, beside the host's two tables.
const FOREIGN: &str = "SELECT name FROM sqlite_schema
    WHERE name NOT IN ('_rowhouse_migrations', '_rowhouse_versions')
    AND tbl_name NOT IN ('_rowhouse_migrations', '_rowhouse_versions') AND (instr(lower(coalesce(sql, '')), ?1) > 0
    OR instr(lower(name), ?1) > 0) LIMIT 1";

/// How many of the host's two tables are there, with nothing attached to them.
const HOSTS: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'
    AND name IN ('_rowhouse_migrations', '_rowhouse_versions') AND NOT EXISTS (SELECT 1 FROM sqlite_schema
    WHERE tbl_name IN ('_rowhouse_migrations', '_rowhouse_versions') AND type <> 'table')";

/// Everything that is not this tenant's. The table of the last keys comes into being with the first table
/// that needs it, whosever it is.
const OTHERS: &str = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
    WHERE substr(tbl_name, 1, length(?1)) <> ?1 AND tbl_name <> 'sqlite_sequence' ORDER BY type, name";

/// What is attached to a table of this tenant's without having its name. Indexes that the engine makes
/// for keys have the name of their table in theirs.
const STRAY: &str = "SELECT name FROM sqlite_schema WHERE substr(tbl_name, 1, length(?1)) = ?1
    AND substr(replace(name, 'sqlite_autoindex_', ''), 1, length(?1)) <> ?1 LIMIT 1";

/// A table of this tenant's with a foreign key to one that is not.
const ABROAD: &str = "SELECT m.name FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS f
    WHERE m.type = 'table' AND substr(m.name, 1, length(?1)) = ?1 AND lower(substr(f.\"table\", 1, length(?1))) <> ?1 LIMIT 1";

/// A table of this tenant's with a foreign key that leads nowhere.
const ORPHANS: &str = "SELECT m.name FROM sqlite_schema AS m, pragma_foreign_key_check(m.name) AS f
    WHERE m.type = 'table' AND substr(m.name, 1, length(?1)) = ?1 LIMIT 1";

/// What of the schema a migration must leave alone.
pub(super) struct Before([u8; 32]);

impl Before {
    pub(super) fn read(conn: &Conn) -> Result<Self, Failure> {
        match &conn.owner {
            None => Ok(Self([0; 32])),
            Some(owner) => conn.try_as_host(|db| others(db, owner)).map(Self),
        }
    }
}

/// Refuses what a migration has done where it is not its own.
pub(super) fn check(conn: &mut Conn, before: &Before) -> Result<(), Failure> {
    match conn.owner.clone() {
        None => check_file(conn),
        Some(owner) => check_shared(conn, &owner, before),
    }
}

/// Nothing but the host's own tables may have or name the host's prefix.
fn check_file(conn: &Conn) -> Result<(), Failure> {
    if let Some(name) = first(conn, FOREIGN, [RESERVED])? {
        return Err(SqlError::Denied(format!("`{name}` uses names that begin with {RESERVED}")).into());
    }
    let hosts: i64 = conn.try_as_host(|db| db.query_row(HOSTS, [], |row| row.get(0)))?;
    if hosts != 2 {
        return Err(SqlError::Denied(format!("names that begin with {RESERVED} belong to the host")).into());
    }
    match first(conn, "PRAGMA foreign_key_check", [])? {
        Some(table) => Err(orphan(&table)),
        None => Ok(()),
    }
}

/// The schema of everybody else must be what it was, and nothing of the tenant's may lead there.
fn check_shared(conn: &mut Conn, owner: &Owner, before: &Before) -> Result<(), Failure> {
    let own = [owner.prefix.as_str()];
    if conn.try_as_host(|db| others(db, owner))? != before.0 || first(conn, STRAY, own)?.is_some() {
        return Err(SqlError::Denied("a change of what is not the tenant's own".to_owned()).into());
    }
    if let Some(table) = first(conn, ABROAD, own)? {
        let message = format!("a foreign key of table {table} to one that is not the tenant's own");
        return Err(SqlError::Denied(conn.shown(message)).into());
    }
    check_views(conn, owner)?;
    match first(conn, ORPHANS, own)? {
        Some(table) => Err(orphan(&conn.shown(table))),
        None => Ok(()),
    }
}

/// Each view is compiled as a guest would use it. One that can't be would also be in the way of every
/// other tenant that renames a table.
fn check_views(conn: &mut Conn, owner: &Owner) -> Result<(), Failure> {
    let views: Vec<String> = conn.try_as_host(|db| {
        let text = "SELECT name FROM sqlite_schema WHERE type = 'view' AND substr(name, 1, length(?1)) = ?1";
        db.prepare(text)?.query_map([owner.prefix.as_str()], |row| row.get(0))?.collect()
    })?;
    for view in views {
        conn.probe.set_stance(Stance::Guest);
        conn.probe.clear();
        let text = format!("SELECT * FROM \"{}\"", view.replace('"', "\"\""));
        conn.db.prepare(&text).map(drop).map_err(|error| read(conn, Phase::Compile, error))?;
        program::check(conn, &text)?;
    }
    Ok(())
}

fn others(db: &Connection, owner: &Owner) -> Result<[u8; 32], rusqlite::Error> {
    let mut statement = db.prepare(OTHERS)?;
    let mut rows = statement.query([owner.prefix.as_str()])?;
    let mut digest = Sha256::new();
    while let Some(row) = rows.next()? {
        for column in 0..4 {
            let text: String = row.get(column)?;
            digest.update(text.len().to_le_bytes());
            digest.update(text.as_bytes());
        }
    }
    Ok(digest.finalize().into())
}

fn first(conn: &Conn, text: &str, params: impl Params) -> Result<Option<String>, Failure> {
    conn.try_as_host(|db| db.query_row(text, params, |row| row.get(0)).optional())
}

fn orphan(table: &str) -> Failure {
    let message = format!("a foreign key of table {table} leads nowhere");
    SqlError::Constraint { kind: ConstraintKind::ForeignKey, message }.into()
}
