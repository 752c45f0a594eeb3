//! Cache control meant for caches like this one (RFC 9213), which wins over `Cache-Control` and `Expires`.
//!
//! Three fields are known, in this order: `Rowhouse-Cache-Control` (this server's own), `Surrogate-Control`
//! (for surrogates, so it ends here as well) and `CDN-Cache-Control` (passed on to caches in front). The
//! first and the last are Structured Fields (RFC 9651): one that can't be parsed as a whole is ignored as
//! a whole. Pure; called by `freshness`.

use crate::directives::{AnswerControl, each, seconds};
use http::HeaderMap;
use http::header::HeaderName;

/// This server's own.
pub(crate) const OWN: HeaderName = HeaderName::from_static("rowhouse-cache-control");
/// For surrogates (Edge Architecture Specification).
pub(crate) const SURROGATE: HeaderName = HeaderName::from_static("surrogate-control");
/// For all caches that act for the site.
pub(crate) const CDN: HeaderName = HeaderName::from_static("cdn-cache-control");

/// What the first valid targeted field says, if there is one.
pub(crate) fn control(headers: &HeaderMap) -> Option<AnswerControl> {
    structured(headers, &OWN).or_else(|| surrogate(headers)).or_else(|| structured(headers, &CDN))
}

fn structured(headers: &HeaderMap, field: &HeaderName) -> Option<AnswerControl> {
    // Lines are joined before parsing (RFC 9651 section 4.2).
    let mut joined = String::new();
    for line in headers.get_all(field) {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(line.to_str().ok()?);
    }
    let members = dictionary(&joined)?;
    if members.is_empty() {
        return None;
    }
    let mut control = AnswerControl::default();
    for (name, value) in &members {
        match value {
            Value::Flag(false) => {}
            Value::Flag(true) => control.add(name, None),
            Value::Integer(number) => control.add(name, Some(&number.to_string())),
            Value::Text(text) => control.add(name, Some(text)),
            // Not a number where one belongs: counts as 0, and as a flag where that belongs.
            Value::Other => control.add(name, None),
        }
    }
    Some(control)
}

/// `Surrogate-Control` is older than Structured Fields. `max-age=600+30`: 30 seconds of staleness allowed.
fn surrogate(headers: &HeaderMap) -> Option<AnswerControl> {
    if !headers.contains_key(SURROGATE) {
        return None;
    }
    let (mut control, mut any) = (AnswerControl::default(), false);
    each(headers, &SURROGATE, |name, value| {
        any = true;
        match value.and_then(|value| value.split_once('+')) {
            Some((fresh, stale)) if name.eq_ignore_ascii_case("max-age") => {
                control.add(name, Some(fresh));
                if let Some(stale) = seconds(stale) {
                    control.stale_while_revalidate = Some(stale);
                }
            }
            _ => control.add(name, value),
        }
    });
    any.then_some(control)
}

/// A member of a dictionary, as far as directives need it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Flag(bool),
    Integer(i64),
    Text(String),
    Other,
}

/// A Structured Field of type Dictionary; of two members with one key the later one counts.
fn dictionary(text: &str) -> Option<Vec<(String, Value)>> {
    let mut rest = Rest(text.trim_matches(' '));
    let mut members: Vec<(String, Value)> = Vec::new();
    while !rest.0.is_empty() {
        let key = rest.key()?;
        let value = if rest.takes('=') { rest.member()? } else { Value::Flag(true) };
        rest.parameters()?;
        members.retain(|(known, _)| *known != key);
        members.push((key, value));
        rest.space();
        if rest.0.is_empty() {
            break;
        }
        if !rest.takes(',') {
            return None;
        }
        rest.space();
        if rest.0.is_empty() {
            // A comma that nothing follows.
            return None;
        }
    }
    Some(members)
}

