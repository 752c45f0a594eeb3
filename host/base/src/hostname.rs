//! Host names in one canonical form: lower case, A-labels, no trailing dot, no port.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A host name such as `club.example` or `xn--bcher-kva.example`. IP addresses in URL form pass as well.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hostname(Arc<str>);

/// What is wrong with a host name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidHostname {
    /// Nothing is left once port and dot are gone.
    #[error("a host name can't be empty")]
    Empty,
    /// Longer than DNS allows, or with characters that DNS names don't have.
    #[error(
        "`{0}` is not a host name: labels of letters, digits and hyphens, separated by dots, at most 253 bytes"
    )]
    Form(String),
}

impl Hostname {
    /// Reads a host name as people write it: any case, Unicode or A-labels, with or without a trailing dot.
    ///
    /// # Errors
    /// [`InvalidHostname`] says what would be right.
    pub fn parse(text: &str) -> Result<Self, InvalidHostname> {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if bare.is_empty() {
            return Err(InvalidHostname::Empty);
        }
        if is_canonical(bare) {
            return Ok(Self(bare.into()));
        }
        let form = || InvalidHostname::Form(text.chars().take(80).collect());
        let ascii =
            idna::domain_to_ascii_cow(bare.as_bytes(), idna::AsciiDenyList::URL).map_err(|_idna| form())?;
        if is_canonical(&ascii) { Ok(Self(ascii.as_ref().into())) } else { Err(form()) }
    }

    /// Reads the host of a `Host` field or URL authority: like [`Hostname::parse`], with the port taken off.
    ///
    /// # Errors
    /// [`InvalidHostname`] where no host is left.
    pub fn from_authority(authority: &str) -> Result<Self, InvalidHostname> {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !host.ends_with(':') => host,
            _ => authority,
        };
        Self::parse(host)
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first label and the rest, where there are two.
    #[must_use]
    pub fn split_first_label(&self) -> Option<(&str, &str)> {
        self.0.split_once('.')
    }
}

/// Lower-case letters, digits, hyphens and dots in labels of 1 to 63 bytes; or a bracketed IPv6 address.
fn is_canonical(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && (!label.starts_with("xn--") || idna::domain_to_unicode(label).1.is_ok())
        })
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hostname({})", self.0)
    }
}

impl std::borrow::Borrow<str> for Hostname {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for Hostname {
    type Err = InvalidHostname;

    fn from_str(text: &str) -> Result<Self, InvalidHostname> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Hostname {
    type Error = InvalidHostname;

    fn try_from(text: String) -> Result<Self, InvalidHostname> {
        Self::parse(&text)
    }
}

impl From<Hostname> for String {
    fn from(host: Hostname) -> Self {
        host.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_canonical_form() {
        for (written, canonical) in [
            ("Club.Example", "club.example"),
            ("club.example.", "club.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(Hostname::parse(written).unwrap().as_str(), canonical, "{written}");
        }
        assert_eq!(Hostname::from_authority("a.localhost:8080").unwrap().as_str(), "a.localhost");
        assert_eq!(Hostname::from_authority("[::1]:8080").unwrap().as_str(), "[::1]");
    }

    #[test]
    fn refuses_what_is_no_host() {
        for text in ["", ".", "a..b", "-a.example", "a b", "a/b", "a_b", "a:b:c", "[zz]", &"a".repeat(64)] {
            assert!(Hostname::from_authority(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent(text in "\\PC{0,80}") {
            if let Ok(host) = Hostname::parse(&text) {
                prop_assert_eq!(Hostname::parse(host.as_str()), Ok(host));
            }
        }
    }
}
