//! Releases: upload, activate, delete.

use super::State;
use super::answer::{Answer, Done, Refusal, page, page_with};
use super::gate::Visitor;
use super::views::releases::{ActivatePage, ReleasePage, ReleaseRow, ReleasesPage, upload_fields};
use super::views::{ConfirmPage, Flash, Frame, Section, mark};
use crate::Control;
use crate::error::ControlError;
use crate::types::{Paging, ReleaseView, StartRun};
use axum::extract::multipart::MultipartError;
use axum::extract::{self, Multipart, Path};
use axum::response::Response;
use axum::{Extension, Form};
use bytes::Bytes;
use http::StatusCode;

const LIST: &str = "/-/console/releases";
/// Bytes of a component with the form around it: as many as the API takes, and some for the form.
pub(super) const UPLOAD_BYTES: usize = (64 << 20) + (16 << 10);
/// Sites to tick when a release is activated; more of them on one page would be a page to scroll, not to read.
const TICKS: u32 = 200;

/// Releases, and the upload form.
pub(super) async fn list(extract::State(control): State, Extension(visitor): Extension<Visitor>) -> Answer {
    releases_page(&control, &visitor, ("", ""), None).await
}

async fn releases_page(
    control: &Control,
    visitor: &Visitor,
    (name, version): (&str, &str),
    refusal: Option<Refusal>,
) -> Answer {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Releases, visitor);
    let operator = &visitor.operator;
    let default = control.status(operator).await.map_err(refused)?.default_release;
    let all = Paging { limit: Some(200), ..Paging::default() };
    let releases = control.releases(operator, &all).await.map_err(refused)?;
    let mut fields = upload_fields(name, version);
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| refusal.status);
    let flash = match refusal {
        Some(refusal) => {
            let lines = mark(&mut fields, &refusal.errors);
            Some(Flash { good: false, text: format!("The module was not stored. {}", refusal.text), lines })
        }
        None => visitor.flash(),
    };
    let mut rows: Vec<_> =
        releases.items.iter().map(|release| ReleaseRow::new(release, default.as_deref())).collect();
    rows.sort_by(|a, b| b.pushed.iso.cmp(&a.pushed.iso));
    let listed = ReleasesPage {
        frame: Frame::new(Section::Releases, "Releases", &visitor.name).with(flash),
        rows,
        fields,
    };
    Ok(page_with(status, &listed))
}

/// What the upload form sends.
#[derive(Debug, Default)]
struct Upload {
    name: String,
    version: String,
    file: Bytes,
}

async fn read_upload(mut form: Multipart) -> Result<Upload, MultipartError> {
    let mut upload = Upload::default();
    while let Some(field) = form.next_field().await? {
        match field.name().unwrap_or_default() {
            "name" => upload.name = field.text().await?.trim().to_owned(),
            "version" => upload.version = field.text().await?.trim().to_owned(),
            "file" => upload.file = field.bytes().await?,
            _ => {}
        }
    }
    Ok(upload)
}

/// Checks and stores a component.
pub(super) async fn upload(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    form: Multipart,
) -> Answer {
    let upload = match read_upload(form).await {
        Ok(upload) => upload,
        Err(error) => {
            let refusal = Refusal {
                status: error.status(),
                text: format!("{}.", error.body_text()),
                errors: Vec::new(),
            };
            return releases_page(&control, &visitor, ("", ""), Some(refusal)).await;
        }
    };
    let stored = if upload.file.is_empty() {
        Err(ControlError::field("component", "choose a file"))
    } else {
        control.push_release(&visitor.operator, &upload.name, &upload.version, None, upload.file).await
    };
    match stored {
        Ok((_, true)) => Ok(Done::Stored.at(LIST)),
        Ok((_, false)) => Ok(Done::Known.at(LIST)),
        Err(error) => {
            releases_page(&control, &visitor, (&upload.name, &upload.version), Some(error.into())).await
        }
    }
}

async fn known(control: &Control, visitor: &Visitor, release: &str) -> Result<ReleaseView, Response> {
    let found = control.release(&visitor.operator, release).await;
    found.map_err(|error| Refusal::from(error).page(Section::Releases, visitor))
}