/// What is left to parse.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn takes(&mut self, letter: char) -> bool {
        let after = self.0.strip_prefix(letter);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|letter: char| !belongs(letter)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    fn key(&mut self) -> Option<String> {
        let first = self.0.chars().next()?;
        if !(first.is_ascii_lowercase() || first == '*') {
            return None;
        }
        let key = self.run(|letter| {
            letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '-' | '.' | '*')
        });
        Some(key.to_owned())
    }

    fn member(&mut self) -> Option<Value> {
        if !self.takes('(') {
            return self.item();
        }
        loop {
            self.0 = self.0.trim_start_matches(' ');
            if self.takes(')') {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
            if !(self.0.starts_with(' ') || self.0.starts_with(')')) {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.takes(';') {
            self.0 = self.0.trim_start_matches(' ');
            self.key()?;
            if self.takes('=') {
                self.item()?;
            }
        }
        Some(())
    }

    fn item(&mut self) -> Option<Value> {
        match self.0.chars().next()? {
            '-' | '0'..='9' => self.number(),
            '"' => self.string(),
            '?' => {
                self.takes('?');
                match self.run(|letter| matches!(letter, '0' | '1')) {
                    "0" => Some(Value::Flag(false)),
                    "1" => Some(Value::Flag(true)),
                    _ => None,
                }
            }
            ':' => {
                self.takes(':');
                self.run(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '/' | '='));
                self.takes(':').then_some(Value::Other)
            }
            '@' => {
                self.takes('@');
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            first if first.is_ascii_alphabetic() || first == '*' => {
                self.run(|letter| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(letter));
                Some(Value::Other)
            }
            _ => None,
        }
    }

    /// At most 15 digits, or 12 and 3 behind a point.
    fn number(&mut self) -> Option<Value> {
        let negative = self.takes('-');
        let whole = self.run(|letter| letter.is_ascii_digit());
        if whole.is_empty() {
            return None;
        }
        if self.takes('.') {
            let part = self.run(|letter| letter.is_ascii_digit());
            return (whole.len() <= 12 && (1..=3).contains(&part.len())).then_some(Value::Other);
        }
        if whole.len() > 15 {
            return None;
        }
        let number: i64 = whole.parse().ok()?;
        Some(Value::Integer(if negative { -number } else { number }))
    }

    fn string(&mut self) -> Option<Value> {
        self.takes('"');
        let mut plain = String::new();
        loop {
            let letter = self.0.chars().next()?;
            self.takes(letter);
            match letter {
                '"' => return Some(Value::Text(plain)),
                '\\' => {
                    let escaped = self.0.chars().next().filter(|next| matches!(next, '"' | '\\'))?;
                    self.takes(escaped);
                    plain.push(escaped);
                }
                ' '..='~' => plain.push(letter),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn age(fields: &[(&HeaderName, &str)]) -> Option<Option<u64>> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        control(&headers).map(|control| control.max_age)
    }

    #[test]
    fn the_first_valid_field_wins() {
        assert_eq!(
            age(&[(&CDN, "max-age=1"), (&OWN, "max-age=2"), (&SURROGATE, "max-age=3")]),
            Some(Some(2))
        );
        assert_eq!(age(&[(&CDN, "max-age=1"), (&OWN, "Max-Age=2")]), Some(Some(1)), "keys are lower case");
        assert_eq!(age(&[(&CDN, "max-age=1"), (&OWN, "")]), Some(Some(1)), "an empty one says nothing");
        assert_eq!(age(&[(&CDN, "max-age=1"), (&SURROGATE, "Max-Age=3+2")]), Some(Some(3)));
        assert_eq!(age(&[]), None);
    }

    #[test]
    fn dictionaries_are_parsed_as_the_standard_says() {
        for (text, expected) in [
            ("max-age=600", Some(Some(600))),
            ("max-age=600;a;b=\"c\", private=?0", Some(Some(600))),
            ("max-age=1, max-age=600", Some(Some(600))),
            ("foo=(1 2 \"x\");q, max-age=600", Some(Some(600))),
            ("foo=:YQ==:, bar=tok/en, when=@12, max-age=600", Some(Some(600))),
            ("max-age=600.5", Some(Some(0))),
            ("max-age=\"600\"", Some(Some(600))),
            ("max-age=-600", Some(Some(0))),
            ("no-store", Some(None)),
            ("max-age=600,", None),
            ("max-age=600 private", None),
            ("max-age = 600", None),
            ("max-age=600, &", None),
            ("max-age=1234567890123456", None),
        ] {
            assert_eq!(age(&[(&CDN, text)]), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "[ -~]{0,60}") {
            let _parsed = dictionary(&text);
        }

        #[test]
        fn numbers_survive(number in 0u64..MOST, name in "[a-z]{1,8}") {
            let text = format!("{name}x={number}, max-age={number}");
            prop_assert_eq!(age(&[(&CDN, &text)]), Some(Some(number)));
        }
    }

    const MOST: u64 = crate::directives::MOST_SECONDS;
}
