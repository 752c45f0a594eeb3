//! Pages about users and API tokens.

use super::{Field, Frame, Moment, Pager};
use crate::types::{Membership, TokenView, UserView};
use askama::Template;
use rowhouse_base::Timestamp;

/// The list of users, and the form for a new one.
#[derive(Debug, Template)]
#[template(path = "console/users.html")]
pub(in crate::console) struct UsersPage {
    pub frame: Frame,
    pub search: String,
    pub rows: Vec<UserRow>,
    pub pager: Pager,
    pub fields: Vec<Field>,
}

/// The text fields of a new user, with what was typed.
pub(in crate::console) fn user_fields(name: &str, email: &str) -> Vec<Field> {
    vec![
        Field::text("name", "User name", "What they type to sign in.", name).required(),
        Field::text("email", "Email", "Where they can be reached.", email).kind("email"),
    ]
}

/// What pages show of a user.
#[derive(Debug)]
pub(in crate::console) struct UserRow {
    pub name: String,
    pub email: String,
    pub super_user: bool,
    pub disabled: bool,
    pub must_change_password: bool,
    pub created: Moment,
}

impl UserRow {
    fn chip(&self) -> &'static str {
        match (self.disabled, self.must_change_password) {
            (true, _) => "chip-bad",
            (false, true) => "chip-warn",
            (false, false) => "chip-good",
        }
    }

    fn state(&self) -> &'static str {
        match (self.disabled, self.must_change_password) {
            (true, _) => "disabled",
            (false, true) => "one-time password",
            (false, false) => "enabled",
        }
    }
}

impl From<UserView> for UserRow {
    fn from(user: UserView) -> Self {
        Self {
            name: user.name,
            email: user.email.unwrap_or_default(),
            super_user: user.super_user,
            disabled: user.disabled,
            must_change_password: user.must_change_password,
            created: Moment::of(&user.created_at),
        }
    }
}

/// One user.
#[derive(Debug, Template)]
#[template(path = "console/user.html")]
pub(in crate::console) struct UserPage {
    pub frame: Frame,
    pub base: String,
    pub user: UserRow,
    pub memberships: Vec<MembershipRow>,
    /// Not all of them are shown.
    pub are_more: bool,
}

/// A tenant that the user belongs to.
#[derive(Debug)]
pub(in crate::console) struct MembershipRow {
    pub tenant: String,
    pub title: String,
    pub roles: String,
}

impl From<Membership> for MembershipRow {
    fn from(membership: Membership) -> Self {
        Self { tenant: membership.tenant, title: membership.title, roles: membership.roles.join(", ") }
    }
}

/// The list of tokens, and the form for a new one.
#[derive(Debug, Template)]
#[template(path = "console/tokens.html")]
pub(in crate::console) struct TokensPage {
    pub frame: Frame,
    pub rows: Vec<TokenRow>,
    pub fields: Vec<Field>,
}

/// The text fields of a new token, with what was typed.
pub(in crate::console) fn token_fields(name: &str, expires: &str) -> Vec<Field> {
    vec![
        Field::text("name", "Name", "What it is for.", name).required(),
        Field::text("expires_at", "Ends on", "From this day on, in UTC, it is refused.", expires)
            .kind("date"),
    ]
}

/// One row of the list.
#[derive(Debug)]
pub(in crate::console) struct TokenRow {
    pub id: String,
    pub name: String,
    pub scopes: String,
    pub created: Moment,
    pub expires: Option<Moment>,
    pub is_over: bool,
}

impl TokenRow {
    /// A token as it is now.
    pub(in crate::console) fn new(token: TokenView, now: Timestamp) -> Self {
        let ends = token.expires_at.as_deref().and_then(crate::types::from_rfc3339);
        Self {
            id: token.id,
            name: token.name,
            scopes: token.scopes.join(" and "),
            created: Moment::of(&token.created_at),
            expires: token.expires_at.as_deref().map(Moment::of),
            is_over: ends.is_some_and(|at| at.is_past(now)),
        }
    }
}
