//! Releases: NAME@VERSION of a module, addressed by the SHA-256 of its bytes, immutable once pushed.

use rowhouse_base::Digest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// NAME@VERSION, such as `site@1.4.0`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseName(Arc<str>);

/// The text is not NAME@VERSION.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not a release: NAME@VERSION, such as `site@1.4.0`; names of lower-case letters, digits and hyphens, \
     versions of letters, digits, `.`, `-` and `+`, each at most 64 bytes"
)]
pub struct InvalidRelease(String);

impl ReleaseName {
    /// Joins a name and a version.
    ///
    /// # Errors
    /// [`InvalidRelease`] where one of them has a character that isn't allowed.
    pub fn new(name: &str, version: &str) -> Result<Self, InvalidRelease> {
        format!("{name}@{version}").parse()
    }

    /// `NAME@VERSION`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before `@`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('@').map_or(self.as_str(), |(name, _)| name)
    }

    /// The part after `@`.
    #[must_use]
    pub fn version(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, version)| version)
    }
}

impl FromStr for ReleaseName {
    type Err = InvalidRelease;

    fn from_str(text: &str) -> Result<Self, InvalidRelease> {
        let invalid = || InvalidRelease(text.chars().take(140).collect());
        let (name, version) = text.split_once('@').ok_or_else(invalid)?;
        let name_fits = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let version_fits = version.starts_with(|c: char| c.is_ascii_alphanumeric())
            && version.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+'));
        if name_fits && version_fits && name.len() <= 64 && version.len() <= 64 {
            Ok(Self(text.into()))
        } else {
            Err(invalid())
        }
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ReleaseName {
    type Error = InvalidRelease;

    fn try_from(text: String) -> Result<Self, InvalidRelease> {
        text.parse()
    }
}

impl From<ReleaseName> for String {
    fn from(name: ReleaseName) -> Self {
        name.as_str().to_owned()
    }
}

/// A release that a tenant runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRef {
    /// NAME@VERSION.
    pub name: ReleaseName,
    /// SHA-256 of the component's bytes.
    pub digest: Digest,
    /// Whether an instance may answer more than one request; none for a fresh one each time.
    pub reuse: Option<Reuse>,
}

/// How an instance may be used again: for the same tenant, release and revision, never beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// Requests that one instance answers at most.
    pub requests: NonZeroU32,
    /// How long it waits for the next one.
    pub idle: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_and_refuses() {
        let release: ReleaseName = "site@1.4.0-beta.1".parse().unwrap();
        assert_eq!((release.name(), release.version()), ("site", "1.4.0-beta.1"));
        for text in ["", "site", "@1", "site@", "Site@1", "si te@1", "site@../x", "site@1@2"] {
            assert!(text.parse::<ReleaseName>().is_err(), "{text}");
        }
    }
}
