//! Tenant names (slugs): what stands in `NAME.base-domain` and in the url-prefix `/NAME/`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// `[a-z][a-z0-9-]{1,62}`, not reserved. Upper case is accepted and folded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantName(Arc<str>);

/// Words that would read as a part of the server rather than as a site.
const RESERVED: &[&str] = &[
    "admin",
    "api",
    "app",
    "assets",
    "autoconfig",
    "autodiscover",
    "console",
    "default",
    "ftp",
    "healthz",
    "imap",
    "import",
    "localhost",
    "mail",
    "manage",
    "metrics",
    "new",
    "ns",
    "pop",
    "readyz",
    "root",
    "rowhouse",
    "sign-in",
    "sign-out",
    "smtp",
    "static",
    "status",
    "system",
    "well-known",
    "www",
];

/// What is wrong with a name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidName {
    /// Wrong characters or length.
    #[error(
        "`{0}` can't be a name: 2 to 63 characters, a letter first, then letters, digits and hyphens, not ending with a hyphen"
    )]
    Form(String),
    /// One of the reserved words.
    #[error("`{0}` is reserved for the server: choose another name")]
    Reserved(String),
}

impl TenantName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidName`] says what would be right.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let name = text.to_ascii_lowercase();
        let mut bytes = name.bytes();
        let well_formed = (2..=63).contains(&name.len())
            && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
            && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !name.ends_with('-')
            // "xn--" would read as an internationalised host name.
            && !name.starts_with("xn--");
        if !well_formed {
            return Err(InvalidName::Form(text.chars().take(80).collect()));
        }
        if RESERVED.contains(&name.as_str()) {
            return Err(InvalidName::Reserved(name));
        }
        Ok(Self(name.into()))
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantName({})", self.0)
    }
}

impl std::borrow::Borrow<str> for TenantName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::parse(text)
    }
}

impl TryFrom<String> for TenantName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<TenantName> for String {
    fn from(name: TenantName) -> Self {
        name.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_and_keeps_the_form() {
        assert_eq!(TenantName::parse("Rowing-Club").unwrap().as_str(), "rowing-club");
        for text in ["", "a", "1a", "-ab", "ab-", "a_b", "ä-b", "a.b", "xn--abc", &"a".repeat(64)] {
            assert!(matches!(TenantName::parse(text), Err(InvalidName::Form(_))), "{text}");
        }
    }

    #[test]
    fn reserved_words_are_refused_in_any_case() {
        assert_eq!(TenantName::parse("WWW"), Err(InvalidName::Reserved("www".into())));
    }

    #[test]
    fn every_reserved_word_is_well_formed() {
        for word in RESERVED {
            assert!(matches!(TenantName::parse(word), Err(InvalidName::Reserved(_))), "{word}");
        }
    }
}
