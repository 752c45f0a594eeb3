//! The shapes of a tenant's tables, as the server's own catalogue tells them to the tenant's user.
//!
//! It tells a user no more than it has rights on; names of other tenants are left out here once more.
//! Generated columns, views and the host's tables are not among them. Each table is asked for by its name (see
//! [`super::catalogue`]); who calls knows the names.

use super::connect::Conn;
use super::names::Names;
use super::{catalogue, errors, run};
use crate::SqlError;
use crate::transfer::{ColumnKind, ColumnShape, TableShape};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Executor, Row};
use std::collections::{BTreeMap, BTreeSet};

/// A foreign key, by names on the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) parent: String,
    pub(super) parent_columns: Vec<String>,
}

/// What an export or import needs to know.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    /// Referenced ones first, as far as there is no circle.
    pub(super) tables: Vec<TableShape>,
    pub(super) foreign: Vec<Foreign>,
    /// Tables that number their keys, with the highest one that was given out, which may be 0.
    pub(super) counters: Vec<(String, i64)>,
}

/// Tables that are no views, with the highest key that each gave out; none where it doesn't number them.
pub(super) const TABLES: &str = "SELECT CAST(table_name AS CHAR), CAST(auto_increment - 1 AS SIGNED) \
    FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema";

/// Columns, with their place at the end.
pub(super) const COLUMNS: &str = "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), \
    CAST(data_type AS CHAR), CAST(column_type AS CHAR), coalesce(generation_expression, '') <> '', \
    CAST(ordinal_position AS SIGNED) FROM information_schema.columns WHERE table_schema";

/// Columns of primary and foreign keys, with their place at the end.
pub(super) const KEYS: &str = "SELECT CAST(table_name AS CHAR), CAST(constraint_name AS CHAR), \
    CAST(column_name AS CHAR), CAST(referenced_table_name AS CHAR), CAST(referenced_column_name AS CHAR), \
    CAST(ordinal_position AS SIGNED) FROM information_schema.key_column_usage \
    WHERE (constraint_name = 'PRIMARY' OR referenced_table_name IS NOT NULL) AND table_schema";

/// Reads the shapes on a connection of the tenant's. `known` are names on the server, of views and of what is gone
/// as well.
pub(super) async fn read(conn: &mut Conn, names: &Names, known: &[String]) -> Result<Shapes, SqlError> {
    let found = ask_each(conn, names, TABLES, known).await?;
    let there: Vec<String> = found.iter().map(|row| text(row, 0)).collect();
    let mut columns = ask_each(conn, names, COLUMNS, &there).await?;
    let mut keys = ask_each(conn, names, KEYS, &there).await?;
    columns.sort_by_cached_key(|row| (text(row, 0), place(row)));
    keys.sort_by_cached_key(|row| (text(row, 0), text(row, 1), place(row)));
    let version = ask(conn, names, "SELECT CAST(VERSION() AS CHAR)").await?;
    let maria = version.first().is_some_and(|row| text(row, 0).contains("MariaDB"));
    let mut tables = BTreeMap::new();
    for row in &columns {
        let physical = text(row, 0);
        let Some(own) = names.own(&physical) else { continue };
        let table = tables.entry(physical.clone()).or_insert_with(|| TableShape {
            name: own.to_owned(),
            columns: Vec::new(),
            key: Vec::new(),
            references: Vec::new(),
        });
        if row.try_get::<bool, _>(4).unwrap_or(false) {
            continue;
        }
        let name = text(row, 1);
        let kind = kind(&text(row, 2), &text(row, 3));
        table.columns.push(ColumnShape { name, kind });
    }
    if maria {
        find_json(conn, names, &columns, &mut tables).await?;
    }
    let foreign = add_keys(&mut tables, &keys, names);
    let tables = in_order(tables.into_values().collect());
    Ok(Shapes { tables, foreign, counters: counters(&found, names)? })
}

fn counters(found: &[MySqlRow], names: &Names) -> Result<Vec<(String, i64)>, SqlError> {
    let mut counters = Vec::new();
    for row in found {
        let highest = row.try_get::<Option<i64>, _>(1).map_err(|error| errors::host(&error))?;
        let physical = text(row, 0);
        counters.extend(names.own(&physical).map(str::to_owned).zip(highest));
    }
    Ok(counters)
}

