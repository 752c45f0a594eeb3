//! What is done with whole tenants: `/tenants/{name}/archive`, `clone`, `move`, `reset`, and `/tenants/import`.
//!
//! Archives are streamed both ways. One that comes in is verified before anything is made of it.

use super::auth::Permit;
use super::input::{Asked, Input};
use super::{Answer, BASE, Problem, State, stream};
use crate::Control;
use crate::error::ControlError;
use crate::ports::StagedArchive;
use crate::types::{CloneTenant, ImportTenant, MoveTenant, TenantView, file_stamp};
use axum::Json;
use axum::body::Body;
use axum::extract::{self, Path};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::join;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use rowhouse_base::{Chain, Timestamp, tasks};
use rowhouse_identity::Operator;
use serde::Deserialize;
use std::io;
use tokio::sync::oneshot;

/// The media type of an archive.
const ZSTD: &str = "application/zstd";

/// A tenant's archive, as it is at this moment. The tenant is served meanwhile.
#[utoipa::path(get, path = "/tenants/{name}/archive", tag = "operations", params(("name" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/zstd")))]
pub(super) async fn export(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
) -> Answer<Response> {
    let export = control.export(&operator, &name).await?;
    let file = format!("{}-{}.tar.zst", export.name(), file_stamp(Timestamp::now()));
    let (outlet, mut parts) = stream::outlet();
    let breaker = outlet.breaker();
    let (tell, mut told) = oneshot::channel();
    tasks::spawn("export tenant", async move {
        if let Err(error) = export.run(Box::new(outlet)).await {
            tracing::warn!(error = %Chain(&error), "export a tenant");
            // Where nothing was sent yet the error is the answer, else the body breaks off.
            if let Err(error) = tell.send(error) {
                drop(error);
                drop(breaker.send(Err(io::Error::other("the export failed"))).await);
            }
        }
    });
    // What comes first decides: a part, or the error.
    let first = tokio::select! {
        biased;
        Ok(error) = &mut told => return Err(ControlError::into(error)),
        part = parts.recv() => part,
    };
    // From here on an error breaks the body off; one that came just now is still the answer.
    told.close();
    if let Ok(error) = told.try_recv() {
        return Err(ControlError::into(error));
    }
    let first = first.unwrap_or_else(|| Err(io::Error::other("the export wrote nothing")));
    let fields =
        [(CONTENT_TYPE, ZSTD.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\""))];
    Ok((fields, stream::body(first, parts)).into_response())
}

/// Makes a tenant from an archive and waits until its content is compared.
#[utoipa::path(post, path = "/tenants/import", tag = "operations", params(Importing),
    request_body(content = Vec<u8>, content_type = "application/zstd"),
    responses((status = 201, body = TenantView)))]
pub(super) async fn import(
    extract::State(control): State,
    Permit(operator): Permit,
    Asked(asked): Asked<Importing>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let archive = staged(&control, &operator, &headers, body).await?;
    let request = ImportTenant {
        name: asked.name,
        data_server: asked.data_server,
        addresses: asked.addresses,
        resume: asked.resume,
    };
    Ok(created(control.import_tenant(&operator, archive, request).await?))
}

/// How a tenant made from an archive differs from the one in it.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Importing {
    /// The slug; the archive's where nothing is said.
    name: Option<String>,
    /// The data server; the default one where nothing is said.
    data_server: Option<String>,
    /// Whether it takes the archive's addresses too; yes where nothing is said.
    addresses: Option<bool>,
    /// Whether it is served at once; it is suspended where nothing is said.
    resume: Option<bool>,
}

/// Puts an archive in place of a suspended tenant's content.
#[utoipa::path(put, path = "/tenants/{name}/archive", tag = "operations", params(("name" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/zstd"),
    responses((status = 200, body = TenantView)))]
pub(super) async fn restore(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Json<TenantView>> {
    // Asked before gigabytes are sent for nothing.
    control.tenant(&operator, &name).await?;
    let archive = staged(&control, &operator, &headers, body).await?;
    Ok(Json(control.restore_tenant(&operator, &name, archive).await?))
}

/// Makes a tenant with the content of another one, without its addresses and people.
#[utoipa::path(post, path = "/tenants/{name}/clone", tag = "operations", params(("name" = String, Path)),
    request_body = CloneTenant, responses((status = 201, body = TenantView)))]
pub(super) async fn clone(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    Input(request): Input<CloneTenant>,
) -> Answer<Response> {
    Ok(created(control.clone_tenant(&operator, &name, request).await?))
}

/// Moves a tenant's database to another data server. Visitors get 503 until it is there.
#[utoipa::path(post, path = "/tenants/{name}/move", tag = "operations", params(("name" = String, Path)),
    request_body = MoveTenant, responses((status = 200, body = TenantView)))]
pub(super) async fn relocate(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    Input(request): Input<MoveTenant>,
) -> Answer<Json<TenantView>> {
    Ok(Json(control.move_tenant(&operator, &name, request).await?))
}

/// That it is meant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Confirming {
    /// The tenant's name, typed again.
    confirm: Option<String>,
}

/// Empties a suspended tenant: database and files as on its first day.
#[utoipa::path(post, path = "/tenants/{name}/reset", tag = "operations",
    params(("name" = String, Path), Confirming), responses((status = 200, body = TenantView)))]
pub(super) async fn reset(
    extract::State(control): State,
    Permit(operator): Permit,
    Path(name): Path<String>,
    Asked(asked): Asked<Confirming>,
) -> Answer<Json<TenantView>> {
    let confirm = asked.confirm.unwrap_or_default();
    Ok(Json(control.reset_tenant(&operator, &name, &confirm).await?))
}

/// Takes an archive in. A client that hangs up ends it, and nothing stays.
async fn staged(
    control: &Control,
    operator: &Operator,
    headers: &HeaderMap,
    body: Body,
) -> Result<Box<dyn StagedArchive>, Problem> {
    let limit = control.config().max_archive_bytes;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(stream::too_large(limit));
    }
    let (inlet, pump) = stream::inlet(body, limit);
    let (pumped, staged) = join(pump.run(), control.stage(operator, Box::new(inlet))).await;
    pumped?;
    staged.map_err(ControlError::into)
}

fn created(tenant: TenantView) -> Response {
    let location = format!("{BASE}/tenants/{}", tenant.name);
    (StatusCode::CREATED, [(LOCATION, location)], Json(tenant)).into_response()
}
