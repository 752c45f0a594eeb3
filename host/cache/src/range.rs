//! Byte ranges of a stored page (RFC 9110 section 14). Pure; called by `view`.
//!
//! One range is answered. Several at once are not: the whole page is, which is always allowed.

use http::HeaderMap;
use http::header::RANGE;
use std::ops::Range;

/// What a request for a part comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole page: nothing was asked for, or nothing that is understood.
    Whole,
    /// These bytes; never empty.
    Bytes(Range<usize>),
    /// None of the page's bytes.
    Outside,
}

/// The part of a body of this length that is asked for.
pub(crate) fn part(asked: &HeaderMap, length: usize) -> Part {
    let mut lines = asked.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return Part::Whole };
    let Some((unit, set)) = line.to_str().ok().and_then(|line| line.split_once('=')) else {
        return Part::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    one(set.trim(), length).unwrap_or(Part::Whole)
}

/// None where it is no range, or more than one.
fn one(range: &str, length: usize) -> Option<Part> {
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| -> Option<usize> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // Only too many digits can fail: past every end.
        digits.then(|| text.parse().unwrap_or(usize::MAX))
    };
    let (start, end) = if first.is_empty() {
        (length.saturating_sub(number(last)?), length)
    } else if last.is_empty() {
        (number(first)?, length)
    } else {
        let (first, last) = (number(first)?, number(last)?);
        if last < first {
            return None;
        }
        (first, last.saturating_add(1).min(length))
    };
    Some(if start < end { Part::Bytes(start..end) } else { Part::Outside })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn parse(line: &str, length: usize) -> Part {
        part(&HeaderMap::from_iter([(RANGE, HeaderValue::from_str(line).unwrap())]), length)
    }

    #[test]
    fn ranges_are_cut_to_the_page() {
        for (line, expected) in [
            ("bytes=0-1", Part::Bytes(0..2)),
            ("BYTES=0-1", Part::Bytes(0..2)),
            ("bytes=1-", Part::Bytes(1..11)),
            ("bytes=-1", Part::Bytes(10..11)),
            ("bytes=-99", Part::Bytes(0..11)),
            ("bytes=5-99999999999999999999999", Part::Bytes(5..11)),
            ("bytes=11-", Part::Outside),
            ("bytes=99999999999999999999999-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=2-1", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=0-1", Part::Whole),
            ("0-1", Part::Whole),
        ] {
            assert_eq!(parse(line, 11), expected, "{line}");
        }
        assert_eq!(parse("bytes=-5", 0), Part::Outside);
        assert_eq!(part(&HeaderMap::new(), 11), Part::Whole);
    }

    proptest! {
        #[test]
        fn a_part_lies_inside_the_page(text in "bytes=[0-9]{0,3}-[0-9]{0,3}", length in 0usize..200) {
            if let Part::Bytes(range) = parse(&text, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
