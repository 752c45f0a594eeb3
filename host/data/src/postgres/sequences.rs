//! Counters that number columns: how far each has come, and how an import sets them on.
//!
//! An archive keeps one counter a table: that of the primary key, else that of the first column which has one.
//! Others go on past the largest value there is.

use super::connect::Conn;
use super::errors::Failure;
use super::names::{SCHEMA, TenantNames, quoted};
use super::shapes;

/// Sequence, table, column, and the last value that was given out, those of primary keys first in their table.
const SEQUENCES: &str = "SELECT s.relname::text, c.relname::text, a.attname::text, \
    pg_sequence_last_value(s.oid::regclass) FROM pg_depend d \
    JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_class c ON c.oid = d.refobjid \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid \
    JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0 \
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
    AND d.deptype IN ('a', 'i') AND MINE ORDER BY c.relname, NOT EXISTS (SELECT 1 FROM pg_index i \
    WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey)), a.attnum";

/// One counter, by names on the server.
type Sequence = (String, String, String, Option<i64>);

/// The counters that an archive keeps, by the guest's names of their tables. Those that gave nothing out yet are
/// not among them.
pub(super) async fn read(conn: &mut Conn, names: &TenantNames) -> Result<Vec<(String, i64)>, Failure> {
    let mut all: Vec<Sequence> = shapes::fetch(conn, SEQUENCES).await?;
    all.dedup_by(|next, first| next.1 == first.1);
    Ok(all
        .into_iter()
        .filter_map(|(_, table, _, last)| last.map(|last| (names.own(&table).to_owned(), last)))
        .collect())
}

/// Sets every counter past the largest value of its column, and those of the archive past what they had given out.
/// One that has no such number left gives out nothing more.
pub(super) async fn set(
    conn: &mut Conn,
    names: &TenantNames,
    highest: &[(String, i64)],
) -> Result<(), Failure> {
    let all: Vec<Sequence> = shapes::fetch(conn, SEQUENCES).await?;
    let mut before = None;
    for (sequence, table, column, _last) in all {
        let first = before.as_ref() != Some(&table);
        let given = highest.iter().find(|(name, _)| first && *name == names.own(&table));
        let given = given.map_or(0, |(_, highest)| *highest).max(0);
        let (physical, column) = (quoted(&table), quoted(&column));
        let sequence = format!("'{SCHEMA}.{}'::regclass", quoted(&sequence).replace('\'', "''"));
        conn.say_text(format!(
            "SELECT setval({sequence}, least(most, seqmax)) FROM pg_sequence, \
             (SELECT greatest(max({column})::bigint, {given}) AS most FROM {SCHEMA}.{physical}) AS found \
             WHERE seqrelid = {sequence} AND most > 0"
        ))
        .await?;
        before = Some(table);
    }
    Ok(())
}
