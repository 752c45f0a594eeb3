//! The session cookie: its name, its attributes, and finding candidates among several of that name.
//!
//! On the base host there may be several: the console's (`Path=/-`, so that no site's pages are sent it), that of
//! a site under `/NAME`, that of the one site of a server in single-site mode (`Path=/`). Which one counts is
//! decided by the scope its session was made for, never by order.

use rowhouse_base::secret::Secret;
use std::time::Duration;

/// The cookie's name.
pub const NAME: &str = "rowhouse_session";

/// Where the console's cookie is sent: to the console and the API, and to the host's own pages beside them.
pub const CONSOLE_PATH: &str = "/-";

/// Cookies of that name looked at in one request. A browser sends at most one per path prefix.
const CANDIDATES: usize = 8;

/// The value of `Set-Cookie` for a new session. `base_path` is empty, `/NAME`, or [`CONSOLE_PATH`].
#[must_use]
pub fn set(secret: &Secret, base_path: &str, secure: bool, lifetime: Duration) -> String {
    render(secret.reveal(), base_path, secure, lifetime.as_secs())
}

/// The value of `Set-Cookie` that takes the cookie away. Path must be what it was set with.
#[must_use]
pub fn clear(base_path: &str, secure: bool) -> String {
    render("", base_path, secure, 0)
}

fn render(value: &str, base_path: &str, secure: bool, max_age: u64) -> String {
    let path = if base_path.is_empty() { "/" } else { base_path };
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={value}; Path={path}; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}")
}

/// The values in a `Cookie` field that could be session tokens: 43 URL-safe characters.
pub fn candidates(cookie_header: &str) -> impl Iterator<Item = &str> {
    cookie_header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, value)| *name == NAME && is_token(value))
        .map(|(_, value)| value)
        .take(CANDIDATES)
}

/// True where the request carries a session cookie, valid or not.
#[must_use]
pub fn is_present(cookie_header: &str) -> bool {
    cookie_header.split(';').filter_map(|pair| pair.trim().split_once('=')).any(|(name, _)| name == NAME)
}

fn is_token(value: &str) -> bool {
    value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes() {
        let secret = Secret::from_text("t");
        assert_eq!(
            set(&secret, "/club", true, Duration::from_secs(60)),
            "rowhouse_session=t; Path=/club; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(set(&secret, CONSOLE_PATH, false, Duration::from_secs(60)).contains("; Path=/-;"));
        assert_eq!(clear("", false), "rowhouse_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn finds_all_that_could_be_one() {
        let (one, two) = ("a".repeat(43), "b".repeat(43));
        let header = format!("x=1; {NAME}={one}; {NAME}=short;{NAME}={two}; y={NAME}");
        assert_eq!(candidates(&header).collect::<Vec<_>>(), [one.as_str(), two.as_str()]);
        assert!(is_present(&header) && !is_present("x=1; y=rowhouse_session"));
        assert_eq!(candidates("").count(), 0);
        let many = vec![format!("{NAME}={one}"); 50].join("; ");
        assert_eq!(candidates(&many).count(), CANDIDATES);
    }
}
