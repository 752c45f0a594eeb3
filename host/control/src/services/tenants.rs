//! Tenants as operators see and change them. Making and deleting have files of their own.

use super::operations::idle;
use crate::Control;
use crate::error::{ControlError, FieldError};
use crate::store::{Change, DatabaseError, Operation, TenantRow, state_counts};
use crate::types::{Page, Paging, PatchTenant, StatusView, TenantCounts, TenantRelease, TenantView, rfc3339};
use rowhouse_base::{Chain, TenantName};
use rowhouse_identity::Operator;
use rowhouse_tenant::{AddressPattern, OutboundRule, TenantState};
use std::collections::BTreeMap;
use std::error::Error;
use std::str::FromStr;

type Result<T> = std::result::Result<T, ControlError>;

/// Settings of one tenant, at most: they travel with each of its requests.
const SETTINGS: usize = 200;
/// Bytes of one setting.
const SETTING_BYTES: usize = 16 << 10;
/// Addresses of one tenant.
const ADDRESSES: usize = 100;
/// Outbound rules of one tenant: each request is compared with all of them.
const OUTBOUND: usize = 100;

impl Control {
    /// How the server is.
    ///
    /// # Errors
    /// [`ControlError::Database`].
    pub async fn status(&self, _operator: &Operator) -> Result<StatusView> {
        let mut tenants = TenantCounts::default();
        for (state, count) in state_counts(&self.store).await? {
            match state {
                TenantState::Active => tenants.active = count,
                TenantState::Suspended => tenants.suspended = count,
                TenantState::Moving => tenants.moving = count,
                TenantState::Provisioning => tenants.provisioning = count,
                TenantState::Trashed => tenants.trashed = count,
                TenantState::Deleting => tenants.deleting = count,
            }
        }
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generation: self.store.generation().await?,
            tenants,
            default_release: self.store.setting(super::DEFAULT_RELEASE).await?,
        })
    }

    /// A page of tenants in the order of their names. `state` is one of the tenant states.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] for an unknown state.
    pub async fn tenants(
        &self,
        _operator: &Operator,
        paging: &Paging,
        state: Option<&str>,
    ) -> Result<Page<TenantView>> {
        let state = state
            .filter(|text| !text.is_empty())
            .map(|text| text.parse::<TenantState>().map_err(|error| ControlError::field("state", error)))
            .transpose()?;
        let after = paging.cursor().split_once(':').map(|(name, id)| (name.to_owned(), id.to_owned()));
        let limit = paging.limit();
        let rows = self.store.tenants_page(paging.search(), state, after.as_ref(), limit + 1).await?;
        let page = Page::cut(rows, limit, |row| format!("{}:{}", row.name, row.id));
        Ok(Page { items: page.items.iter().map(|row| self.view(row)).collect(), next: page.next })
    }

    /// One tenant, by name.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn tenant(&self, _operator: &Operator, name: &str) -> Result<TenantView> {
        Ok(self.view(&self.row(name).await?))
    }

    /// Changes what is given of a tenant. In force when this returns.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] with every wrong field, [`ControlError::Conflict`] for an address that another holds.
    pub async fn patch_tenant(
        &self,
        operator: &Operator,
        name: &str,
        patch: PatchTenant,
    ) -> Result<TenantView> {
        let actor = operator.writer()?;
        let row = self.row(name).await?;
        let mut wrong = Vec::new();
        let addresses = patch.addresses.as_deref().map(|texts| read_addresses(texts, &mut wrong));
        let outbound = patch.outbound.as_deref().map(|texts| read_outbound(texts, &mut wrong));
        check_words(patch.locale.as_deref(), patch.time_zone.as_deref(), &mut wrong);
        if let Some(title) = &patch.title {
            check_title(title, &mut wrong);
        }
        let mut change = self.store.change().await?;
        let mut row = editable(&mut change, &row).await?;
        for (key, value) in patch.settings.into_iter().flatten() {
            match value {
                Some(value) => row.settings.insert(key, value),
                None => row.settings.remove(&key),
            };
        }
        check_settings(&row.settings, &mut wrong);
        if !wrong.is_empty() {
            return Err(ControlError::Invalid(wrong));
        }
        let moved = addresses.is_some();
        row.addresses = addresses.unwrap_or(row.addresses);
        row.outbound = outbound.unwrap_or(row.outbound);
        row.title = patch.title.unwrap_or(row.title);
        row.url_prefix = patch.url_prefix.unwrap_or(row.url_prefix);
        row.locale = patch.locale.unwrap_or(row.locale);
        row.time_zone = patch.time_zone.unwrap_or(row.time_zone);
        change.put_tenant(&mut row).await?;
        if moved {
            hold_addresses(&mut change, &row).await?;
        }
        change.audit(actor, "tenant.change", &row, "").await?;
        change.commit().await?;
        self.sync().await?;
        Ok(self.view(&row))
    }

    /// Takes a tenant out of service: its visitors get 503.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] where it is neither active nor suspended.
    pub async fn suspend(&self, operator: &Operator, name: &str) -> Result<TenantView> {
        self.switch(operator, name, TenantState::Suspended, "tenant.suspend").await
    }

    /// Puts a suspended tenant back into service.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] where it is neither active nor suspended.
    pub async fn resume(&self, operator: &Operator, name: &str) -> Result<TenantView> {
        self.switch(operator, name, TenantState::Active, "tenant.resume").await
    }

    async fn switch(
        &self,
        operator: &Operator,
        name: &str,
        to: TenantState,
        action: &'static str,
    ) -> Result<TenantView> {
        let actor = operator.writer()?;
        let row = self.row(name).await?;
        let mut change = self.store.change().await?;
        let mut row = editable(&mut change, &row).await?;
        if row.state != to {
            if !matches!(row.operation, Some(Operation::Leave { .. })) {
                idle(&row)?;
            }
            row.state = to;
            change.put_tenant(&mut row).await?;
            change.audit(actor, action, &row, "").await?;
            change.commit().await?;
            self.sync().await?;
        }
        Ok(self.view(&row))
    }

    /// The tenant of this name: who holds it, else the newest in the trash.
    pub(crate) async fn row(&self, name: &str) -> Result<TenantRow> {
        let missing = || ControlError::not_found("tenant", name.chars().take(80).collect::<String>());
        let parsed = TenantName::parse(name).map_err(|_no_name| missing())?;
        self.store.tenant_by_name(&parsed).await?.ok_or_else(missing)
    }

    pub(crate) fn view(&self, row: &TenantRow) -> TenantView {
        TenantView {
            id: row.id.to_string(),
            name: row.name.to_string(),
            title: row.title.clone(),
            state: row.state.to_string(),
            addresses: row.addresses.iter().map(ToString::to_string).collect(),
            url_prefix: row.url_prefix,
            urls: if row.state.has_address() { self.urls(row) } else { Vec::new() },
            locale: row.locale.clone(),
            time_zone: row.time_zone.clone(),
            settings: row.settings.clone(),
            outbound: row.outbound.iter().map(ToString::to_string).collect(),
            release: row.release.as_ref().map(|release| TenantRelease {
                name: release.name.to_string(),
                digest: release.digest.to_string(),
            }),
            previous_release: row.previous_release.as_ref().map(ToString::to_string),
            schema_version: row.schema_version,
            revision: row.revision,
            created_at: rfc3339(row.created_at),
            trash_until: row.trash_until.map(rfc3339),
            data_server: row.data_server.to_string(),
            operation: row.operation.as_ref().map(|operation| operation.as_str().to_owned()),
        }
    }

    fn urls(&self, row: &TenantRow) -> Vec<String> {
        let scheme = &self.config.scheme;
        let port = self.config.port.map(|port| format!(":{port}")).unwrap_or_default();
        let (base, single) = self
            .directory
            .with(|snapshot| (snapshot.base().domain.clone(), snapshot.single().map(|tenant| tenant.id)));
        let exact = row.addresses.iter().filter_map(|address| match address {
            AddressPattern::Exact(host) => Some(format!("{scheme}://{host}{port}/")),
            AddressPattern::Wildcard(_) => None,
        });
        let mut urls: Vec<String> = exact.collect();
        if single == Some(row.id) {
            urls.push(format!("{scheme}://{base}{port}/"));
        }
        urls.push(format!("{scheme}://{}.{base}{port}/", row.name));
        // There are none beside a single site.
        if row.url_prefix && single.is_none() {
            urls.push(format!("{scheme}://{base}{port}/{}/", row.name));
        }
        urls
    }
}

