//! Names of data servers, as they stand in the configuration and with each tenant.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// `[a-z][a-z0-9-]{0,31}`. Cheap to clone: every tenant has one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DataServerName(Arc<str>);

/// The name of the embedded engine where the configuration names no server.
const LOCAL: &str = "local";

/// The text can't be the name of a data server.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` can't name a data server: 1 to 32 lower-case letters, digits and hyphens, a letter first")]
pub struct InvalidDataServerName(String);

impl DataServerName {
    /// The embedded engine of a server without configuration.
    #[must_use]
    pub fn local() -> Self {
        Self(LOCAL.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DataServerName {
    type Err = InvalidDataServerName;

    fn from_str(text: &str) -> Result<Self, InvalidDataServerName> {
        let mut bytes = text.bytes();
        let well_formed = text.len() <= 32
            && bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidDataServerName(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for DataServerName {
    type Error = InvalidDataServerName;

    fn try_from(text: String) -> Result<Self, InvalidDataServerName> {
        text.parse()
    }
}

impl From<DataServerName> for String {
    fn from(name: DataServerName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for DataServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DataServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataServerName({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        assert_eq!("pg-1".parse::<DataServerName>().unwrap().as_str(), "pg-1");
        assert_eq!(DataServerName::local().as_str().parse(), Ok(DataServerName::local()));
        for text in ["", "1a", "Pg", "a_b", "a b", &"a".repeat(33)] {
            assert!(text.parse::<DataServerName>().is_err(), "{text}");
        }
    }
}
