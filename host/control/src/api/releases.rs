//! `/releases`.

use super::auth::Permit;
use super::input::{Asked, Component, Listing};
use super::{Answer, BASE, State};
use crate::ControlError;
use crate::types::{Page, ReleaseView};
use axum::Json;
use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;
use rowhouse_tenant::Reuse;
use serde::Deserialize;
use std::num::NonZeroU32;
use std::time::Duration;

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
    /// Requests that one instance may answer, for the same tenant; a fresh instance each time where nothing is said.
    reuse: Option<u32>,
    /// With `reuse`: how long an instance waits for the next request, in milliseconds; 10,000 where nothing is said.
    #[serde(rename = "reuse-idle-ms")]
    #[param(rename = "reuse-idle-ms")]
    reuse_idle_ms: Option<u32>,
}

/// An instance that nobody needs goes after this time, where nothing else is said.
const IDLE_MS: u32 = 10_000;

impl Naming {
    fn policy(&self) -> Result<Option<Reuse>, ControlError> {
        let wrong = |field, detail: &str| Err(ControlError::field(field, detail));
        let Some(requests) = self.reuse else {
            return match self.reuse_idle_ms {
                Some(_) => wrong("reuse-idle-ms", "means something only together with `reuse`"),
                None => Ok(None),
            };
        };
        let Some(requests) = NonZeroU32::new(requests) else {
            return wrong("reuse", "1 or more requests; leave it out for a fresh instance each time");
        };
        match self.reuse_idle_ms.unwrap_or(IDLE_MS) {
            0 => wrong("reuse-idle-ms", "1 ms or more"),
            idle => Ok(Some(Reuse { requests, idle: Duration::from_millis(idle.into()) })),
        }
    }
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
    let policy = naming.policy()?;
    let (release, new) =
        control.push_release(&operator, &naming.name, &naming.version, policy, bytes).await?;
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
