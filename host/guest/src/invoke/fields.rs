//! Header fields between HTTP and guests.
//!
//! Fields that belong to a connection are the host's business in both directions (RFC 9110, 7.6.1).

use crate::{GuestError, LimitHit};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use rowhouse_base::Limits;

/// Fields that a guest neither sees nor sets.
fn is_connection_level(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::PROXY_AUTHENTICATE
            | header::PROXY_AUTHORIZATION
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
            | header::UPGRADE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Fields that `Connection` declares to be of one connection. Host and length are not for it to name.
fn nominated(fields: &HeaderMap) -> Vec<HeaderName> {
    let values = fields.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect()
}

/// Takes from a request what no guest is shown: fields that belong to its connection, and those that its
/// `Connection` field names.
pub fn strip_fields(fields: &mut HeaderMap) {
    strip(fields, false);
}

/// Takes connection-level fields away, and with an answer the length, which the host sets itself.
pub(crate) fn strip(fields: &mut HeaderMap, is_answer: bool) {
    let doomed: Vec<HeaderName> = fields
        .keys()
        .filter(|name| is_connection_level(name) || (is_answer && **name == header::CONTENT_LENGTH))
        .cloned()
        .chain(nominated(fields))
        .collect();
    if doomed.is_empty() {
        return;
    }
    // Put together anew: taking a field out of a map moves the last one into its place.
    let mut last = None;
    for (name, value) in std::mem::take(fields) {
        // A repeated field comes with its name once.
        last = name.or(last);
        if let Some(name) = &last
            && !doomed.contains(name)
        {
            fields.append(name, value);
        }
    }
}

/// Bytes of names and values together.
pub(crate) fn size(fields: &HeaderMap) -> u64 {
    fields.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()) as u64).sum()
}

/// Checks what a guest wants to answer with.
///
/// # Errors
/// [`LimitHit::HeaderBytes`] where the fields are too large together.
pub(crate) fn check_size(fields: &HeaderMap, limits: &Limits) -> Result<(), GuestError> {
    if size(fields) > u64::from(limits.header_bytes) {
        return Err(GuestError::Limit(LimitHit::HeaderBytes(limits.header_bytes)));
    }
    Ok(())
}

/// Adds the page's tags for the caches in front.
pub(crate) fn add_tags(fields: &mut HeaderMap, tags: &[String]) {
    if !tags.is_empty()
        && let Ok(value) = HeaderValue::from_str(&tags.join(","))
    {
        fields.insert(HeaderName::from_static("cache-tag"), value);
    }
}

/// Reads a status that a guest may answer with: 200 to 599.
///
/// # Errors
/// [`GuestError::BadResponse`] for any other number.
pub(crate) fn status(number: u16) -> Result<http::StatusCode, GuestError> {
    if !(200..=599).contains(&number) {
        return Err(GuestError::BadResponse(format!("status {number} is not between 200 and 599")));
    }
    http::StatusCode::from_u16(number).map_err(|error| GuestError::BadResponse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_level_fields_go_and_the_others_keep_their_order() {
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("te", "trailers"),
            ("x-a", "1"),
            ("connection", "close, X-Hop"),
            ("x-b", "2"),
            ("x-hop", "3"),
            ("x-a", "4"),
            ("connection", "host, content-length, not a name"),
            ("host", "a.example"),
            ("content-length", "5"),
            ("keep-alive", "6"),
        ] {
            fields.append(name, HeaderValue::from_static(value));
        }
        let mut answer = fields.clone();
        strip(&mut fields, false);
        let left: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let expected =
            [("x-a", "1"), ("x-a", "4"), ("x-b", "2"), ("host", "a.example"), ("content-length", "5")];
        assert_eq!(left, expected);
        strip(&mut answer, true);
        assert!(!answer.contains_key("content-length") && answer.len() == 4);
    }
}
