//! Rows in one buffer, in the layout that `rowhouse:host/sql` documents for `query-packed`.
//!
//! ```text
//! u8   layout = 1
//! u8   flags: bit 0 = more rows follow
//! u16  number of columns
//! u32  number of rows
//! per column: u16 length, UTF-8 name
//! per row, per column: u8 kind, payload
//!   0 null      -            1 false   -            2 true    -
//!   3 integer   i64          4 real    f64          8 timestamp i64
//!   5 text, 6 blob, 7 decimal, 9 json, 10 uuid:      u32 length, bytes
//! ```
//!
//! Every engine writes its rows with [`Encoder`]; [`decode`] takes any bytes and never trusts a length
//! or a count in them.

use crate::{Rows, Value};

/// Rows of one page of a cursor at most, whatever is asked for.
pub(crate) const PAGE_ROWS: u32 = 10_000;

/// Room for a result of which nothing is known.
pub(crate) const ROOM: usize = 4 << 10;

/// Room that is made at once at most, whatever is expected.
const MOST_ROOM: usize = 256 << 10;

const LAYOUT: u8 = 1;
const MORE: u8 = 1;
const FLAGS_AT: usize = 1;
const ROWS_AT: std::ops::Range<usize> = 4..8;

pub(crate) const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INTEGER: u8 = 3;
const REAL: u8 = 4;
pub(crate) const TEXT: u8 = 5;
pub(crate) const BLOB: u8 = 6;
pub(crate) const DECIMAL: u8 = 7;
const TIMESTAMP: u8 = 8;
pub(crate) const JSON: u8 = 9;
pub(crate) const UUID: u8 = 10;

/// The bytes are not in the packed layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPacked {
    /// The bytes end too early.
    #[error("the packed rows end too early")]
    Short,
    /// Bytes are left after the last row.
    #[error("{0} bytes are left after the last row")]
    Long(usize),
    /// A layout this server doesn't know.
    #[error("layout {0} is not known")]
    Layout(u8),
    /// A kind of value that doesn't exist.
    #[error("value kind {0} is not known")]
    Kind(u8),
    /// Text that isn't UTF-8.
    #[error("text is not UTF-8")]
    Text,
}

/// A column has too long a name, or there are too many columns or rows, or a value is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the result does not fit the packed layout")]
pub struct TooLarge;

/// Builds a buffer row by row.
#[derive(Debug)]
pub struct Encoder {
    bytes: Vec<u8>,
    rows: u32,
}

impl Encoder {
    /// Begins with the names of the columns.
    ///
    /// # Errors
    /// [`TooLarge`] past 65,535 columns or bytes of one name.
    pub fn new<'a>(columns: impl ExactSizeIterator<Item = &'a str>) -> Result<Self, TooLarge> {
        let count = u16::try_from(columns.len()).map_err(|_count| TooLarge)?;
        let mut bytes = Vec::with_capacity(ROOM);
        bytes.extend_from_slice(&[LAYOUT, 0]);
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        for name in columns {
            let len = u16::try_from(name.len()).map_err(|_len| TooLarge)?;
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        Ok(Self { bytes, rows: 0 })
    }

    /// Goes on from the head of an earlier encoder, which has no rows yet.
    #[must_use]
    pub fn from_head(head: &[u8]) -> Self {
        Self::with_room(head, head.len() + ROOM)
    }

    /// The same with room for about this many bytes, head included. More are found as they come.
    #[must_use]
    pub fn with_room(head: &[u8], bytes: usize) -> Self {
        let mut all = Vec::with_capacity(bytes.clamp(head.len(), head.len() + MOST_ROOM));
        all.extend_from_slice(head);
        Self { bytes: all, rows: 0 }
    }

    /// The bytes so far: the head, as long as no row was written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Room for the next result of the same statement: an eighth more than this one took.
    #[must_use]
    pub fn room(&self) -> usize {
        self.len() + self.len() / 8
    }

    /// True where no row was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Counts a row as written. Its values come before.
    pub fn end_row(&mut self) {
        self.rows = self.rows.saturating_add(1);
    }

    /// Writes one value.
    ///
    /// # Errors
    /// [`TooLarge`] past 4 GiB.
    pub fn value(&mut self, value: &Value) -> Result<(), TooLarge> {
        match value {
            Value::Null => self.null(),
            Value::Boolean(value) => self.boolean(*value),
            Value::Integer(value) => self.integer(*value),
            Value::Real(value) => self.real(*value),
            Value::Timestamp(value) => self.timestamp(*value),
            Value::Text(text) => return self.bytes(TEXT, text.as_bytes()),
            Value::Blob(bytes) => return self.bytes(BLOB, bytes),
            Value::Decimal(text) => return self.bytes(DECIMAL, text.as_bytes()),
            Value::Json(text) => return self.bytes(JSON, text.as_bytes()),
            Value::Uuid(text) => return self.bytes(UUID, text.as_bytes()),
        }
        Ok(())
    }

    pub(crate) fn null(&mut self) {
        self.bytes.push(NULL);
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.bytes.push(if value { TRUE } else { FALSE });
    }

    pub(crate) fn integer(&mut self, value: i64) {
        self.eight(INTEGER, value.to_le_bytes());
    }

    pub(crate) fn timestamp(&mut self, value: i64) {
        self.eight(TIMESTAMP, value.to_le_bytes());
    }

    pub(crate) fn real(&mut self, value: f64) {
        self.eight(REAL, value.to_le_bytes());
    }

    fn eight(&mut self, kind: u8, [a, b, c, d, e, f, g, h]: [u8; 8]) {
        self.bytes.extend_from_slice(&[kind, a, b, c, d, e, f, g, h]);
    }

    pub(crate) fn bytes(&mut self, kind: u8, payload: &[u8]) -> Result<(), TooLarge> {
        let [a, b, c, d] = u32::try_from(payload.len()).map_err(|_len| TooLarge)?.to_le_bytes();
        self.bytes.extend_from_slice(&[kind, a, b, c, d]);
        self.bytes.extend_from_slice(payload);
        Ok(())
    }

    /// The finished buffer. `more` says that a cursor has further rows.
    #[must_use]
    pub fn finish(mut self, more: bool) -> Vec<u8> {
        if let Some(flags) = self.bytes.get_mut(FLAGS_AT) {
            *flags = if more { MORE } else { 0 };
        }
        if let Some(rows) = self.bytes.get_mut(ROWS_AT) {
            rows.copy_from_slice(&self.rows.to_le_bytes());
        }
        self.bytes
    }
}

