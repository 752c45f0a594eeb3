//! What the console's pages show. Pure: made from what the services return, rendered by the templates in
//! `templates/console`. Nothing here asks a service or decides who may see a page.

pub(super) mod audit;
pub(super) mod data;
pub(super) mod people;
pub(super) mod releases;
pub(super) mod runs;
pub(super) mod servers;
pub(super) mod sites;

use crate::error::FieldError;
use askama::Template;
use askama::filters::{Escaper as _, Html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rowhouse_base::Digest;
use std::fmt;
use std::sync::LazyLock;

/// The style sheet, served under a name that changes with it.
pub(super) const STYLESHEET: &str = include_str!("../../templates/console/console.css");
/// The mark in the browser's tab.
pub(super) const ICON: &str = include_str!("../../templates/console/icon.svg");
/// Where it is served, and where every page looks for it.
pub(super) const ICON_PATH: &str = "/-/console/assets/icon.svg";
/// Where the style sheet is served.
pub(super) const STYLESHEET_PATH: &str = "/-/console/assets/console.css";
static STYLESHEET_URL: LazyLock<String> =
    LazyLock::new(|| format!("{STYLESHEET_PATH}?v={}", Digest::of(STYLESHEET.as_bytes()).short()));

/// The part of the console that a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Sites,
    Releases,
    Runs,
    Users,
    Tokens,
    Servers,
    Data,
    Audit,
    /// None: there is no such page.
    Nowhere,
}

const SECTIONS: [(Section, &str, &str); 9] = [
    (Section::Overview, "Overview", "/-/console/"),
    (Section::Sites, "Tenants", "/-/console/tenants"),
    (Section::Releases, "Releases", "/-/console/releases"),
    (Section::Runs, "Runs", "/-/console/runs"),
    (Section::Users, "Users", "/-/console/users"),
    (Section::Tokens, "API tokens", "/-/console/tokens"),
    (Section::Servers, "Servers", "/-/console/servers"),
    (Section::Data, "Data servers", "/-/console/data-servers"),
    (Section::Audit, "Audit trail", "/-/console/audit"),
];

/// What surrounds every page.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub title: String,
    pub section: Section,
    /// Who is signed in.
    pub user: String,
    pub version: &'static str,
    pub flash: Option<Flash>,
}

impl Frame {
    /// The frame of a page in this section.
    pub(super) fn new(section: Section, title: impl Into<String>, user: &str) -> Self {
        Self {
            title: title.into(),
            section,
            user: user.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            flash: None,
        }
    }

    /// With a message above the page.
    pub(super) fn with(mut self, flash: Option<Flash>) -> Self {
        self.flash = flash.or(self.flash);
        self
    }

    fn stylesheet(&self) -> &'static str {
        &STYLESHEET_URL
    }

    fn sections(&self) -> [(Section, &'static str, &'static str); 9] {
        SECTIONS
    }

    fn is_in(&self, section: &Section) -> bool {
        self.section == *section
    }

    /// For templates: every page has a frame.
    fn said<'t>(&self, text: &'t str) -> Said<'t> {
        Said(text)
    }
}

/// A text in which what stands between two backticks is code. HTML when written: both are escaped.
#[derive(Clone, Copy, Debug)]
struct Said<'t>(&'t str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((before, (code, after))) =
            rest.split_once('`').and_then(|(before, rest)| Some((before, rest.split_once('`')?)))
        {
            Html.write_escaped_str(&mut *f, before)?;
            f.write_str("<code>")?;
            Html.write_escaped_str(&mut *f, code)?;
            f.write_str("</code>")?;
            rest = after;
        }
        Html.write_escaped_str(f, rest)
    }
}

/// A message about what was just done, or why it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flash {
    pub good: bool,
    pub text: String,
    /// Several faults, one each.
    pub lines: Vec<String>,
}

impl Flash {
    /// It was done.
    pub(super) fn good(text: impl Into<String>) -> Self {
        Self { good: true, text: text.into(), lines: Vec::new() }
    }
}

/// A time for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub iso: String,
    pub short: String,
}

impl Moment {
    /// From RFC 3339 in UTC, as the services write it.
    pub(super) fn of(iso: &str) -> Self {
        let short = match iso.parse::<jiff::Timestamp>() {
            Ok(moment) => moment.strftime("%-d %b %Y, %H:%M").to_string(),
            Err(_other_text) => iso.to_owned(),
        };
        Self { iso: iso.to_owned(), short }
    }
}

/// One line of a form.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: &'static str,
    /// Of its own on the page.
    pub id: &'static str,
    pub label: &'static str,
    pub value: String,
    pub kind: &'static str,
    pub hint: &'static str,
    pub required: bool,
    pub wrong: Option<String>,
}

