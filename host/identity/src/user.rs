//! Users and what they are on a tenant. Names are the only part that strangers type, so they have one
//! canonical form. Refuses to know passwords: a [`User`] carries none.

use rowhouse_base::Timestamp;
use rowhouse_base::id::{TenantId, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The name somebody signs in with: 2 to 64 of `a-z 0-9 . _ -`, a letter or digit first. Upper case is
/// accepted and folded.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

/// The text can't be a user name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` can't be a user name: 2 to 64 letters, digits, `.`, `_` and `-`, a letter or digit first")]
pub struct InvalidUserName(String);

impl UserName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidUserName`] says what would be right.
    pub fn parse(text: &str) -> Result<Self, InvalidUserName> {
        let name = text.trim().to_ascii_lowercase();
        let fits = (2..=64).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if fits { Ok(Self(name)) } else { Err(InvalidUserName(text.chars().take(80).collect())) }
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserName({})", self.0)
    }
}

impl FromStr for UserName {
    type Err = InvalidUserName;

    fn from_str(text: &str) -> Result<Self, InvalidUserName> {
        Self::parse(text)
    }
}

impl TryFrom<String> for UserName {
    type Error = InvalidUserName;

    fn try_from(text: String) -> Result<Self, InvalidUserName> {
        Self::parse(&text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

/// What a member may do on one tenant. The site module decides what each role means there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the site.
    Owner,
    /// Writes on the site.
    Editor,
}

/// The text names no role.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a role: owner or editor")]
pub struct InvalidRole(String);

impl Role {
    /// The role as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        match text {
            "owner" => Ok(Self::Owner),
            "editor" => Ok(Self::Editor),
            _ => Err(InvalidRole(text.chars().take(40).collect())),
        }
    }
}

/// A set of roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// True where nothing was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True where this role is among them.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// The roles in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Role> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().collect())
    }
}

/// As stored: `owner,editor`, or empty.
impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Role::as_str).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Roles {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        text.split(',').filter(|part| !part.is_empty()).map(str::parse).collect()
    }
}

/// Somebody who can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Never used again.
    pub id: UserId,
    /// What they type to sign in.
    pub name: UserName,
    /// Where they can be reached, if they said so.
    pub email: Option<String>,
    /// May enter the console. Says nothing about tenants.
    pub super_user: bool,
    /// Can't sign in; sessions don't count.
    pub disabled: bool,
    /// The password was made by somebody else and only lets them choose their own.
    pub must_change_password: bool,
    /// When the user was made.
    pub created_at: Timestamp,
}

/// What one user is on one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// At least one role.
    pub roles: Roles,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        assert_eq!(UserName::parse(" Ada.L ").unwrap().as_str(), "ada.l");
        for text in ["", "a", ".ab", "a b", "a@b", "ä-b", &"a".repeat(65)] {
            assert!(UserName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn roles_round_trip() {
        let roles: Roles = "editor,owner".parse().unwrap();
        assert_eq!(roles.to_string(), "owner,editor");
        assert!(roles.has(Role::Owner) && "".parse::<Roles>().unwrap().is_empty());
        assert!("root".parse::<Roles>().is_err());
    }
}
