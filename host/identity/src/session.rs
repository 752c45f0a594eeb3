//! Sessions: where one counts, how long, and what a valid one tells.

use crate::{Operator, Roles, UserName};
use rowhouse_base::id::{TenantId, UserId};
use rowhouse_base::secret::Secret;
use rowhouse_base::{Digest, Timestamp};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The one place where a session counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The console and its API. Super Users only.
    Console,
    /// One tenant. Its members only, Super Users included.
    Tenant(TenantId),
}

impl Scope {
    /// A session ends when it was not used for this long. An operator's is shorter: it opens every door.
    #[must_use]
    pub fn idle(self) -> Duration {
        match self {
            Self::Console => Duration::from_secs(2 * 3600),
            Self::Tenant(_) => Duration::from_secs(7 * 24 * 3600),
        }
    }

    /// A session ends after this long, used or not.
    #[must_use]
    pub fn lifetime(self) -> Duration {
        match self {
            Self::Console => Duration::from_secs(12 * 3600),
            Self::Tenant(_) => Duration::from_secs(30 * 24 * 3600),
        }
    }

    /// The tenant, if it is one.
    #[must_use]
    pub fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Console => None,
            Self::Tenant(id) => Some(id),
        }
    }
}

/// As stored: `console`, or the tenant's id.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console => f.write_str("console"),
            Self::Tenant(id) => id.fmt(f),
        }
    }
}

impl FromStr for Scope {
    type Err = <TenantId as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "console" { Ok(Self::Console) } else { text.parse().map(Self::Tenant) }
    }
}

/// A session as the browser gets it, once.
#[derive(Clone, Debug)]
pub struct SessionToken {
    /// The cookie's value.
    pub secret: Secret,
    /// How long the browser may keep it.
    pub lifetime: Duration,
    /// The password must be changed before anything else.
    pub must_change_password: bool,
}

/// Somebody who is signed in, here and now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: UserName,
    /// What they are on the tenant; empty at the console.
    pub roles: Roles,
    /// They may do nothing but choose a password.
    pub must_change_password: bool,
    pub(crate) scope: Scope,
    pub(crate) session: Digest,
    pub(crate) expires_at: Timestamp,
}

impl SignedIn {
    /// Where this session counts.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The permit of a Super User at the console; none on a tenant, and none while the password must be changed.
    #[must_use]
    pub fn operator(&self) -> Option<Operator> {
        (self.scope == Scope::Console && !self.must_change_password)
            .then(|| Operator::made(format!("user {}", self.name), true))
    }
}
