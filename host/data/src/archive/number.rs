//! Numbers in one normal form, so that a number is the same in every engine and every notation.
//!
//! `12.50`, `12.5` and `1.25e1` are one number. A floating point number is the shortest decimal that reads
//! back as the same bits, so two different ones never become equal. Called by the content hash, by the
//! conversion of values and by the normal form of JSON.

/// `digits` times ten to the power of `exponent`. Digits neither begin nor end with a zero; zero has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    digits: String,
    exponent: i64,
}

/// Digits that a number written without an exponent may have, zeros included. PostgreSQL's own bound is
/// 131,072 before the point and 16,383 after it.
const MOST_DIGITS: usize = 150_000;

impl Number {
    /// Reads `-12.50`, `1e9` and the like; none for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = String::with_capacity(whole.len() + fraction.len());
        digits.push_str(whole);
        digits.push_str(fraction);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        Self::normal(negative, &digits, exponent)
    }

    fn normal(negative: bool, digits: &str, exponent: i64) -> Option<Self> {
        let digits = digits.trim_start_matches('0');
        let kept = digits.trim_end_matches('0');
        if kept.is_empty() {
            return Some(Self { negative: false, digits: String::new(), exponent: 0 });
        }
        let exponent = exponent.checked_add(i64::try_from(digits.len() - kept.len()).ok()?)?;
        Some(Self { negative, digits: kept.to_owned(), exponent })
    }

    /// Of a whole number.
    pub(super) fn integer(value: i64) -> Option<Self> {
        Self::parse(&value.to_string())
    }

    /// Of a floating point number; none for infinities and NaN.
    pub(super) fn real(value: f64) -> Option<Self> {
        if value.is_finite() { Self::parse(&format!("{value:e}")) } else { None }
    }

    /// As a whole number, where it is one and fits.
    pub(super) fn to_integer(&self) -> Option<i64> {
        // More zeros than an i64 has digits.
        if !(0..=19).contains(&self.exponent) {
            return None;
        }
        self.written().parse().ok()
    }

    /// As a floating point number that has this very normal form, where there is one.
    pub(super) fn to_real(&self) -> Option<f64> {
        let sign = if self.negative { "-" } else { "" };
        let digits = if self.digits.is_empty() { "0" } else { &self.digits };
        let real: f64 = format!("{sign}{digits}e{}", self.exponent).parse().ok()?;
        (Self::real(real).as_ref() == Some(self)).then_some(real)
    }

    /// Without an exponent, as every engine reads it; none where that would be endless.
    pub(super) fn plain(&self) -> Option<String> {
        let size = usize::try_from(self.exponent.unsigned_abs()).ok()?;
        (size <= MOST_DIGITS && self.digits.len() <= MOST_DIGITS).then(|| self.written())
    }

    /// The normal form in bytes: sign, digits, `e`, exponent.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        out.extend_from_slice(self.digits.as_bytes());
        out.push(b'e');
        out.extend_from_slice(self.exponent.to_string().as_bytes());
    }

    /// Only for exponents of a believable size.
    fn written(&self) -> String {
        let mut digits = self.digits.clone();
        if self.exponent >= 0 {
            let zeros = usize::try_from(self.exponent).unwrap_or_default();
            digits.extend(std::iter::repeat_n('0', zeros));
        } else {
            let places = usize::try_from(self.exponent.unsigned_abs()).unwrap_or_default();
            let missing = (places + 1).saturating_sub(digits.len());
            digits.insert_str(0, &"0".repeat(missing));
            digits.insert(digits.len() - places, '.');
        }
        if digits.is_empty() {
            digits.push('0');
        }
        if self.negative {
            digits.insert(0, '-');
        }
        digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_form_for_one_number() {
        for same in [
            &["12.50", "12.5", "1.25e1", "+12.5", "0012.500", "1250E-2"][..],
            &["0", "-0", "0.000", "0e99", "-0.0"],
            &["1e20", "100000000000000000000", "1.0E+20"],
            &["-.5", "-0.5", "-5e-1"],
        ] {
            let forms: Vec<_> = same.iter().map(|text| Number::parse(text)).collect();
            assert!(forms.iter().all(|form| form.is_some() && *form == forms[0]), "{same:?}: {forms:?}");
        }
        for bad in ["", "-", ".", "1.2.3", "1e", "e5", "NaN", "1 ", " 1", "1e99999999999999999999", "0x1"] {
            assert_eq!(Number::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn other_forms_only_where_nothing_is_lost() {
        let number = |text: &str| Number::parse(text).unwrap();
        assert_eq!(number("12.50").plain().unwrap(), "12.5");
        assert_eq!(number("-0.050").plain().unwrap(), "-0.05");
        assert_eq!(number("1e3").plain().unwrap(), "1000");
        assert_eq!(number("1e999999999").plain(), None);
        assert_eq!(number("9223372036854775807").to_integer(), Some(i64::MAX));
        assert_eq!(number("9223372036854775808").to_integer(), None);
        assert_eq!(number("0.5").to_integer(), None);
        assert_eq!(number("0.1").to_real(), Some(0.1));
        assert_eq!(number("0.10000000000000000001").to_real(), None);
        assert_eq!(number("9007199254740993").to_real(), None);
        assert_eq!(number("1e400").to_real(), None);
    }

    proptest! {
        #[test]
        fn integers_and_reals_come_back(integer: i64, bits: u64) {
            prop_assert_eq!(Number::integer(integer).unwrap().to_integer(), Some(integer));
            let real = f64::from_bits(bits);
            if real.is_finite() && real != 0.0 {
                let back = Number::real(real).unwrap().to_real().unwrap();
                prop_assert_eq!(back.to_bits(), bits);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eE]{0,12}") {
            if let Some(number) = Number::parse(&text)
                && let Some(plain) = number.plain()
            {
                prop_assert_eq!(Number::parse(&plain), Some(number));
            }
        }
    }
}
