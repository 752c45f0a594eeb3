//! `/data-servers`.

use super::auth::Permit;
use super::{Answer, State};
use crate::types::DataServerList;
use axum::Json;
use axum::extract;

/// The data servers, each asked whether it is there.
#[utoipa::path(get, path = "/data-servers", tag = "server", responses((status = 200, body = DataServerList)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
) -> Answer<Json<DataServerList>> {
    Ok(Json(control.data_servers(&operator).await?))
}
