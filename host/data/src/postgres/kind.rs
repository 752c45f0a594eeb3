//! Which of the engine's types a column or a parameter has, as far as values are told apart by it.

use crate::transfer::ColumnKind;
use sqlx::TypeInfo;
use sqlx::postgres::{PgTypeInfo, PgTypeKind};

/// One of the engine's types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// Text, also of an enum.
    Text,
    Bytes,
    /// With or without zone: both are UTC here.
    Timestamp,
    Date,
    Time,
    Json,
    Jsonb,
    Uuid,
    /// What functions without a result give.
    Void,
    /// Anything else, by name.
    Other(String),
}

impl Kind {
    pub(super) fn of(info: &PgTypeInfo) -> Self {
        match info.oid().map_or(0, |oid| oid.0) {
            16 => Self::Boolean,
            17 => Self::Bytes,
            18 | 19 | 25 | 705 | 1042 | 1043 => Self::Text,
            20 => Self::Int8,
            21 => Self::Int2,
            23 => Self::Int4,
            26 => Self::Oid,
            114 => Self::Json,
            700 => Self::Float4,
            701 => Self::Float8,
            1082 => Self::Date,
            1083 => Self::Time,
            1114 | 1184 => Self::Timestamp,
            1700 => Self::Numeric,
            2278 => Self::Void,
            2950 => Self::Uuid,
            3802 => Self::Jsonb,
            _ => match info.kind() {
                PgTypeKind::Enum(_) => Self::Text,
                PgTypeKind::Domain(base) => Self::of(base),
                _ if info.name().eq_ignore_ascii_case("citext") => Self::Text,
                _ => Self::Other(info.name().to_ascii_lowercase()),
            },
        }
    }

    /// The kind of a table's column, for transfers; by the catalog's number and class of the type.
    pub(super) fn of_column(oid: u32) -> ColumnKind {
        match oid {
            16 => ColumnKind::Boolean,
            17 => ColumnKind::Blob,
            20 | 21 | 23 | 26 => ColumnKind::Integer,
            114 | 3802 => ColumnKind::Json,
            700 | 701 => ColumnKind::Real,
            1114 | 1184 => ColumnKind::Timestamp,
            1700 => ColumnKind::Decimal,
            2950 => ColumnKind::Uuid,
            _ => ColumnKind::Text,
        }
    }

    /// True for types whose values travel as text or have a text here.
    pub(super) fn is_text(oid: u32) -> bool {
        matches!(oid, 18 | 19 | 25 | 1042 | 1043 | 1082 | 1083)
    }

    /// The engine's name, for messages.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Boolean => "boolean",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Oid => "oid",
            Self::Float4 => "real",
            Self::Float8 => "double precision",
            Self::Numeric => "numeric",
            Self::Text => "text",
            Self::Bytes => "bytea",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Time => "time",
            Self::Json => "json",
            Self::Jsonb => "jsonb",
            Self::Uuid => "uuid",
            Self::Void => "void",
            Self::Other(name) => name,
        }
    }
}