/// Packs rows at once.
///
/// # Errors
/// [`TooLarge`] where they don't fit.
pub fn encode(rows: &Rows, more: bool) -> Result<Vec<u8>, TooLarge> {
    let mut encoder = Encoder::new(rows.columns.iter().map(String::as_str))?;
    for row in &rows.rows {
        row.iter().try_for_each(|value| encoder.value(value))?;
        encoder.end_row();
    }
    Ok(encoder.finish(more))
}

/// Unpacks a buffer. The flag says whether a cursor has further rows.
///
/// # Errors
/// [`InvalidPacked`] for anything that [`Encoder`] would not write.
pub fn decode(bytes: &[u8]) -> Result<(Rows, bool), InvalidPacked> {
    let mut reader = Reader(bytes);
    let layout = reader.byte()?;
    if layout != LAYOUT {
        return Err(InvalidPacked::Layout(layout));
    }
    let more = reader.byte()? & MORE != 0;
    let columns = usize::from(u16::from_le_bytes(reader.array()?));
    let count = u32::from_le_bytes(reader.array()?);
    let columns = (0..columns)
        .map(|_| {
            let len = usize::from(u16::from_le_bytes(reader.array()?));
            reader.text(len)
        })
        .collect::<Result<Vec<_>, _>>()?;
    // A count is a claim: rows without columns would take no bytes, so none are believed.
    let believable = if columns.is_empty() { 0 } else { count };
    let mut rows = Vec::new();
    for _ in 0..believable {
        let row = (0..columns.len()).map(|_| reader.value()).collect::<Result<Vec<_>, _>>()?;
        rows.push(row);
    }
    match reader.0.len() {
        0 => Ok((Rows { columns, rows }, more)),
        left => Err(InvalidPacked::Long(left)),
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Result<&[u8], InvalidPacked> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(InvalidPacked::Short)?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidPacked> {
        self.take(N)?.try_into().map_err(|_length| InvalidPacked::Short)
    }

    fn byte(&mut self) -> Result<u8, InvalidPacked> {
        self.array().map(|[byte]| byte)
    }

    fn text(&mut self, len: usize) -> Result<String, InvalidPacked> {
        let text = std::str::from_utf8(self.take(len)?).map_err(|_utf8| InvalidPacked::Text)?;
        Ok(text.to_owned())
    }

    fn long(&mut self) -> Result<usize, InvalidPacked> {
        usize::try_from(u32::from_le_bytes(self.array()?)).map_err(|_width| InvalidPacked::Short)
    }

    fn long_text(&mut self) -> Result<String, InvalidPacked> {
        let len = self.long()?;
        self.text(len)
    }

    fn value(&mut self) -> Result<Value, InvalidPacked> {
        Ok(match self.byte()? {
            NULL => Value::Null,
            FALSE => Value::Boolean(false),
            TRUE => Value::Boolean(true),
            INTEGER => Value::Integer(i64::from_le_bytes(self.array()?)),
            REAL => Value::Real(f64::from_le_bytes(self.array()?)),
            TIMESTAMP => Value::Timestamp(i64::from_le_bytes(self.array()?)),
            TEXT => Value::Text(self.long_text()?),
            BLOB => {
                let len = self.long()?;
                Value::Blob(self.take(len)?.to_vec())
            }
            DECIMAL => Value::Decimal(self.long_text()?),
            JSON => Value::Json(self.long_text()?),
            UUID => Value::Uuid(self.long_text()?),
            kind => return Err(InvalidPacked::Kind(kind)),
        })
    }
}

#[cfg(test)]
mod tests;
