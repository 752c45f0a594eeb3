//! Values that go into a statement, and the small types for those that Rust has none for.
//!
//! A conversion exists only where it loses nothing; `u64` and `usize`, which may not fit, become a
//! decimal past `i64::MAX` rather than another number. Invariant: no conversion fails. Called by the
//! `params!` macro.

use std::time::{SystemTime, UNIX_EPOCH};

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float.
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

/// A moment: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The present moment, by the host's clock.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// An exact decimal number as text, such as `-12.50`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal(pub String);

/// A JSON text. The SDK does not parse it: bring `serde_json` where you need that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Json(pub String);

/// A UUID in its usual text form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uuid(pub String);

macro_rules! into_value {
    ($($from:ty => |$name:ident| $to:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($name: $from) -> Self { $to }
        })*
    };
}

into_value! {
    bool => |value| Self::Boolean(value);
    i8 => |value| Self::Integer(i64::from(value));
    i16 => |value| Self::Integer(i64::from(value));
    i32 => |value| Self::Integer(i64::from(value));
    i64 => |value| Self::Integer(value);
    u8 => |value| Self::Integer(i64::from(value));
    u16 => |value| Self::Integer(i64::from(value));
    u32 => |value| Self::Integer(i64::from(value));
    u64 => |value| i64::try_from(value).map_or_else(|_| Self::Decimal(value.to_string()), Self::Integer);
    usize => |value| i64::try_from(value).map_or_else(|_| Self::Decimal(value.to_string()), Self::Integer);
    f32 => |value| Self::Real(f64::from(value));
    f64 => |value| Self::Real(value);
    &str => |value| Self::Text(value.to_owned());
    &String => |value| Self::Text(value.clone());
    String => |value| Self::Text(value);
    Vec<u8> => |value| Self::Blob(value);
    &[u8] => |value| Self::Blob(value.to_vec());
    Timestamp => |value| Self::Timestamp(value.0);
    Decimal => |value| Self::Decimal(value.0);
    Json => |value| Self::Json(value.0);
    Uuid => |value| Self::Uuid(value.0);
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_keep_the_value() {
        assert_eq!(Value::from(7_u32), Value::Integer(7));
        assert_eq!(Value::from(u64::MAX), Value::Decimal("18446744073709551615".to_owned()));
        assert_eq!(Value::from("a"), Value::Text("a".to_owned()));
        assert_eq!(Value::from(None::<i64>), Value::Null);
        assert_eq!(Value::from(Some("x")), Value::Text("x".to_owned()));
        assert_eq!(Value::from(Timestamp(5)), Value::Timestamp(5));
        assert_eq!(Value::from(vec![1_u8]), Value::Blob(vec![1]));
    }

    #[test]
    fn seconds_round_down() {
        assert_eq!(Timestamp(-1).seconds(), -1);
        assert_eq!(Timestamp(1_999_999).seconds(), 1);
    }
}
