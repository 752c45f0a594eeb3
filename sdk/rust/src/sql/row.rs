//! Typed rows: what a cell can become, and the trait that `#[derive(Row)]` implements.
//!
//! A number that does not fit, or text where a number was asked for, is an error and never a default.
//! Invariant: columns are matched to fields once a result, not once a row. Called by `packed` and by
//! the derived code.

use super::value::{Decimal, Json, Timestamp, Uuid};

/// One value of a row, borrowed from the packed buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// SQL NULL.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
    /// A decimal number as text.
    Decimal(&'a str),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// A JSON text.
    Json(&'a str),
    /// A UUID as text.
    Uuid(&'a str),
}

/// Why a row could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The packed buffer is not in the documented layout.
    #[error("the packed rows are cut short or in an unknown layout")]
    Layout,
    /// The result has no such column.
    #[error("the result has no column `{0}`")]
    MissingColumn(&'static str),
    /// The result has fewer columns than the tuple has members.
    #[error("the result has no column number {0}")]
    MissingPlace(usize),
    /// A value is of another type, or does not fit.
    #[error("the value is {found}, not {wanted}")]
    Type {
        /// What the field needs.
        wanted: &'static str,
        /// What the row holds.
        found: &'static str,
    },
}

/// A type that one cell can become.
pub trait FromCell: Sized {
    /// Decodes the cell.
    ///
    /// # Errors
    /// `Type` when the cell is of another type or does not fit.
    fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError>;
}

/// A type that one row can become. Derive it: `#[derive(Row)]`.
///
/// Tuples of up to six members take the columns in their order.
pub trait Row: Sized {
    /// The column of each field, in the order of the fields; empty to take columns by place.
    const COLUMNS: &'static [&'static str];

    /// Decodes the row.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    fn from_row(row: &RowView<'_>) -> Result<Self, DecodeError>;
}

/// One row, with its columns matched to the fields of a [`Row`].
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    pub(super) cells: &'a [Cell<'a>],
    /// For each field the place of its column; `None` takes columns by place.
    pub(super) order: Option<&'a [usize]>,
}

impl RowView<'_> {
    /// The value of field number `place`.
    ///
    /// # Errors
    /// Any [`DecodeError`].
    pub fn field<T: FromCell>(&self, place: usize) -> Result<T, DecodeError> {
        let place = match self.order {
            None => place,
            Some(order) => *order.get(place).ok_or(DecodeError::MissingPlace(place))?,
        };
        T::from_cell(*self.cells.get(place).ok_or(DecodeError::MissingPlace(place))?)
    }
}

impl Cell<'_> {
    fn kind(self) -> &'static str {
        match self {
            Cell::Null => "null",
            Cell::Boolean(_) => "boolean",
            Cell::Integer(_) => "integer",
            Cell::Real(_) => "real",
            Cell::Text(_) => "text",
            Cell::Blob(_) => "blob",
            Cell::Decimal(_) => "decimal",
            Cell::Timestamp(_) => "timestamp",
            Cell::Json(_) => "json",
            Cell::Uuid(_) => "uuid",
        }
    }

    fn not(self, wanted: &'static str) -> DecodeError {
        DecodeError::Type { wanted, found: self.kind() }
    }
}

macro_rules! integers {
    ($($name:ty),*) => {
        $(impl FromCell for $name {
            fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError> {
                let wanted = stringify!($name);
                match cell {
                    Cell::Integer(value) => Self::try_from(value).map_err(|_out_of_range| cell.not(wanted)),
                    Cell::Decimal(text) => text.parse().map_err(|_not_whole| cell.not(wanted)),
                    other => Err(other.not(wanted)),
                }
            }
        })*
    };
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

impl FromCell for bool {
    fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError> {
        match cell {
            Cell::Boolean(value) => Ok(value),
            // SQLite and MySQL have no boolean of their own.
            Cell::Integer(0) => Ok(false),
            Cell::Integer(1) => Ok(true),
            other => Err(other.not("boolean")),
        }
    }
}

impl FromCell for f64 {
    #[expect(clippy::cast_precision_loss, reason = "engines return whole floats as integers")]
    fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError> {
        match cell {
            Cell::Real(value) => Ok(value),
            Cell::Integer(value) => Ok(value as Self),
            Cell::Decimal(text) => text.parse().map_err(|_not_a_number| cell.not("real")),
            other => Err(other.not("real")),
        }
    }
}

impl FromCell for String {
    fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError> {
        match cell {
            Cell::Text(text) | Cell::Decimal(text) | Cell::Json(text) | Cell::Uuid(text) => {
                Ok(text.to_owned())
            }
            other => Err(other.not("text")),
        }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError> {
        match cell {
            Cell::Blob(bytes) => Ok(bytes.to_vec()),
            other => Err(other.not("blob")),
        }
    }
}

impl FromCell for Timestamp {
    fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError> {
        match cell {
            // SQLite keeps a timestamp as its microseconds.
            Cell::Timestamp(micros) | Cell::Integer(micros) => Ok(Self(micros)),
            other => Err(other.not("timestamp")),
        }
    }
}

macro_rules! text_types {
    ($($name:ident: $wanted:literal),*) => {
        $(impl FromCell for $name {
            fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError> {
                match cell {
                    Cell::$name(text) | Cell::Text(text) => Ok(Self(text.to_owned())),
                    other => Err(other.not($wanted)),
                }
            }
        })*
    };
}

text_types!(Decimal: "decimal", Json: "json", Uuid: "uuid");

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: Cell<'_>) -> Result<Self, DecodeError> {
        match cell {
            Cell::Null => Ok(None),
            other => T::from_cell(other).map(Some),
        }
    }
}

macro_rules! tuples {
    ($(($($name:ident $place:tt),+);)*) => {
        $(impl<$($name: FromCell),+> Row for ($($name,)+) {
            const COLUMNS: &'static [&'static str] = &[];

            fn from_row(row: &RowView<'_>) -> Result<Self, DecodeError> {
                Ok(($(row.field::<$name>($place)?,)+))
            }
        })*
    };
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}
