//! A tenant's tables as an export and an import see them, read from the engine's own catalog.
//!
//! The host's ledger, the engine's tables, views and virtual tables are not among them: what a virtual
//! table holds is an index over other tables, made anew after an import, or is reported as left out. Where
//! tenants share the file, names are the tenant's own: its prefix is taken off here and put on again by
//! [`Schema::physical`], and what does not begin with it is not there.

use super::authorizer::{RESERVED, Stance};
use super::connection::Conn;
use super::plan::Declared;
use crate::guard::Prefix;
use crate::transfer::{ColumnKind, ColumnShape, TableShape};
use rowhouse_base::Subject;
use rusqlite::{Connection, Error, OptionalExtension};

/// What a database consists of.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    /// Referenced ones first, as far as they form no circle.
    pub(super) tables: Vec<TableShape>,
    /// For each table, what its rows are to be ordered by; empty where any order is stable.
    pub(super) orders: Vec<String>,
    pub(super) virtuals: Vec<Virtual>,
    /// Tables that never use a key again, with the highest key so far.
    pub(super) sequences: Vec<(String, i64)>,
    /// Before each name in the file, where tenants share it.
    prefix: Option<Prefix>,
}

impl Schema {
    /// A table's name in the file, ready for a statement.
    pub(super) fn physical(&self, own: &str) -> String {
        quote(&self.in_file(own))
    }

    /// A table's name in the file, as it stands in the engine's own tables.
    pub(super) fn in_file(&self, own: &str) -> String {
        in_file(self.prefix.as_ref(), own)
    }
}

/// A table's name in the file.
fn in_file(prefix: Option<&Prefix>, own: &str) -> String {
    prefix.map_or_else(|| own.to_owned(), |prefix| format!("{prefix}{own}"))
}

/// The tenant's own name of a table; none where it is not the tenant's.
fn own<'a>(prefix: Option<&Prefix>, name: &'a str) -> Option<&'a str> {
    prefix.map_or(Some(name), |prefix| name.strip_prefix(prefix.as_str()))
}

/// A virtual table. Guests can make those of full-text search.
#[derive(Clone, Debug)]
pub(super) struct Virtual {
    pub(super) name: String,
    /// It is an index over another table, which can be made anew.
    pub(super) external: bool,
}

/// Reads it.
pub(super) fn read(db: &Connection, prefix: Option<&Prefix>) -> Result<Schema, Error> {
    let mut schema = Schema { prefix: prefix.cloned(), ..Schema::default() };
    let mut found = Vec::new();
    // One question for each of the tenant's tables: a shared file may have a hundred thousand.
    let mut list = db.prepare(
        "SELECT l.name, l.type, l.wr, coalesce(s.sql, '') FROM sqlite_schema AS s \
         JOIN pragma_table_list(s.name) AS l ON l.name = s.name AND l.schema = 'main' \
         WHERE s.type = 'table' AND substr(s.name, 1, length(?1)) = ?1 ORDER BY l.name",
    )?;
    let mut rows = list.query([prefix.map_or("", Prefix::as_str)])?;
    while let Some(row) = rows.next()? {
        let (name, kind): (String, String) = (row.get(0)?, row.get(1)?);
        let Some(name) = own(prefix, &name) else { continue };
        if name.starts_with("sqlite_") || name.to_ascii_lowercase().starts_with(RESERVED) {
            continue;
        }
        match kind.as_str() {
            "table" => found.push(read_table(db, prefix, name, row.get(2)?)?),
            "virtual" => {
                let sql: String = row.get(3)?;
                schema.virtuals.push(Virtual { name: name.to_owned(), external: is_external(&sql) });
            }
            _ => {}
        }
    }
    for (table, order) in in_order(found) {
        schema.tables.push(table);
        schema.orders.push(order);
    }
    if db.table_exists(None, "sqlite_sequence")? {
        let mut sequences = db.prepare("SELECT name, seq FROM sqlite_sequence ORDER BY name")?;
        let mut rows = sequences.query([])?;
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            if let Some(name) = own(prefix, &name) {
                schema.sequences.push((name.to_owned(), row.get(1)?));
            }
        }
    }
    Ok(schema)
}

