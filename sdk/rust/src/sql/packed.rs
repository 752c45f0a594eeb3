//! The packed layout of `rowhouse:host/sql`: decoding for guests, encoding for the test backend.
//!
//! The decoder trusts no length: a buffer that is cut short or in an unknown layout is a `Layout`
//! error. Invariant: text is borrowed from the buffer until a field owns it. Called by `sql`.

use super::{
    SqlResult,
    row::{Cell, DecodeError, Row, RowView},
};

const LAYOUT: u8 = 1;
const MORE: u8 = 1;

/// Whether more rows follow (only from a cursor).
pub(super) fn has_more(buffer: &[u8]) -> bool {
    buffer.get(1).is_some_and(|flags| flags & MORE != 0)
}

/// All rows of the buffer.
pub(super) fn decode_all<T: Row>(buffer: &[u8]) -> SqlResult<Vec<T>> {
    Ok(decode(buffer, usize::MAX)?)
}

/// The first row of the buffer, if there is one.
pub(super) fn decode_first<T: Row>(buffer: &[u8]) -> SqlResult<Option<T>> {
    Ok(decode(buffer, 1)?.pop())
}

fn decode<T: Row>(buffer: &[u8], max: usize) -> Result<Vec<T>, DecodeError> {
    let mut reader = Reader { rest: buffer };
    if reader.u8()? != LAYOUT {
        return Err(DecodeError::Layout);
    }
    reader.u8()?;
    let width = usize::from(reader.u16()?);
    let count = usize::try_from(reader.u32()?).map_err(|_too_many| DecodeError::Layout)?;
    let by_name = !T::COLUMNS.is_empty();
    let mut names = Vec::with_capacity(if by_name { width } else { 0 });
    for _ in 0..width {
        let length = usize::from(reader.u16()?);
        let name = reader.bytes(length)?;
        if by_name {
            names.push(name);
        }
    }
    let order = order_of::<T>(&names)?;
    let order = by_name.then_some(order.as_slice());
    let count = count.min(max);
    // A row takes at least one byte a column: a hostile count can't reserve more than the buffer.
    let mut rows = Vec::with_capacity(count.min(buffer.len()));
    let mut cells = Vec::with_capacity(width);
    for _ in 0..count {
        cells.clear();
        for _ in 0..width {
            cells.push(reader.cell()?);
        }
        rows.push(T::from_row(&RowView { cells: &cells, order })?);
    }
    Ok(rows)
}

fn order_of<T: Row>(names: &[&[u8]]) -> Result<Vec<usize>, DecodeError> {
    let place = |column: &&'static str| {
        let named = names.iter().position(|name| *name == column.as_bytes());
        named.ok_or(DecodeError::MissingColumn(column))
    };
    T::COLUMNS.iter().map(place).collect()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Layout)?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Layout)?;
        self.rest = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    fn long(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u32()?).map_err(|_too_long| DecodeError::Layout)?;
        self.bytes(length)
    }

    fn long_text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.long()?).map_err(|_not_utf8| DecodeError::Layout)
    }

    fn cell(&mut self) -> Result<Cell<'a>, DecodeError> {
        Ok(match self.u8()? {
            0 => Cell::Null,
            1 => Cell::Boolean(false),
            2 => Cell::Boolean(true),
            3 => Cell::Integer(self.i64()?),
            4 => Cell::Real(f64::from_le_bytes(self.array()?)),
            5 => Cell::Text(self.long_text()?),
            6 => Cell::Blob(self.long()?),
            7 => Cell::Decimal(self.long_text()?),
            8 => Cell::Timestamp(self.i64()?),
            9 => Cell::Json(self.long_text()?),
            10 => Cell::Uuid(self.long_text()?),
            _ => return Err(DecodeError::Layout),
        })
    }
}

