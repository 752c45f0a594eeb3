//! The list of sites, new ones, and taking one off the air.

use super::State;
use super::answer::{Answer, Done, Refusal, page, page_with};
use super::gate::Visitor;
use super::views::sites::{NewSitePage, SiteRow, SitesPage, new_site_fields};
use super::views::{ConfirmPage, Flash, Frame, Pager, Section, bytes, mark};
use crate::Control;
use crate::error::ControlError;
use crate::types::{CreateTenant, DeleteOutcome, Paging, ReceiptView};
use axum::extract::{self, Path, Query};
use axum::response::Response;
use axum::{Extension, Form};
use http::StatusCode;
use serde::Deserialize;

const LIST: &str = "/-/console/tenants";
const STATES: [&str; 6] = ["active", "suspended", "moving", "provisioning", "trashed", "deleting"];

/// Which sites.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SitesQuery {
    search: String,
    state: String,
    cursor: Option<String>,
}

/// A page of sites.
pub(super) async fn list(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<SitesQuery>,
) -> Answer {
    sites_page(&control, &visitor, query, visitor.flash()).await
}

async fn sites_page(control: &Control, visitor: &Visitor, query: SitesQuery, flash: Option<Flash>) -> Answer {
    let search = query.search.trim().to_owned();
    let paging = Paging { limit: None, cursor: query.cursor.clone(), search: Some(search.clone()) };
    let sites = control
        .tenants(&visitor.operator, &paging, Some(&query.state))
        .await
        .map_err(|error| Refusal::from(error).page(Section::Sites, visitor))?;
    let given = [("search", search.as_str()), ("state", query.state.as_str())];
    let pager = Pager::new(LIST, &given, query.cursor.as_deref(), sites.next.as_deref());
    Ok(page(&SitesPage {
        frame: Frame::new(Section::Sites, "Tenants", &visitor.name).with(flash),
        search,
        state: query.state,
        states: STATES,
        rows: sites.items.into_iter().map(SiteRow::from).collect(),
        with_servers: control.config().data_servers.len() > 1,
        pager,
    }))
}

/// The form for a new site.
pub(super) async fn form(extract::State(control): State, Extension(visitor): Extension<Visitor>) -> Answer {
    new_site(&control, &visitor, &CreateTenant::default(), None).await
}

async fn new_site(
    control: &Control,
    visitor: &Visitor,
    typed: &CreateTenant,
    refusal: Option<Refusal>,
) -> Answer {
    let refused = |error: ControlError| Refusal::from(error).page(Section::Sites, visitor);
    let status = control.status(&visitor.operator).await.map_err(refused)?;
    let releases = release_names(control, visitor).await.map_err(refused)?;
    let mut fields = new_site_fields(typed);
    let code = refusal.as_ref().map_or(StatusCode::OK, |refusal| refusal.status);
    let flash = refusal.map(|refusal| {
        let lines = mark(&mut fields, &refusal.errors);
        Flash { good: false, text: format!("The tenant was not made. {}", refusal.text), lines }
    });
    let new = NewSitePage {
        frame: Frame::new(Section::Sites, "New tenant", &visitor.name).with(flash),
        fields,
        url_prefix: typed.url_prefix.unwrap_or(true),
        default_release: status.default_release,
        releases,
        chosen: typed.release.clone().unwrap_or_default(),
        servers: server_names(control),
        server_chosen: typed
            .data_server
            .clone()
            .unwrap_or_else(|| control.config().default_server.to_string()),
    };
    Ok(page_with(code, &new))
}

/// Names of releases to choose from. The oldest names beyond the first page are left out.
pub(super) async fn release_names(control: &Control, visitor: &Visitor) -> Result<Vec<String>, ControlError> {
    let paging = Paging { limit: Some(200), ..Paging::default() };
    let releases = control.releases(&visitor.operator, &paging).await?;
    Ok(releases.items.into_iter().map(|release| release.name).collect())
}

/// Names of data servers to choose from; none where there is nothing to choose.
pub(super) fn server_names(control: &Control) -> Vec<String> {
    let servers = &control.config().data_servers;
    if servers.len() > 1 { servers.iter().map(ToString::to_string).collect() } else { Vec::new() }
}

/// What the form for a new site sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewSite {
    name: String,
    title: String,
    addresses: String,
    locale: String,
    time_zone: String,
    release: String,
    data_server: String,
    url_prefix: Option<String>,
}

impl From<NewSite> for CreateTenant {
    fn from(form: NewSite) -> Self {
        let given = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let separated = |c: char| c.is_whitespace() || c == ',';
        Self {
            name: form.name.trim().to_owned(),
            title: given(form.title),
            release: given(form.release),
            addresses: form.addresses.split(separated).filter(|a| !a.is_empty()).map(str::to_owned).collect(),
            url_prefix: Some(form.url_prefix.is_some()),
            locale: given(form.locale),
            time_zone: given(form.time_zone),
            data_server: given(form.data_server),
            ..Self::default()
        }
    }
}

