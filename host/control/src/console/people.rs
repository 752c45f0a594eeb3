//! Users and API tokens. Secrets are shown on the answer to the request that made them, and never again.

use super::State;
use super::answer::{Answer, Done, Refusal, page, page_with};
use super::gate::Visitor;
use super::views::people::{
    MembershipRow, TokenRow, TokensPage, UserPage, UserRow, UsersPage, token_fields, user_fields,
};
use super::views::{ConfirmPage, Flash, Frame, Pager, SecretPage, Section, mark};
use crate::Control;
use crate::error::ControlError;
use crate::types::{CreateToken, CreateUser, Paging, PatchUser, UserView};
use axum::extract::{self, Path, Query};
use axum::response::Response;
use axum::{Extension, Form};
use http::StatusCode;
use rowhouse_base::Timestamp;
use serde::Deserialize;

const USERS: &str = "/-/console/users";
const TOKENS: &str = "/-/console/tokens";

/// Which users.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UsersQuery {
    search: String,
    cursor: Option<String>,
}

/// A page of users, and the form for a new one.
pub(super) async fn users(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<UsersQuery>,
) -> Answer {
    users_page(&control, &visitor, query, ("", ""), None).await
}

async fn users_page(
    control: &Control,
    visitor: &Visitor,
    query: UsersQuery,
    (name, email): (&str, &str),
    refusal: Option<Refusal>,
) -> Answer {
    let search = query.search.trim().to_owned();
    let paging = Paging { limit: None, cursor: query.cursor.clone(), search: Some(search.clone()) };
    let users = control
        .users(&visitor.operator, &paging)
        .await
        .map_err(|error| Refusal::from(error).page(Section::Users, visitor))?;
    let mut fields = user_fields(name, email);
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| refusal.status);
    let flash = match refusal {
        Some(refusal) => {
            let lines = mark(&mut fields, &refusal.errors);
            Some(Flash { good: false, text: format!("The user was not made. {}", refusal.text), lines })
        }
        None => visitor.flash(),
    };
    let pager = Pager::new(USERS, &[("search", &search)], query.cursor.as_deref(), users.next.as_deref());
    let listed = UsersPage {
        frame: Frame::new(Section::Users, "Users", &visitor.name).with(flash),
        search,
        rows: users.items.into_iter().map(UserRow::from).collect(),
        pager,
        fields,
    };
    Ok(page_with(status, &listed))
}

/// What the form for a new user sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewUser {
    name: String,
    email: String,
    super_user: Option<String>,
}

/// Makes a user and shows the one-time password.
pub(super) async fn create_user(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Form(form): Form<NewUser>,
) -> Answer {
    let email = form.email.trim();
    let request = CreateUser {
        name: form.name.trim().to_owned(),
        email: Some(email.to_owned()).filter(|email| !email.is_empty()),
        super_user: Some(form.super_user.is_some()),
        password: None,
    };
    match control.create_user(&visitor.operator, request).await {
        Ok(made) => Ok(one_time_password(
            &visitor,
            ("can sign in", "The user is made."),
            &made.user.name,
            made.one_time_password.unwrap_or_default(),
        )),
        Err(error) => {
            let typed = (form.name.as_str(), form.email.as_str());
            users_page(&control, &visitor, UsersQuery::default(), typed, Some(error.into())).await
        }
    }
}

fn one_time_password(visitor: &Visitor, (what, done): (&str, &str), name: &str, secret: String) -> Response {
    page(&SecretPage {
        frame: Frame::new(Section::Users, format!("{name} {what}"), &visitor.name)
            .with(Some(Flash::good(done))),
        back: format!("{USERS}/{name}"),
        back_label: "Back to the user",
        label: format!("One-time password of {name}"),
        secret,
        note: "It is shown this once. Hand it over in private; it has to be changed at the first sign-in.",
    })
}

/// The user with exactly this name. The service lists by a part of the name, so several pages may be read.
async fn known(control: &Control, visitor: &Visitor, name: &str) -> Result<UserView, Response> {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Users, visitor);
    let mut paging = Paging { limit: Some(200), cursor: None, search: Some(name.to_owned()) };
    loop {
        let users = control.users(&visitor.operator, &paging).await.map_err(refused)?;
        if let Some(user) = users.items.into_iter().find(|user| user.name == name) {
            return Ok(user);
        }
        if users.next.is_none() {
            return Err(refused(ControlError::not_found("user", name)));
        }
        paging.cursor = users.next;
    }
}