/// Packs rows as the host does, for the test backend. Lengths past the layout's range are cut off.
#[cfg(all(any(test, feature = "testing"), not(target_family = "wasm")))]
pub(crate) fn encode(columns: &[String], rows: &[Vec<super::Value>], more: bool) -> Vec<u8> {
    use super::Value;

    fn long(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
        out.push(kind);
        out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(bytes);
    }
    let mut out = vec![LAYOUT, u8::from(more)];
    out.extend(u16::try_from(columns.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(u32::try_from(rows.len()).unwrap_or(u32::MAX).to_le_bytes());
    for name in columns {
        out.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(name.as_bytes());
    }
    for value in rows.iter().flatten() {
        match value {
            Value::Null => out.push(0),
            Value::Boolean(value) => out.push(1 + u8::from(*value)),
            Value::Integer(value) => {
                out.push(3);
                out.extend(value.to_le_bytes());
            }
            Value::Real(value) => {
                out.push(4);
                out.extend(value.to_le_bytes());
            }
            Value::Text(text) => long(&mut out, 5, text.as_bytes()),
            Value::Blob(bytes) => long(&mut out, 6, bytes),
            Value::Decimal(text) => long(&mut out, 7, text.as_bytes()),
            Value::Timestamp(value) => {
                out.push(8);
                out.extend(value.to_le_bytes());
            }
            Value::Json(text) => long(&mut out, 9, text.as_bytes()),
            Value::Uuid(text) => long(&mut out, 10, text.as_bytes()),
        }
    }
    out
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::super::{SqlError, Timestamp, Value};
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Pair {
        second: Option<String>,
        first: i64,
    }

    impl Row for Pair {
        const COLUMNS: &'static [&'static str] = &["second", "first"];

        fn from_row(row: &RowView<'_>) -> Result<Self, DecodeError> {
            Ok(Self { second: row.field(0)?, first: row.field(1)? })
        }
    }

    fn sample() -> Vec<u8> {
        let columns = ["first", "unused", "second"].map(str::to_owned);
        let rows = [
            vec![Value::Integer(1), Value::Boolean(true), Value::Text("ä".to_owned())],
            vec![Value::Integer(-2), Value::Real(0.5), Value::Null],
        ];
        encode(&columns, &rows, true)
    }

    #[test]
    fn columns_are_found_by_name() {
        let rows: Vec<Pair> = decode_all(&sample()).unwrap();
        assert_eq!(rows[0], Pair { second: Some("ä".to_owned()), first: 1 });
        assert_eq!(rows[1], Pair { second: None, first: -2 });
        assert!(has_more(&sample()));
    }

    #[test]
    fn every_cut_is_an_error_and_never_a_trap() {
        let whole = sample();
        for end in 0..whole.len() {
            assert!(decode_all::<Pair>(&whole[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_hostile_count_reserves_little() {
        let mut buffer = sample();
        buffer[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(decode_all::<Pair>(&buffer).unwrap_err(), SqlError::Decode(DecodeError::Layout));
    }

    #[test]
    fn a_missing_column_and_a_wrong_type_are_named() {
        let buffer = encode(&["first".to_owned()], &[], false);
        let error = decode_all::<Pair>(&buffer).unwrap_err();
        assert_eq!(error, SqlError::Decode(DecodeError::MissingColumn("second")));
        let buffer = encode(&["n".to_owned()], &[vec![Value::Integer(300)]], false);
        assert!(decode_all::<(u8,)>(&buffer).is_err());
        assert_eq!(decode_all::<(u16,)>(&buffer).unwrap(), [(300,)]);
    }

    #[test]
    fn every_kind_survives() {
        let columns = ["a", "b", "c", "d", "e", "f"].map(str::to_owned);
        let row = vec![
            Value::Blob(vec![0, 255]),
            Value::Timestamp(9),
            Value::Decimal("1.50".to_owned()),
            Value::Json("{}".to_owned()),
            Value::Uuid("u".to_owned()),
            Value::Boolean(false),
        ];
        let rows: Vec<(Vec<u8>, Timestamp, String, String, String, bool)> =
            decode_all(&encode(&columns, &[row], false)).unwrap();
        let texts = ("1.50".to_owned(), "{}".to_owned(), "u".to_owned());
        assert_eq!(rows, [(vec![0, 255], Timestamp(9), texts.0, texts.1, texts.2, false)]);
    }
}