/// True where the text declares `content='table'`, false for `content=''` and for none.
fn is_external(sql: &str) -> bool {
    let dense: String = sql.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    dense
        .split_once("content=")
        .is_some_and(|(_, value)| !["''", "\"\""].iter().any(|none| value.starts_with(none)))
}

/// True where one of these tables, whose names have this prefix, holds rows of others, or may.
pub(super) fn any_reads_elsewhere<'a>(
    conn: &Conn,
    prefix: &str,
    reads: impl IntoIterator<Item = &'a Subject>,
) -> bool {
    reads.into_iter().any(|subject| {
        let name = subject.as_str().strip_prefix("t:");
        name.is_none_or(|name| reads_elsewhere(conn, &format!("{prefix}{name}")))
    })
}

/// True where a table of this name holds rows of others, or may: the statement is the guest's own, so it
/// runs within the guest's budget, and what can't be found out counts as true.
fn reads_elsewhere(conn: &Conn, name: &str) -> bool {
    let text = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND lower(name) = ?1 AND rootpage = 0";
    conn.probe.set_stance(Stance::Host);
    let found = conn.db.query_row(text, [name], |row| row.get::<_, Option<String>>(0)).optional();
    conn.probe.set_stance(Stance::Guest);
    match found {
        Ok(None) => false,
        Ok(Some(Some(sql))) => !sql.to_ascii_lowercase().contains("fts5") || is_external(&sql),
        Ok(Some(None)) | Err(_) => true,
    }
}

fn read_table(
    db: &Connection,
    prefix: Option<&Prefix>,
    name: &str,
    without_rowid: bool,
) -> Result<(TableShape, String), Error> {
    let physical = in_file(prefix, name);
    let mut table = TableShape { name: name.to_owned(), columns: vec![], key: vec![], references: vec![] };
    let mut key = Vec::new();
    let mut names = Vec::new();
    let mut statement =
        db.prepare("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid")?;
    let mut rows = statement.query([&physical])?;
    while let Some(row) = rows.next()? {
        let (column, declared): (String, String) = (row.get(0)?, row.get(1)?);
        let (place, hidden): (i64, i64) = (row.get(2)?, row.get(3)?);
        names.push(column.to_ascii_lowercase());
        if place > 0 {
            key.push((place, column.clone()));
        }
        // Generated columns are hidden ones.
        if hidden == 0 {
            table.columns.push(ColumnShape { kind: kind(&declared), name: column });
        }
    }
    key.sort();
    table.key = key.into_iter().map(|(_place, column)| column).collect();
    let mut statement =
        db.prepare("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1) ORDER BY 1")?;
    let mut references = statement.query([&physical])?;
    while let Some(row) = references.next()? {
        let other: String = row.get(0)?;
        table.references.extend(own(prefix, &other).map(str::to_owned));
    }
    table.references.retain(|other| !other.eq_ignore_ascii_case(name));
    let order = if without_rowid {
        table.key.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ")
    } else {
        // A column of that name hides the row's id; the engine reads in the order of ids all the same.
        let id = ["rowid", "_rowid_", "oid"].into_iter().find(|id| !names.iter().any(|name| name == id));
        id.unwrap_or_default().to_owned()
    };
    Ok((table, order))
}

/// Referenced tables first. In a circle the first by name comes first; foreign keys are checked at the end.
fn in_order(mut left: Vec<(TableShape, String)>) -> Vec<(TableShape, String)> {
    let names: Vec<String> = left.iter().map(|(table, _)| table.name.clone()).collect();
    for (table, _) in &mut left {
        // As the tables are spelled, and only those there are.
        table.references = names
            .iter()
            .filter(|name| table.references.iter().any(|other| other.eq_ignore_ascii_case(name)))
            .cloned()
            .collect();
    }
    let mut ordered: Vec<(TableShape, String)> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let ready = |table: &TableShape| {
            table.references.iter().all(|other| ordered.iter().any(|(done, _)| done.name == *other))
        };
        let next = left.iter().position(|(table, _)| ready(table)).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

/// The kind by the declared type: what guests get first, else the engine's rule of affinity.
fn kind(declared: &str) -> ColumnKind {
    match Declared::read(Some(declared)) {
        Declared::Boolean => return ColumnKind::Boolean,
        Declared::Timestamp => return ColumnKind::Timestamp,
        Declared::Json => return ColumnKind::Json,
        Declared::Uuid => return ColumnKind::Uuid,
        Declared::Decimal => return ColumnKind::Decimal,
        Declared::Plain => {}
    }
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["INT"]) {
        ColumnKind::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        ColumnKind::Text
    } else if has(&["BLOB"]) {
        ColumnKind::Blob
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        ColumnKind::Real
    } else {
        ColumnKind::Any
    }
}

