//! `/users`, `/tenants/{name}/members` and `/audit`.

use super::auth::Permit;
use super::input::{Asked, Input, Listing};
use super::{Answer, BASE, State};
use crate::types::{
    AuditEntry, CreateUser, CreatedUser, MemberView, OneTimePassword, Page, PatchUser, SetRoles, UserView,
};
use axum::Json;
use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;

/// Users in the order of their names.
#[utoipa::path(get, path = "/users", tag = "people", params(Listing),
    responses((status = 200, body = Page<UserView>)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(listing): Asked<Listing>,
) -> Answer<Json<Page<UserView>>> {
    Ok(Json(control.users(&operator, &listing.paging()?).await?))
}

/// Makes a user.
#[utoipa::path(post, path = "/users", tag = "people", request_body = CreateUser,
    responses((status = 201, body = CreatedUser)))]
pub(super) async fn create(
    extract::State(control): State,
    Permit(operator): Permit,
    Input(request): Input<CreateUser>,
) -> Answer<Response> {
    let created = control.create_user(&operator, request).await?;
    let location = format!("{BASE}/users/{}", created.user.name);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(created)).into_response())
}

/// Changes what is given.
#[utoipa::path(patch, path = "/users/{name}", tag = "people", params(("name" = String, Path)),
    request_body = PatchUser, responses((status = 200, body = UserView)))]
pub(super) async fn change(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    Input(patch): Input<PatchUser>,
) -> Answer<Json<UserView>> {
    Ok(Json(control.patch_user(&operator, &name, patch).await?))
}

/// Deletes a user; not the last Super User.
#[utoipa::path(delete, path = "/users/{name}", tag = "people", params(("name" = String, Path)),
    responses((status = 204)))]
pub(super) async fn remove(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    control.delete_user(&operator, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a user a one-time password.
#[utoipa::path(post, path = "/users/{name}/reset-password", tag = "people", params(("name" = String, Path)),
    responses((status = 200, body = OneTimePassword)))]
pub(super) async fn reset_password(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<Json<OneTimePassword>> {
    Ok(Json(control.reset_password(&operator, &name).await?))
}

/// Signs a user out everywhere.
#[utoipa::path(delete, path = "/users/{name}/sessions", tag = "people", params(("name" = String, Path)),
    responses((status = 204)))]
pub(super) async fn end_sessions(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    control.end_sessions(&operator, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A tenant's members.
#[utoipa::path(get, path = "/tenants/{name}/members", tag = "people", params(("name" = String, Path)),
    responses((status = 200, body = Page<MemberView>)))]
pub(super) async fn members(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<Json<Page<MemberView>>> {
    Ok(Json(Page { items: control.members(&operator, &name).await?, next: None }))
}

/// Makes a user a member with exactly these roles.
#[utoipa::path(put, path = "/tenants/{name}/members/{user}", tag = "people",
    params(("name" = String, Path), ("user" = String, Path)), request_body = SetRoles,
    responses((status = 200, body = MemberView)))]
pub(super) async fn set_member(
    extract::State(control): State,
    Permit(operator): Permit,
    Path((name, user)): Path<(String, String)>,
    Input(set): Input<SetRoles>,
) -> Answer<Json<MemberView>> {
    Ok(Json(control.set_member(&operator, &name, &user, &set.roles).await?))
}

/// Ends a membership.
#[utoipa::path(delete, path = "/tenants/{name}/members/{user}", tag = "people",
    params(("name" = String, Path), ("user" = String, Path)), responses((status = 204)))]
pub(super) async fn remove_member(
    extract::State(control): State,
    Permit(operator): Permit,
    Path((name, user)): Path<(String, String)>,
) -> Answer<StatusCode> {
    control.remove_member(&operator, &name, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The audit trail, newest first.
#[utoipa::path(get, path = "/audit", tag = "server", params(Listing),
    responses((status = 200, body = Page<AuditEntry>)))]
pub(super) async fn audit(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(listing): Asked<Listing>,
) -> Answer<Json<Page<AuditEntry>>> {
    Ok(Json(control.audit(&operator, &listing.paging()?, listing.tenant.as_deref()).await?))
}
