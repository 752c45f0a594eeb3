//! JSON in one normal form: no spaces, keys sorted and each once, numbers as [`Number`], strings unescaped.
//!
//! Engines keep JSON differently (as text, or taken apart with keys in an order of their own); two texts
//! with the same normal form hold the same data. The form is for hashing and is not JSON itself.

use super::number::Number;
use serde::de::IgnoredAny;

/// The normal form; none where the text is no JSON or is nested deeper than 128 levels.
pub(super) fn normal_form(text: &str) -> Option<Vec<u8>> {
    // Checks the grammar and the depth, so that what follows may trust both.
    serde_json::from_str::<IgnoredAny>(text).ok()?;
    let mut out = Vec::with_capacity(text.len());
    Scanner { text, at: 0 }.value(&mut out)?;
    Some(out)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += spaces;
        rest.get(spaces).copied()
    }

    /// Takes as many bytes as fit `belongs`.
    fn take_while(&mut self, belongs: impl Fn(u8) -> bool) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let len = rest.bytes().take_while(|byte| belongs(*byte)).count();
        self.at += len;
        rest.get(..len)
    }

    fn value(&mut self, out: &mut Vec<u8>) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(out),
            b'[' => self.array(out),
            b'"' => {
                let text = self.string()?;
                out.push(b'"');
                write_text(out, &text);
                Some(())
            }
            b't' | b'f' | b'n' => {
                let word = self.take_while(|byte| byte.is_ascii_lowercase())?;
                out.extend_from_slice(word.get(..1)?.as_bytes());
                Some(())
            }
            _ => {
                let digits = self.take_while(|byte| {
                    byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E')
                })?;
                out.push(b'#');
                Number::parse(digits)?.write(out);
                out.push(b';');
                Some(())
            }
        }
    }

    fn array(&mut self, out: &mut Vec<u8>) -> Option<()> {
        out.push(b'[');
        self.at += 1;
        loop {
            match self.peek()? {
                b']' => break,
                b',' => self.at += 1,
                _ => self.value(out)?,
            }
        }
        self.at += 1;
        out.push(b']');
        Some(())
    }

    fn object(&mut self, out: &mut Vec<u8>) -> Option<()> {
        // A key that comes twice has its last value, as in every engine that takes JSON apart.
        let mut fields = std::collections::BTreeMap::new();
        self.at += 1;
        loop {
            match self.peek()? {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    let key = self.string()?;
                    self.peek().filter(|byte| *byte == b':')?;
                    self.at += 1;
                    let mut value = Vec::new();
                    self.value(&mut value)?;
                    fields.insert(key, value);
                }
            }
        }
        self.at += 1;
        out.push(b'{');
        for (key, value) in fields {
            write_text(out, &key);
            out.extend_from_slice(&value);
        }
        out.push(b'}');
        Some(())
    }

    /// A string with its escapes undone; none where it holds half of a surrogate pair.
    fn string(&mut self) -> Option<String> {
        let rest = self.text.get(self.at..)?;
        let mut escaped = false;
        let inside = rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        let quoted = rest.get(..inside + 2)?;
        self.at += quoted.len();
        serde_json::from_str(quoted).ok()
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn same_data_same_form() {
        for same in [
            &[r#"{"a":1,"b":[true,null]}"#, r#" { "b" : [ true , null ], "a" : 1.0 } "#][..],
            &[r#"{"a":1,"a":2}"#, r#"{"a":2}"#],
            &[r#""\u00e4\/""#, r#""ä/""#],
            &["1e2", "100", "100.00"],
            &["123456789012345678901234567890", "1.2345678901234567890123456789e29"],
            &["[]", "[ ]"],
        ] {
            let forms: Vec<_> = same.iter().map(|text| normal_form(text)).collect();
            assert!(forms.iter().all(|form| form.is_some() && *form == forms[0]), "{same:?}");
        }
    }

    #[test]
    fn other_data_other_form() {
        let different = [
            "1",
            "\"1\"",
            "[1]",
            "[[1]]",
            "[1,1]",
            "[11]",
            "{}",
            "{\"1\":1}",
            "null",
            "true",
            "false",
            "\"\"",
        ];
        let mut forms: Vec<_> = different.iter().map(|text| normal_form(text).unwrap()).collect();
        forms.sort();
        forms.dedup();
        assert_eq!(forms.len(), different.len());
        for none in ["", "{", "[1,]", "nul", "01", "\"\\ud800\"", "'a'", "1 2", "\u{feff}1"] {
            assert_eq!(normal_form(none), None, "{none}");
        }
        assert_eq!(normal_form(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn takes_any_text(text in ".{0,60}", json in "[\\[\\]{}\",:0-9a-c\\\\ ]{0,40}") {
            normal_form(&text);
            normal_form(&json);
        }

        #[test]
        fn does_not_depend_on_writing(keys in prop::collection::btree_map(".{0,5}", any::<i32>(), 0..6)) {
            let compact = serde_json::to_string(&keys).unwrap();
            let pretty = serde_json::to_string_pretty(&keys).unwrap();
            prop_assert_eq!(normal_form(&compact), normal_form(&pretty));
            prop_assert!(normal_form(&compact).is_some());
        }
    }
}