/// A name as the engine reads it back, whatever is in it.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (declared, expected) in [
            ("BOOLEAN", ColumnKind::Boolean),
            ("timestamp", ColumnKind::Timestamp),
            ("DECIMAL TEXT", ColumnKind::Decimal),
            ("JSON", ColumnKind::Json),
            ("uuid", ColumnKind::Uuid),
            ("BIGINT", ColumnKind::Integer),
            ("VARCHAR(60)", ColumnKind::Text),
            ("double precision", ColumnKind::Real),
            ("BLOB", ColumnKind::Blob),
            ("NUMERIC(10,2)", ColumnKind::Any),
            ("", ColumnKind::Any),
        ] {
            assert_eq!(kind(declared), expected, "{declared}");
        }
    }

    #[test]
    fn reads_order_keys_and_what_is_left_out() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "PRAGMA foreign_keys = OFF;
             CREATE TABLE a_child (id INTEGER PRIMARY KEY AUTOINCREMENT, p TEXT REFERENCES PARENT (k), \
             twice INTEGER GENERATED ALWAYS AS (id * 2));
             CREATE TABLE parent (k TEXT, n INTEGER, PRIMARY KEY (n, k)) WITHOUT ROWID;
             CREATE TABLE x (y REFERENCES y); CREATE TABLE y (x REFERENCES x, self REFERENCES y);
             CREATE TABLE shadowed (rowid TEXT, _ROWID_ TEXT); CREATE VIEW v AS SELECT 1;
             CREATE TABLE \"od\"\"d na.me\" (\"a b\" TEXT);
             CREATE VIRTUAL TABLE f USING fts5(p, content = 'parent'); CREATE VIRTUAL TABLE g USING fts5(p);
             CREATE VIRTUAL TABLE h USING fts5(p, content=''); CREATE TABLE _Rowhouse_x (a);
             INSERT INTO a_child (id) VALUES (7);",
        )
        .unwrap();
        let schema = read(&db, None).unwrap();
        let names: Vec<_> = schema.tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names, ["od\"d na.me", "parent", "a_child", "shadowed", "x", "y"]);
        assert_eq!(schema.orders, ["rowid", "\"n\", \"k\"", "rowid", "oid", "rowid", "rowid"]);
        let child = &schema.tables[2];
        assert_eq!((child.columns.len(), &child.references[..]), (2, &["parent".to_owned()][..]));
        assert_eq!(schema.tables[1].key, ["n", "k"]);
        assert_eq!(schema.sequences, [("a_child".to_owned(), 7)]);
        let virtuals: Vec<_> = schema.virtuals.iter().map(|one| (one.name.as_str(), one.external)).collect();
        assert_eq!(virtuals, [("f", true), ("g", false), ("h", false)]);
    }

    #[test]
    fn of_a_shared_file_only_what_is_the_tenants_own() {
        let [mine, other] = [(); 2].map(|()| Prefix::of(rowhouse_base::id::TenantId::new()));
        let db = Connection::open_in_memory().unwrap();
        for prefix in [&mine, &other] {
            db.execute_batch(&format!(
                "CREATE TABLE {prefix}b (id INTEGER PRIMARY KEY AUTOINCREMENT);
                 CREATE TABLE {prefix}a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES {prefix}b);
                 INSERT INTO {prefix}b DEFAULT VALUES;"
            ))
            .unwrap();
        }
        let schema = read(&db, Some(&mine)).unwrap();
        let names: Vec<_> = schema.tables.iter().map(|table| table.name.as_str()).collect();
        assert_eq!((names, &schema.tables[1].references[..]), (vec!["b", "a"], &["b".to_owned()][..]));
        assert_eq!(schema.sequences, [("b".to_owned(), 1)]);
        assert_eq!(schema.physical("a"), format!("\"{mine}a\""));
    }
}
