//! One site: what it is, and the forms that change it.

use super::State;
use super::answer::{Answer, Done, Refusal, page_with};
use super::gate::Visitor;
use super::sites::{release_names, server_names};
use super::views::sites::{CacheFacts, MemberRow, Site, SitePage, Usage, site_fields};
use super::views::{Frame, Section, mark};
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

/// The page, or the page with why a change was refused.
pub(super) async fn site_page(
    control: &Control,
    visitor: &Visitor,
    name: &str,
    refusal: Option<Refusal>,
) -> Answer {
    match gather(control, visitor, name, refusal).await {
        Ok((status, site)) => Ok(page_with(status, &site)),
        Err(error) => Err(Refusal::from(error).page(Section::Sites, visitor)),
    }
}

async fn gather(
    control: &Control,
    visitor: &Visitor,
    name: &str,
    refusal: Option<Refusal>,
) -> Result<(StatusCode, SitePage), ControlError> {
    let operator = &visitor.operator;
    let tenant = control.tenant(operator, name).await?;
    let members = control.members(operator, name).await?;
    let usage = control.usage(operator, name, false).await?;
    let cache = control.tenant_cache(operator, name).await?;
    let releases = release_names(control, visitor).await?;
    let mut fields = site_fields(&tenant);
    let status = refusal.as_ref().map_or(StatusCode::OK, |refusal| refusal.status);
    let flash = match refusal {
        Some(refusal) => {
            mark(&mut fields, &refusal.errors);
            Some(refusal.flash())
        }
        None => visitor.flash(),
    };
    let site = SitePage {
        frame: Frame::new(Section::Sites, tenant.title.clone(), &visitor.name).with(flash),
        base: path(&tenant.name),
        fields,
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
    done: Done,
    control: &Control,
    visitor: &Visitor,
    name: &str,
) -> Answer {
    match changed {
        Ok(_) => Ok(done.at(&path(name))),
        Err(error) => site_page(control, visitor, name, Some(error.into())).await,
    }
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
    let changed = control.patch_tenant(&visitor.operator, &name, patch).await;
    after(changed, Done::Saved, &control, &visitor, &name).await
}

/// One address to add, or one to remove.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AddressChange {
    add: Option<String>,
    remove: Option<String>,
}

/// Adds or removes an address.
pub(super) async fn change_addresses(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<AddressChange>,
) -> Answer {
    let changed = async {
        let TenantView { mut addresses, .. } = control.tenant(&visitor.operator, &name).await?;
        addresses.retain(|address| Some(address) != form.remove.as_ref());
        if let Some(address) = form.add.as_deref().map(str::trim)
            && !addresses.iter().any(|known| known == address)
        {
            addresses.push(address.to_owned());
        }
        let patch = PatchTenant { addresses: Some(addresses), ..PatchTenant::default() };
        control.patch_tenant(&visitor.operator, &name, patch).await
    };
    after(changed.await, Done::Saved, &control, &visitor, &name).await
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
    let (key, value) = match form.remove {
        Some(key) => (key, None),
        None => (form.key.trim().to_owned(), Some(form.value)),
    };
    let patch = PatchTenant { settings: Some([(key, value)].into()), ..PatchTenant::default() };
    let changed = control.patch_tenant(&visitor.operator, &name, patch).await;
    after(changed, Done::Saved, &control, &visitor, &name).await
}

/// Adds or removes a host that the site's guest may send requests to.
pub(super) async fn change_outbound(
    extract::State(control): State,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
    Form(form): Form<AddressChange>,
) -> Answer {
    let changed = async {
        let TenantView { mut outbound, .. } = control.tenant(&visitor.operator, &name).await?;
        outbound.retain(|rule| Some(rule) != form.remove.as_ref());
        outbound.extend(form.add.as_deref().map(|rule| rule.trim().to_owned()));
        let patch = PatchTenant { outbound: Some(outbound), ..PatchTenant::default() };
        control.patch_tenant(&visitor.operator, &name, patch).await
    };
    after(changed.await, Done::Saved, &control, &visitor, &name).await
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
    let changed = match form.remove {
        Some(user) => control.remove_member(&visitor.operator, &name, &user).await,
        None => {
            let added = control.set_member(&visitor.operator, &name, form.user.trim(), &[form.role]).await;
            added.map(|_member| ())
        }
    };
    after(changed, Done::Saved, &control, &visitor, &name).await
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
        Err(error) => site_page(&control, &visitor, &name, Some(error.into())).await,
    }
}
