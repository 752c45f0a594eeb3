//! The name that a farm has in its Redis.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What a farm's keys and channels in Redis begin with: `[a-z][a-z0-9-]{0,31}`.
///
/// Two farms may share a Redis under two names. No braces or colons: those mean something in keys.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedisNamespace(Arc<str>);

/// The text can't be a namespace.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("1 to 32 lower-case letters, digits and hyphens, a letter first")]
pub struct InvalidRedisNamespace;

impl RedisNamespace {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RedisNamespace {
    fn default() -> Self {
        Self("rowhouse".into())
    }
}

impl FromStr for RedisNamespace {
    type Err = InvalidRedisNamespace;

    fn from_str(text: &str) -> Result<Self, InvalidRedisNamespace> {
        let mut bytes = text.bytes();
        let well_formed = text.len() <= 32
            && bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if well_formed { Ok(Self(text.into())) } else { Err(InvalidRedisNamespace) }
    }
}

impl TryFrom<String> for RedisNamespace {
    type Error = InvalidRedisNamespace;

    fn try_from(text: String) -> Result<Self, InvalidRedisNamespace> {
        text.parse()
    }
}

impl From<RedisNamespace> for String {
    fn from(name: RedisNamespace) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for RedisNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedisNamespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisNamespace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_have_one_form() {
        assert_eq!("farm-1".parse::<RedisNamespace>().unwrap().as_str(), "farm-1");
        assert_eq!(RedisNamespace::default().as_str().parse(), Ok(RedisNamespace::default()));
        for text in ["", "1a", "Farm", "a_b", "a:b", "{a}", &"a".repeat(33)] {
            assert!(text.parse::<RedisNamespace>().is_err(), "{text}");
        }
    }
}
