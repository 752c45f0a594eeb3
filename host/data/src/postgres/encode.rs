//! Writes a guest's parameters in the form that the engine inferred for them.
//!
//! The engine says which type each parameter has once it has parsed the statement; a value is converted to
//! it where nothing is lost, else refused with the cast that would do it. Nothing is sent as the engine's
//! `unknown`, so the engine never guesses from a value.

use super::calendar;
use super::kind::Kind;
use super::numeric;
use crate::{SqlError, Value};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments, Postgres, Type};

/// The version byte before a jsonb's text.
const JSONB_VERSION: u8 = 1;

/// The arguments of one execution, as many as there are kinds.
pub(super) fn arguments(kinds: &[Kind], values: &[Value]) -> Result<PgArguments, SqlError> {
    if kinds.len() != values.len() {
        return Err(SqlError::Parameter(format!(
            "the statement takes {} parameters and {} were given",
            kinds.len(),
            values.len()
        )));
    }
    let mut arguments = PgArguments::default();
    arguments.reserve(values.len(), values.iter().map(|value| value.heap_len() + 12).sum());
    for (index, (kind, value)) in kinds.iter().zip(values).enumerate() {
        arguments.add(Parameter { kind, value }).map_err(|error| {
            let (number, name) = (index + 1, kind.name());
            tracing::trace!(%error, "a parameter does not fit");
            SqlError::Parameter(format!(
                "`${number}` is of type {name} here and the value given does not fit it"
            ))
        })?;
    }
    Ok(arguments)
}

struct Parameter<'a> {
    kind: &'a Kind,
    value: &'a Value,
}

/// The value has no form in the parameter's type.
#[derive(Debug, thiserror::Error)]
#[error("the value does not fit")]
struct Misfit;

impl Type<Postgres> for Parameter<'_> {
    /// Never asked: the statement is prepared already, with the engine's own types.
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("text")
    }
}

impl Encode<'_, Postgres> for Parameter<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        if matches!(self.value, Value::Null) {
            return Ok(IsNull::Yes);
        }
        write(buffer, self.kind, self.value).ok_or(Misfit)?;
        Ok(IsNull::No)
    }
}

fn write(out: &mut Vec<u8>, kind: &Kind, value: &Value) -> Option<()> {
    match kind {
        Kind::Boolean => out.push(u8::from(boolean(value)?)),
        Kind::Int2 => out.extend(i16::try_from(integer(value)?).ok()?.to_be_bytes()),
        Kind::Int4 => out.extend(i32::try_from(integer(value)?).ok()?.to_be_bytes()),
        Kind::Int8 => out.extend(integer(value)?.to_be_bytes()),
        Kind::Oid => out.extend(u32::try_from(integer(value)?).ok()?.to_be_bytes()),
        Kind::Float4 => out.extend(narrow(real(value)?)?.to_be_bytes()),
        Kind::Float8 => out.extend(real(value)?.to_be_bytes()),
        Kind::Numeric => return numeric::encode(&decimal(value)?, out),
        Kind::Text => out.extend(text(value)?.as_bytes()),
        Kind::Bytes => match value {
            Value::Blob(bytes) => out.extend(bytes),
            _ => return None,
        },
        Kind::Timestamp => {
            let micros = match value {
                Value::Timestamp(micros) => *micros,
                Value::Text(text) => calendar::moment(text)?,
                _ => return None,
            };
            out.extend(calendar::since_2000(micros)?.to_be_bytes());
        }
        Kind::Date => match value {
            Value::Text(text) => out.extend(calendar::date_number(text)?.to_be_bytes()),
            _ => return None,
        },
        Kind::Time => match value {
            Value::Text(text) => out.extend(calendar::time_number(text)?.to_be_bytes()),
            _ => return None,
        },
        Kind::Json => out.extend(json(value)?.as_bytes()),
        Kind::Jsonb => {
            out.push(JSONB_VERSION);
            out.extend(json(value)?.as_bytes());
        }
        Kind::Uuid => match value {
            Value::Uuid(text) | Value::Text(text) => out.extend(uuid::Uuid::try_parse(text).ok()?.as_bytes()),
            _ => return None,
        },
        Kind::Void | Kind::Other(_) => return None,
    }
    Some(())
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(value) => Some(*value),
        Value::Integer(0) => Some(false),
        Value::Integer(1) => Some(true),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(*value),
        Value::Boolean(value) => Some((*value).into()),
        Value::Decimal(text) => text.parse().ok(),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    /// Whole numbers below this have a floating point form of their own.
    const EXACT: i64 = 1 << 53;
    match value {
        Value::Real(value) => Some(*value),
        Value::Integer(value) if (-EXACT..=EXACT).contains(value) => {
            // Both halves are exact, and so is their sum within the bound.
            let (high, low) = (i32::try_from(value >> 32).ok()?, u32::try_from(value & 0xffff_ffff).ok()?);
            Some(f64::from(high) * 4_294_967_296.0 + f64::from(low))
        }
        Value::Decimal(text) => text.parse().ok(),
        _ => None,
    }
}

/// The nearest shorter number. None where it is out of range.
fn narrow(value: f64) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "rounding is what the column's type means")]
    let narrow = value as f32;
    (narrow.is_finite() == value.is_finite()).then_some(narrow)
}

fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::Decimal(text) | Value::Text(text) => Some(text.clone()),
        Value::Integer(value) => Some(value.to_string()),
        // The shortest text that reads back as the same number.
        Value::Real(value) if value.is_finite() => Some(value.to_string()),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) | Value::Decimal(text) | Value::Json(text) | Value::Uuid(text) => {
            Some(text.clone())
        }
        Value::Integer(value) => Some(value.to_string()),
        Value::Real(value) => Some(value.to_string()),
        Value::Boolean(value) => Some(value.to_string()),
        Value::Null | Value::Blob(_) | Value::Timestamp(_) => None,
    }
}

fn json(value: &Value) -> Option<&str> {
    match value {
        Value::Json(text) | Value::Text(text) => Some(text),
        _ => None,
    }
}
