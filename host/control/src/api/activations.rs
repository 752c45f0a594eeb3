//! `/activations`.

use super::auth::Permit;
use super::input::{Asked, Input, Listing};
use super::{Answer, BASE, State};
use crate::types::{ActivationView, Page, StartActivation};
use axum::Json;
use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;

/// Activations, newest first.
#[utoipa::path(get, path = "/activations", tag = "releases", params(Listing),
    responses((status = 200, body = Page<ActivationView>)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(listing): Asked<Listing>,
) -> Answer<Json<Page<ActivationView>>> {
    Ok(Json(control.activations(&operator, &listing.paging()?).await?))
}

/// Moves tenants to a release and waits until all are moved or have failed.
#[utoipa::path(post, path = "/activations", tag = "releases", request_body = StartActivation,
    responses((status = 201, body = ActivationView)))]
pub(super) async fn start(
    extract::State(control): State,
    Permit(operator): Permit,
    Input(request): Input<StartActivation>,
) -> Answer<Response> {
    Ok(created(control.activate(&operator, request).await?))
}

/// One activation.
#[utoipa::path(get, path = "/activations/{id}", tag = "releases", params(("id" = String, Path)),
    responses((status = 200, body = ActivationView)))]
pub(super) async fn show(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(id): Path<String>,
) -> Answer<Json<ActivationView>> {
    Ok(Json(control.activation(&operator, &id).await?))
}

/// Returns every tenant that an activation moved to the release it ran before.
#[utoipa::path(post, path = "/activations/{id}/rollback", tag = "releases", params(("id" = String, Path)),
    responses((status = 201, body = ActivationView)))]
pub(super) async fn rollback(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(id): Path<String>,
) -> Answer<Response> {
    Ok(created(control.rollback(&operator, &id).await?))
}

fn created(activation: ActivationView) -> Response {
    let location = format!("{BASE}/activations/{}", activation.id);
    (StatusCode::CREATED, [(LOCATION, location)], Json(activation)).into_response()
}
