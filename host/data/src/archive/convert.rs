//! A value of one kind for a column of another: nothing is lost, or it is refused with the reason.
//!
//! Invariant: a number converted has the normal form it had, so the content hash stays. Text becomes JSON,
//! a decimal or a UUID only where it is one. What an engine does on writing is not relied upon.

use super::content::number_of;
use super::json;
use super::number::Number;
use crate::Value;
use crate::transfer::ColumnKind;
use uuid::Uuid;

/// Converts. `loose` targets (SQLite) keep values that their column's declaration doesn't name.
pub(super) fn convert(value: Value, kind: ColumnKind, loose: bool) -> Result<Value, String> {
    if value == Value::Null {
        return Ok(value);
    }
    match converted(&value, kind) {
        Some(converted) => Ok(converted),
        // Only what the engine stores as it is, whatever the column.
        None if loose && keeps_its_class(&value, kind) => Ok(value),
        None => Err(format!("{} does not fit a column of kind {}", shown(&value), name(kind))),
    }
}

fn keeps_its_class(value: &Value, kind: ColumnKind) -> bool {
    match value {
        Value::Integer(_) | Value::Real(_) | Value::Text(_) | Value::Blob(_) => true,
        // Texts that don't read as what their column is declared to hold.
        Value::Decimal(_) => kind == ColumnKind::Decimal,
        Value::Json(_) => kind == ColumnKind::Json,
        Value::Uuid(_) => kind == ColumnKind::Uuid,
        Value::Null | Value::Boolean(_) | Value::Timestamp(_) => false,
    }
}

fn converted(value: &Value, kind: ColumnKind) -> Option<Value> {
    use ColumnKind as Kind;
    match (kind, value) {
        (Kind::Boolean, Value::Boolean(_))
        | (Kind::Integer | Kind::Any, Value::Integer(_))
        | (Kind::Real | Kind::Any, Value::Real(_))
        | (Kind::Text | Kind::Any, Value::Text(_))
        | (Kind::Blob | Kind::Any, Value::Blob(_))
        | (Kind::Timestamp, Value::Timestamp(_)) => Some(value.clone()),
        (Kind::Boolean, Value::Integer(number @ (0 | 1))) => Some(Value::Boolean(*number == 1)),
        (Kind::Integer | Kind::Any, Value::Boolean(value)) => Some(Value::Integer((*value).into())),
        (Kind::Integer | Kind::Any, Value::Timestamp(micros)) => Some(Value::Integer(*micros)),
        // Moments are microseconds wherever the host stores them as whole numbers.
        (Kind::Timestamp, Value::Integer(micros)) => Some(Value::Timestamp(*micros)),
        (Kind::Integer, Value::Real(_) | Value::Decimal(_)) => {
            number_of(value)?.to_integer().map(Value::Integer)
        }
        (Kind::Real, Value::Integer(_) | Value::Decimal(_)) => number_of(value)?.to_real().map(Value::Real),
        (Kind::Decimal, Value::Decimal(text)) => Number::parse(text).map(|_is_one| value.clone()),
        (Kind::Decimal, Value::Text(text)) => Number::parse(text).map(|_is_one| Value::Decimal(text.clone())),
        (Kind::Decimal, Value::Integer(_) | Value::Real(_)) => number_of(value)?.plain().map(Value::Decimal),
        (Kind::Any, Value::Decimal(text)) => Some(any_number(text)),
        (Kind::Text | Kind::Any, Value::Json(text)) | (Kind::Text, Value::Decimal(text)) => {
            Some(Value::Text(text.clone()))
        }
        (Kind::Text | Kind::Any, Value::Uuid(text)) => Some(Value::Text(
            Uuid::try_parse(text).map_or_else(|_other| text.clone(), |uuid| uuid.hyphenated().to_string()),
        )),
        (Kind::Json, Value::Json(text) | Value::Text(text)) => {
            json::normal_form(text).map(|_is_one| Value::Json(text.clone()))
        }
        (Kind::Uuid, Value::Uuid(text) | Value::Text(text)) => {
            Uuid::try_parse(text).ok().map(|uuid| Value::Uuid(uuid.hyphenated().to_string()))
        }
        _ => None,
    }
}

/// A decimal for a column that holds anything: as a number where one holds it, else as text.
fn any_number(text: &str) -> Value {
    let number = Number::parse(text);
    let integer = number.as_ref().and_then(Number::to_integer).map(Value::Integer);
    let real = || number.as_ref().and_then(Number::to_real).map(Value::Real);
    integer.or_else(real).unwrap_or_else(|| Value::Text(text.to_owned()))
}