/// Makes a site.
pub(super) async fn create(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Form(form): Form<NewSite>,
) -> Answer {
    let typed = CreateTenant::from(form);
    match control.create_tenant(&visitor.operator, typed.clone()).await {
        Ok(site) => Ok(Done::SiteMade.at(&format!("{LIST}/{}", site.name))),
        Err(error) => new_site(&control, &visitor, &typed, Some(error.into())).await,
    }
}

/// Asks before a site is suspended.
pub(super) async fn ask_suspend(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    let name = known(&control, &visitor, &name).await?;
    Ok(page(&ConfirmPage {
        frame: Frame::new(Section::Sites, format!("Suspend {name}?"), &visitor.name),
        cancel: format!("{LIST}/{name}"),
        action: format!("{LIST}/{name}/suspend"),
        back: name,
        text: vec![
            "Visitors see a plain page with status 503 from the next request on, and nobody can edit the site.".into(),
            "Nothing is lost. The tenant is served again as soon as it is resumed.".into(),
        ],
        typed: None,
        tick: None,
        button: "Suspend the tenant",
        grave: false,
    }))
}

/// Asks for the name before a site is deleted.
pub(super) async fn ask_delete(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    let name = known(&control, &visitor, &name).await?;
    Ok(page(&deletion(&control, &visitor, name)))
}

fn deletion(control: &Control, visitor: &Visitor, name: String) -> ConfirmPage {
    let days = control.config().trash_period.as_secs() / (24 * 3600);
    let kept = match days {
        0 => "It is kept in the trash for less than a day.".to_owned(),
        1 => "It is kept in the trash for a day.".to_owned(),
        days => format!("It is kept in the trash for {days} days."),
    };
    ConfirmPage {
        frame: Frame::new(Section::Sites, format!("Delete {name}?"), &visitor.name),
        cancel: format!("{LIST}/{name}"),
        action: format!("{LIST}/{name}/delete"),
        back: name.clone(),
        text: vec![
            "The tenant is off the air at once, and its name and addresses are free for others.".into(),
            format!("{kept} Then database, files, sessions and memberships are removed for good."),
        ],
        typed: Some(name),
        tick: Some("Remove everything now, without the trash"),
        button: "Delete the tenant",
        grave: true,
    }
}

pub(super) async fn known(control: &Control, visitor: &Visitor, name: &str) -> Result<String, Response> {
    let site = control.tenant(&visitor.operator, name).await;
    site.map(|site| site.name).map_err(|error| Refusal::from(error).page(Section::Sites, visitor))
}

/// Suspends a site.
pub(super) async fn suspend(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    match control.suspend(&visitor.operator, &name).await {
        Ok(site) => Ok(Done::Suspended.at(&format!("{LIST}/{}", site.name))),
        Err(error) => Err(Refusal::from(error).page(Section::Sites, &visitor)),
    }
}

/// Serves a site again.
pub(super) async fn resume(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    match control.resume(&visitor.operator, &name).await {
        Ok(site) => Ok(Done::Resumed.at(&format!("{LIST}/{}", site.name))),
        Err(error) => Err(Refusal::from(error).page(Section::Sites, &visitor)),
    }
}

/// What the page before a deletion sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deletion {
    confirm: String,
    now: Option<String>,
}

/// Deletes a site whose name was typed. A removal at once shows its receipt.
pub(super) async fn delete(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Deletion>,
) -> Answer {
    let typed = form.confirm.trim();
    match control.delete_tenant(&visitor.operator, &name, typed, form.now.is_some()).await {
        Ok(DeleteOutcome::Trashed(_)) => Ok(Done::Trashed.at(LIST)),
        Ok(DeleteOutcome::Gone(receipt)) => {
            sites_page(&control, &visitor, SitesQuery::default(), Some(told(&receipt))).await
        }
        Err(error @ ControlError::Invalid(_)) => {
            let refusal = Refusal::from(error);
            let name = known(&control, &visitor, &name).await?;
            Ok(refusal.on(deletion(&control, &visitor, name)))
        }
        Err(error) => Err(Refusal::from(error).page(Section::Sites, &visitor)),
    }
}

/// The receipt of a removal.
fn told(receipt: &ReceiptView) -> Flash {
    let (removed, left) = (&receipt.removed, &receipt.found_after);
    let found = match (left.database_bytes, left.files, left.file_bytes) {
        (0, 0, 0) => "nothing".to_owned(),
        _ => format!("{} and {} files", bytes(left.database_bytes + left.file_bytes), left.files),
    };
    let mut flash = Flash::good(format!("The tenant {} is gone.", receipt.name));
    flash.lines = vec![
        format!(
            "Removed: {} of database, {} in {} files, {} sessions, {} memberships, {} addresses.",
            bytes(removed.database_bytes),
            bytes(removed.file_bytes),
            removed.files,
            removed.sessions,
            removed.memberships,
            removed.addresses
        ),
        format!("Found afterwards: {found}."),
    ];
    flash
}
