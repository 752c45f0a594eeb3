//! Refuses requests that another site made a browser send. A pure function: the caller reads the fields.
//!
//! Sites under url-prefixes of one base host share an origin, so this rule does not part them from each
//! other; sites that don't trust each other belong on hosts of their own.

/// What the rule looks at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The `Sec-Fetch-Site` field, which scripts can't set.
    pub sec_fetch_site: Option<&'a str>,
    /// The `Origin` field.
    pub origin: Option<&'a str>,
    /// `scheme://host[:port]` as the visitor used it.
    pub own_origin: &'a str,
    /// Whether a session cookie came along.
    pub has_session_cookie: bool,
}

/// The request was made from another site, or doesn't prove that it wasn't.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this request came from another site")]
pub struct CrossSite;

/// Passes safe methods, and unsafe ones that come from this origin.
///
/// # Errors
/// [`CrossSite`].
pub fn check(facts: Facts<'_>) -> Result<(), CrossSite> {
    let passes = match (facts.method, facts.sec_fetch_site, facts.origin) {
        ("GET" | "HEAD" | "OPTIONS" | "TRACE", ..) => true,
        (_, Some(site), _) => matches!(site, "same-origin" | "none"),
        (_, None, Some(origin)) => origin.eq_ignore_ascii_case(facts.own_origin),
        // A browser old enough to send neither can't be told from a forger; a program has no cookie.
        (_, None, None) => !facts.has_session_cookie,
    };
    if passes { Ok(()) } else { Err(CrossSite) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table() {
        const OWN: &str = "http://club.example:8080";
        for (method, site, origin, cookie, passes) in [
            ("GET", Some("cross-site"), Some("https://evil.example"), true, true),
            ("HEAD", None, None, true, true),
            ("POST", Some("same-origin"), None, true, true),
            ("POST", Some("none"), None, true, true),
            ("POST", Some("same-site"), None, true, false),
            ("POST", Some("cross-site"), None, true, false),
            // The field of the browser wins over an Origin that would pass.
            ("POST", Some("cross-site"), Some(OWN), true, false),
            ("POST", None, Some(OWN), true, true),
            ("POST", None, Some("HTTP://Club.Example:8080"), true, true),
            ("POST", None, Some("https://club.example:8080"), true, false),
            ("POST", None, Some("http://club.example"), true, false),
            ("POST", None, Some("null"), true, false),
            ("POST", None, Some("http://club.example:8080.evil.example"), false, false),
            ("DELETE", None, None, true, false),
            ("DELETE", None, None, false, true),
            ("post", None, None, true, false),
        ] {
            let facts =
                Facts { method, sec_fetch_site: site, origin, own_origin: OWN, has_session_cookie: cookie };
            assert_eq!(check(facts).is_ok(), passes, "{facts:?}");
        }
    }
}
