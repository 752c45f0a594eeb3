//! `/tokens`.

use super::auth::Permit;
use super::input::Input;
use super::{Answer, State};
use crate::types::{CreateToken, CreatedToken, Page, TokenView};
use axum::Json;
use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

/// API tokens, oldest first.
#[utoipa::path(get, path = "/tokens", tag = "people", responses((status = 200, body = Page<TokenView>)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
) -> Answer<Json<Page<TokenView>>> {
    Ok(Json(Page { items: control.tokens(&operator).await?, next: None }))
}

/// Makes a token. The answer is the only place that shows it.
#[utoipa::path(post, path = "/tokens", tag = "people", request_body = CreateToken,
    responses((status = 201, body = CreatedToken)))]
pub(super) async fn create(
    extract::State(control): State,
    Permit(operator): Permit,
    Input(request): Input<CreateToken>,
) -> Answer<Response> {
    let created = control.create_token(&operator, request).await?;
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// Revokes a token.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "people", params(("id" = String, Path)),
    responses((status = 204)))]
pub(super) async fn remove(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    control.delete_token(&operator, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
