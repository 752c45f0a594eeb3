//! How old an answer is when it arrives (RFC 9111 section 4.2.3). Pure; called by `page`.

use crate::date;
use crate::directives::{MOST_SECONDS, seconds};
use http::HeaderMap;
use http::header::{AGE, DATE};

/// Seconds. `asked` and `received` are the seconds since 1970 at which the guest was asked and answered.
/// An `Age` that can't be read makes the answer as old as can be: somebody meant to say that it is old.
pub(crate) fn on_arrival(headers: &HeaderMap, asked: i64, received: i64) -> u64 {
    let apparent = date::field(headers, &DATE).map_or(0, |date| received.saturating_sub(date).max(0));
    let delay = received.saturating_sub(asked).max(0);
    let corrected = said(headers).saturating_add(unsigned(delay));
    unsigned(apparent).max(corrected).min(MOST_SECONDS)
}

fn said(headers: &HeaderMap) -> u64 {
    let mut lines = headers.get_all(AGE).iter();
    match (lines.next(), lines.next()) {
        (None, _) => 0,
        (Some(only), None) => only.to_str().ok().and_then(seconds).unwrap_or(MOST_SECONDS),
        (Some(_), Some(_)) => MOST_SECONDS,
    }
}

fn unsigned(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    const NOW: i64 = 784_111_777;

    #[test]
    fn ages_add_up_and_doubts_make_old() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (fields, expected) in [
            (&[][..], 0),
            (&[date], 0),
            (&[("date", "Sun, 06 Nov 1994 08:49:27 GMT")], 10),
            (&[("date", "Sun, 06 Nov 1994 08:49:47 GMT")], 0),
            (&[date, ("age", "30")], 30),
            (&[("age", "abc")], MOST_SECONDS),
            (&[("age", "-7200")], MOST_SECONDS),
            (&[("age", "7200.0")], MOST_SECONDS),
            (&[("age", "7200,0")], MOST_SECONDS),
            (&[("age", "0"), ("age", "0")], MOST_SECONDS),
            (&[("age", "7200;foo=bar")], MOST_SECONDS),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(on_arrival(&headers, NOW, NOW), expected, "{fields:?}");
        }
        let aged = HeaderMap::from_iter([(AGE, HeaderValue::from_static("5"))]);
        assert_eq!(on_arrival(&aged, NOW - 3, NOW), 8, "the time it took counts");
    }
}
