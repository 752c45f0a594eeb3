//! `/cache` and `/tenants/NAME/cache`: what this server's output cache counts, and making pages anew.

use super::auth::Permit;
use super::input::Input;
use super::{Answer, State};
use crate::types::{CacheView, FlushCache, FlushedView, TenantCacheView};
use axum::Json;
use axum::extract::{self, Path};

/// The cache of this server, with the tenants that hold the most of it.
#[utoipa::path(get, path = "/cache", tag = "server", responses((status = 200, body = CacheView)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
) -> Answer<Json<CacheView>> {
    Ok(Json(control.cache(&operator)))
}

/// The cache of this server for one tenant.
#[utoipa::path(get, path = "/tenants/{name}/cache", tag = "tenants", params(("name" = String, Path)),
    responses((status = 200, body = TenantCacheView)))]
pub(super) async fn show(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<Json<TenantCacheView>> {
    Ok(Json(control.tenant_cache(&operator, &name).await?))
}

/// Makes a tenant's pages anew: all, those with a tag, or one.
#[utoipa::path(post, path = "/tenants/{name}/cache/flush", tag = "tenants", params(("name" = String, Path)),
    request_body = FlushCache, responses((status = 200, body = FlushedView)))]
pub(super) async fn flush(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    Input(what): Input<FlushCache>,
) -> Answer<Json<FlushedView>> {
    Ok(Json(control.flush_cache(&operator, &name, what).await?))
}