/// One release.
pub(super) async fn show(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(release): Path<String>,
) -> Answer {
    let release = known(&control, &visitor, &release).await?;
    Ok(page(&ReleasePage {
        frame: Frame::new(Section::Releases, release.name.clone(), &visitor.name),
        base: format!("{LIST}/{}", release.name),
        release: ReleaseRow::new(&release, None),
        digest: release.digest,
        has_upgrade: release.has_upgrade,
        ready_on: release.ready_on,
        exports: release.exports,
        imports: release.imports,
    }))
}

/// Asks which sites are to run a release.
pub(super) async fn ask_activate(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(release): Path<String>,
) -> Answer {
    activate_page(&control, &visitor, &release, None).await
}

async fn activate_page(
    control: &Control,
    visitor: &Visitor,
    release: &str,
    refusal: Option<Refusal>,
) -> Answer {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Releases, visitor);
    let release = known(control, visitor, release).await?;
    let counts = control.status(&visitor.operator).await.map_err(refused)?.tenants;
    let mut tenants = Vec::new();
    for state in ["active", "suspended"] {
        let paging = Paging { limit: Some(TICKS), ..Paging::default() };
        let sites = control.tenants(&visitor.operator, &paging, Some(state)).await.map_err(refused)?;
        let present =
            |release: Option<crate::types::TenantRelease>| release.map(|r| r.name).unwrap_or_default();
        tenants.extend(sites.items.into_iter().map(|site| (site.name, present(site.release))));
    }
    tenants.sort();
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| refusal.status);
    let title = format!("Activate {}", release.name);
    let asked = ActivatePage {
        frame: Frame::new(Section::Releases, title, &visitor.name).with(refusal.map(Refusal::flash)),
        action: format!("{LIST}/{}/activate", release.name),
        total: usize::try_from(counts.active + counts.suspended).unwrap_or(usize::MAX),
        tenants,
    };
    Ok(page_with(status, &asked))
}

/// Moves all sites to a release, or those ticked. The form repeats `tenant`, so it is read as pairs.
pub(super) async fn activate(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(release): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Answer {
    let all = pairs.iter().any(|(key, value)| key == "whom" && value == "all");
    let ticked: Vec<String> =
        pairs.into_iter().filter(|(key, _)| key == "tenant").map(|(_, name)| name).collect();
    let begun = if !all && ticked.is_empty() {
        Err(ControlError::field("tenants", "tick at least one tenant, or choose all"))
    } else {
        let tenants = if all { None } else { Some(ticked) };
        let request = StartRun { release: release.clone(), tenants, default: None };
        control.activate(&visitor.operator, request).await
    };
    match begun {
        Ok(run) if run.total == 0 => Ok(Done::NothingToMove.at(&super::runs::path(&run.id))),
        Ok(run) => Ok(Done::RunBegun.at(&super::runs::path(&run.id))),
        Err(error) => activate_page(&control, &visitor, &release, Some(error.into())).await,
    }
}

/// Asks before a release is deleted.
pub(super) async fn ask_delete(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(release): Path<String>,
) -> Answer {
    let release = known(&control, &visitor, &release).await?;
    Ok(page(&deletion(&visitor, &release.name)))
}

fn deletion(visitor: &Visitor, name: &str) -> ConfirmPage {
    ConfirmPage {
        frame: Frame::new(Section::Releases, format!("Delete {name}?"), &visitor.name),
        back: "Releases".into(),
        cancel: format!("{LIST}/{name}"),
        action: format!("{LIST}/{name}/delete"),
        text: vec!["The component is removed from this server. Tenants can't go back to it.".into()],
        typed: Some(name.to_owned()),
        tick: None,
        button: "Delete the release",
        grave: true,
    }
}

/// The name that was typed.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Typed {
    confirm: String,
}

/// Deletes a release whose name was typed.
pub(super) async fn delete(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(release): Path<String>,
    Form(form): Form<Typed>,
) -> Answer {
    let release = known(&control, &visitor, &release).await?;
    if form.confirm.trim() != release.name {
        return Ok(Refusal::untyped().on(deletion(&visitor, &release.name)));
    }
    match control.delete_release(&visitor.operator, &release.name).await {
        Ok(()) => Ok(Done::ReleaseDeleted.at(LIST)),
        Err(error) => Err(Refusal::from(error).page(Section::Releases, &visitor)),
    }
}