/// One user.
pub(super) async fn user(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    let user = known(&control, &visitor, &name).await?;
    user_page(&control, &visitor, user, StatusCode::OK, visitor.flash()).await
}

async fn user_page(
    control: &Control,
    visitor: &Visitor,
    user: UserView,
    status: StatusCode,
    flash: Option<Flash>,
) -> Answer {
    let memberships = control
        .memberships(&visitor.operator, &user.name)
        .await
        .map_err(|error| Refusal::from(error).page(Section::Users, visitor))?;
    let shown = UserPage {
        frame: Frame::new(Section::Users, user.name.clone(), &visitor.name).with(flash),
        base: format!("{USERS}/{}", user.name),
        user: UserRow::from(user),
        are_more: memberships.next.is_some(),
        memberships: memberships.items.into_iter().map(MembershipRow::from).collect(),
    };
    Ok(page_with(status, &shown))
}

/// Asks before a change that the user notices at once.
pub(super) async fn ask_change(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path((name, change)): Path<(String, String)>,
) -> Answer {
    let user = known(&control, &visitor, &name).await?;
    match asked(&visitor, &user.name, &change) {
        Some(asked) => Ok(page(&asked)),
        None => Err(Refusal::from(ControlError::not_found("page", &change)).page(Section::Users, &visitor)),
    }
}

fn asked(visitor: &Visitor, name: &str, change: &str) -> Option<ConfirmPage> {
    let (title, text, button) = match change {
        "reset-password" => (
            format!("Reset the password of {name}?"),
            "The present password stops working, and the user is signed out everywhere. The new one is shown once.",
            "Reset password",
        ),
        "sign-out" => (
            format!("Sign {name} out everywhere?"),
            "All sessions of the user end, on every tenant and here. The password stays.",
            "Sign out everywhere",
        ),
        _ => return None,
    };
    let mut text = vec![text.to_owned()];
    if name == visitor.name {
        text.push("This is you: your session here ends too.".to_owned());
    }
    Some(ConfirmPage {
        frame: Frame::new(Section::Users, title, &visitor.name),
        back: name.to_owned(),
        cancel: format!("{USERS}/{name}"),
        action: format!("{USERS}/{name}/{change}"),
        text,
        typed: None,
        tick: None,
        button,
        grave: false,
    })
}

/// Resets the password of a user, ends their sessions, disables or enables them.
pub(super) async fn change_user(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path((name, change)): Path<(String, String)>,
) -> Answer {
    let operator = &visitor.operator;
    let disabled = |disabled| PatchUser { disabled: Some(disabled), ..PatchUser::default() };
    let path = format!("{USERS}/{name}");
    let changed = match change.as_str() {
        "reset-password" => match control.reset_password(operator, &name).await {
            Ok(made) => {
                let told =
                    ("has a new password", "The password is reset, and all sessions of the user are over.");
                return Ok(one_time_password(&visitor, told, &name, made.one_time_password));
            }
            Err(error) => Err(error),
        },
        "sign-out" => control.end_sessions(operator, &name).await.map(|_count| Done::SignedOut),
        "disable" => control.patch_user(operator, &name, disabled(true)).await.map(|_user| Done::Saved),
        "enable" => control.patch_user(operator, &name, disabled(false)).await.map(|_user| Done::Saved),
        other => Err(ControlError::not_found("change", other)),
    };
    match changed {
        Ok(done) => Ok(done.at(&path)),
        Err(error) => {
            let refusal = Refusal::from(error);
            let user = known(&control, &visitor, &name).await?;
            let status = refusal.status;
            user_page(&control, &visitor, user, status, Some(refusal.flash())).await
        }
    }
}

/// Asks for the name before a user is deleted.
pub(super) async fn ask_delete_user(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    let user = known(&control, &visitor, &name).await?;
    Ok(page(&deletion(&visitor, &user.name)))
}

fn deletion(visitor: &Visitor, name: &str) -> ConfirmPage {
    ConfirmPage {
        frame: Frame::new(Section::Users, format!("Delete {name}?"), &visitor.name),
        back: name.to_owned(),
        cancel: format!("{USERS}/{name}"),
        action: format!("{USERS}/{name}/delete"),
        text: vec![
            "The user is signed out everywhere and loses every membership. What they wrote stays.".into(),
        ],
        typed: Some(name.to_owned()),
        tick: None,
        button: "Delete the user",
        grave: true,
    }
}

