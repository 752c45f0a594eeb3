//! `/tenants` and `/receipts`.

use super::auth::Permit;
use super::input::{Asked, Input, Listing};
use super::{Answer, BASE, State};
use crate::types::{
    CreateTenant, DeleteOutcome, Page, PatchTenant, ReceiptView, TenantView, TrashedView, UsageView,
};
use axum::Json;
use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde::Deserialize;

/// Tenants in the order of their names.
#[utoipa::path(get, path = "/tenants", tag = "tenants", params(Listing),
    responses((status = 200, body = Page<TenantView>)))]
pub(super) async fn list(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(listing): Asked<Listing>,
) -> Answer<Json<Page<TenantView>>> {
    Ok(Json(control.tenants(&operator, &listing.paging()?, listing.state.as_deref()).await?))
}

/// Makes a tenant and waits until it is served.
#[utoipa::path(post, path = "/tenants", tag = "tenants", request_body = CreateTenant,
    responses((status = 201, body = TenantView)))]
pub(super) async fn create(
    extract::State(control): State,
    Permit(operator): Permit,
    Input(request): Input<CreateTenant>,
) -> Answer<Response> {
    let tenant = control.create_tenant(&operator, request).await?;
    let location = format!("{BASE}/tenants/{}", tenant.name);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(tenant)).into_response())
}

/// One tenant.
#[utoipa::path(get, path = "/tenants/{name}", tag = "tenants", params(("name" = String, Path)),
    responses((status = 200, body = TenantView)))]
pub(super) async fn show(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<Json<TenantView>> {
    Ok(Json(control.tenant(&operator, &name).await?))
}

/// Changes what is given.
#[utoipa::path(patch, path = "/tenants/{name}", tag = "tenants", params(("name" = String, Path)),
    request_body = PatchTenant, responses((status = 200, body = TenantView)))]
pub(super) async fn change(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    Input(patch): Input<PatchTenant>,
) -> Answer<Json<TenantView>> {
    Ok(Json(control.patch_tenant(&operator, &name, patch).await?))
}

/// How to delete.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Deleting {
    /// The tenant's name, typed again.
    confirm: Option<String>,
    /// `true`: gone at once, without the trash.
    now: Option<bool>,
}

/// Deletes a tenant: to the trash, or with `now` for good.
#[utoipa::path(delete, path = "/tenants/{name}", tag = "tenants", params(("name" = String, Path), Deleting),
    responses((status = 200, body = ReceiptView), (status = 202, body = TrashedView)))]
pub(super) async fn remove(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    Asked(how): Asked<Deleting>,
) -> Answer<Response> {
    let confirm = how.confirm.unwrap_or_default();
    Ok(match control.delete_tenant(&operator, &name, &confirm, how.now.unwrap_or(false)).await? {
        DeleteOutcome::Gone(receipt) => Json(receipt).into_response(),
        DeleteOutcome::Trashed(trashed) => (StatusCode::ACCEPTED, Json(trashed)).into_response(),
    })
}

/// Takes a tenant out of service.
#[utoipa::path(post, path = "/tenants/{name}/suspend", tag = "tenants", params(("name" = String, Path)),
    responses((status = 200, body = TenantView)))]
pub(super) async fn suspend(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<Json<TenantView>> {
    Ok(Json(control.suspend(&operator, &name).await?))
}

/// Puts a tenant back into service.
#[utoipa::path(post, path = "/tenants/{name}/resume", tag = "tenants", params(("name" = String, Path)),
    responses((status = 200, body = TenantView)))]
pub(super) async fn resume(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<Json<TenantView>> {
    Ok(Json(control.resume(&operator, &name).await?))
}

/// What to measure.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Measuring {
    /// `true`: also the rows of each table, for which all of them are read.
    tables: Option<bool>,
}

/// What a tenant keeps.
#[utoipa::path(get, path = "/tenants/{name}/usage", tag = "tenants", params(("name" = String, Path), Measuring),
    responses((status = 200, body = UsageView)))]
pub(super) async fn usage(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    Asked(what): Asked<Measuring>,
) -> Answer<Json<UsageView>> {
    Ok(Json(control.usage(&operator, &name, what.tables.unwrap_or(false)).await?))
}

/// Receipts of tenants that are gone.
#[utoipa::path(get, path = "/receipts", tag = "tenants", params(Listing),
    responses((status = 200, body = Page<ReceiptView>)))]
pub(super) async fn receipts(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(listing): Asked<Listing>,
) -> Answer<Json<Page<ReceiptView>>> {
    Ok(Json(control.receipts(&operator, &listing.paging()?).await?))
}
