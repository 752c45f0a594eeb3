//! Which fields of an answer are kept: those of the connection never, those for this cache not either.
//!
//! Pure; called by `page` when an answer is stored or freshened, and by `pass` for answers that only go by.

use crate::directives::{members, text};
use crate::targeted::{OWN, SURROGATE};
use http::HeaderMap;
use http::header::{
    AGE, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, SET_COOKIE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};

/// Of one connection or one proxy (RFC 9110 section 7.6.1, RFC 9111 section 3.1).
const HOP_BY_HOP: [HeaderName; 10] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes away what only this server was told.
pub(crate) fn strip_targeted(headers: &mut HeaderMap) {
    headers.remove(&OWN);
    headers.remove(&SURROGATE);
}

/// What is kept of an answer's fields, targeted ones included: they rule the page. `unshared` are those that the guest keeps from sharing. `Age` is
/// made anew at each showing; the length is that of the body stored.
pub(crate) fn kept(headers: &HeaderMap, unshared: &[HeaderName]) -> HeaderMap {
    let mut kept = headers.clone();
    for name in named_by_connection(headers).iter().chain(unshared).chain(&HOP_BY_HOP) {
        kept.remove(name);
    }
    kept.remove(AGE);
    kept.remove(CONTENT_LENGTH);
    kept
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut names = Vec::new();
    for line in headers.get_all(CONNECTION) {
        names.extend(members(&text(line)).filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()));
    }
    names
}

/// The stored fields with those of a `304` in their place (RFC 9111 section 3.2), except those that
/// describe the stored bytes.
pub(crate) fn updated(stored: &HeaderMap, confirmation: &HeaderMap) -> HeaderMap {
    let mut fresh = confirmation.clone();
    for name in named_by_connection(confirmation).iter().chain(&HOP_BY_HOP) {
        fresh.remove(name);
    }
    let content_md5 = HeaderName::from_static("content-md5");
    for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, content_md5, ETAG, SET_COOKIE] {
        fresh.remove(name);
    }
    let mut updated = stored.clone();
    for name in fresh.keys() {
        updated.remove(name);
    }
    for (name, value) in &fresh {
        updated.append(name, value.clone());
    }
    updated
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(fields: &[(&str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn fields_of_the_connection_are_not_kept() {
        let kept = kept(
            &headers(&[
                ("connection", "a, B"),
                ("a", "1"),
                ("b", "2"),
                ("c", "3"),
                ("keep-alive", "x"),
                ("proxy-connection", "x"),
                ("age", "3"),
                ("surrogate-control", "max-age=3"),
                ("cdn-cache-control", "max-age=3"),
                ("secret", "x"),
            ]),
            &[HeaderName::from_static("secret")],
        );
        let mut names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["c", "cdn-cache-control", "surrogate-control"]);
        let mut shown = kept.clone();
        strip_targeted(&mut shown);
        assert_eq!(shown.len(), 2);
    }

    #[test]
    fn a_confirmation_updates_all_but_what_describes_the_bytes() {
        let before =
            headers(&[("x", "1"), ("x", "2"), ("y", "1"), ("etag", "\"a\""), ("content-type", "a/b")]);
        let confirmation = headers(&[
            ("x", "3"),
            ("etag", "\"b\""),
            ("content-type", "c/d"),
            ("content-encoding", "br"),
            ("set-cookie", "a=b"),
            ("connection", "z"),
            ("z", "1"),
        ]);
        let expected = headers(&[("x", "3"), ("y", "1"), ("etag", "\"a\""), ("content-type", "c/d")]);
        assert_eq!(updated(&before, &confirmation), expected);
    }
}
