//! What a table holds, in 32 bytes that depend neither on the engine nor on the order of the rows.
//!
//! Each row is hashed over its values in normal form, in the order of the columns' names; the hashes are
//! added up as 256-bit numbers. So a tenant that moves to another engine and back ends with the hashes it
//! began with, and a row lost, doubled or changed shows. `docs/archive.md` has the format for others.

use super::json;
use super::number::Number;
use crate::Value;
use rowhouse_base::Digest;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A table's rows, counted and hashed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableContent {
    /// The table, as the engine spells it.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// Hash of all rows; equal for equal rows in any order and engine.
    pub content: Digest,
}

/// Takes rows, gives a [`TableContent`].
pub(super) struct RowHasher {
    /// Places of the columns, in the order of their names.
    order: Vec<usize>,
    sum: [u64; 4],
    rows: u64,
    row: Vec<u8>,
}

impl RowHasher {
    /// For rows with these columns. Engines differ in the case of names, so it doesn't count.
    pub(super) fn new<'a>(columns: impl Iterator<Item = &'a str>) -> Self {
        let mut named: Vec<_> = columns.map(str::to_ascii_lowercase).zip(0..).collect();
        named.sort();
        let order = named.into_iter().map(|(_name, place)| place).collect();
        Self { order, sum: [0; 4], rows: 0, row: Vec::new() }
    }

    /// Adds one row, its values in the order of the columns as they were given.
    pub(super) fn add(&mut self, row: &[Value]) {
        self.row.clear();
        for place in &self.order {
            write(&mut self.row, row.get(*place).unwrap_or(&Value::Null));
        }
        let digest: [u8; 32] = Sha256::digest(&self.row).into();
        let mut carry = false;
        for (limb, bytes) in self.sum.iter_mut().rev().zip(digest.rchunks_exact(8)) {
            let added = bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            let (sum, first) = limb.overflowing_add(added);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, first || second);
        }
        self.rows = self.rows.saturating_add(1);
    }

    pub(super) fn finish(self, table: &str) -> TableContent {
        let mut bytes = [0; 32];
        for (place, limb) in bytes.chunks_exact_mut(8).zip(self.sum) {
            place.copy_from_slice(&limb.to_be_bytes());
        }
        TableContent { table: table.to_owned(), rows: self.rows, content: Digest::from(bytes) }
    }
}

/// One value in normal form: a letter for its class, a length, the bytes.
fn write(out: &mut Vec<u8>, value: &Value) {
    let part = |out: &mut Vec<u8>, class: u8, bytes: &[u8]| {
        out.push(class);
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    let number = |number: &Number| {
        let mut bytes = Vec::with_capacity(24);
        number.write(&mut bytes);
        bytes
    };
    match value {
        Value::Null => part(out, b'n', &[]),
        Value::Blob(bytes) => part(out, b'b', bytes),
        Value::Json(text) => match json::normal_form(text) {
            Some(form) => part(out, b'j', &form),
            None => part(out, b't', text.as_bytes()),
        },
        Value::Uuid(text) => match Uuid::try_parse(text) {
            Ok(uuid) => part(out, b't', uuid.hyphenated().to_string().as_bytes()),
            Err(_not_one) => part(out, b't', text.as_bytes()),
        },
        Value::Text(text) => part(out, b't', text.as_bytes()),
        other => match (number_of(other), other) {
            (Some(found), _) => part(out, b'#', &number(&found)),
            (None, Value::Real(real)) => part(out, b'r', real.to_string().as_bytes()),
            (None, Value::Decimal(text)) => part(out, b't', text.as_bytes()),
            (None, _) => part(out, b'n', &[]),
        },
    }
}

/// The number that a value is, whatever its kind.
pub(super) fn number_of(value: &Value) -> Option<Number> {
    match value {
        Value::Boolean(value) => Number::integer(i64::from(*value)),
        Value::Integer(value) | Value::Timestamp(value) => Number::integer(*value),
        Value::Real(value) => Number::real(*value),
        Value::Decimal(text) => Number::parse(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(columns: &[&str], rows: &[Vec<Value>]) -> TableContent {
        let mut hasher = RowHasher::new(columns.iter().copied());
        rows.iter().for_each(|row| hasher.add(row));
        hasher.finish("t")
    }

    fn one(value: Value) -> Digest {
        hash(&["a"], &[vec![value]]).content
    }

    #[test]
    fn classes() {
        let text = |text: &str| text.to_owned();
        assert_eq!(one(Value::Boolean(true)), one(Value::Integer(1)));
        assert_eq!(one(Value::Real(1.0)), one(Value::Decimal(text("1.00"))));
        assert_eq!(one(Value::Real(-0.0)), one(Value::Real(0.0)));
        assert_eq!(
            one(Value::Json(text("{\"b\":1, \"a\":2}"))),
            one(Value::Json(text("{\"a\":2.0,\"b\":1}")))
        );
        let upper = "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11";
        assert_eq!(one(Value::Uuid(text(upper))), one(Value::Text(upper.to_lowercase())));
        let different = [
            Value::Null,
            Value::Integer(0),
            Value::Text(text("0")),
            Value::Text(text("")),
            Value::Blob(vec![]),
            Value::Blob(b"0".to_vec()),
            Value::Json(text("0")),
            Value::Real(f64::NAN),
            Value::Real(f64::INFINITY),
            Value::Real(0.1),
            Value::Text(text(upper)),
        ];
        let mut hashes: Vec<_> = different.iter().cloned().map(one).collect();
        hashes.sort();
        hashes.dedup();
        assert_eq!(hashes.len(), different.len());
    }

    #[test]
    fn the_documented_example() {
        assert_eq!(hash(&["a"], &[]).content.to_string(), "0".repeat(64));
        let bytes = [b"#\x04\0\0\0\0\0\0\0-7e0".as_slice(), b"t\x01\0\0\0\0\0\0\0x"].concat();
        let expected = Digest::of(&bytes);
        let row = vec![Value::Text("x".to_owned()), Value::Integer(-7)];
        assert_eq!(hash(&["B", "a"], &[row]).content, expected);
    }

    proptest! {
        #[test]
        fn order_does_not_count(
            rows in prop::collection::vec(any::<(i64, String)>(), 0..20), seed in any::<u64>()
        ) {
            let rows: Vec<_> = rows.into_iter().map(|(a, b)| vec![Value::Integer(a), Value::Text(b)]).collect();
            let mut mixed: Vec<Vec<Value>> =
                rows.iter().map(|row| row.iter().rev().cloned().collect()).collect();
            mixed.sort_by_key(|row| Digest::of(format!("{seed}{row:?}").as_bytes()));
            prop_assert_eq!(hash(&["a", "b"], &rows), hash(&["B", "A"], &mixed));
            if let Some(first) = rows.first().cloned() {
                let more: Vec<_> = rows.iter().cloned().chain([first]).collect();
                prop_assert_ne!(hash(&["a", "b"], &rows).content, hash(&["a", "b"], &more).content);
            }
        }
    }
}
