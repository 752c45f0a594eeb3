//! What moves a tenant's rows from one engine to another: the shapes that every engine reads and writes.
//!
//! An export reads all tables over one snapshot; an import fills tables that the module's migrations have
//! made. Neither names an engine's own types: a value is what [`Value`] says, in the kind the *target's*
//! column asks for. Who calls it: the archive.

use crate::{SqlError, Value};

/// What a column holds, as near as the engine's declaration tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ColumnKind {
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A floating point number.
    Real,
    /// Text.
    Text,
    /// Bytes.
    Blob,
    /// An exact decimal number.
    Decimal,
    /// A moment.
    Timestamp,
    /// JSON.
    Json,
    /// A UUID.
    Uuid,
    /// Whatever each row has (SQLite columns without a declared type).
    Any,
}

/// One column that an import can write: generated columns are left out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct ColumnShape {
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
}

/// One table of a tenant, by the guest's name. The host's own tables are not among them, nor are views.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct TableShape {
    pub(crate) name: String,
    /// In the order of the declaration.
    pub(crate) columns: Vec<ColumnShape>,
    /// Columns of the primary key, in its order; empty where there is none.
    pub(crate) key: Vec<String>,
    /// Tables that foreign keys of this one lead to, itself left out.
    pub(crate) references: Vec<String>,
}

/// Rows of one table, each with a value for each column of its shape.
pub(crate) type RowBlock = Vec<Vec<Value>>;

/// Reads a tenant's tables over one snapshot. Each engine has one.
pub(crate) trait Export: Send {
    /// All tables, referenced ones first.
    fn tables(&self) -> &[TableShape];

    /// The next rows of a table in a stable order; an empty block is the end. Blocks are some hundred rows or
    /// about 1 MiB, whichever comes first. Tables are read one after another.
    fn next(&mut self, table: &TableShape) -> impl Future<Output = Result<RowBlock, SqlError>> + Send;
}

/// Fills a tenant's tables in one transaction. Each engine has one.
pub(crate) trait Import: Send {
    /// All tables the migrations have made, referenced ones first.
    fn tables(&self) -> &[TableShape];

    /// Removes every row of every table: migrations may have put some there.
    fn clear(&mut self) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Writes rows; `columns` says which value is for which column of the target, by name. A value of another
    /// kind is converted where nothing is lost, else refused.
    fn write(
        &mut self,
        table: &str,
        columns: &[String],
        rows: RowBlock,
    ) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Checks foreign keys, sets counters past the largest key, commits.
    fn finish(self) -> impl Future<Output = Result<(), SqlError>> + Send;
}