/// The kind of a value and, where that tells more, its beginning.
fn shown(value: &Value) -> String {
    let begin = |text: &str| text.chars().take(40).collect::<String>();
    match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => format!("the boolean {value}"),
        Value::Integer(value) => format!("the integer {value}"),
        Value::Real(value) => format!("the real {value}"),
        Value::Text(text) => format!("the text {:?}", begin(text)),
        Value::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
        Value::Decimal(text) => format!("the decimal {:?}", begin(text)),
        Value::Timestamp(micros) => format!("the timestamp {micros}"),
        Value::Json(text) => format!("the JSON {:?}", begin(text)),
        Value::Uuid(text) => format!("the UUID {:?}", begin(text)),
    }
}

/// As it stands in the manifest.
fn name(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Boolean => "boolean",
        ColumnKind::Integer => "integer",
        ColumnKind::Real => "real",
        ColumnKind::Text => "text",
        ColumnKind::Blob => "blob",
        ColumnKind::Decimal => "decimal",
        ColumnKind::Timestamp => "timestamp",
        ColumnKind::Json => "json",
        ColumnKind::Uuid => "uuid",
        ColumnKind::Any => "any",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn decimal(text: &str) -> Value {
        Value::Decimal(text.to_owned())
    }

    #[test]
    fn what_is_kept() {
        for (value, kind, expected) in [
            (Value::Null, ColumnKind::Uuid, Value::Null),
            (Value::Integer(1), ColumnKind::Boolean, Value::Boolean(true)),
            (Value::Boolean(true), ColumnKind::Integer, Value::Integer(1)),
            (decimal("12.00"), ColumnKind::Integer, Value::Integer(12)),
            (decimal("0.50"), ColumnKind::Real, Value::Real(0.5)),
            (Value::Real(12.5), ColumnKind::Decimal, decimal("12.5")),
            (text("12.50"), ColumnKind::Decimal, decimal("12.50")),
            (Value::Integer(5), ColumnKind::Timestamp, Value::Timestamp(5)),
            (decimal("12.50"), ColumnKind::Any, Value::Real(12.5)),
            (decimal("0.12345678901234567890"), ColumnKind::Any, text("0.12345678901234567890")),
            (text("{\"a\": 1}"), ColumnKind::Json, Value::Json("{\"a\": 1}".to_owned())),
            (
                text("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
                ColumnKind::Uuid,
                Value::Uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".to_owned()),
            ),
        ] {
            assert_eq!(convert(value.clone(), kind, false), Ok(expected), "{value:?} as {kind:?}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (value, kind) in [
            (Value::Integer(2), ColumnKind::Boolean),
            (decimal("1.5"), ColumnKind::Integer),
            (Value::Real(f64::NAN), ColumnKind::Decimal),
            (Value::Integer((1 << 53) + 1), ColumnKind::Real),
            (text("abc"), ColumnKind::Integer),
            (text("{"), ColumnKind::Json),
            (text("x"), ColumnKind::Uuid),
            (text("2026-01-01"), ColumnKind::Timestamp),
            (Value::Blob(vec![1]), ColumnKind::Text),
            (decimal("n/a"), ColumnKind::Decimal),
        ] {
            let refused = convert(value.clone(), kind, false);
            assert!(refused.as_ref().is_err_and(|reason| reason.contains("does not fit")), "{refused:?}");
            // A column of SQLite keeps what it has; what only another engine has must fit.
            let foreign = value == decimal("1.5");
            assert_eq!(convert(value.clone(), kind, true).is_err(), foreign, "{value:?}");
        }
        assert!(convert(Value::Timestamp(1), ColumnKind::Text, true).is_err());
    }

    proptest! {
        /// Between kinds of numbers the number stays the same, or it is refused.
        #[test]
        fn numbers_stay(integer: i64, real: f64, digits in "-?[0-9]{1,20}(\\.[0-9]{1,20})?", to in 0_usize..5) {
            let kinds = [
                ColumnKind::Boolean, ColumnKind::Integer, ColumnKind::Real, ColumnKind::Decimal, ColumnKind::Any,
            ];
            for value in [Value::Integer(integer), Value::Real(real), Value::Decimal(digits.clone())] {
                if let Ok(converted) = convert(value.clone(), kinds[to], false)
                    && !matches!(converted, Value::Text(_))
                {
                    prop_assert_eq!(number_of(&converted), number_of(&value));
                }
            }
        }
    }
}
