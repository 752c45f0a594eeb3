//! What a tenant's tables look like, read from the engine's catalog, referenced tables first.

use super::connect::{Conn, Health};
use super::errors::Failure;
use super::kind::Kind;
use super::names::{SCHEMA, TenantNames, quoted};
use crate::transfer::{ColumnKind, ColumnShape, TableShape};
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, BTreeSet};

/// Columns that can be written: table, column, number and name of its type, that below a domain's name.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, \
    (CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END)::bigint, format_type(a.atttypid, a.atttypmod) \
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped \
    AND a.attgenerated = '' AND MINE ORDER BY c.relname, a.attnum";

/// Columns of primary keys: table, column, and nothing twice.
const KEYS: &str = "SELECT c.relname::text, a.attname::text FROM pg_class c \
    JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
    CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place) \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE MINE ORDER BY c.relname, k.place";

/// Tables and those that their foreign keys lead to.
const REFERENCES: &str = "SELECT c.relname::text, f.relname::text FROM pg_constraint k \
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid \
    WHERE k.contype = 'f' AND c.oid <> f.oid AND MINE";

/// What belongs to the tenant: the ledger is the host's.
const MINE: &str =
    "c.relnamespace = 'rowhouse'::regnamespace AND c.relowner = (SELECT current_user::text::regrole)";

/// One table, with what its values need on the way.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) shape: TableShape,
    /// For each column the type to cast to and from text, where values have no form of their own.
    pub(super) casts: Vec<Option<String>>,
}

impl Table {
    /// The name on the server, with its schema.
    pub(super) fn physical(&self, names: &TenantNames) -> String {
        format!("{SCHEMA}.{}", quoted(&names.physical(&self.shape.name)))
    }
}

/// Reads the tenant's tables, as its owner.
pub(super) async fn read(conn: &mut Conn, names: &TenantNames) -> Result<Vec<Table>, Failure> {
    let columns: Vec<(String, String, i64, String)> = fetch(conn, COLUMNS).await?;
    let keys: Vec<(String, String)> = fetch(conn, KEYS).await?;
    let references: Vec<(String, String)> = fetch(conn, REFERENCES).await?;
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for (table, column, oid, type_name) in columns {
        let name = names.own(&table).to_owned();
        let table = tables.entry(name.clone()).or_insert_with(|| Table {
            shape: TableShape { name, columns: Vec::new(), key: Vec::new(), references: Vec::new() },
            casts: Vec::new(),
        });
        let oid = u32::try_from(oid).unwrap_or(0);
        let kind = Kind::of_column(oid);
        table.casts.push((kind == ColumnKind::Text && !Kind::is_text(oid)).then_some(type_name));
        table.shape.columns.push(ColumnShape { name: column, kind });
    }
    for (table, column) in keys {
        if let Some(table) = tables.get_mut(names.own(&table)) {
            table.shape.key.push(column);
        }
    }
    for (table, referenced) in references {
        let referenced = names.own(&referenced).to_owned();
        if let Some(table) = tables.get_mut(names.own(&table))
            && !table.shape.references.contains(&referenced)
        {
            table.shape.references.push(referenced);
        }
    }
    Ok(order(tables))
}

/// Runs one of the questions above, or another that says MINE.
pub(super) async fn fetch<T>(conn: &mut Conn, question: &str) -> Result<Vec<T>, Failure>
where
    T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    let mut mine = MINE.to_owned();
    if let Some(prefix) = &conn.prefix {
        // A range, for which there is an index: there is none for owners.
        mine.push_str(&format!(
            " AND c.relname >= '{prefix}' AND c.relname < '{}'",
            super::quota::after(prefix)
        ));
    }
    let text = question.replace("MINE", &mine);
    conn.health = Health::Busy;
    let found = sqlx::query_as(AssertSqlSafe(text)).persistent(false).fetch_all(&mut conn.db).await;
    conn.heard(found)
}

/// Referenced tables first. Where tables reference one another in a circle, by name.
fn order(mut tables: BTreeMap<String, Table>) -> Vec<Table> {
    let mut ordered = Vec::with_capacity(tables.len());
    let mut placed = BTreeSet::new();
    while !tables.is_empty() {
        let free = |table: &Table| {
            table.shape.references.iter().all(|name| placed.contains(name) || !tables.contains_key(name))
        };
        let next = tables.values().find(|table| free(table)).or_else(|| tables.values().next());
        let Some(name) = next.map(|table| table.shape.name.clone()) else { break };
        ordered.extend(tables.remove(&name));
        placed.insert(name);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn referenced_tables_come_first() {
        let table = |name: &str, references: &[&str]| {
            let references = references.iter().map(|&one| one.to_owned()).collect();
            let shape = TableShape { name: name.into(), columns: vec![], key: vec![], references };
            (name.to_owned(), Table { shape, casts: vec![] })
        };
        let tables =
            [table("a", &["c"]), table("b", &[]), table("c", &["b"]), table("x", &["y"]), table("y", &["x"])];
        let names: Vec<_> = order(tables.into()).into_iter().map(|table| table.shape.name).collect();
        assert_eq!(names, ["b", "c", "a", "x", "y"]);
    }
}
