//! Writes the engine's values into packed rows, straight from the bytes that came over the wire.
//!
//! What has no kind of its own becomes text where its text is beyond doubt (dates, times of day, enums);
//! anything else is an error that names the column and the cast that makes it text.

use super::calendar;
use super::kind::Kind;
use super::numeric;
use crate::packed::{BLOB, DECIMAL, Encoder, JSON, TEXT, UUID};
use crate::{LimitKind, SqlError};
use sqlx::postgres::PgRow;
use sqlx::{Row, ValueRef};

/// The version byte before a jsonb's text.
const JSONB_VERSION: u8 = 1;

/// One column of a result.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// Writes one row.
pub(super) fn write_row(out: &mut Encoder, row: &PgRow, columns: &[Column]) -> Result<(), SqlError> {
    if row.len() != columns.len() {
        return Err(SqlError::other("the result has other columns than were announced"));
    }
    for (at, column) in columns.iter().enumerate() {
        let value = row.try_get_raw(at).map_err(|error| SqlError::other(error.to_string()))?;
        if value.is_null() {
            out.null();
            continue;
        }
        let bytes = value.as_bytes().map_err(|error| SqlError::other(error.to_string()))?;
        match write(out, bytes, &column.kind) {
            Some(true) => {}
            Some(false) => return Err(SqlError::Limit(LimitKind::Bytes)),
            None => return Err(unreadable(column)),
        }
    }
    out.end_row();
    Ok(())
}

/// Writes one value. None where it has no form here, false where it is too long.
fn write(out: &mut Encoder, bytes: &[u8], kind: &Kind) -> Option<bool> {
    match kind {
        Kind::Boolean => out.boolean(bytes.first()? != &0),
        Kind::Int2 => out.integer(i16::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Int4 => out.integer(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Int8 => out.integer(i64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Oid => out.integer(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Float4 => out.real(f32::from_be_bytes(bytes.try_into().ok()?).into()),
        Kind::Float8 => out.real(f64::from_be_bytes(bytes.try_into().ok()?)),
        Kind::Timestamp => out.timestamp(calendar::since_1970(i64::from_be_bytes(bytes.try_into().ok()?))?),
        Kind::Void => out.null(),
        Kind::Text => return Some(text(out, TEXT, bytes)),
        Kind::Json => return Some(text(out, JSON, bytes)),
        Kind::Jsonb => {
            let (version, rest) = bytes.split_first()?;
            return (*version == JSONB_VERSION).then(|| text(out, JSON, rest));
        }
        Kind::Bytes => return Some(out.bytes(BLOB, bytes).is_ok()),
        Kind::Numeric => return Some(text(out, DECIMAL, numeric::decode(bytes)?.as_bytes())),
        Kind::Date => {
            let date = calendar::date_text(i32::from_be_bytes(bytes.try_into().ok()?))?;
            return Some(text(out, TEXT, date.as_bytes()));
        }
        Kind::Time => {
            let time = calendar::time_text(i64::from_be_bytes(bytes.try_into().ok()?));
            return Some(text(out, TEXT, time.as_bytes()));
        }
        Kind::Uuid => {
            let uuid = uuid::Uuid::from_slice(bytes).ok()?;
            let mut buffer = uuid::Uuid::encode_buffer();
            return Some(text(out, UUID, uuid.as_hyphenated().encode_lower(&mut buffer).as_bytes()));
        }
        Kind::Other(_) => return None,
    }
    Some(true)
}

fn text(out: &mut Encoder, kind: u8, bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_text) => out.bytes(kind, bytes).is_ok(),
        Err(_utf8) => out.bytes(kind, String::from_utf8_lossy(bytes).as_bytes()).is_ok(),
    }
}

fn unreadable(column: &Column) -> SqlError {
    let (name, kind) = (&column.name, column.kind.name());
    SqlError::other(format!(
        "column `{name}` has a value of type {kind} that has no form here: select it as text, `CAST({name} AS text)`"
    ))
}
