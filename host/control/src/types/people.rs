//! Users, members, tokens and the audit trail, as the API shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserView {
    /// UUID.
    pub id: String,
    /// What they type to sign in.
    pub name: String,
    /// Where they can be reached.
    pub email: Option<String>,
    /// May enter the console.
    pub super_user: bool,
    /// Can't sign in.
    pub disabled: bool,
    /// Has a one-time password.
    pub must_change_password: bool,
    /// RFC 3339.
    pub created_at: String,
}

/// A user to make.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// What they type to sign in.
    pub name: String,
    /// Where they can be reached.
    pub email: Option<String>,
    /// May enter the console; no where nothing is said.
    pub super_user: Option<bool>,
    /// Their password; a one-time password is made where nothing is said.
    pub password: Option<String>,
}

/// A user that was made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedUser {
    /// The user.
    pub user: UserView,
    /// Shown this once; must be changed at the first sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_time_password: Option<String>,
}

/// A one-time password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OneTimePassword {
    /// Shown this once; must be changed at the first sign-in.
    pub one_time_password: String,
}

/// What to change of a user; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchUser {
    /// Where they can be reached; empty to remove it.
    pub email: Option<String>,
    /// May enter the console.
    pub super_user: Option<bool>,
    /// Can't sign in; their sessions end.
    pub disabled: Option<bool>,
}

/// A member of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// The user's name.
    pub user: String,
    /// `owner`, `editor`.
    pub roles: Vec<String>,
}

/// A tenant that a user belongs to, as the console shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) tenant: String,
    pub(crate) title: String,
    pub(crate) roles: Vec<String>,
}

/// Roles to set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoles {
    /// `owner`, `editor`; at least one.
    pub roles: Vec<String>,
}

/// A token to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for.
    pub name: String,
    /// `read`, `write`; at least one.
    pub scopes: Vec<String>,
    /// RFC 3339; it counts until revoked where nothing is said.
    pub expires_at: Option<String>,
}

/// A token; the secret itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// UUID.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// `read`, `write`.
    pub scopes: Vec<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub expires_at: Option<String>,
}

/// A token that was made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// Shown this once.
    pub token: String,
    /// What is kept.
    #[serde(flatten)]
    pub kept: TokenView,
}

/// One row of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// UUID.
    pub id: String,
    /// RFC 3339.
    pub at: String,
    /// `user NAME`, `token NAME` or `server`.
    pub actor: String,
    /// UUID of the user who had the actor's name when this was noted; none where it was no user, or one who was deleted
    /// before (work goes on that they began). Another may have the name later.
    pub actor_id: Option<String>,
    /// Such as `tenant.create`.
    pub action: String,
    /// What it was done to.
    pub subject: String,
    /// UUID of the tenant or the user that it was done to, where it was one: another may have the name later.
    pub subject_id: Option<String>,
    /// What matters of it.
    pub detail: String,
}
