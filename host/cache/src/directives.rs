//! What `Cache-Control` says, of requests and of answers (RFC 9111 section 5.2).
//!
//! Pure. Reads what senders really send: any case, quoted values, several lines, commas inside quotes. A
//! number that is none counts as 0, and of two numbers the smaller counts: a doubt makes a page older,
//! never younger. Called by `freshness` and by `look`.

use http::HeaderMap;
use http::header::{CACHE_CONTROL, HeaderName, HeaderValue, PRAGMA};
use std::borrow::Cow;

/// The longest time that is told apart, in seconds: what RFC 9111 section 1.2.2 says to use for a number
/// too large to represent, 68 years.
pub(crate) const MOST_SECONDS: u64 = 1 << 31;

/// What an answer allows, from `Cache-Control` or from a targeted field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswerControl {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) private: bool,
    pub(crate) public: bool,
    pub(crate) must_revalidate: bool,
    pub(crate) must_understand: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) s_maxage: Option<u64>,
    pub(crate) stale_while_revalidate: Option<u64>,
    pub(crate) stale_if_error: Option<u64>,
    /// Fields named by `no-cache="…"` and `private="…"`: the rest of the answer may be shared.
    pub(crate) unshared: Vec<HeaderName>,
}

/// What a visitor asks of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedControl {
    pub(crate) no_store: bool,
    pub(crate) no_cache: bool,
    pub(crate) only_if_cached: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) min_fresh: Option<u64>,
    /// How stale an answer may be, in seconds: `max-stale` without a number is [`MOST_SECONDS`].
    pub(crate) max_stale: Option<u64>,
    pub(crate) stale_if_error: Option<u64>,
}

impl AnswerControl {
    /// As `Cache-Control` has it.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        each(headers, &CACHE_CONTROL, |name, value| control.add(name, value));
        control
    }

    /// Takes in one directive; what is unknown is ignored.
    pub(crate) fn add(&mut self, name: &str, value: Option<&str>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache |= !self.excludes(value);
        } else if is("private") {
            self.private |= !self.excludes(value);
        } else if is("public") {
            self.public = true;
        } else if is("must-revalidate") || is("proxy-revalidate") {
            self.must_revalidate = true;
        } else if is("must-understand") {
            self.must_understand = true;
        } else if is("max-age") {
            self.max_age = least(self.max_age, value);
        } else if is("s-maxage") {
            self.s_maxage = least(self.s_maxage, value);
        } else if is("stale-while-revalidate") {
            self.stale_while_revalidate = least(self.stale_while_revalidate, value);
        } else if is("stale-if-error") {
            self.stale_if_error = least(self.stale_if_error, value);
        }
    }

    /// Notes the fields that a directive is limited to. False where it isn't limited, or to what is no
    /// list of fields: then it holds for the whole answer.
    fn excludes(&mut self, value: Option<&str>) -> bool {
        let Some(value) = value else { return false };
        let names: Result<Vec<HeaderName>, _> = value
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(|name| HeaderName::from_bytes(name.as_bytes()))
            .collect();
        match names {
            Ok(names) if !names.is_empty() => {
                self.unshared.extend(names);
                true
            }
            _ => false,
        }
    }
}

impl AskedControl {
    /// As the request has it. `Pragma: no-cache` counts where there is no `Cache-Control`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        if !headers.contains_key(CACHE_CONTROL) {
            if headers.contains_key(PRAGMA) {
                each(headers, &PRAGMA, |name, _value| {
                    control.no_cache |= name.eq_ignore_ascii_case("no-cache");
                });
            }
            return control;
        }
        each(headers, &CACHE_CONTROL, |name, value| control.add(name, value));
        control
    }

    fn add(&mut self, name: &str, value: Option<&str>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            self.max_age = least(self.max_age, value);
        } else if is("min-fresh") {
            // The larger wish: a doubt makes the stored page less fit.
            let wished = value.and_then(seconds).unwrap_or(MOST_SECONDS);
            self.min_fresh = Some(self.min_fresh.unwrap_or(0).max(wished));
        } else if is("max-stale") {
            self.max_stale = if value.is_some() { least(self.max_stale, value) } else { Some(MOST_SECONDS) };
        } else if is("stale-if-error") {
            self.stale_if_error = least(self.stale_if_error, value);
        }
    }
}

fn least(before: Option<u64>, value: Option<&str>) -> Option<u64> {
    let now = value.and_then(seconds).unwrap_or(0);
    Some(before.map_or(now, |before| before.min(now)))
}

