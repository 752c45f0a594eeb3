//! One site: what it is, and the forms that change it.

use super::State;
use super::answer::{Answer, Done, Refusal, page_with};
use super::gate::Visitor;
use super::sites::{release_names, server_names};
use super::views::sites::{CacheFacts, MemberRow, Site, SiteForms, SitePage, Typed, Usage};
use super::views::{Frame, Section};
use crate::Control;
use crate::error::ControlError;
use crate::types::{PatchTenant, StartRun, TenantView};
use axum::extract::{self, Path};
use axum::{Extension, Form};
use http::StatusCode;
use serde::Deserialize;

pub(super) fn path(name: &str) -> String {
    format!("/-/console/tenants/{name}")
}

/// The page of a site.
pub(super) async fn show(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Answer {
    site_page(&control, &visitor, &name, None).await
}

/// The page, with why a change was refused.
pub(super) async fn refused(
    control: &Control,
    visitor: &Visitor,
    name: &str,
    typed: Typed,
    error: ControlError,
) -> Answer {
    site_page(control, visitor, name, Some((typed, error.into()))).await
}

async fn site_page(
    control: &Control,
    visitor: &Visitor,
    name: &str,
    refused: Option<(Typed, Refusal)>,
) -> Answer {
    match gather(control, visitor, name, refused).await {
        Ok((status, site)) => Ok(page_with(status, &site)),
        Err(error) => Err(Refusal::from(error).page(Section::Sites, visitor)),
    }
}

async fn gather(
    control: &Control,
    visitor: &Visitor,
    name: &str,
    refused: Option<(Typed, Refusal)>,
) -> Result<(StatusCode, SitePage), ControlError> {
    let operator = &visitor.operator;
    let tenant = control.tenant(operator, name).await?;
    let members = control.members(operator, name).await?;
    let usage = control.usage(operator, name, false).await?;
    let cache = control.tenant_cache(operator, name).await?;
    let releases = release_names(control, visitor).await?;
    let mut forms = SiteForms::new(&tenant);
    let status = refused.as_ref().map_or(StatusCode::OK, |(_, refusal)| refusal.status);
    let flash = match refused {
        Some((typed, refusal)) => {
            // What failed on our side is no fault of what was typed.
            let text = if status.is_client_error() { refusal.text.as_str() } else { "" };
            forms.refuse(typed, &refusal.errors, text);
            Some(refusal.flash())
        }
        None => visitor.flash(),
    };
    let site = SitePage {
        frame: Frame::new(Section::Sites, tenant.title.clone(), &visitor.name).with(flash),
        base: path(&tenant.name),
        forms,
        members: members.into_iter().map(MemberRow::from).collect(),
        releases,
        servers: server_names(control).into_iter().filter(|server| *server != tenant.data_server).collect(),
        usage: Usage::from(usage),
        cache: CacheFacts::from(cache.counts),
        tenant: Site::from(tenant),
    };
    Ok((status, site))
}

/// Leads back to the site after a change, or shows it with why there was none.
async fn after<T>(
    changed: Result<T, ControlError>,
    control: &Control,
    visitor: &Visitor,
    name: &str,
    typed: Typed,
) -> Answer {
    match changed {
        Ok(_) => Ok(Done::Saved.at(&path(name))),
        Err(error) => refused(control, visitor, name, typed, error).await,
    }
}

/// Saves a change of the site.
async fn save(control: &Control, visitor: &Visitor, name: &str, typed: Typed, patch: PatchTenant) -> Answer {
    let changed = control.patch_tenant(&visitor.operator, name, patch).await;
    after(changed, control, visitor, name, typed).await
}

/// What the form of properties sends.
#[derive(Debug, Deserialize)]
pub(super) struct Properties {
    title: String,
    locale: String,
    time_zone: String,
    url_prefix: Option<String>,
}

/// Changes title, language, time zone and url-prefix.
pub(super) async fn change_properties(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Properties>,
) -> Answer {
    let patch = PatchTenant {
        title: Some(form.title.trim().to_owned()),
        locale: Some(form.locale.trim().to_owned()),
        time_zone: Some(form.time_zone.trim().to_owned()),
        url_prefix: Some(form.url_prefix.is_some()),
        ..PatchTenant::default()
    };
    let typed = Typed::Properties {
        title: form.title,
        locale: form.locale,
        time_zone: form.time_zone,
        url_prefix: form.url_prefix.is_some(),
    };
    save(&control, &visitor, &name, typed, patch).await
}

/// One entry of a list to add, or one to remove.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListChange {
    add: Option<String>,
    remove: Option<String>,
}

