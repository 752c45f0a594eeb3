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

/// Takes connection-level fields away, and with an answer the length, which the host sets itself.
pub(crate) fn strip(fields: &mut HeaderMap, is_answer: bool) {
    let doomed: Vec<HeaderName> = fields
        .keys()
        .filter(|name| is_connection_level(name) || (is_answer && **name == header::CONTENT_LENGTH))
        .cloned()
        .collect();
    for name in doomed {
        fields.remove(&name);
    }
}

/// Checks what a guest wants to answer with.
///
/// # Errors
/// [`LimitHit::HeaderBytes`] where the fields are too large together.
pub(crate) fn check_size(fields: &HeaderMap, limits: &Limits) -> Result<(), GuestError> {
    let size: usize =
        fields.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum();
    if size as u64 > u64::from(limits.header_bytes) {
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
