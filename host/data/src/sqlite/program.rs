//! What a compiled statement opens, where tenants share the file.
//!
//! The authorizer isn't asked about the columns that NATURAL JOIN and USING compare, so that a statement
//! could look for matches in another tenant's table. The engine's own listing of the compiled program names
//! the root page of each table and index that it opens: all of them must be the tenant's.

use super::authorizer::Stance;
use super::connection::Conn;
use super::errors::{Failure, Phase, read};
use super::shared::Owner;
use crate::SqlError;
use rusqlite::{Connection, Error};
use std::collections::HashSet;

/// Root pages that a tenant's statements may open, as of one version of the schema.
#[derive(Debug, Default)]
pub(super) struct Roots {
    version: i64,
    pages: HashSet<i64>,
}

/// Refuses a statement, which the authorizer has let through, where it opens what is not the tenant's own.
pub(super) fn check(conn: &mut Conn, text: &str) -> Result<(), Failure> {
    let Some(owner) = conn.owner.clone() else { return Ok(()) };
    let mut roots = std::mem::take(&mut conn.roots);
    let nested = !conn.db.is_autocommit();
    // Within the statement's own budget, which must outlast this.
    conn.probe.set_stance(Stance::Host);
    let checked = in_one_snapshot(&conn.db, &owner, &mut roots, text, nested);
    conn.probe.set_stance(Stance::Guest);
    conn.roots = roots;
    match checked {
        Ok(true) => Ok(()),
        Ok(false) => Err(SqlError::Denied("a table that is not the tenant's own".to_owned()).into()),
        Err(error) => {
            let failure = read(conn, Phase::Compile, error);
            if !nested {
                conn.roll_back();
            }
            Err(failure)
        }
    }
}

/// Pages and program must be of the same version of the schema.
fn in_one_snapshot(
    db: &Connection,
    owner: &Owner,
    roots: &mut Roots,
    text: &str,
    nested: bool,
) -> Result<bool, Error> {
    if nested {
        return refresh(db, owner, roots).and_then(|()| opens_own(db, text, roots));
    }
    db.execute_batch("BEGIN")?;
    let checked = refresh(db, owner, roots).and_then(|()| opens_own(db, text, roots))?;
    db.execute_batch("COMMIT")?;
    Ok(checked)
}

fn refresh(db: &Connection, owner: &Owner, roots: &mut Roots) -> Result<(), Error> {
    let version = db.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
    if version == roots.version {
        return Ok(());
    }
    // The engine itself keeps the last keys of AUTOINCREMENT, for all tables in one.
    let text = "SELECT rootpage FROM sqlite_schema WHERE rootpage > 0
        AND (substr(tbl_name, 1, length(?1)) = ?1 OR tbl_name = 'sqlite_sequence')";
    let mut statement = db.prepare(text)?;
    let pages = statement.query_map([owner.prefix.as_str()], |row| row.get(0))?.collect::<Result<_, _>>()?;
    *roots = Roots { version, pages };
    Ok(())
}

fn opens_own(db: &Connection, text: &str, roots: &Roots) -> Result<bool, Error> {
    let mut listing = db.prepare(&format!("EXPLAIN {text}"))?;
    let mut lines = listing.raw_query();
    while let Some(line) = lines.next()? {
        let root = match line.get_ref("opcode")?.as_str()? {
            "OpenRead" | "OpenWrite" | "ReopenIdx" => line.get("p2")?,
            "Clear" | "Destroy" => line.get("p1")?,
            _ => continue,
        };
        if !roots.pages.contains(&root) {
            return Ok(false);
        }
    }
    Ok(true)
}