/// Notes primary keys and references; gives back the foreign keys.
fn add_keys(tables: &mut BTreeMap<String, TableShape>, keys: &[MySqlRow], names: &Names) -> Vec<Foreign> {
    let mut foreign: BTreeMap<(String, String), Foreign> = BTreeMap::new();
    for row in keys {
        let (physical, constraint, column) = (text(row, 0), text(row, 1), text(row, 2));
        let Some(table) = tables.get_mut(&physical) else { continue };
        let Ok(Some(parent)) = row.try_get::<Option<String>, _>(3) else {
            table.key.push(column);
            continue;
        };
        if let Some(own) = names.own(&parent)
            && own != table.name
            && !table.references.iter().any(|known| known == own)
        {
            table.references.push(own.to_owned());
        }
        let key = foreign.entry((physical.clone(), constraint)).or_insert_with(|| Foreign {
            table: physical,
            columns: Vec::new(),
            parent,
            parent_columns: Vec::new(),
        });
        key.columns.push(column);
        key.parent_columns.push(text(row, 4));
    }
    foreign.into_values().collect()
}

/// What the declaration says, finer than the protocol does.
fn kind(data_type: &str, column_type: &str) -> ColumnKind {
    match data_type {
        "tinyint" if column_type.starts_with("tinyint(1)") => ColumnKind::Boolean,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" | "bit" => ColumnKind::Integer,
        "float" | "double" => ColumnKind::Real,
        "decimal" => ColumnKind::Decimal,
        "datetime" | "timestamp" => ColumnKind::Timestamp,
        "json" => ColumnKind::Json,
        "uuid" => ColumnKind::Uuid,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => ColumnKind::Blob,
        _ => ColumnKind::Text,
    }
}

/// MariaDB keeps JSON as a text with a check, and shows its view of checks only to whom a whole database is
/// open. A table's own text has them.
async fn find_json(
    conn: &mut Conn,
    names: &Names,
    columns: &[MySqlRow],
    tables: &mut BTreeMap<String, TableShape>,
) -> Result<(), SqlError> {
    let texts = columns.iter().filter(|row| text(row, 2) == "longtext").map(|row| text(row, 0));
    for physical in texts.collect::<BTreeSet<_>>() {
        let Some(table) = tables.get_mut(&physical) else { continue };
        let rows = ask(conn, names, &format!("SHOW CREATE TABLE {}", names.qualified(&physical))).await?;
        let declaration = rows.first().map(|row| text(row, 1)).unwrap_or_default();
        for column in table.columns.iter_mut().filter(|column| column.kind == ColumnKind::Text) {
            let is_checked = |mark| declaration.contains(&format!("json_valid({mark}{}{mark})", column.name));
            if is_checked('`') || is_checked('"') {
                column.kind = ColumnKind::Json;
            }
        }
    }
    Ok(())
}

/// Referenced tables first; those in a circle come as they are.
fn in_order(mut left: Vec<TableShape>) -> Vec<TableShape> {
    let mut ordered: Vec<TableShape> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |table: &TableShape, left: &[TableShape]| {
            table.references.iter().any(|name| left.iter().any(|other| other.name == *name))
        };
        let next = left.iter().position(|table| !waits(table, &left)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

/// One of the questions above for each of these tables, whose names need no escapes in any mode of a session.
async fn ask_each(
    conn: &mut Conn,
    names: &Names,
    question: &str,
    tables: &[String],
) -> Result<Vec<MySqlRow>, SqlError> {
    match tables {
        [] => Ok(Vec::new()),
        tables => ask(conn, names, &catalogue::each("DATABASE()", question, tables)).await,
    }
}

/// Runs statements of the host's own and gives the rows of all of them.
async fn ask(conn: &mut Conn, names: &Names, query: &str) -> Result<Vec<MySqlRow>, SqlError> {
    conn.busy = true;
    let rows = conn.db.fetch_all(sqlx::raw_sql(AssertSqlSafe(query.to_owned()))).await;
    let rows = rows.map_err(|error| run::answered(&mut conn.busy, &error, names).error)?;
    conn.busy = false;
    Ok(rows)
}

/// The last of what a column's row tells.
fn place(row: &MySqlRow) -> i64 {
    row.try_get(5).unwrap_or_default()
}

fn text(row: &MySqlRow, index: usize) -> String {
    row.try_get::<String, _>(index).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, references: &[&str]) -> TableShape {
        TableShape {
            name: name.into(),
            columns: vec![],
            key: vec![],
            references: references.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn referenced_tables_come_first_and_circles_end() {
        let tables = vec![
            table("a", &["b"]),
            table("b", &["c"]),
            table("c", &[]),
            table("x", &["y"]),
            table("y", &["x"]),
        ];
        let names: Vec<_> = in_order(tables).into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["c", "b", "a", "x", "y"]);
    }
}
