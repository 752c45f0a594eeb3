//! Parameters: from the room's values to the server's.
//!
//! Each value goes in the server's own type for its kind, so that a comparison compares numbers with numbers
//! and moments with moments. JSON and UUIDs go as text, which the server checks against the column.

use crate::guard::Template;
use crate::{SqlError, Value};
use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::mysql::{MySql, MySqlArguments, MySqlTypeInfo};
use sqlx::types::BigDecimal;
use sqlx::{Arguments, Type};
use time::{OffsetDateTime, PrimitiveDateTime};

/// Digits of the server's widest decimal.
const DECIMAL_DIGITS: usize = 65;

/// The arguments of a statement: one for each of its places, in their order.
pub(super) fn arguments(template: &Template, params: &[Value]) -> Result<MySqlArguments, SqlError> {
    if template.given() != params.len() {
        return Err(SqlError::Parameter(format!(
            "the statement takes {} parameters and {} were given",
            template.given(),
            params.len()
        )));
    }
    let mut arguments = MySqlArguments::default();
    for &given in template.parameters() {
        let value =
            params.get(given).ok_or_else(|| SqlError::Parameter(format!("`${}` is missing", given + 1)))?;
        add(&mut arguments, value)
            .map_err(|problem| SqlError::Parameter(format!("`${}`: {problem}", given + 1)))?;
    }
    Ok(arguments)
}

/// Adds one value. Fails with what is wrong with it.
pub(super) fn add(arguments: &mut MySqlArguments, value: &Value) -> Result<(), String> {
    let added = match value {
        Value::Null => arguments.add(None::<&str>),
        Value::Boolean(value) => arguments.add(*value),
        Value::Integer(value) => arguments.add(*value),
        Value::Real(value) if !value.is_finite() => return Err("it is not a finite number".into()),
        Value::Real(value) => arguments.add(*value),
        Value::Text(text) | Value::Json(text) | Value::Uuid(text) => arguments.add(text.as_str()),
        Value::Blob(bytes) => arguments.add(bytes.as_slice()),
        Value::Decimal(text) if !is_decimal(text) => {
            return Err(format!("it is not a decimal number of at most {DECIMAL_DIGITS} digits"));
        }
        Value::Decimal(text) => arguments.add(Exact(text)),
        Value::Timestamp(micros) => arguments.add(moment(*micros)?),
    };
    added.map_err(|error| error.to_string())
}

/// The server's DATETIME reaches from year 0 to 9999.
fn moment(micros: i64) -> Result<PrimitiveDateTime, String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .ok()
        .filter(|moment| (0..=9999).contains(&moment.year()))
        .map(|moment| PrimitiveDateTime::new(moment.date(), moment.time()))
        .ok_or_else(|| "the moment is before year 0 or after 9999".into())
}

/// `-12.50`: an optional sign, digits, at most one point among or around them.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    let points = digits.bytes().filter(|byte| *byte == b'.').count();
    (1..=DECIMAL_DIGITS).contains(&count) && points <= 1 && count + points == digits.len()
}

/// A decimal as text, of the server's decimal type: neither a double on the way nor a comparison as one.
struct Exact<'a>(&'a str);

impl Type<MySql> for Exact<'_> {
    fn type_info() -> MySqlTypeInfo {
        <BigDecimal as Type<MySql>>::type_info()
    }
}

impl Encode<'_, MySql> for Exact<'_> {
    fn encode_by_ref(&self, buffer: &mut Vec<u8>) -> Result<IsNull, BoxDynError> {
        <&str as Encode<MySql>>::encode_by_ref(&self.0, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_plain_digits() {
        for good in ["0", "-12.50", "+1", ".5", "5.", &"9".repeat(65)] {
            assert!(is_decimal(good), "{good}");
        }
        for bad in ["", "-", ".", "1e5", "1.2.3", "0x1", "1 ", "--1", "١", "NaN", &"9".repeat(66)] {
            assert!(!is_decimal(bad), "{bad}");
        }
    }

    #[test]
    fn moments_outside_the_servers_years_are_refused() {
        assert!(moment(0).is_ok());
        assert!(moment(i64::MAX).is_err());
        assert!(moment(i64::MIN).is_err());
        assert!(moment(253_402_300_799_999_999).is_ok());
        assert!(moment(253_402_300_800_000_000).is_err());
    }
}
