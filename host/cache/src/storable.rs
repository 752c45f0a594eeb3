//! Whether an answer may be stored (RFC 9111 section 3). Pure; called by `fill` when an answer begins.

use crate::freshness::{Rules, is_authorized};
use crate::vary::Vary;
use http::header::{ETAG, HeaderMap, LAST_MODIFIED, SET_COOKIE};
use http::{StatusCode, response};

/// Why an answer is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The guest said so.
    Forbidden,
    /// It is for one visitor: `private`, `Set-Cookie`.
    Private,
    /// The request carried `Authorization` and the guest didn't permit sharing.
    Authorization,
    /// `Vary: *`, or a field that names no fields.
    Varies,
    /// Partial content, or an answer without one.
    Status,
    /// The guest named no lifetime, or one that is over, and nothing to ask by.
    NoLifetime,
    /// Larger than a page may be, or not as long as it said.
    Size,
    /// What it was made from is not known.
    Unstamped,
}

impl Refusal {
    /// For `Cache-Status` and logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::Varies => "vary",
            Self::Status => "status",
            Self::NoLifetime => "no-lifetime",
            Self::Size => "size",
            Self::Unstamped => "unstamped",
        }
    }

    /// True where the answer takes the place of what is stored, though it isn't stored itself.
    pub(crate) fn replaces(self) -> bool {
        matches!(self, Self::Forbidden | Self::Private | Self::Varies | Self::NoLifetime | Self::Size)
    }

    /// True where another visitor would be refused as well, so that waiting for one another is no use.
    pub(crate) fn holds_for_all(self) -> bool {
        self != Self::Authorization
    }
}

/// Statuses whose meaning for a cache is known here: what `must-understand` asks.
const UNDERSTOOD: [u16; 21] =
    [200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 403, 404, 405, 410, 414, 451, 500, 501, 502, 503, 504];

/// What the answer varies by, where it may be stored. `age` is its age on arrival, `received` the seconds
/// since 1970 at which it came.
pub(crate) fn check(
    asked: &HeaderMap,
    head: &response::Parts,
    rules: &Rules,
    age: u64,
    received: i64,
) -> Result<Vary, Refusal> {
    check_status(head.status, rules)?;
    let control = &rules.control;
    if control.private || head.headers.contains_key(SET_COOKIE) {
        return Err(Refusal::Private);
    }
    if is_authorized(asked) && !rules.shares_authorized() {
        return Err(Refusal::Authorization);
    }
    let vary = Vary::of(&head.headers).ok_or(Refusal::Varies)?;
    let lifetime = rules.lifetime(&head.headers, received);
    if lifetime.is_none() && !control.no_cache {
        return Err(Refusal::NoLifetime);
    }
    let windows = control.stale_while_revalidate.max(control.stale_if_error).unwrap_or(0);
    let shown_until = lifetime.unwrap_or(0).saturating_add(windows);
    let validated = head.headers.contains_key(ETAG) || head.headers.contains_key(LAST_MODIFIED);
    if !validated && (control.no_cache || age >= shown_until) {
        return Err(Refusal::NoLifetime);
    }
    Ok(vary)
}

fn check_status(status: StatusCode, rules: &Rules) -> Result<(), Refusal> {
    let partial = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED);
    if status.is_informational() || partial {
        return Err(Refusal::Status);
    }
    if rules.control.must_understand {
        // Where the status is understood, `no-store` is for caches that don't know `must-understand`.
        return if UNDERSTOOD.contains(&status.as_u16()) { Ok(()) } else { Err(Refusal::Status) };
    }
    if rules.control.no_store { Err(Refusal::Forbidden) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::AUTHORIZATION;
    use http::{HeaderValue, Response};

    fn verdict(
        status: u16,
        fields: &[(&'static str, &'static str)],
        authorized: bool,
    ) -> Result<(), Refusal> {
        let mut builder = Response::builder().status(status);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        let (head, ()) = builder.body(()).unwrap().into_parts();
        let mut asked = HeaderMap::new();
        if authorized {
            asked.insert(AUTHORIZATION, HeaderValue::from_static("Basic x"));
        }
        let age = crate::age::on_arrival(&head.headers, 0, 0);
        check(&asked, &head, &Rules::of(&head.headers), age, 0).map(|_vary| ())
    }

    #[test]
    fn every_rule_refuses_what_it_is_for() {
        let fresh = ("cache-control", "max-age=60");
        for (status, fields, expected) in [
            (200, &[fresh][..], Ok(())),
            (599, &[fresh], Ok(())),
            (500, &[fresh], Ok(())),
            (206, &[fresh], Err(Refusal::Status)),
            (304, &[fresh], Err(Refusal::Status)),
            (103, &[fresh], Err(Refusal::Status)),
            (200, &[], Err(Refusal::NoLifetime)),
            (200, &[("etag", "\"a\"")], Err(Refusal::NoLifetime)),
            (200, &[("cache-control", "public")], Err(Refusal::NoLifetime)),
            (200, &[("cache-control", "max-age=0")], Err(Refusal::NoLifetime)),
            (200, &[("cache-control", "max-age=0"), ("etag", "\"a\"")], Ok(())),
            (200, &[("cache-control", "max-age=0, stale-while-revalidate=9")], Ok(())),
            (200, &[fresh, ("age", "70")], Err(Refusal::NoLifetime)),
            (200, &[("cache-control", "no-cache")], Err(Refusal::NoLifetime)),
            (200, &[("cache-control", "no-cache"), ("etag", "\"a\"")], Ok(())),
            (200, &[("cache-control", "no-store, max-age=60")], Err(Refusal::Forbidden)),
            (200, &[("cache-control", "private, max-age=60")], Err(Refusal::Private)),
            (200, &[fresh, ("set-cookie", "a=b")], Err(Refusal::Private)),
            (200, &[("cache-control", "public, max-age=60"), ("set-cookie", "a=b")], Err(Refusal::Private)),
            (200, &[fresh, ("vary", "Foo, *")], Err(Refusal::Varies)),
            (599, &[("cache-control", "max-age=60, must-understand")], Err(Refusal::Status)),
            (200, &[("cache-control", "max-age=60, must-understand, no-store")], Ok(())),
            (200, &[("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")], Ok(())),
            (200, &[fresh, ("cdn-cache-control", "no-store")], Err(Refusal::Forbidden)),
        ] {
            assert_eq!(verdict(status, fields, false), expected, "{status} {fields:?}");
        }
    }

    #[test]
    fn authorization_needs_permission() {
        for (line, expected) in [
            ("max-age=60", Err(Refusal::Authorization)),
            ("max-age=60, public", Ok(())),
            ("max-age=60, must-revalidate", Ok(())),
            ("s-maxage=60", Ok(())),
        ] {
            assert_eq!(verdict(200, &[("cache-control", line)], true), expected, "{line}");
        }
    }
}
