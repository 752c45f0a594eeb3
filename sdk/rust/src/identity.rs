//! The visitor: who is signed in, and with which roles.
//!
//! Passwords and session tokens never reach a guest; signing in and out is the host's, under `/-/`.
//! A page that asked for the visitor is never shared between visitors, so ask only where it matters.
//! Called by sites, mostly through [`crate::Request::require_role`].

use crate::host;

/// A signed-in user of this site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// UUID in its usual text form.
    pub id: String,
    /// The name to sign in with.
    pub name: String,
    /// Roles on this site, such as `owner` or `editor`.
    pub roles: Vec<String>,
}

impl User {
    /// Whether the user has this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}

/// The signed-in user, or none.
pub fn current() -> Option<User> {
    host::user()
}
