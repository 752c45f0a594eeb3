//! By which fields of the request an answer varies, and what two requests must have in common.
//!
//! Values are normalised only where it can't change their meaning: white space around commas, several
//! lines, and for languages and codings also case and order. Pure; called by `store` and `fill`.

use crate::directives::{members, text};
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, HeaderName, VARY};

/// The selecting fields, in order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vary(Box<[HeaderName]>);

/// The most fields that an answer may vary by. The widest seen in the wild name about ten.
const MOST_FIELDS: usize = 32;

impl Vary {
    /// What the answer says. None for `*`, for what names no field, and for more than [`MOST_FIELDS`].
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut names = Vec::new();
        for line in headers.get_all(VARY) {
            for name in members(&text(line)) {
                // `*` is a valid name of a field.
                if name == "*" {
                    return None;
                }
                names.push(HeaderName::from_bytes(name.as_bytes()).ok()?);
            }
        }
        Self::from_names(names)
    }

    /// From names as stored.
    pub(crate) fn from_names(mut names: Vec<HeaderName>) -> Option<Self> {
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        (names.len() <= MOST_FIELDS).then(|| Self(names.into()))
    }

    /// True where one answer is for all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The fields.
    pub(crate) fn names(&self) -> &[HeaderName] {
        &self.0
    }

    /// A text that two requests share exactly where the same answer is for both. Lines end with a line
    /// feed, which no value can hold.
    pub(crate) fn key(&self, asked: &HeaderMap) -> String {
        let mut key = String::new();
        for name in &self.0 {
            key.push_str(name.as_str());
            // A missing field is another value than an empty one.
            if asked.contains_key(name) {
                key.push(':');
                if matches!(*name, ACCEPT_LANGUAGE | ACCEPT_ENCODING) {
                    weighted(asked, name, &mut key);
                } else {
                    plain(asked, name, &mut key);
                }
            }
            key.push('\n');
        }
        key
    }
}

/// A key without what it says about languages.
pub(crate) fn without_language(key: &str) -> impl Iterator<Item = &str> {
    key.lines().filter(|line| !line.starts_with(ACCEPT_LANGUAGE.as_str()))
}

/// The one language that the visitor likes best, in lower case; none where there are several.
pub(crate) fn favourite(asked: &HeaderMap) -> Option<String> {
    let (mut best, mut language) = (0, None);
    for line in asked.get_all(ACCEPT_LANGUAGE) {
        for member in members(&text(line)) {
            let (name, weight) = weight(member);
            if weight > best {
                (best, language) = (weight, Some(name.to_ascii_lowercase()));
            } else if weight == best {
                language = None;
            }
        }
    }
    language.filter(|language| language != "*")
}

fn plain(asked: &HeaderMap, name: &HeaderName, key: &mut String) {
    let mut first = true;
    for line in asked.get_all(name) {
        // Not UTF-8: bytes are told apart by their numbers, so that no two values fall together.
        let Ok(line) = std::str::from_utf8(line.as_bytes()) else {
            key.push_str(&format!("{:?};", line.as_bytes()));
            continue;
        };
        for member in members(line) {
            if !first {
                key.push(',');
            }
            first = false;
            key.push_str(member);
        }
    }
}

/// Members by falling weight, then by name: order among equals and case say nothing there.
fn weighted(asked: &HeaderMap, name: &HeaderName, key: &mut String) {
    let mut wishes: Vec<(u16, String)> = Vec::new();
    for line in asked.get_all(name) {
        for member in members(&text(line)) {
            let (wish, weight) = weight(member);
            wishes.push((weight, wish.to_ascii_lowercase()));
        }
    }
    wishes.sort_unstable_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    wishes.dedup();
    for (weight, wish) in wishes {
        key.push_str(&wish);
        if weight != 1000 {
            key.push_str(&format!(";{weight}"));
        }
        key.push(',');
    }
}

/// A member and its weight in thousandths. A weight that is none counts as 1, like a missing one.
pub(crate) fn weight(member: &str) -> (&str, u16) {
    let Some((wish, parameters)) = member.split_once(';') else { return (member, 1000) };
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("q") {
            return None;
        }
        let weight: f32 = value.trim().parse().ok()?;
        // Not a number becomes 0.
        Some((weight.clamp(0.0, 1.0) * 1000.0) as u16)
    });
    (wish.trim(), weight.unwrap_or(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn fields(fields: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn stars_and_rubbish_are_refused() {
        for lines in [&["*"][..], &["*, *"], &["", "*"], &[", *"], &["Foo, *"], &["*, Foo"], &["a b"]] {
            let headers = fields(&lines.iter().map(|line| ("vary", *line)).collect::<Vec<_>>());
            assert_eq!(Vary::of(&headers), None, "{lines:?}");
        }
        assert!(Vary::of(&fields(&[("vary", " , ")])).unwrap().is_empty());
        let two = Vary::of(&fields(&[("vary", "Foo, bar"), ("vary", "FOO")])).unwrap();
        assert_eq!(two.names(), ["bar", "foo"].map(HeaderName::from_static));
    }

    #[test]
    fn equal_requests_share_a_key_and_others_do_not() {
        let vary = Vary::of(&fields(&[("vary", "Foo, Accept-Language")])).unwrap();
        let key = |asked: &[(&str, &str)]| vary.key(&fields(asked));
        assert_eq!(key(&[("foo", "1, 2")]), key(&[("foo", "1"), ("foo", "2"), ("other", "x")]));
        assert_eq!(key(&[("foo", "1,2")]), key(&[("foo", " 1,  2 ")]));
        assert_eq!(key(&[("accept-language", "en, de")]), key(&[("accept-language", " De ,  eN")]));
        for (one, other) in [
            (&[("foo", "1")][..], &[("foo", "2")][..]),
            (&[("foo", "1")], &[]),
            (&[("foo", "")], &[]),
            (&[("foo", "a")], &[("foo", "A")]),
            (&[("foo", "1, 2")], &[("foo", "2, 1")]),
            (&[("foo", "\"1, 2\"")], &[("foo", "\"1,2\"")]),
            (&[("accept-language", "en;q=0.5, de")], &[("accept-language", "en, de;q=0.5")]),
        ] {
            assert_ne!(key(one), key(other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_favourite_is_one() {
        for (line, expected) in [
            ("fr;q=0.5, De;q=1.0", Some("de")),
            ("en, de", None),
            ("en;q=0.4, de;q=0.4, fr", Some("fr")),
            ("*", None),
            ("en;q=0", None),
        ] {
            assert_eq!(favourite(&fields(&[("accept-language", line)])).as_deref(), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn different_values_never_share_a_key(one in "[a-z,\" ]{0,12}", other in "[a-z,\" ]{0,12}") {
            let vary = Vary::of(&fields(&[("vary", "foo")])).unwrap();
            let (first, second) = (fields(&[("foo", &one)]), fields(&[("foo", &other)]));
            if vary.key(&first) == vary.key(&second) {
                let bare = |text: &str| text.replace([' ', ','], "");
                prop_assert_eq!(bare(&one), bare(&other));
            }
        }
    }
}
