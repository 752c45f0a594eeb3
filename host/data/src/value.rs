//! What goes into statements and comes out of them, the same for every engine.
//!
//! The shapes mirror `rowhouse:host/sql` one to one, so that the guest room only renames. Nothing here
//! names a tenant, a database or an engine's own type.

/// A value going in or coming out.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
    /// An exact decimal number as text, such as `-12.50`.
    Decimal(String),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// A JSON text.
    Json(String),
    /// A UUID in its usual text form.
    Uuid(String),
}

impl Value {
    /// Bytes that the value holds beyond its own size.
    #[must_use]
    pub fn heap_len(&self) -> usize {
        match self {
            Self::Text(text) | Self::Decimal(text) | Self::Json(text) | Self::Uuid(text) => text.len(),
            Self::Blob(bytes) => bytes.len(),
            Self::Null | Self::Boolean(_) | Self::Integer(_) | Self::Real(_) | Self::Timestamp(_) => 0,
        }
    }
}

/// A result: every row has as many values as there are columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Names, as the statement gives them.
    pub columns: Vec<String>,
    /// The rows, in the statement's order.
    pub rows: Vec<Vec<Value>>,
}

/// What a write did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rows inserted, updated or deleted by the statement itself, not by its triggers.
    pub rows_affected: u64,
    /// The integer key of the last inserted row, where the engine tells it.
    pub last_insert_id: Option<i64>,
}

/// A statement with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// One statement, with `$1`, `$2`, … as parameters.
    pub text: String,
    /// The parameters, the first for `$1`.
    pub params: Vec<Value>,
}

/// Which transaction to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reads see one snapshot; writes are refused.
    Read,
    /// Reads and writes.
    Write,
}

/// The SQL dialect behind a tenant's database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgresql,
    /// MySQL and MariaDB.
    Mysql,
}

impl Dialect {
    /// As it stands in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
            Self::Mysql => "mysql",
        }
    }
}
