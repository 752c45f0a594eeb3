//! Exact decimal numbers between their text and the engine's form: digits to the base 10,000, the power of
//! the first, and how many decimal places are shown.
//!
//! Invariant: a text keeps its places, so that `12.50` comes back as `12.50`. Exponents are refused: a short
//! one could stand for a number of a million digits.

use std::fmt::Write as _;

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITE: u16 = 0xD000;
const MINUS_INFINITE: u16 = 0xF000;

/// Decimal digits of one digit to the base 10,000.
const GROUP: usize = 4;

/// The engine's own bounds.
const WHOLE_DIGITS: usize = 131_072;
const PLACES: usize = 16_383;

/// Appends a number in the engine's form. None where the text is no decimal number.
pub(super) fn encode(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (NEGATIVE, rest),
        None => (0, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, places) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = whole.bytes().chain(places.bytes()).all(|byte| byte.is_ascii_digit());
    let whole = whole.trim_start_matches('0');
    if !all_digits || !unsigned.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if whole.len() > WHOLE_DIGITS || places.len() > PLACES {
        return None;
    }
    // Groups of four, counted from the point in both directions.
    let padded = format!(
        "{}{whole}{places}{}",
        "0".repeat(whole.len().next_multiple_of(GROUP) - whole.len()),
        "0".repeat(places.len().next_multiple_of(GROUP) - places.len())
    );
    let mut digits: Vec<u16> = padded
        .as_bytes()
        .chunks(GROUP)
        .map(|group| group.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
        .collect();
    let leading = digits.iter().take_while(|digit| **digit == 0).count();
    digits.drain(..leading);
    let weight = i32::try_from(whole.len().div_ceil(GROUP)).ok()? - 1 - i32::try_from(leading).ok()?;
    while digits.last() == Some(&0) {
        digits.pop();
    }
    let (sign, weight) = if digits.is_empty() { (0, 0) } else { (sign, weight) };
    out.extend(u16::try_from(digits.len()).ok()?.to_be_bytes());
    out.extend(i16::try_from(weight).ok()?.to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(u16::try_from(places.len()).ok()?.to_be_bytes());
    digits.iter().for_each(|digit| out.extend(digit.to_be_bytes()));
    Some(())
}

/// The text of a number in the engine's form. None where the bytes are no such form.
pub(super) fn decode(bytes: &[u8]) -> Option<String> {
    let pairs = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok());
    let mut numbers = pairs.map(u16::from_be_bytes);
    let count = usize::from(numbers.next()?);
    let weight = i16::from_be_bytes(numbers.next()?.to_be_bytes());
    let sign = numbers.next()?;
    let places = usize::from(numbers.next()?);
    match sign {
        NAN => return Some("NaN".to_owned()),
        INFINITE => return Some("Infinity".to_owned()),
        MINUS_INFINITE => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let digits: Vec<u16> = numbers.collect();
    if digits.len() != count || digits.iter().any(|digit| *digit > 9_999) {
        return None;
    }
    let digit = |power: i32| {
        let at = usize::try_from(i32::from(weight) - power).ok();
        at.and_then(|at| digits.get(at)).copied().unwrap_or(0)
    };
    let mut text = String::new();
    for power in (0..=i32::from(weight)).rev() {
        let _infallible = write!(text, "{:04}", digit(power));
    }
    let whole = text.trim_start_matches('0');
    let mut text =
        format!("{}{}", if sign == NEGATIVE { "-" } else { "" }, if whole.is_empty() { "0" } else { whole });
    if places > 0 {
        text.push('.');
        let end = text.len() + places;
        let groups = i32::try_from(places.div_ceil(GROUP)).ok()?;
        for power in 1..=groups {
            let _infallible = write!(text, "{:04}", digit(-power));
        }
        text.truncate(end);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn there_and_back(text: &str) -> Option<String> {
        let mut bytes = Vec::new();
        encode(text, &mut bytes)?;
        decode(&bytes)
    }

    #[test]
    fn keeps_places_and_drops_leading_zeros() {
        for (text, expected) in [
            ("-12.50", "-12.50"),
            ("0", "0"),
            ("-0.0", "0.0"),
            ("0.00001", "0.00001"),
            ("007", "7"),
            ("+1", "1"),
            (".5", "0.5"),
            ("5.", "5"),
            ("10000", "10000"),
            ("99999999999999999999.0000000000000000001", "99999999999999999999.0000000000000000001"),
        ] {
            assert_eq!(there_and_back(text).as_deref(), Some(expected), "{text}");
        }
        for wrong in ["", ".", "-", "1e5", "NaN", "1,5", "0x1", " 1", "--1", "١"] {
            assert_eq!(there_and_back(wrong), None, "{wrong}");
        }
        assert!(there_and_back(&"1".repeat(131_073)).is_none());
        assert_eq!(there_and_back(&"1".repeat(131_072)).map(|text| text.len()), Some(131_072));
    }

    proptest! {
        #[test]
        fn numbers_read_back(text in "-?[1-9][0-9]{0,30}(\\.[0-9]{1,30})?") {
            prop_assert_eq!(there_and_back(&text), Some(text));
        }

        #[test]
        fn bytes_never_panic(bytes: Vec<u8>) {
            let _any = decode(&bytes);
        }
    }
}
