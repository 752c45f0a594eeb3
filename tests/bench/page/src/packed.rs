//! Reads the rows of `sql.query-packed` as a guest without the SDK does.
//!
//! It knows the one shape the page asks for: integer, text, text, integer. Anything else is `None`,
//! which the guests turn into a trap, so that a change of the layout fails every test that shows the
//! page. It borrows from the buffer and copies nothing.

use crate::Article;

/// The layout this reader knows, from `wit/0.1/deps/host/host.wit`.
const LAYOUT: u8 = 1;
const INTEGER: u8 = 3;
const TEXT: u8 = 5;

/// The articles in `buffer`, or none where its layout or its types are others.
#[must_use]
pub fn articles(buffer: &[u8]) -> Option<Vec<Article<'_>>> {
    let mut reader = Reader(buffer);
    if reader.byte()? != LAYOUT {
        return None;
    }
    let _flags = reader.byte()?;
    let columns = u16::from_le_bytes(reader.array()?);
    let rows = u32::from_le_bytes(reader.array()?);
    for _ in 0..columns {
        let length = u16::from_le_bytes(reader.array()?);
        reader.bytes(usize::from(length))?;
    }
    if columns != 4 {
        return None;
    }
    (0..rows)
        .map(|_| {
            Some(Article {
                id: reader.integer()?,
                title: reader.text()?,
                summary: reader.text()?,
                published: reader.integer()?,
            })
        })
        .collect()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn integer(&mut self) -> Option<i64> {
        (self.byte()? == INTEGER).then_some(())?;
        self.array().map(i64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        (self.byte()? == TEXT).then_some(())?;
        let length = usize::try_from(u32::from_le_bytes(self.array()?)).ok()?;
        str::from_utf8(self.bytes(length)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_row() -> Vec<u8> {
        let mut buffer = vec![1, 0, 4, 0, 1, 0, 0, 0];
        for name in ["id", "title", "summary", "published"] {
            buffer.extend(u16::try_from(name.len()).unwrap_or(0).to_le_bytes());
            buffer.extend(name.as_bytes());
        }
        buffer.push(3);
        buffer.extend(7i64.to_le_bytes());
        for text in ["seven", ""] {
            buffer.push(5);
            buffer.extend(u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
            buffer.extend(text.as_bytes());
        }
        buffer.push(3);
        buffer.extend((-1i64).to_le_bytes());
        buffer
    }

    #[test]
    fn reads_what_the_layout_says() {
        let expected = Article { id: 7, title: "seven", summary: "", published: -1 };
        assert_eq!(articles(&one_row()), Some(vec![expected]));
    }

    #[test]
    fn every_truncation_is_none() {
        let buffer = one_row();
        for length in 0..buffer.len() {
            assert_eq!(articles(buffer.get(..length).unwrap_or(&[])), None, "{length} bytes");
        }
    }
}
