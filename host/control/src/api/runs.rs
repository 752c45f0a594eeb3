//! `/runs`.

use super::auth::Permit;
use super::input::{Asked, Input, Listing};
use super::{Answer, BASE, State};
use crate::types::{Page, RunDetail, RunView, StartRun};
use axum::Json;
use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;

/// Runs, newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", params(Listing), responses((status = 200, body = Page<RunView>)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(listing): Asked<Listing>,
) -> Answer<Json<Page<RunView>>> {
    Ok(Json(control.runs(&operator, &listing.paging()?).await?))
}

/// Records a run that moves tenants to a release, and begins it. It goes on after the answer: its events say when
/// it ends.
#[utoipa::path(post, path = "/runs", tag = "runs", request_body = StartRun,
    responses((status = 201, body = RunView)))]
pub(super) async fn start(
    extract::State(control): State,
    Permit(operator): Permit,
    Input(request): Input<StartRun>,
) -> Answer<Response> {
    Ok(created(control.activate(&operator, request).await?))
}

/// One run with a page of its tenants, those in one state where `state` is given.
#[utoipa::path(get, path = "/runs/{id}", tag = "runs", params(("id" = String, Path), Listing),
    responses((status = 200, body = RunDetail)))]
pub(super) async fn show(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(id): Path<String>,
    Asked(listing): Asked<Listing>,
) -> Answer<Json<RunDetail>> {
    let paging = listing.paging()?;
    Ok(Json(control.run_detail(&operator, &id, &paging, listing.state.as_deref()).await?))
}

/// Tries the failed tenants of a run again, or goes on with one that was interrupted.
#[utoipa::path(post, path = "/runs/{id}/resume", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = RunView)))]
pub(super) async fn resume(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(id): Path<String>,
) -> Answer<Json<RunView>> {
    Ok(Json(control.resume_run(&operator, &id).await?))
}

/// Starts a run that returns every tenant which a run moved to the release it ran before.
#[utoipa::path(post, path = "/runs/{id}/rollback", tag = "runs", params(("id" = String, Path)),
    responses((status = 201, body = RunView)))]
pub(super) async fn rollback(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(id): Path<String>,
) -> Answer<Response> {
    Ok(created(control.rollback(&operator, &id).await?))
}

fn created(run: RunView) -> Response {
    let location = format!("{BASE}/runs/{}", run.id);
    (StatusCode::CREATED, [(LOCATION, location)], Json(run)).into_response()
}
