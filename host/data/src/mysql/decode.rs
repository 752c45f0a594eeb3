//! Results: from the server's columns to the room's values.
//!
//! The kind of a column is what the server says of it: TINYINT(1) is a boolean, as everywhere on this
//! engine; a moment is UTC, because every session is. MariaDB doesn't tell JSON and UUID columns from text,
//! so there they come as text. Wider unsigned numbers than an i64 come as decimals. Other types fail by name
//! of the column, with what to cast it to.

use crate::packed::{BLOB, DECIMAL, Encoder, JSON, TEXT, TooLarge};
use crate::{LimitKind, SqlError, Value};
use sqlx::error::BoxDynError;
use sqlx::mysql::types::MySqlTime;
use sqlx::mysql::{MySql, MySqlColumn, MySqlRow, MySqlValueRef};
use sqlx::{Column, Decode, Row, Type, TypeInfo, ValueRef};
use std::borrow::Cow;
use time::{Date, OffsetDateTime};

/// How a column's values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Unsigned,
    Real,
    Decimal,
    Text,
    Blob,
    Json,
    Moment,
    Date,
    Time,
    Unknown,
}

/// What the server says of the columns, once per result.
pub(super) fn kinds(columns: &[MySqlColumn]) -> Vec<Kind> {
    columns.iter().map(kind).collect()
}

fn kind(column: &MySqlColumn) -> Kind {
    let info = column.type_info();
    match info.name() {
        "BOOLEAN" => Kind::Boolean,
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Kind::Integer,
        "YEAR" | "BIT" => Kind::Unsigned,
        name if name.ends_with(" UNSIGNED") => Kind::Unsigned,
        "FLOAT" | "DOUBLE" => Kind::Real,
        "DECIMAL" => Kind::Decimal,
        "JSON" => Kind::Json,
        "DATETIME" | "TIMESTAMP" => Kind::Moment,
        "DATE" => Kind::Date,
        "TIME" => Kind::Time,
        "GEOMETRY" => Kind::Unknown,
        // The name follows a flag that binary collations of text have too; the collation decides.
        _ if <str as Type<MySql>>::compatible(info) => Kind::Text,
        "ENUM" | "SET" | "NULL" => Kind::Text,
        _ if <[u8] as Type<MySql>>::compatible(info) => Kind::Blob,
        _ => Kind::Unknown,
    }
}

/// One value, borrowed from its row where it is long.
enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Moment(i64),
    /// One of the packed layout's kinds with a length.
    Bytes(u8, Cow<'a, [u8]>),
}

fn read<'a>(row: &'a MySqlRow, index: usize, kind: Kind) -> Result<Cell<'a>, SqlError> {
    let unreadable = |error: &dyn std::fmt::Display| column_error(row, index, &error.to_string());
    let value = row.try_get_raw(index).map_err(|error| unreadable(&error))?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    cell(value, kind).map_err(|error| unreadable(&error))
}

fn cell(value: MySqlValueRef<'_>, kind: Kind) -> Result<Cell<'_>, BoxDynError> {
    Ok(match kind {
        Kind::Boolean => match get::<i64>(value)? {
            number @ (0 | 1) => Cell::Boolean(number == 1),
            number => Cell::Integer(number),
        },
        Kind::Integer => Cell::Integer(get::<i64>(value)?),
        Kind::Unsigned => {
            let number = get::<u64>(value)?;
            i64::try_from(number).map_or_else(|_wide| text(DECIMAL, number.to_string()), Cell::Integer)
        }
        Kind::Real => Cell::Real(get::<f64>(value)?),
        Kind::Decimal => Cell::Bytes(DECIMAL, Cow::Borrowed(get::<&[u8]>(value)?)),
        Kind::Json => Cell::Bytes(JSON, valid(get::<&[u8]>(value)?)),
        Kind::Text => Cell::Bytes(TEXT, valid(get::<&[u8]>(value)?)),
        Kind::Blob => Cell::Bytes(BLOB, Cow::Borrowed(get::<&[u8]>(value)?)),
        Kind::Moment => Cell::Moment(micros(get::<OffsetDateTime>(value)?)?),
        Kind::Date => {
            let date = get::<Date>(value)?;
            text(TEXT, format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
        }
        Kind::Time => text(TEXT, get::<MySqlTime>(value)?.to_string()),
        Kind::Unknown => return Err("its type can't be returned: cast it to a text or to bytes".into()),
    })
}

fn get<'a, T: Decode<'a, MySql>>(value: MySqlValueRef<'a>) -> Result<T, BoxDynError> {
    T::decode(value)
}

fn text(kind: u8, text: String) -> Cell<'static> {
    Cell::Bytes(kind, Cow::Owned(text.into_bytes()))
}

/// The session's character set is UTF-8, but a guest may have cast bytes to a text.
fn valid(bytes: &[u8]) -> Cow<'_, [u8]> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(_) => Cow::Borrowed(bytes),
        Cow::Owned(mended) => Cow::Owned(mended.into_bytes()),
    }
}

fn micros(moment: OffsetDateTime) -> Result<i64, std::num::TryFromIntError> {
    i64::try_from(moment.unix_timestamp_nanos() / 1_000)
}

fn column_error(row: &MySqlRow, index: usize, problem: &str) -> SqlError {
    let name = row.columns().get(index).map_or("?", |column| column.name());
    SqlError::other(format!("column `{name}`: {problem}"))
}

/// Writes one row.
pub(super) fn write_row(out: &mut Encoder, row: &MySqlRow, kinds: &[Kind]) -> Result<(), SqlError> {
    for (index, kind) in kinds.iter().enumerate() {
        write(out, &read(row, index, *kind)?).map_err(|_too_large| SqlError::Limit(LimitKind::Bytes))?;
    }
    out.end_row();
    Ok(())
}

fn write(out: &mut Encoder, cell: &Cell<'_>) -> Result<(), TooLarge> {
    match cell {
        Cell::Null => out.null(),
        Cell::Boolean(value) => out.boolean(*value),
        Cell::Integer(value) => out.integer(*value),
        Cell::Real(value) => out.real(*value),
        Cell::Moment(micros) => out.timestamp(*micros),
        Cell::Bytes(kind, bytes) => return out.bytes(*kind, bytes),
    }
    Ok(())
}

/// One row as values, for an export.
pub(super) fn values(row: &MySqlRow, kinds: &[Kind]) -> Result<Vec<Value>, SqlError> {
    kinds.iter().enumerate().map(|(index, kind)| Ok(value(read(row, index, *kind)?))).collect()
}

fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Boolean(value) => Value::Boolean(value),
        Cell::Integer(value) => Value::Integer(value),
        Cell::Real(value) => Value::Real(value),
        Cell::Moment(micros) => Value::Timestamp(micros),
        Cell::Bytes(BLOB, bytes) => Value::Blob(bytes.into_owned()),
        Cell::Bytes(kind, bytes) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            match kind {
                DECIMAL => Value::Decimal(text),
                JSON => Value::Json(text),
                _ => Value::Text(text),
            }
        }
    }
}