/// The tenant as the change sees it, where it is active or suspended.
pub(super) async fn editable(change: &mut Change, row: &TenantRow) -> Result<TenantRow> {
    let missing = || ControlError::not_found("tenant", &row.name);
    let current = change.tenant(row.id).await?.ok_or_else(missing)?;
    if current.state.has_address() {
        Ok(current)
    } else {
        Err(ControlError::Conflict(format!("tenant `{}` is {}", current.name, current.state)))
    }
}

/// Takes a tenant's addresses, or says which one another tenant holds.
pub(super) async fn hold_addresses(change: &mut Change, row: &TenantRow) -> Result<()> {
    for address in &row.addresses {
        if change.address_holder(address).await?.is_some_and(|holder| holder != row.id) {
            return Err(ControlError::Conflict(format!("another tenant has the address `{address}`")));
        }
    }
    change.put_addresses(row).await.map_err(|error: DatabaseError| {
        if error.is_duplicate() {
            ControlError::Conflict("another tenant has one of the addresses".to_owned())
        } else {
            error.into()
        }
    })
}

/// Reads the entries of a list, each once, in the order given.
fn read_each<'a, T>(field: &str, texts: impl Iterator<Item = &'a str>, wrong: &mut Vec<FieldError>) -> Vec<T>
where
    T: FromStr<Err: Error + 'static> + PartialEq,
{
    let mut entries = Vec::new();
    for (index, text) in texts.enumerate() {
        match text.parse::<T>() {
            Ok(entry) if entries.contains(&entry) => {}
            Ok(entry) => entries.push(entry),
            Err(error) => wrong.push(fault(&format!("{field}[{index}]"), Chain(&error).to_string())),
        }
    }
    entries
}

