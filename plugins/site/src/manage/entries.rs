//! Pages, news and events in the dashboard: list, create, edit, preview, delete.
//!
//! One set of handlers for the three kinds. A preview renders what was typed and stores nothing.
//! Invariant: an address that exists already is refused at its field, by the database's own word.
//! Called by the routes of `manage`.

use std::str::FromStr;

use rowhouse_sdk::prelude::*;

use super::{Panel, entry_form};
use crate::{
    calendar::Day,
    markdown,
    store::{
        self, HOME,
        entries::{self, Entry, Kind, Names},
    },
};

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        [Self::Page, Self::News, Self::Event].into_iter().find(|kind| kind.names().folder == text).ok_or(())
    }
}

impl Entry {
    /// The date as lists show it: `3 May 2026`, with the time for an event.
    fn shown_date(&self) -> String {
        let day = self.date.get(..10).and_then(|day| day.parse::<Day>().ok());
        let time = self.date.get(11..).map(|time| format!(", {time}")).unwrap_or_default();
        day.map(|day| format!("{}{time}", day.long())).unwrap_or_default()
    }

    fn is_home(&self) -> bool {
        self.slug == HOME
    }
}

#[derive(Template)]
#[template(path = "manage/entries.html")]
struct List {
    panel: Panel,
    names: Names,
    kind: Kind,
    entries: Vec<Entry>,
}

pub(super) fn list(request: &Request, kind: Kind) -> Result {
    let panel = Panel::load(request, kind.names().folder)?;
    super::render(&List { panel, names: kind.names(), kind, entries: entries::all(kind)? })
}

#[derive(Template)]
#[template(path = "manage/entry.html")]
struct Edit {
    panel: Panel,
    names: Names,
    kind: Kind,
    form: Form,
    /// The entry as stored; none for a new one.
    entry: Option<Entry>,
    preview: Option<String>,
}

impl Edit {
    fn action(&self) -> String {
        let link = self.panel.to("/manage").segment(self.names.folder);
        match &self.entry {
            Some(entry) => link.segment(entry.id).into(),
            None => link.segment("new").into(),
        }
    }

    fn is_home(&self) -> bool {
        self.kind == Kind::Page && self.entry.as_ref().is_some_and(Entry::is_home)
    }

    /// Where visitors see the entry, once it is published.
    fn public_link(&self) -> Option<String> {
        let entry = self.entry.as_ref().filter(|entry| entry.published)?;
        Some(public_link(&self.panel, self.kind, &entry.slug))
    }

    /// The address before the slug, to show what it leads to.
    fn folder(&self) -> String {
        let path = match self.kind {
            Kind::Page => "/",
            Kind::News => "/news/",
            Kind::Event => "/events/",
        };
        self.panel.to(path).into()
    }
}

fn public_link(panel: &Panel, kind: Kind, slug: &str) -> String {
    match kind {
        Kind::Page if slug == HOME => panel.to("/").into(),
        Kind::Page => panel.to("/").segment(slug).into(),
        Kind::News => panel.to("/news").segment(slug).into(),
        Kind::Event => panel.to("/events").segment(slug).into(),
    }
}

fn page(request: &Request, kind: Kind, form: Form, entry: Option<Entry>, preview: bool) -> Result {
    let panel = Panel::load(request, kind.names().folder)?;
    let preview = preview.then(|| markdown::render(form.value("body"), &panel.frame.urls));
    let page = Edit { panel, names: kind.names(), kind, form, entry, preview };
    super::render_form(&page, &page.form)
}

pub(super) fn create(request: &Request, kind: Kind) -> Result {
    page(request, kind, entry_form::blank(kind), None, false)
}

pub(super) fn edit(request: &Request, kind: Kind, id: i64) -> Result {
    let entry = entries::entry(kind, id)?.ok_or(Error::NotFound)?;
    page(request, kind, entry_form::filled(kind, &entry), Some(entry), false)
}

pub(super) fn save_new(request: &Request, kind: Kind) -> Result {
    store_form(request, kind, None)
}

pub(super) fn save(request: &Request, kind: Kind, id: i64) -> Result {
    let entry = entries::entry(kind, id)?.ok_or(Error::NotFound)?;
    store_form(request, kind, Some(entry))
}

fn store_form(request: &Request, kind: Kind, was: Option<Entry>) -> Result {
    let mut form = request.form()?;
    let mut entry = entry_form::read(kind, &mut form, was.as_ref());
    let preview = form.value("action") == "preview";
    if preview || !form.is_valid() {
        return page(request, kind, form, was, preview);
    }
    if entry.summary.is_empty() && kind != Kind::Page {
        entry.summary = markdown::excerpt(&entry.body, 180);
    }
    let now = Timestamp::now();
    let write = if was.is_some() { entries::update } else { entries::insert };
    match store::commit(vec![write(kind, &entry, now)]) {
        Ok(_) => {}
        Err(error) if error.is_unique_violation() => {
            let message = format!("The address “{}” is taken already. Please choose another.", entry.slug);
            form.refuse("slug", message);
            return page(request, kind, form.with("slug", entry.slug), was, false);
        }
        Err(error) => return Err(error.into()),
    }
    let folder = kind.names().folder;
    let done = if was.is_some() { "saved" } else { "added" };
    Ok(match entries::id_of(kind, &entry.slug)? {
        Some(id) => super::back(request, &format!("/manage/{folder}/{id}"), done),
        None => super::back(request, &format!("/manage/{folder}"), done),
    })
}

#[derive(Template)]
#[template(path = "manage/delete.html")]
struct Confirm {
    panel: Panel,
    names: Names,
    entry: Entry,
}

pub(super) fn confirm(request: &Request, kind: Kind, id: i64) -> Result {
    let entry = deletable(kind, id)?;
    let panel = Panel::load(request, kind.names().folder)?;
    super::render(&Confirm { panel, names: kind.names(), entry })
}

pub(super) fn delete(request: &Request, kind: Kind, id: i64) -> Result {
    deletable(kind, id)?;
    entries::delete(kind, id)?;
    Ok(super::back(request, &format!("/manage/{}", kind.names().folder), "deleted"))
}

fn deletable(kind: Kind, id: i64) -> Result<Entry> {
    let entry = entries::entry(kind, id)?.ok_or(Error::NotFound)?;
    if kind == Kind::Page && entry.is_home() { Err(Error::NotFound) } else { Ok(entry) }
}