/// The name that was typed.
#[derive(Debug, Deserialize)]
pub(super) struct Typed {
    confirm: String,
}

/// Deletes a user whose name was typed.
pub(super) async fn delete_user(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Typed>,
) -> Answer {
    if form.confirm.trim() != name {
        let user = known(&control, &visitor, &name).await?;
        return Ok(Refusal::untyped().on(deletion(&visitor, &user.name)));
    }
    match control.delete_user(&visitor.operator, &name).await {
        Ok(()) => Ok(Done::UserDeleted.at(USERS)),
        Err(error) => Err(Refusal::from(error).page(Section::Users, &visitor)),
    }
}

/// All tokens, and the form for a new one.
pub(super) async fn tokens(extract::State(control): State, Extension(visitor): Extension<Visitor>) -> Answer {
    tokens_page(&control, &visitor, &NewToken::default(), None).await
}

async fn tokens_page(
    control: &Control,
    visitor: &Visitor,
    typed: &NewToken,
    refusal: Option<Refusal>,
) -> Answer {
    let tokens = control
        .tokens(&visitor.operator)
        .await
        .map_err(|error| Refusal::from(error).page(Section::Tokens, visitor))?;
    let mut fields = token_fields(&typed.name, &typed.expires_at);
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| refusal.status);
    let flash = match refusal {
        Some(refusal) => {
            let lines = mark(&mut fields, &refusal.errors);
            Some(Flash { good: false, text: format!("The token was not made. {}", refusal.text), lines })
        }
        None => visitor.flash(),
    };
    let now = Timestamp::now();
    let listed = TokensPage {
        frame: Frame::new(Section::Tokens, "API tokens", &visitor.name).with(flash),
        rows: tokens.into_iter().map(|token| TokenRow::new(token, now)).collect(),
        fields,
    };
    Ok(page_with(status, &listed))
}

/// What the form for a new token sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewToken {
    name: String,
    /// A date, or nothing.
    expires_at: String,
    scope: String,
}

/// Makes a token and shows it.
pub(super) async fn create_token(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Form(form): Form<NewToken>,
) -> Answer {
    let date = form.expires_at.trim();
    let scopes: &[&str] = if form.scope == "write" { &["read", "write"] } else { &["read"] };
    let request = CreateToken {
        name: form.name.trim().to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        expires_at: (!date.is_empty()).then(|| format!("{date}T00:00:00Z")),
    };
    match control.create_token(&visitor.operator, request).await {
        Ok(made) => Ok(page(&SecretPage {
            frame: Frame::new(Section::Tokens, "The token is made", &visitor.name),
            back: TOKENS.to_owned(),
            back_label: "API tokens",
            label: format!("Token {}", made.kept.name),
            secret: made.token,
            note: "It is shown this once. Keep it where no one else can read it.",
        })),
        Err(error) => tokens_page(&control, &visitor, &form, Some(error.into())).await,
    }
}

/// Asks before a token is revoked.
pub(super) async fn ask_revoke(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Answer {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Tokens, &visitor);
    let tokens = control.tokens(&visitor.operator).await.map_err(refused)?;
    let token = tokens.into_iter().find(|token| token.id == id);
    let token = token.ok_or_else(|| refused(ControlError::not_found("token", &id)))?;
    Ok(page(&ConfirmPage {
        frame: Frame::new(Section::Tokens, format!("Revoke {}?", token.name), &visitor.name),
        back: "API tokens".into(),
        cancel: TOKENS.into(),
        action: format!("{TOKENS}/{}/revoke", token.id),
        text: vec![
            "Programs that use it are refused from their next request on. This can't be undone.".into(),
        ],
        typed: None,
        tick: None,
        button: "Revoke the token",
        grave: true,
    }))
}

/// Revokes a token.
pub(super) async fn revoke(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Answer {
    match control.delete_token(&visitor.operator, &id).await {
        Ok(()) => Ok(Done::TokenRevoked.at(TOKENS)),
        Err(error) => Err(Refusal::from(error).page(Section::Tokens, &visitor)),
    }
}