/// Reads addresses, each once, in the order given.
pub(super) fn read_addresses(texts: &[String], wrong: &mut Vec<FieldError>) -> Vec<AddressPattern> {
    let addresses = read_each("addresses", texts.iter().map(String::as_str), wrong);
    if addresses.len() > ADDRESSES {
        wrong.push(fault("addresses", format!("a tenant has at most {ADDRESSES} addresses")));
    }
    addresses
}

/// Reads outbound rules, each once, in the order given.
pub(super) fn read_outbound(texts: &[String], wrong: &mut Vec<FieldError>) -> Vec<OutboundRule> {
    let rules = read_each("outbound", texts.iter().map(|text| text.trim()), wrong);
    if rules.len() > OUTBOUND {
        wrong.push(fault("outbound", format!("a tenant has at most {OUTBOUND} outbound hosts")));
    }
    rules
}

pub(super) fn check_title(title: &str, wrong: &mut Vec<FieldError>) {
    if title.trim().is_empty() || title.len() > 200 || title.chars().any(char::is_control) {
        wrong.push(fault("title", "a title has 1 to 200 bytes and no control characters".to_owned()));
    }
}

pub(super) fn check_words(locale: Option<&str>, time_zone: Option<&str>, wrong: &mut Vec<FieldError>) {
    let tag = |text: &str| {
        text.len() <= 35
            && text
                .split('-')
                .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    if locale.is_some_and(|text| !tag(text)) {
        wrong.push(fault("locale", "a language tag (BCP 47) such as `en` or `de-CH`".to_owned()));
    }
    if time_zone.is_some_and(|text| jiff::tz::TimeZone::get(text).is_err()) {
        wrong.push(fault("time_zone", "a time zone is an IANA name such as `Europe/Zurich`".to_owned()));
    }
}

pub(super) fn check_settings(settings: &BTreeMap<String, String>, wrong: &mut Vec<FieldError>) {
    if settings.len() > SETTINGS {
        wrong.push(fault("settings", format!("a tenant has at most {SETTINGS} settings")));
    }
    for (key, value) in settings {
        let fits = (1..=64).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if !fits {
            wrong.push(fault("settings", format!("`{key}` can't be a key: 1 to 64 of a-z 0-9 . _ -")));
        } else if value.len() > SETTING_BYTES {
            wrong.push(fault(
                &format!("settings.{key}"),
                format!("a setting has at most {SETTING_BYTES} bytes"),
            ));
        }
    }
}

fn fault(field: &str, detail: String) -> FieldError {
    FieldError { field: field.to_owned(), detail }
}
