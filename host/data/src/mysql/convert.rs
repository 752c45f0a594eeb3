//! From a value of one kind to a column of another, for imports from other engines.
//!
//! Converted is what means the same and comes back the same; everything else is refused, so that an import
//! never changes data in silence.

use super::encode::is_decimal;
use crate::Value;
use crate::transfer::ColumnKind;
use sqlx::types::BigDecimal;
use std::str::FromStr;

/// Whole numbers up to here have one double each.
const EXACT: u64 = 1 << 53;

/// The value as the column takes it. Fails with what is wrong.
pub(super) fn to_kind(value: Value, kind: ColumnKind) -> Result<Value, String> {
    let refused = |value: &Value| Err(format!("{} doesn't fit a column of kind {kind:?}", name(value)));
    Ok(match (value, kind) {
        (value, ColumnKind::Any) | (value @ Value::Null, _) => value,
        (value @ Value::Boolean(_), ColumnKind::Boolean)
        | (value @ Value::Integer(_), ColumnKind::Integer)
        | (value @ Value::Real(_), ColumnKind::Real)
        | (value @ Value::Text(_), ColumnKind::Text)
        | (value @ Value::Blob(_), ColumnKind::Blob)
        | (value @ Value::Decimal(_), ColumnKind::Decimal)
        | (value @ Value::Timestamp(_), ColumnKind::Timestamp)
        | (value @ Value::Json(_), ColumnKind::Json)
        | (value @ Value::Uuid(_), ColumnKind::Uuid) => value,
        // A column of TINYINT(1) that holds more than a boolean holds it as a number.
        (value @ Value::Integer(-128..=127), ColumnKind::Boolean) => value,
        (Value::Boolean(value), ColumnKind::Integer) => Value::Integer(i64::from(value)),
        (Value::Integer(number), ColumnKind::Decimal) => Value::Decimal(number.to_string()),
        (Value::Integer(number), ColumnKind::Real) if number.unsigned_abs() <= EXACT => {
            Value::Real(number as f64)
        }
        (Value::Integer(micros), ColumnKind::Timestamp) => Value::Timestamp(micros),
        (Value::Timestamp(micros), ColumnKind::Integer) => Value::Integer(micros),
        (Value::Real(number), ColumnKind::Integer) => match whole(number) {
            Some(whole) => Value::Integer(whole),
            None => return refused(&Value::Real(number)),
        },
        (Value::Real(number), ColumnKind::Decimal) if number.is_finite() => plain(&number.to_string())?,
        (Value::Decimal(text), ColumnKind::Integer) => match text.parse() {
            Ok(number) => Value::Integer(number),
            // Wider than an i64: the server takes it where the column is wide enough.
            Err(_) if is_decimal(&text) && !text.contains('.') => Value::Decimal(text),
            Err(_) => return refused(&Value::Decimal(text)),
        },
        (Value::Decimal(text), ColumnKind::Real) => real(&text)?,
        (Value::Text(text), ColumnKind::Decimal) if is_decimal(&text) => Value::Decimal(text),
        (Value::Text(text), ColumnKind::Json) if is_json(&text) => Value::Json(text),
        (Value::Text(text), ColumnKind::Uuid) => match uuid::Uuid::try_parse(&text) {
            Ok(uuid) => Value::Uuid(uuid.to_string()),
            Err(_) => return refused(&Value::Text(text)),
        },
        (Value::Decimal(text) | Value::Json(text) | Value::Uuid(text), ColumnKind::Text) => Value::Text(text),
        (Value::Integer(number), ColumnKind::Text) => Value::Text(number.to_string()),
        (Value::Uuid(text), ColumnKind::Blob) => match uuid::Uuid::try_parse(&text) {
            Ok(uuid) => Value::Blob(uuid.as_bytes().to_vec()),
            Err(_) => return refused(&Value::Uuid(text)),
        },
        (Value::Blob(bytes), ColumnKind::Uuid) => match uuid::Uuid::from_slice(&bytes) {
            Ok(uuid) => Value::Uuid(uuid.to_string()),
            Err(_) => return refused(&Value::Blob(bytes)),
        },
        (value, _) => return refused(&value),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= EXACT as f64).then_some(number as i64)
}

/// A decimal without an exponent.
fn plain(text: &str) -> Result<Value, String> {
    let decimal = BigDecimal::from_str(text).map_err(|error| error.to_string())?.to_plain_string();
    if is_decimal(&decimal) {
        Ok(Value::Decimal(decimal))
    } else {
        Err(format!("{text} has too many digits"))
    }
}

/// The double that stands for exactly this decimal.
fn real(text: &str) -> Result<Value, String> {
    let lost = || format!("{text} is no exact floating point number");
    let number: f64 = text.parse().map_err(|_not_a_number| lost())?;
    let back = BigDecimal::from_str(&number.to_string()).map_err(|_infinite| lost())?;
    let given = BigDecimal::from_str(text).map_err(|_not_a_number| lost())?;
    if back == given { Ok(Value::Real(number)) } else { Err(lost()) }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Boolean(_) => "a boolean",
        Value::Integer(_) => "a whole number",
        Value::Real(_) => "a floating point number",
        Value::Text(_) => "a text",
        Value::Blob(_) => "bytes",
        Value::Decimal(_) => "a decimal",
        Value::Timestamp(_) => "a timestamp",
        Value::Json(_) => "a JSON text",
        Value::Uuid(_) => "a UUID",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn converts_what_means_the_same() {
        let uuid = "0198c0de-0000-7000-8000-000000000001";
        for (from, kind, to) in [
            (Value::Null, ColumnKind::Uuid, Value::Null),
            (Value::Boolean(true), ColumnKind::Integer, Value::Integer(1)),
            (Value::Real(3.0), ColumnKind::Integer, Value::Integer(3)),
            (Value::Real(1e20), ColumnKind::Decimal, Value::Decimal("100000000000000000000".into())),
            (Value::Decimal("0.5".into()), ColumnKind::Real, Value::Real(0.5)),
            (Value::Text(uuid.to_uppercase()), ColumnKind::Uuid, Value::Uuid(uuid.into())),
            (Value::Text("{}".into()), ColumnKind::Json, Value::Json("{}".into())),
            (Value::Integer(7), ColumnKind::Timestamp, Value::Timestamp(7)),
        ] {
            assert_eq!(to_kind(from, kind), Ok(to));
        }
        for (from, kind) in [
            (Value::Real(0.5), ColumnKind::Integer),
            (Value::Integer(i64::MAX), ColumnKind::Real),
            (Value::Decimal("0.10000000000000000001".into()), ColumnKind::Real),
            (Value::Text("{".into()), ColumnKind::Json),
            (Value::Text("x".into()), ColumnKind::Integer),
            (Value::Blob(vec![1]), ColumnKind::Text),
            (Value::Real(f64::NAN), ColumnKind::Decimal),
        ] {
            assert!(to_kind(from.clone(), kind).is_err(), "{from:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back(number: i64) {
            let decimal = to_kind(Value::Integer(number), ColumnKind::Decimal).unwrap();
            prop_assert_eq!(to_kind(decimal, ColumnKind::Integer), Ok(Value::Integer(number)));
            if let Ok(real) = to_kind(Value::Integer(number), ColumnKind::Real) {
                prop_assert_eq!(to_kind(real, ColumnKind::Integer), Ok(Value::Integer(number)));
            }
        }
    }
}
