//! HTTP dates as seconds. Strict: a date that is none of the three forms of RFC 9110 is no date.

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use std::time::{Duration, UNIX_EPOCH};

/// Seconds since 1970 that a field names. None where it is missing, given twice, or no date.
pub(crate) fn field(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let mut lines = headers.get_all(name).iter();
    let only = lines.next()?;
    lines.next().is_none().then(|| parse(only))?
}

/// Seconds since 1970; a date before that is 0.
pub(crate) fn parse(value: &HeaderValue) -> Option<i64> {
    let date = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    let since = date.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).ok()
}

/// The form in which dates are sent.
pub(crate) fn format(seconds: i64) -> Option<HeaderValue> {
    let since = Duration::from_secs(u64::try_from(seconds).ok()?);
    HeaderValue::try_from(httpdate::fmt_http_date(UNIX_EPOCH.checked_add(since)?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_one_date() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(parse(&HeaderValue::from_str(text).unwrap()), Some(784_111_777), "{text}");
        }
        assert_eq!(format(784_111_777).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
        for text in ["0", "", "Thu, 18 Aug 2050 02:01:18 AEST", "Thu, 18 Aug 2050 02.01.18 GMT"] {
            assert_eq!(parse(&HeaderValue::from_str(text).unwrap()), None, "{text}");
        }
    }
}
