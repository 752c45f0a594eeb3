//! API tokens: for programs that speak to the API. Shown once, kept as a digest.

use rowhouse_base::Timestamp;
use rowhouse_base::id::TokenId;
use rowhouse_base::secret::Secret;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScope {
    /// Reading everything.
    Read,
    /// Reading and changing everything.
    Write,
}

/// The text names no scope.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a token scope: read or write")]
pub struct InvalidTokenScope(String);

impl TokenScope {
    /// The scope as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TokenScope {
    type Err = InvalidTokenScope;

    fn from_str(text: &str) -> Result<Self, InvalidTokenScope> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            _ => Err(InvalidTokenScope(text.chars().take(40).collect())),
        }
    }
}

/// What is known of a token; the token itself is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Its id, for revoking it.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What it allows; at least one.
    pub scopes: Vec<TokenScope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it counts no longer; none: until it is revoked.
    pub expires_at: Option<Timestamp>,
}

impl ApiToken {
    /// A new secret: `rh_` and 43 characters, so that people and scanners know one when they see it.
    #[must_use]
    pub fn new_secret() -> Secret {
        Secret::from_text(format!("rh_{}", Secret::token().reveal()))
    }
}
