//! Types of columns and casts, collations, as lists.
//!
//! Refused: types that read the engine's catalogue (`regclass` and its kin), user-defined types, and types
//! with texts of their own (ENUM, SET), for which a CHECK does. Called for every cast and every column.

use super::walk::{Checked, absent, denied};
use crate::Dialect;
use sqlparser::ast::{ArrayElemTypeDef, DataType, ExactNumberInfo, ObjectName};

/// Types that the parser has no word for.
const POSTGRESQL: [&str; 14] = [
    "smallserial",
    "serial",
    "bigserial",
    "serial2",
    "serial4",
    "serial8",
    "inet",
    "cidr",
    "macaddr",
    "tsvector",
    "tsquery",
    "int4range",
    "int8range",
    "bpchar",
];
const MYSQL: [&str; 2] = ["year", "inet6"];
const SQLITE: [&str; 2] = ["any", "decimal_text"];

/// Collations that compare texts and nothing else.
const COLLATIONS_SQLITE: [&str; 3] = ["binary", "nocase", "rtrim"];
const COLLATIONS_POSTGRESQL: [&str; 5] = ["c", "posix", "ucs_basic", "default", "und-x-icu"];

/// A type that a value is cast to.
pub(super) fn check_cast(dialect: Dialect, data_type: &DataType) -> Checked {
    check_column(dialect, data_type)
}

/// A column's type.
pub(super) fn check_column(dialect: Dialect, data_type: &DataType) -> Checked {
    if is_common(data_type) {
        return Ok(());
    }
    let known = match dialect {
        Dialect::Sqlite => is_custom(data_type, &SQLITE) || matches!(data_type, DataType::Unspecified),
        Dialect::Postgresql => match data_type {
            DataType::Array(ArrayElemTypeDef::SquareBracket(inner, _)) => {
                return check_column(dialect, inner);
            }
            DataType::JSONB | DataType::Bytea | DataType::Interval { .. } | DataType::DoublePrecision => true,
            DataType::Int2(None) | DataType::Int4(None) | DataType::Int8(None) => true,
            DataType::Float4 | DataType::Float8 | DataType::BitVarying(_) => true,
            other => is_custom(other, &POSTGRESQL),
        },
        Dialect::Mysql => is_mysql(data_type) || is_custom(data_type, &MYSQL),
    };
    absent(!known, "one of its types")
}

fn is_common(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Character(_)
            | DataType::Char(_)
            | DataType::Varchar(_)
            | DataType::Text
            | DataType::CharacterVarying(_)
            | DataType::CharVarying(_)
            | DataType::Uuid
            | DataType::JSON
            | DataType::Binary(_)
            | DataType::Varbinary(_)
            | DataType::Blob(_)
            | DataType::Numeric(_)
            | DataType::Decimal(_)
            | DataType::Dec(_)
            | DataType::Float(ExactNumberInfo::None | ExactNumberInfo::Precision(_))
            | DataType::SmallInt(_)
            | DataType::Int(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::TinyInt(_)
            | DataType::MediumInt(_)
            | DataType::Real
            | DataType::Double(_)
            | DataType::DoublePrecision
            | DataType::Bool
            | DataType::Boolean
            | DataType::Date
            | DataType::Time(..)
            | DataType::Timestamp(..)
            | DataType::Datetime(_)
            | DataType::Bit(_)
    )
}

fn is_mysql(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::TinyBlob
            | DataType::MediumBlob
            | DataType::LongBlob
            | DataType::TinyText
            | DataType::MediumText
            | DataType::LongText
            | DataType::TinyIntUnsigned(_)
            | DataType::SmallIntUnsigned(_)
            | DataType::MediumIntUnsigned(_)
            | DataType::IntUnsigned(_)
            | DataType::IntegerUnsigned(_)
            | DataType::BigIntUnsigned(_)
            | DataType::Signed
            | DataType::SignedInteger
            | DataType::Unsigned
            | DataType::UnsignedInteger
            | DataType::DecimalUnsigned(_)
            | DataType::DoubleUnsigned(_)
            | DataType::FloatUnsigned(_)
    )
}

fn is_custom(data_type: &DataType, list: &[&str]) -> bool {
    let DataType::Custom(name, modifiers) = data_type else { return false };
    let name = name.to_string();
    modifiers.is_empty() && list.iter().any(|one| one.eq_ignore_ascii_case(&name))
}

/// A collation by name.
pub(super) fn check_collation(dialect: Dialect, collation: &ObjectName) -> Checked {
    let text = collation.to_string();
    let name = text.trim_matches(['"', '`']).to_ascii_lowercase();
    let known = match dialect {
        Dialect::Sqlite => COLLATIONS_SQLITE.contains(&name.as_str()),
        Dialect::Postgresql => COLLATIONS_POSTGRESQL.contains(&name.as_str()),
        Dialect::Mysql => is_utf8mb4(&name),
    };
    if known { Ok(()) } else { denied("this collation") }
}

/// True for `utf8mb4` and its collations.
pub(super) fn is_utf8mb4(name: &str) -> bool {
    name == "utf8mb4"
        || name.strip_prefix("utf8mb4_").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
}