impl ListChange {
    /// What becomes of the list. An entry that is in it already is given twice, which the service takes as once.
    fn of(&self, mut list: Vec<String>) -> Vec<String> {
        list.retain(|entry| Some(entry) != self.remove.as_ref());
        list.extend(self.add.as_deref().map(|entry| entry.trim().to_owned()));
        list
    }
}

/// Adds to one of a site's lists or removes from it, by what is in it now.
async fn change_list(
    control: &Control,
    visitor: &Visitor,
    name: &str,
    form: ListChange,
    typed: fn(String) -> Typed,
    patch: fn(TenantView, &ListChange) -> PatchTenant,
) -> Answer {
    let patch = control.tenant(&visitor.operator, name).await.map(|site| patch(site, &form));
    let typed = form.add.map_or(Typed::Nothing, typed);
    match patch {
        Ok(patch) => save(control, visitor, name, typed, patch).await,
        Err(error) => refused(control, visitor, name, typed, error).await,
    }
}

/// Adds or removes an address.
pub(super) async fn change_addresses(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<ListChange>,
) -> Answer {
    change_list(&control, &visitor, &name, form, Typed::Address, |site, form| PatchTenant {
        addresses: Some(form.of(site.addresses)),
        ..PatchTenant::default()
    })
    .await
}

/// One setting to set, or one to remove.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SettingChange {
    key: String,
    value: String,
    remove: Option<String>,
}

/// Sets or removes a setting.
pub(super) async fn change_settings(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<SettingChange>,
) -> Answer {
    let (key, value, typed) = match form.remove {
        Some(key) => (key, None, Typed::Nothing),
        None => {
            let typed = Typed::Setting { key: form.key.clone(), value: form.value.clone() };
            (form.key.trim().to_owned(), Some(form.value), typed)
        }
    };
    let patch = PatchTenant { settings: Some([(key, value)].into()), ..PatchTenant::default() };
    save(&control, &visitor, &name, typed, patch).await
}

/// Adds or removes a host that the site's guest may send requests to.
pub(super) async fn change_outbound(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<ListChange>,
) -> Answer {
    change_list(&control, &visitor, &name, form, Typed::Outbound, |site, form| PatchTenant {
        outbound: Some(form.of(site.outbound)),
        ..PatchTenant::default()
    })
    .await
}

/// One member to add, or one to remove.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MemberChange {
    user: String,
    role: String,
    remove: Option<String>,
}

/// Adds a member with one role, or removes one.
pub(super) async fn change_members(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<MemberChange>,
) -> Answer {
    let (changed, typed) = match form.remove {
        Some(user) => (control.remove_member(&visitor.operator, &name, &user).await, Typed::Nothing),
        None => {
            let typed = Typed::Member { user: form.user.clone(), role: form.role.clone() };
            let added = control.set_member(&visitor.operator, &name, form.user.trim(), &[form.role]).await;
            (added.map(|_member| ()), typed)
        }
    };
    after(changed, &control, &visitor, &name, typed).await
}

/// The release that a site is to run.
#[derive(Debug, Deserialize)]
pub(super) struct Move {
    release: String,
}

/// Moves one site to a release.
pub(super) async fn move_to_release(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<Move>,
) -> Answer {
    let request = StartRun { release: form.release, tenants: Some(vec![name.clone()]), default: None };
    match control.activate(&visitor.operator, request).await {
        Ok(run) => Ok(Done::RunBegun.at(&super::runs::path(&run.id))),
        Err(error) => refused(&control, &visitor, &name, Typed::Nothing, error).await,
    }
}
