//! Pages about sites, which the rest of the host calls tenants.

use super::{Field, Frame, Moment, Pager, bytes, mark};
use crate::error::FieldError;
use crate::types::{CacheCounts, CreateTenant, MemberView, TenantView, UsageView};
use askama::Template;
use std::collections::BTreeMap;
use std::fmt;

/// A state as a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::console) struct State(pub String);

impl State {
    fn chip(&self) -> &'static str {
        match self.0.as_str() {
            "active" => "chip-good",
            "suspended" | "provisioning" | "moving" => "chip-warn",
            "trashed" | "deleting" => "chip-bad",
            _ => "",
        }
    }

    fn is_suspended(&self) -> bool {
        self.0 == "suspended"
    }

    fn is_trashed(&self) -> bool {
        self.0 == "trashed"
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The list of sites.
#[derive(Debug, Template)]
#[template(path = "console/tenants.html")]
pub(in crate::console) struct SitesPage {
    pub frame: Frame,
    pub search: String,
    pub state: String,
    pub states: [&'static str; 6],
    pub rows: Vec<SiteRow>,
    /// Whether there is more than one data server to tell apart.
    pub with_servers: bool,
    pub pager: Pager,
}

impl SitesPage {
    fn is_filtered(&self) -> bool {
        !self.search.is_empty() || !self.state.is_empty()
    }

    fn is_state(&self, state: &str) -> bool {
        self.state == state
    }
}

/// One row of the list.
#[derive(Debug)]
pub(in crate::console) struct SiteRow {
    pub name: String,
    pub title: String,
    pub state: State,
    pub release: String,
    pub data_server: String,
    pub url: String,
    /// The URL without its scheme, which says nothing to a reader.
    pub address: String,
}

impl From<TenantView> for SiteRow {
    fn from(tenant: TenantView) -> Self {
        let url = tenant.urls.into_iter().next().unwrap_or_default();
        let bare = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        Self {
            address: bare.trim_end_matches('/').to_owned(),
            name: tenant.name,
            title: tenant.title,
            state: State(tenant.state),
            release: tenant.release.map(|release| release.name).unwrap_or_default(),
            data_server: tenant.data_server,
            url,
        }
    }
}

/// The form for a new site.
#[derive(Debug, Template)]
#[template(path = "console/tenant-new.html")]
pub(in crate::console) struct NewSitePage {
    pub frame: Frame,
    pub fields: Vec<Field>,
    pub url_prefix: bool,
    pub default_release: Option<String>,
    pub releases: Vec<String>,
    pub chosen: String,
    /// Data servers to choose from; none where there is only one.
    pub servers: Vec<String>,
    pub server_chosen: String,
}

/// The fields of a new site, with what was typed.
pub(in crate::console) fn new_site_fields(typed: &CreateTenant) -> Vec<Field> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let name = "2 to 63 letters, digits and hyphens. It becomes a part of the address and stays.";
    let addresses = "Host names of its own, separated by spaces, such as club.example or *.club.example.";
    vec![
        Field::text("name", "Name", name, typed.name.clone()).required(),
        Field::text("title", "Title", "What visitors read at the top.", text(&typed.title)),
        Field::text("addresses", "Addresses", addresses, typed.addresses.join(" ")),
        Field::text("locale", "Language", "Such as en-GB or nb-NO.", text(&typed.locale)),
        Field::text("time_zone", "Time zone", "Such as Europe/London.", text(&typed.time_zone)),
    ]
}

/// One site.
#[derive(Debug, Template)]
#[template(path = "console/tenant.html")]
pub(in crate::console) struct SitePage {
    pub frame: Frame,
    /// Path of the page, below which its forms post.
    pub base: String,
    pub tenant: Site,
    pub forms: SiteForms,
    pub members: Vec<MemberRow>,
    pub releases: Vec<String>,
    /// Data servers that it can be moved to.
    pub servers: Vec<String>,
    pub usage: Usage,
    pub cache: CacheFacts,
}

/// What the page shows of a site.
#[derive(Debug)]
pub(in crate::console) struct Site {
    pub id: String,
    pub name: String,
    pub title: String,
    pub state: State,
    pub addresses: Vec<String>,
    pub urls: Vec<String>,
    pub settings: BTreeMap<String, String>,
    /// Hosts that its guest may send requests to.
    pub outbound: Vec<String>,
    pub release: String,
    pub digest: String,
    pub previous: String,
    pub schema_version: u32,
    pub revision: u64,
    pub data_server: String,
    /// What is under way with it.
    pub operation: String,
    pub created: Moment,
}

/// Which form of a site's page was sent, with what was typed into it.
#[derive(Clone, Debug)]
pub(in crate::console) enum Typed {
    /// One that nothing is typed into.
    Nothing,
    Properties {
        title: String,
        locale: String,
        time_zone: String,
        url_prefix: bool,
    },
    Address(String),
    Member {
        user: String,
        role: String,
    },
    Setting {
        key: String,
        value: String,
    },
    Outbound(String),
    Clone(String),
}

/// The forms of a site's page.
#[derive(Debug)]
pub(in crate::console) struct SiteForms {
    pub properties: Vec<Field>,
    pub url_prefix: bool,
    pub address: Vec<Field>,
    pub member: Vec<Field>,
    role: String,
    pub setting: Vec<Field>,
    pub outbound: Vec<Field>,
    pub clone: Vec<Field>,
}

impl SiteForms {
    /// Before anything was typed.
    pub(in crate::console) fn new(tenant: &TenantView) -> Self {
        let empty = |name, id, label, hint| Field::text(name, label, hint, "").id(id);
        let ports = "Host, with a port where it is neither 80 nor 443";
        Self {
            properties: vec![
                Field::text("title", "Title", "", tenant.title.clone()).required(),
                Field::text("locale", "Language", "Such as en-GB or nb-NO.", tenant.locale.clone())
                    .required(),
                Field::text("time_zone", "Time zone", "Such as Europe/London.", tenant.time_zone.clone())
                    .required(),
            ],
            url_prefix: tenant.url_prefix,
            address: vec![
                empty("add", "add-address", "Host name", "club.example or *.club.example").required(),
            ],
            member: vec![empty("user", "add-member", "User name", "").required()],
            role: String::new(),
            setting: vec![
                empty("key", "set-key", "Key", "").required(),
                empty("value", "set-value", "Value", ""),
            ],
            outbound: vec![empty("add", "add-outbound", ports, "").required()],
            clone: vec![empty("name", "clone-name", "Name of a clone", "").required()],
        }
    }

    /// The form that was sent, with what was typed into it.
    fn sent(&mut self, typed: Typed) -> Option<&mut Vec<Field>> {
        let (form, values) = match typed {
            Typed::Nothing => return None,
            Typed::Properties { title, locale, time_zone, url_prefix } => {
                self.url_prefix = url_prefix;
                (&mut self.properties, vec![title, locale, time_zone])
            }
            Typed::Address(host) => (&mut self.address, vec![host]),
            Typed::Member { user, role } => {
                self.role = role;
                (&mut self.member, vec![user])
            }
            Typed::Setting { key, value } => (&mut self.setting, vec![key, value]),
            Typed::Outbound(host) => (&mut self.outbound, vec![host]),
            Typed::Clone(name) => (&mut self.clone, vec![name]),
        };
        for (field, value) in form.iter_mut().zip(values) {
            field.value = value;
        }
        Some(form)
    }

    /// Keeps what was typed, and says at the form that was sent why it was refused: the errors, or the text where there
    /// are none.
    pub(in crate::console) fn refuse(&mut self, typed: Typed, errors: &[FieldError], text: &str) {
        let is_request = matches!(typed, Typed::Properties { .. });
        let Some(form) = self.sent(typed) else { return };
        if is_request {
            mark(form, errors);
            return;
        }
        // Such a form makes one entry of a list, which is what the error names. Only a setting's value has a field
        // of its own.
        for (index, field) in form.iter_mut().enumerate() {
            let is_its = |error: &&FieldError| error.field.starts_with("settings.") == (index > 0);
            let details: Vec<&str> =
                errors.iter().filter(is_its).map(|error| error.detail.as_str()).collect();
            let why = if errors.is_empty() && index == 0 { text.to_owned() } else { details.join("; ") };
            field.wrong = Some(why).filter(|why| !why.is_empty());
        }
    }

    fn roles(&self) -> [&'static str; 2] {
        ["owner", "editor"]
    }

    fn is_role(&self, role: &str) -> bool {
        self.role == role
    }
}

impl From<TenantView> for Site {
    fn from(tenant: TenantView) -> Self {
        let (release, digest) = match tenant.release {
            Some(release) => (release.name, release.digest.chars().take(12).collect()),
            None => (String::new(), String::new()),
        };
        Self {
            id: tenant.id,
            name: tenant.name,
            title: tenant.title,
            state: State(tenant.state),
            addresses: tenant.addresses,
            urls: tenant.urls,
            settings: tenant.settings,
            outbound: tenant.outbound,
            release,
            digest,
            previous: tenant.previous_release.unwrap_or_default(),
            schema_version: tenant.schema_version,
            revision: tenant.revision,
            data_server: tenant.data_server,
            operation: tenant.operation.unwrap_or_default(),
            created: Moment::of(&tenant.created_at),
        }
    }
}

/// A member of a site.
#[derive(Debug)]
pub(in crate::console) struct MemberRow {
    pub user: String,
    pub roles: String,
}

impl From<MemberView> for MemberRow {
    fn from(member: MemberView) -> Self {
        Self { user: member.user, roles: member.roles.join(", ") }
    }
}

/// How much a site keeps.
#[derive(Debug)]
pub(in crate::console) struct Usage {
    pub database: String,
    pub database_limit: String,
    pub files: String,
    pub files_limit: String,
}

impl From<UsageView> for Usage {
    fn from(usage: UsageView) -> Self {
        let noun = if usage.files == 1 { "file" } else { "files" };
        Self {
            database: bytes(usage.database_bytes),
            database_limit: bytes(usage.database_limit),
            files_limit: bytes(usage.file_bytes_limit),
            files: format!("{} in {} {noun}", bytes(usage.file_bytes), usage.files),
        }
    }
}

/// How pages of a site are kept on this server.
#[derive(Debug)]
pub(in crate::console) struct CacheFacts {
    pub hits: u64,
    pub misses: u64,
    /// Hits of hits and misses; empty where there was neither.
    pub ratio: String,
    /// Pages and the memory they take.
    pub held: String,
    pub evictions: u64,
}

impl From<CacheCounts> for CacheFacts {
    fn from(counts: CacheCounts) -> Self {
        let noun = if counts.entries == 1 { "page" } else { "pages" };
        let asked = u128::from(counts.hits) + u128::from(counts.misses);
        // Rounded down: 100 % would say that nothing had to be made.
        let percent = u128::from(counts.hits) * 100 / asked.max(1);
        Self {
            hits: counts.hits,
            misses: counts.misses,
            ratio: if asked == 0 { String::new() } else { format!("{percent} %") },
            held: format!("{} in {} {noun}", bytes(counts.bytes), counts.entries),
            evictions: counts.evictions,
        }
    }
}
