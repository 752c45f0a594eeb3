//! What is known of a statement once the engine has compiled it: where it may run, how its parameters
//! are numbered, which types its columns were declared with.
//!
//! Kept per connection beside the engine's own statement cache, and made anew whenever the engine
//! compiles the statement again, as it does after a change of the schema.

use super::authorizer::Probe;
use super::connection::Conn;
use super::schema;
use crate::packed::{Encoder, ROOM};
use crate::{LimitKind, SqlError};
use rowhouse_base::Subject;
use rusqlite::Statement;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// A column's declared type, as far as the engine's own classes don't tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    /// Nothing beyond the class.
    Plain,
    /// 0 and 1.
    Boolean,
    /// Microseconds.
    Timestamp,
    /// A JSON text.
    Json,
    /// A UUID.
    Uuid,
    /// An exact decimal.
    Decimal,
}

impl Declared {
    /// By the beginning of the declared type: `DECIMAL(10,2)`, `DECIMAL TEXT` and `decimal` are decimals.
    pub(super) fn read(declared: Option<&str>) -> Self {
        let Some(declared) = declared else { return Self::Plain };
        let begins = |word: &str| {
            declared
                .as_bytes()
                .get(..word.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
        };
        if begins("BOOL") {
            Self::Boolean
        } else if begins("TIMESTAMP") {
            Self::Timestamp
        } else if begins("JSON") {
            Self::Json
        } else if begins("UUID") {
            Self::Uuid
        } else if begins("DECIMAL") {
            Self::Decimal
        } else {
            Self::Plain
        }
    }
}

/// The head of a result: names, packed, and declared types.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) packed: Vec<u8>,
    pub(super) declared: Vec<Declared>,
}

impl Head {
    /// Reads it from a compiled statement.
    pub(super) fn read(statement: &Statement<'_>) -> Result<Self, SqlError> {
        let columns = statement.columns();
        let encoder = Encoder::new(columns.iter().map(rusqlite::Column::name))
            .map_err(|_too_large| SqlError::Limit(LimitKind::Complexity))?;
        Ok(Self {
            packed: encoder.as_bytes().to_vec(),
            declared: columns.iter().map(|column| Declared::read(column.decl_type())).collect(),
        })
    }
}

/// What is known of a statement.
#[derive(Debug)]
pub(super) struct Plan {
    /// The engine's word that it changes nothing.
    pub(super) readonly: bool,
    heavy: bool,
    counts: bool,
    /// What it reads, by the engine's word, through views as well.
    pub(super) reads: Arc<[Subject]>,
    /// What it changes, through triggers and foreign keys as well. Never empty where it is not `readonly`.
    pub(super) writes: Arc<[Subject]>,
    /// It reads more than can be told.
    pub(super) unsure: bool,
    /// Its row id is the last one inserted.
    pub(super) tells_row_id: bool,
    pub(super) head: Head,
    /// For the engine's first, second, … parameter: the index of the guest's.
    pub(super) parameters: Vec<usize>,
    /// How many parameters the guest must give.
    pub(super) given: usize,
    /// It exceeded the small budget of the calling thread, and was not quick since.
    pub(super) slow: AtomicBool,
    /// It was quick on a thread of the pool.
    pub(super) quick: AtomicBool,
    /// Room for its next result, by the last one.
    pub(super) room: AtomicUsize,
}

impl Plan {
    /// Reads the plan of a statement that was compiled just now.
    pub(super) fn read(statement: &Statement<'_>, probe: &Probe) -> Result<Self, SqlError> {
        if statement.is_explain() != 0 {
            return Err(SqlError::Denied("EXPLAIN is not available".to_owned()));
        }
        let (parameters, given) = parameters(statement)?;
        let mut touched = probe.touched();
        let readonly = statement.readonly();
        if !readonly && touched.writes.is_empty() {
            touched.writes.insert(Subject::everything());
        }
        Ok(Self {
            readonly,
            reads: touched.reads.into_iter().collect(),
            writes: touched.writes.into_iter().collect(),
            unsure: touched.unsure,
            heavy: probe.is_heavy(),
            counts: probe.counts(),
            tells_row_id: probe.only_inserts(),
            head: Head::read(statement)?,
            parameters,
            given,
            slow: AtomicBool::new(false),
            quick: AtomicBool::new(false),
            room: AtomicUsize::new(ROOM),
        })
    }

    /// Looks whether it reads a table whose rows are elsewhere, which the engine doesn't tell: a full-text index
    /// may have those of another table.
    pub(super) fn with_virtual_tables(mut self, conn: &Conn) -> Self {
        if !self.unsure && self.readonly {
            let prefix = conn.owner.as_ref().map_or("", |owner| owner.prefix.as_str());
            self.unsure = schema::any_reads_elsewhere(conn, prefix, &*self.reads);
        }
        self
    }

    /// True where the calling thread may try it with the small budget.
    pub(super) fn may_run_inline(&self) -> bool {
        self.readonly && !self.heavy && !self.slow.load(Relaxed) && (!self.counts || self.quick.load(Relaxed))
    }
}

/// The mapping from the engine's parameters, which it numbers by first appearance, to the guest's.
fn parameters(statement: &Statement<'_>) -> Result<(Vec<usize>, usize), SqlError> {
    let count = statement.parameter_count();
    let mut mapping = Vec::with_capacity(count);
    for index in 1..=count {
        let name = statement.parameter_name(index).unwrap_or("?");
        mapping.push(number(name).ok_or_else(|| {
            SqlError::Parameter(format!("parameters are written `$1`, `$2`, … and not `{name}`"))
        })?);
    }
    let given = mapping.iter().map(|index| index + 1).max().unwrap_or(0);
    if let Some(unused) = (0..given).find(|index| !mapping.contains(index)) {
        return Err(SqlError::Parameter(format!("`${}` is missing from the statement", unused + 1)));
    }
    Ok((mapping, given))
}

/// `$3` is the third parameter, index 2.
fn number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix('$')?;
    if digits.starts_with('0') || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<usize>().ok()?.checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types() {
        for (declared, expected) in [
            (Some("BOOLEAN"), Declared::Boolean),
            (Some("decimal(10,2)"), Declared::Decimal),
            (Some("DECIMAL TEXT"), Declared::Decimal),
            (Some("Timestamp"), Declared::Timestamp),
            (Some("JSON"), Declared::Json),
            (Some("uuid"), Declared::Uuid),
            (Some("TEXT"), Declared::Plain),
            (Some("B"), Declared::Plain),
            (None, Declared::Plain),
        ] {
            assert_eq!(Declared::read(declared), expected, "{declared:?}");
        }
    }

    #[test]
    fn numbers_of_parameters() {
        assert_eq!(number("$1"), Some(0));
        assert_eq!(number("$1000"), Some(999));
        for name in ["?", "?1", ":a", "@a", "$", "$0", "$01", "$a", "$1a", "$99999", "$1::b"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
