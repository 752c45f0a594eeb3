//! The first page, the audit trail, and the page for what there isn't.

use super::State;
use super::answer::{Answer, Refusal, page};
use super::gate::Visitor;
use super::views::audit::{AuditPage, AuditRow};
use super::views::{Figure, Frame, OverviewPage, Pager, Section};
use crate::Control;
use crate::error::ControlError;
use crate::types::{AuditEntry, Paging, TenantCounts};
use axum::Extension;
use axum::extract::{self, Query};
use axum::response::Response;
use http::Uri;
use serde::Deserialize;

/// How many changes the first page shows.
const RECENT: u32 = 12;

/// Counts, versions and recent changes.
pub(super) async fn show(extract::State(control): State, Extension(visitor): Extension<Visitor>) -> Answer {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Overview, &visitor);
    let status = control.status(&visitor.operator).await.map_err(refused)?;
    let recent = Paging { limit: Some(RECENT), ..Paging::default() };
    let rows = control.audit(&visitor.operator, &recent, None).await.map_err(refused)?;
    Ok(page(&OverviewPage {
        frame: Frame::new(Section::Overview, "Overview", &visitor.name).with(visitor.flash()),
        figures: figures(&status.tenants),
        generation: status.generation,
        default_release: status.default_release,
        rows: told(&control, &visitor, rows.items).await.map_err(refused)?,
    }))
}

/// Entries of the trail with what they name.
async fn told(
    control: &Control,
    visitor: &Visitor,
    entries: Vec<AuditEntry>,
) -> Result<Vec<AuditRow>, ControlError> {
    let named = control.named_in(&visitor.operator, &entries).await?;
    Ok(entries.into_iter().map(|entry| AuditRow::new(entry, &named)).collect())
}

/// Active and suspended sites always; other states where there is a site in them.
fn figures(counts: &TenantCounts) -> Vec<Figure> {
    let all = [
        ("active tenants", counts.active, "/-/console/tenants?state=active", true),
        ("suspended", counts.suspended, "/-/console/tenants?state=suspended", true),
        ("being moved", counts.moving, "/-/console/tenants?state=moving", false),
        ("in the trash", counts.trashed, "/-/console/tenants?state=trashed", true),
        ("being made", counts.provisioning, "/-/console/tenants?state=provisioning", false),
        ("being removed", counts.deleting, "/-/console/tenants?state=deleting", false),
    ];
    let shown = all.into_iter().filter(|(_, count, _, always)| *always || *count > 0);
    shown.map(|(label, count, path, _)| Figure { label, value: count.to_string(), path }).collect()
}

/// Which part of the audit trail.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuditQuery {
    tenant: String,
    cursor: Option<String>,
}

/// Every change, newest first.
pub(super) async fn audit(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<AuditQuery>,
) -> Answer {
    let tenant = query.tenant.trim();
    let refused = |error: ControlError| Refusal::from(error).page(Section::Audit, &visitor);
    let paging = Paging { limit: None, cursor: query.cursor.clone(), search: None };
    let rows = control
        .audit(&visitor.operator, &paging, Some(tenant).filter(|name| !name.is_empty()))
        .await
        .map_err(refused)?;
    let pager =
        Pager::new("/-/console/audit", &[("tenant", tenant)], query.cursor.as_deref(), rows.next.as_deref());
    Ok(page(&AuditPage {
        frame: Frame::new(Section::Audit, "Audit trail", &visitor.name),
        tenant: tenant.to_owned(),
        rows: told(&control, &visitor, rows.items).await.map_err(refused)?,
        pager,
    }))
}

/// There is no such page.
pub(super) async fn not_found(Extension(visitor): Extension<Visitor>, uri: Uri) -> Response {
    Refusal::from(ControlError::not_found("page", uri.path())).page(Section::Nowhere, &visitor)
}
