//! The host names a tenant answers on: exact ones, or `*.` for every name one label below.

use rowhouse_base::Hostname;
use rowhouse_base::hostname;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `club.example`, or `*.club.example` for any one label in front of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AddressPattern {
    /// This host and no other.
    Exact(Hostname),
    /// Any single label in front of this host.
    Wildcard(Hostname),
}

/// What is wrong with an address.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAddress {
    /// The host name is malformed.
    #[error("read the address")]
    Host(#[from] hostname::InvalidHostname),
    /// A wildcard directly below a top-level name would catch strangers' hosts.
    #[error("`*.{0}` is too wide: a wildcard needs at least two labels, such as `*.club.example`")]
    TooWide(Hostname),
}

impl FromStr for AddressPattern {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let Some(rest) = text.strip_prefix("*.") else {
            return Ok(Self::Exact(Hostname::parse(text)?));
        };
        let host = Hostname::parse(rest)?;
        if host.split_first_label().is_none() {
            return Err(InvalidAddress::TooWide(host));
        }
        Ok(Self::Wildcard(host))
    }
}

impl fmt::Display for AddressPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Wildcard(host) => write!(f, "*.{host}"),
        }
    }
}

impl TryFrom<String> for AddressPattern {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl From<AddressPattern> for String {
    fn from(pattern: AddressPattern) -> Self {
        pattern.to_string()
    }
}
