//! Validators: whether what a visitor holds is what is stored (RFC 9110 sections 8.8 and 13).
//!
//! Pure; called by `view`. Only `If-None-Match`, `If-Modified-Since` and `If-Range` are for a cache; a
//! request with `If-Match` or `If-Unmodified-Since` goes to the guest.

use crate::date;
use crate::directives::members;
use http::HeaderMap;
use http::header::{
    HeaderValue, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};

/// True where the request must be judged by the guest.
pub(crate) fn is_for_guest(asked: &HeaderMap) -> bool {
    asked.contains_key(IF_MATCH) || asked.contains_key(IF_UNMODIFIED_SINCE)
}

/// What a visitor's request has that must not reach the guest when its answer is to be stored.
pub(crate) fn take_off(headers: &mut HeaderMap) {
    for name in [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE, RANGE] {
        headers.remove(name);
    }
}

/// What a visitor may hold of a page.
pub(crate) struct Held<'a> {
    /// Entity tags of the page in each of its codings.
    pub(crate) tags: &'a [&'a HeaderValue],
    /// Seconds since 1970.
    pub(crate) modified: Option<i64>,
}

/// Whether the visitor holds it still.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// No: send it.
    None,
    /// Yes, by its date or by `*`.
    Held,
    /// Yes, by the tag at this place.
    Tag(usize),
}

/// Judges `If-None-Match`, and only where that is missing `If-Modified-Since`.
pub(crate) fn held(asked: &HeaderMap, page: &Held<'_>) -> Match {
    if asked.contains_key(IF_NONE_MATCH) {
        return by_tag(asked, page.tags);
    }
    let since = date::field(asked, &IF_MODIFIED_SINCE);
    match (page.modified, since) {
        (Some(modified), Some(since)) if modified <= since => Match::Held,
        _ => Match::None,
    }
}

fn by_tag(asked: &HeaderMap, tags: &[&HeaderValue]) -> Match {
    for line in asked.get_all(IF_NONE_MATCH) {
        // Tags may hold bytes that are no UTF-8: a tag alone in its line is compared as it is.
        if let Some(place) = tags.iter().position(|tag| opaque(tag.as_bytes()) == opaque(line.as_bytes())) {
            return Match::Tag(place);
        }
        let Ok(line) = std::str::from_utf8(line.as_bytes()) else { continue };
        for member in members(line) {
            if member == "*" {
                return Match::Held;
            }
            let found = tags.iter().position(|tag| opaque(tag.as_bytes()) == opaque(member.as_bytes()));
            if let Some(place) = found {
                return Match::Tag(place);
            }
        }
    }
    Match::None
}

/// A tag without its mark of weakness: what the weak comparison compares.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// True where a range may be sent: no `If-Range`, or one that names exactly this page. Strong comparison.
pub(crate) fn range_holds(asked: &HeaderMap, tag: Option<&HeaderValue>, modified: Option<i64>) -> bool {
    let Some(wished) = asked.get(IF_RANGE) else { return true };
    if asked.get_all(IF_RANGE).iter().count() > 1 {
        return false;
    }
    if wished.as_bytes().starts_with(b"\"") {
        return tag.is_some_and(|tag| tag == wished);
    }
    date::parse(wished).is_some_and(|wished| modified == Some(wished))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderName;

    fn asked(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const TIME: i64 = 784_111_777;

    #[test]
    fn tags_are_compared_weakly_and_go_before_dates() {
        let (plain, coded) = (HeaderValue::from_static("\"a\""), HeaderValue::from_static("\"a-br\""));
        let page = Held { tags: &[&plain, &coded], modified: Some(TIME) };
        for (fields, expected) in [
            (&[(IF_NONE_MATCH, "\"a\"")][..], Match::Tag(0)),
            (&[(IF_NONE_MATCH, "W/\"a\"")], Match::Tag(0)),
            (&[(IF_NONE_MATCH, "\"1\", \"a-br\" , \"2\"")], Match::Tag(1)),
            (&[(IF_NONE_MATCH, "*")], Match::Held),
            (&[(IF_NONE_MATCH, "a")], Match::None),
            (&[(IF_NONE_MATCH, "w/\"a\"")], Match::None),
            (&[(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, OLD)], Match::None),
            (&[(IF_MODIFIED_SINCE, OLD)], Match::Held),
            (&[(IF_MODIFIED_SINCE, "Sunday, 06-Nov-94 08:49:37 GMT")], Match::Held),
            (&[(IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:36 GMT")], Match::None),
            (&[(IF_MODIFIED_SINCE, "yesterday")], Match::None),
            (&[], Match::None),
        ] {
            assert_eq!(held(&asked(fields), &page), expected, "{fields:?}");
        }
        let undated = Held { tags: &[], modified: None };
        assert_eq!(held(&asked(&[(IF_MODIFIED_SINCE, OLD)]), &undated), Match::None);
    }

    #[test]
    fn ranges_need_exactly_the_same_page() {
        let tag = HeaderValue::from_static("\"a\"");
        let weak = HeaderValue::from_static("W/\"a\"");
        for (line, tag, expected) in [
            ("\"a\"", Some(&tag), true),
            ("\"b\"", Some(&tag), false),
            ("W/\"a\"", Some(&weak), false),
            ("\"a\"", None, false),
            (OLD, Some(&tag), true),
            ("Sun, 06 Nov 1994 08:49:38 GMT", Some(&tag), false),
        ] {
            assert_eq!(range_holds(&asked(&[(IF_RANGE, line)]), tag, Some(TIME)), expected, "{line}");
        }
        assert!(range_holds(&HeaderMap::new(), None, None));
    }
}