/// Digits and nothing else, at most [`MOST_SECONDS`].
pub(crate) fn seconds(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Only too many digits can fail now.
    Some(text.parse().map_or(MOST_SECONDS, |number: u64| number.min(MOST_SECONDS)))
}

/// A field's value as text. Bytes that are none are replaced: no directive has any.
pub(crate) fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The members of a list, split at commas outside of quotes, without the white space around them.
pub(crate) fn members(text: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match letter {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' => return !quoted,
            _ => {}
        }
        false
    })
    .map(|member| member.trim_matches([' ', '\t']))
    .filter(|member| !member.is_empty())
}

/// Calls with each directive of a field and its value, unquoted.
pub(crate) fn each(headers: &HeaderMap, field: &HeaderName, mut found: impl FnMut(&str, Option<&str>)) {
    for line in headers.get_all(field) {
        for member in members(&text(line)) {
            match member.split_once('=') {
                None => found(member, None),
                Some((name, value)) => found(name, Some(&unquote(value))),
            }
        }
    }
}

fn unquote(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer(lines: &[&str]) -> AnswerControl {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::from_str(line).unwrap());
        }
        AnswerControl::of(&headers)
    }

    #[test]
    fn ages_are_read_in_every_spelling() {
        for (lines, age) in [
            (&["max-age=3600"][..], Some(3600)),
            (&["MaX-aGe=3600"], Some(3600)),
            (&["foobar, max-age=3600"], Some(3600)),
            (&["max-age=\"3600\""], Some(3600)),
            (&["max-age=003600"], Some(3600)),
            (&["max-age=99999999999999999999999"], Some(MOST_SECONDS)),
            (&["max-age='3600'"], Some(0)),
            (&["max-age=-3600"], Some(0)),
            (&["max-age=3600.0"], Some(0)),
            (&["max-age= 3600"], Some(0)),
            (&["max-age"], Some(0)),
            (&["max-age=a3600"], Some(0)),
            (&["max-age =3600"], None),
            (&["extension=\"max-age=3600\", max-age=1"], Some(1)),
            (&["max-age=1, extension=\"max-age=3600\""], Some(1)),
            (&["extension=\"a, max-age=3600\""], None),
            (&["extension=\"\\\", max-age=3600\", max-age=2"], Some(2)),
            (&["max-age=1800", "max-age=1"], Some(1)),
            (&["max-age=1, max-age=1800"], Some(1)),
            (&[""], None),
        ] {
            assert_eq!(answer(lines).max_age, age, "{lines:?}");
        }
    }

    #[test]
    fn limited_directives_take_out_fields_and_others_the_whole() {
        let limited = answer(&["no-cache=\"a, B\", private=c"]);
        assert!(!limited.no_cache && !limited.private);
        assert_eq!(limited.unshared, ["a", "b", "c"].map(HeaderName::from_static));
        for whole in ["no-cache", "no-cache=\"\"", "no-cache=\"a b\"", "No-CaChE"] {
            assert!(answer(&[whole]).no_cache, "{whole}");
        }
        assert!(answer(&["private, private=\"a\""]).private);
    }

    #[test]
    fn visitors_wishes_are_read() {
        let asked = |field: HeaderName, line: &str| {
            AskedControl::of(&HeaderMap::from_iter([(field, HeaderValue::from_str(line).unwrap())]))
        };
        assert!(asked(PRAGMA, "no-cache").no_cache);
        assert!(!asked(PRAGMA, "other").no_cache);
        assert_eq!(asked(CACHE_CONTROL, "max-stale").max_stale, Some(MOST_SECONDS));
        assert_eq!(asked(CACHE_CONTROL, "max-stale=5").max_stale, Some(5));
        assert_eq!(asked(CACHE_CONTROL, "min-fresh=x").min_fresh, Some(MOST_SECONDS));
        assert_eq!(asked(CACHE_CONTROL, "max-age=0").max_age, Some(0));
        assert!(asked(CACHE_CONTROL, "only-if-cached, no-store").only_if_cached);
    }

    proptest! {
        #[test]
        fn any_line_is_read_without_a_fault(bytes in proptest::collection::vec(32u8..=255, 0..80)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let headers = HeaderMap::from_iter([(CACHE_CONTROL, value)]);
                let _read = (AnswerControl::of(&headers), AskedControl::of(&headers));
            }
        }

        #[test]
        fn no_other_directive_hides_no_store(before in "[a-z=,; ]{0,20}", after in "[a-z=,;\" ]{0,20}") {
            let line = format!("{before}, no-store, {after}");
            prop_assert!(answer(&[&line]).no_store, "{line}");
        }
    }
}
