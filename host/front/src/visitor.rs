//! Who the visitor is on this site, and what of them a guest may see.

use crate::facts::Facts;
use http::HeaderMap;
use http::header::{self, HeaderValue};
use rowhouse_base::Chain;
use rowhouse_guest::SignedInUser;
use rowhouse_identity::{Identity, Scope, SignedIn, cookie, csrf};

/// The `Cookie` fields as one text, none where there is no session cookie among them.
pub(crate) fn session_cookies(headers: &HeaderMap) -> Option<String> {
    let mut all = String::new();
    for field in headers.get_all(header::COOKIE) {
        if !all.is_empty() {
            all.push_str("; ");
        }
        // A cookie of a guest's own may hold any bytes: the session beside it counts, and is hidden, all the same.
        all.push_str(&String::from_utf8_lossy(field.as_bytes()));
    }
    cookie::is_present(&all).then_some(all)
}

/// Looks the session up. A store that does not answer leaves the visitor signed out: pages for everybody
/// go on, and pages that need a sign-in ask for one.
pub(crate) async fn signed_in(identity: &Identity, scope: Scope, cookies: Option<&str>) -> Option<SignedIn> {
    match identity.session(scope, cookies?).await {
        Ok(found) => found,
        Err(error) => {
            // One line per visitor would say nothing new while the store is away.
            match identity.is_reachable().await {
                Ok(()) => tracing::error!(error = %Chain(&error), "look a session up"),
                Err(_known) => tracing::debug!(error = %Chain(&error), "look a session up"),
            }
            None
        }
    }
}

/// What a guest may know: nobody while a one-time password is still to be replaced.
pub(crate) fn for_guest(signed_in: Option<&SignedIn>) -> Option<SignedInUser> {
    let person = signed_in.filter(|person| !person.must_change_password)?;
    Some(SignedInUser {
        id: person.user,
        name: person.name.as_str().to_owned(),
        roles: person.roles.iter().map(|role| role.as_str().to_owned()).collect(),
    })
}

/// Refuses what another site made the visitor's browser send.
pub(crate) fn is_cross_site(
    request: &http::Request<impl Sized>,
    facts: &Facts,
    has_session_cookie: bool,
) -> bool {
    let text = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let facts = csrf::Facts {
        method: request.method().as_str(),
        sec_fetch_site: text(header::HeaderName::from_static("sec-fetch-site")),
        origin: text(header::ORIGIN),
        own_origin: &facts.origin,
        has_session_cookie,
    };
    csrf::check(facts).is_err()
}

/// Takes the host's session cookies out of what the guest sees.
pub(crate) fn hide_session(headers: &mut HeaderMap, cookies: &str) {
    let kept: Vec<&str> = cookies
        .split(';')
        .map(str::trim)
        .filter(|pair| pair.split_once('=').is_none_or(|(name, _)| name != cookie::NAME))
        .filter(|pair| !pair.is_empty())
        .collect();
    headers.remove(header::COOKIE);
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::from_bytes(kept.join("; ").as_bytes())
    {
        headers.insert(header::COOKIE, value);
    }
}

/// Takes away cookies by which a guest would pose as the host.
pub(crate) fn keep_own_cookie(headers: &mut HeaderMap) {
    let is_ours = |value: &HeaderValue| {
        let bytes = value.as_bytes().trim_ascii_start();
        bytes
            .strip_prefix(cookie::NAME.as_bytes())
            .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
    };
    if headers.get_all(header::SET_COOKIE).iter().any(is_ours) {
        let kept: Vec<HeaderValue> =
            headers.get_all(header::SET_COOKIE).iter().filter(|value| !is_ours(value)).cloned().collect();
        headers.remove(header::SET_COOKIE);
        for value in kept {
            headers.append(header::SET_COOKIE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_sees_its_own_cookies_only() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; rowhouse_session=secret"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2;rowhouse_session=other"));
        let cookies = session_cookies(&headers).unwrap();
        hide_session(&mut headers, &cookies);
        let left: Vec<_> = headers.get_all(header::COOKIE).iter().collect();
        assert_eq!(left, ["a=1; b=2"]);
    }

    #[test]
    fn a_session_beside_other_bytes_is_hidden_too() {
        for odd in [&b"x=\xc3\xa9; rowhouse_session=secret"[..], b"rowhouse_session=secret; x=\xff\xfe"] {
            let mut headers = HeaderMap::new();
            headers.append(header::COOKIE, HeaderValue::from_bytes(odd).unwrap());
            let cookies = session_cookies(&headers).unwrap();
            hide_session(&mut headers, &cookies);
            for left in headers.get_all(header::COOKIE) {
                assert!(!String::from_utf8_lossy(left.as_bytes()).contains("secret"), "{left:?}");
            }
        }
    }

    #[test]
    fn a_guest_cannot_set_the_hosts_cookie() {
        let mut headers = HeaderMap::new();
        for value in ["a=1", "rowhouse_session=x; Path=/", " rowhouse_session =y", "rowhouse_session_b=2"] {
            headers.append(header::SET_COOKIE, HeaderValue::from_static(value));
        }
        keep_own_cookie(&mut headers);
        let left: Vec<_> = headers.get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(left, ["a=1", "rowhouse_session_b=2"]);
    }
}
