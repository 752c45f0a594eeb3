//! `/releases`.

use super::auth::Permit;
use super::input::{Asked, Component, Listing};
use super::{Answer, BASE, State};
use crate::types::{Page, ReleaseView};
use axum::Json;
use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;

/// Releases in the order of their names.
#[utoipa::path(get, path = "/releases", tag = "releases", params(Listing),
    responses((status = 200, body = Page<ReleaseView>)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(listing): Asked<Listing>,
) -> Answer<Json<Page<ReleaseView>>> {
    Ok(Json(control.releases(&operator, &listing.paging()?).await?))
}

/// What the component is to be called.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Naming {
    /// Before the `@`.
    name: String,
    /// After it.
    version: String,
}

/// Checks and stores a component. 200 where the same bytes have that name already.
#[utoipa::path(post, path = "/releases", tag = "releases", params(Naming),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = ReleaseView), (status = 200, body = ReleaseView)))]
pub(super) async fn push(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(naming): Asked<Naming>,
    Component(bytes): Component,
) -> Answer<Response> {
    let (release, new) = control.push_release(&operator, &naming.name, &naming.version, bytes).await?;
    if !new {
        return Ok(Json(release).into_response());
    }
    let location = format!("{BASE}/releases/{}", release.name);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(release)).into_response())
}

/// One release.
#[utoipa::path(get, path = "/releases/{release}", tag = "releases", params(("release" = String, Path)),
    responses((status = 200, body = ReleaseView)))]
pub(super) async fn show(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(release): Path<String>,
) -> Answer<Json<ReleaseView>> {
    Ok(Json(control.release(&operator, &release).await?))
}

/// Deletes a release that nothing uses.
#[utoipa::path(delete, path = "/releases/{release}", tag = "releases", params(("release" = String, Path)),
    responses((status = 204)))]
pub(super) async fn remove(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(release): Path<String>,
) -> Answer<StatusCode> {
    control.delete_release(&operator, &release).await?;
    Ok(StatusCode::NO_CONTENT)
}
