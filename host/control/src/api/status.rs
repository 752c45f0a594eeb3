//! `/status`: how the server is.

use super::auth::Permit;
use super::{Answer, State};
use crate::types::StatusView;
use axum::Json;

/// How the server is.
#[utoipa::path(get, path = "/status", tag = "server", responses((status = 200, body = StatusView)))]
pub(super) async fn show(
    axum::extract::State(control): State,
    Permit(operator): Permit,
) -> Answer<Json<StatusView>> {
    Ok(Json(control.status(&operator).await?))
}
