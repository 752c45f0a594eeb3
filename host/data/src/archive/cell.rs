//! Rows as text: one line a row, a JSON array with a cell for each column.
//!
//! ```text
//! null  true  false          12 (a whole number within ±2^53)      "text"
//! {"i":"9007199254740993"}   {"r":"0.1"}   {"b":"base64"}          {"d":"12.50"}
//! {"t":1700000000000000}     {"j":"{…}"}   {"u":"a0ee…"}
//! ```
//!
//! Floating point numbers are text because not every reader of JSON gives all their bits back. Anything
//! else than these cells is refused.

use crate::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// Whole numbers up to here are exact in every reader of JSON.
const EXACT: i64 = 1 << 53;

/// Appends a row and a line feed.
pub(super) fn write_row(out: &mut Vec<u8>, row: &[Value]) -> Result<(), serde_json::Error> {
    let mut before = b'[';
    for value in row {
        out.push(before);
        write_cell(out, value)?;
        before = b',';
    }
    if row.is_empty() {
        out.push(b'[');
    }
    out.extend_from_slice(b"]\n");
    Ok(())
}

fn write_cell(out: &mut Vec<u8>, value: &Value) -> Result<(), serde_json::Error> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Integer(value) if (-EXACT..=EXACT).contains(value) => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
        Value::Integer(value) => return tagged(out, 'i', &value.to_string()),
        Value::Real(value) => return tagged(out, 'r', &value.to_string()),
        Value::Text(text) => return serde_json::to_writer(out, text),
        Value::Blob(bytes) => return tagged(out, 'b', &STANDARD.encode(bytes)),
        Value::Decimal(text) => return tagged(out, 'd', text),
        Value::Timestamp(micros) => out.extend_from_slice(format!("{{\"t\":{micros}}}").as_bytes()),
        Value::Json(text) => return tagged(out, 'j', text),
        Value::Uuid(text) => return tagged(out, 'u', text),
    }
    Ok(())
}

fn tagged(out: &mut Vec<u8>, tag: char, text: &str) -> Result<(), serde_json::Error> {
    out.extend_from_slice(format!("{{\"{tag}\":").as_bytes());
    serde_json::to_writer(&mut *out, text)?;
    out.push(b'}');
    Ok(())
}

/// Reads a row of so many cells, without its line feed. The error says what is wrong with it.
pub(super) fn read_row(line: &[u8], columns: usize) -> Result<Vec<Value>, String> {
    let cells: Vec<Json> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    if cells.len() != columns {
        return Err(format!("{} cells for {columns} columns", cells.len()));
    }
    cells.into_iter().map(read_cell).collect()
}

fn read_cell(cell: Json) -> Result<Value, String> {
    match cell {
        Json::Null => Ok(Value::Null),
        Json::Bool(value) => Ok(Value::Boolean(value)),
        Json::Number(number) => number
            .as_i64()
            .map(Value::Integer)
            .ok_or_else(|| format!("{number} is not a whole number of 64 bits")),
        Json::String(text) => Ok(Value::Text(text)),
        Json::Array(_) => Err("a cell is a list".to_owned()),
        Json::Object(fields) => {
            let mut fields = fields.into_iter();
            match (fields.next(), fields.next()) {
                (Some((tag, inside)), None) => read_tagged(&tag, inside),
                _ => Err("a tagged cell has one field".to_owned()),
            }
        }
    }
}

fn read_tagged(tag: &str, inside: Json) -> Result<Value, String> {
    let text = match (tag, inside) {
        ("t", Json::Number(micros)) => {
            return micros.as_i64().map(Value::Timestamp).ok_or_else(|| format!("{micros} is no moment"));
        }
        (_, Json::String(text)) => text,
        (_, other) => return Err(format!("{other} in a cell tagged `{tag}`")),
    };
    match tag {
        "i" => text.parse().map(Value::Integer).map_err(|error| format!("`{text}`: {error}")),
        "r" => text.parse().map(Value::Real).map_err(|error| format!("`{text}`: {error}")),
        "b" => STANDARD.decode(&text).map(Value::Blob).map_err(|error| error.to_string()),
        "d" => Ok(Value::Decimal(text)),
        "j" => Ok(Value::Json(text)),
        "u" => Ok(Value::Uuid(text)),
        _ => Err(format!("no cell is tagged `{tag}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_filter("NaN is unequal to itself", |x| !x.is_nan()).prop_map(Value::Real),
            any::<String>().prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Blob),
            any::<String>().prop_map(Value::Decimal),
            any::<i64>().prop_map(Value::Timestamp),
            any::<String>().prop_map(Value::Json),
            any::<String>().prop_map(Value::Uuid),
        ]
    }

    proptest! {
        #[test]
        fn rows_come_back(row in prop::collection::vec(any_value(), 0..8)) {
            let mut line = Vec::new();
            write_row(&mut line, &row).unwrap();
            prop_assert_eq!(line.pop(), Some(b'\n'));
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(read_row(&line, row.len()).unwrap(), row);
        }

        #[test]
        fn takes_any_line(line in "[\\[\\]{}\",:0-9itbdx. ]{0,30}") {
            let _either = read_row(line.as_bytes(), 1);
        }
    }

    #[test]
    fn the_forms() {
        let row = [
            Value::Null,
            Value::Boolean(true),
            Value::Integer(EXACT),
            Value::Integer(EXACT + 1),
            Value::Real(0.1),
            Value::Real(f64::NEG_INFINITY),
            Value::Text("ä\n".to_owned()),
            Value::Blob(vec![0, 255]),
            Value::Timestamp(-1),
        ];
        let mut line = Vec::new();
        write_row(&mut line, &row).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "[null,true,9007199254740992,{\"i\":\"9007199254740993\"},{\"r\":\"0.1\"},{\"r\":\"-inf\"},\"ä\\n\",\
             {\"b\":\"AP8=\"},{\"t\":-1}]\n"
        );
        for bad in
            ["", "1", "[1,2]", "[1.5]", "[[1]]", "[{}]", "[{\"x\":\"1\"}]", "[{\"i\":1}]", "[{\"t\":\"1\"}]"]
        {
            assert!(read_row(bad.as_bytes(), 1).is_err(), "{bad}");
        }
    }
}