impl Field {
    /// An optional text.
    pub(super) fn text(
        name: &'static str,
        label: &'static str,
        hint: &'static str,
        value: impl Into<String>,
    ) -> Self {
        Self { name, id: name, label, value: value.into(), kind: "text", hint, required: false, wrong: None }
    }

    /// On a page where another form has a field of this name.
    pub(super) fn id(mut self, id: &'static str) -> Self {
        self.id = id;
        self
    }

    /// Has to be filled.
    pub(super) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Of another input type.
    pub(super) fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    fn is_wrong(&self) -> bool {
        self.wrong.is_some()
    }

    fn is_described(&self) -> bool {
        self.is_wrong() || !self.hint.is_empty()
    }
}

/// Writes each error to its field, and returns those that belong to none.
pub(super) fn mark(fields: &mut [Field], errors: &[FieldError]) -> Vec<String> {
    let mut others = Vec::new();
    for error in errors {
        // An error about an element of a list, such as `addresses[0]`, belongs to the list.
        let name = error.field.split(['[', '.']).next().unwrap_or_default();
        match fields.iter_mut().find(|field| field.name == name) {
            Some(field) => field.wrong = Some(error.detail.clone()),
            None => others.push(labelled(error)),
        }
    }
    others
}

/// An error for a list of them, under the name that pages have for its field.
pub(super) fn labelled(error: &FieldError) -> String {
    let label = match error.field.split(['[', '.']).next().unwrap_or_default() {
        "name" => "Name",
        "title" => "Title",
        "locale" => "Language",
        "time_zone" => "Time zone",
        "addresses" => "Addresses",
        "settings" => "Settings",
        "outbound" => "Outbound requests",
        "release" => "Release",
        "data_server" => "Data server",
        "roles" => "Role",
        "tenants" => "Tenants",
        "component" | "module" => "Component",
        _ => error.field.as_str(),
    };
    format!("{label}: {}", error.detail)
}

/// Links to other pages of a list.
#[derive(Clone, Debug, Default)]
pub(super) struct Pager {
    pub first: Option<String>,
    pub next: Option<String>,
}

impl Pager {
    /// For the list at `path` with these parameters, on the page after `cursor`.
    pub(super) fn new(
        path: &str,
        parameters: &[(&str, &str)],
        cursor: Option<&str>,
        next: Option<&str>,
    ) -> Self {
        Self {
            first: cursor.map(|_| link(path, parameters, None)),
            next: next.map(|next| link(path, parameters, Some(next))),
        }
    }

    fn is_needed(&self) -> bool {
        self.first.is_some() || self.next.is_some()
    }
}

fn link(path: &str, parameters: &[(&str, &str)], cursor: Option<&str>) -> String {
    let given = parameters.iter().copied().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<_> = given
        .chain(cursor.map(|cursor| ("cursor", cursor)))
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// A number of bytes in the unit that suits it.
#[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
pub(super) fn bytes(count: u64) -> String {
    let mut amount = count as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if amount < 1023.95 {
            break;
        }
        amount /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{count} B") } else { format!("{amount:.1} {unit}") }
}

/// A number with a name and, where there is one, the list behind it.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub label: &'static str,
    pub value: String,
    pub path: &'static str,
}

/// The first page.
#[derive(Debug, Template)]
#[template(path = "console/overview.html")]
pub(super) struct OverviewPage {
    pub frame: Frame,
    pub figures: Vec<Figure>,
    pub generation: u64,
    pub default_release: Option<String>,
    pub rows: Vec<audit::AuditRow>,
}

/// Asks before something is done.
#[derive(Debug, Template)]
#[template(path = "console/confirm.html")]
pub(super) struct ConfirmPage {
    pub frame: Frame,
    /// Label of the page that `cancel` leads to.
    pub back: String,
    pub cancel: String,
    pub action: String,
    pub text: Vec<String>,
    /// A name that has to be typed.
    pub typed: Option<String>,
    /// A choice, sent as `now`.
    pub tick: Option<&'static str>,
    pub button: &'static str,
    /// It can't be undone, or not easily.
    pub grave: bool,
}

/// Shows a secret, once.
#[derive(Template)]
#[template(path = "console/secret.html")]
pub(super) struct SecretPage {
    pub frame: Frame,
    pub back: String,
    pub back_label: &'static str,
    pub label: String,
    pub secret: String,
    pub note: &'static str,
}

/// Says why there is no page.
#[derive(Debug, Template)]
#[template(path = "console/problem.html")]
pub(super) struct ProblemPage {
    pub frame: Frame,
    pub text: String,
}

#[cfg(test)]
mod tests;
