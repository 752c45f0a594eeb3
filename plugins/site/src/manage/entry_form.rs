//! The form of a page, news item or event: from an entry and back, with everything checked.
//!
//! It refuses what would hide another route, double an address or name a day that does not exist, and
//! says so at the field. Invariant: an [`Entry`] that leaves here can be stored. Called by
//! `manage::entries`.

use rowhouse_sdk::Form;

use crate::{
    calendar::{Day, Moment},
    slug,
    store::{
        HOME,
        entries::{Entry, Kind},
    },
};

/// The form of a new entry.
pub(super) fn blank(kind: Kind) -> Form {
    let today = Day::today();
    let form = Form::new().with("published", "0");
    match kind {
        Kind::Page => form,
        Kind::News => form.with("date", today.to_string()),
        Kind::Event => form.with("date", Moment::at(today.plus(7), 19, 0).to_string()),
    }
}

/// The form of an entry that exists.
pub(super) fn filled(kind: Kind, entry: &Entry) -> Form {
    // An event without an end is stored as ending when it begins.
    let ends = if kind == Kind::Event && entry.ends == entry.date { "" } else { &entry.ends };
    Form::new()
        .with("title", &entry.title)
        .with("slug", &entry.slug)
        .with("summary", &entry.summary)
        .with("body", &entry.body)
        .with("published", if entry.published { "1" } else { "0" })
        .with("date", &entry.date)
        .with("ends", ends)
        .with("place", &entry.place)
}

/// Reads a form. What is wrong stands in the form afterwards; the entry is only of use where nothing is.
/// `was` is the entry as stored, none for a new one.
pub(super) fn read(kind: Kind, form: &mut Form, was: Option<&Entry>) -> Entry {
    let title = form.required("title", 160, "Please give it a title.");
    let slug = read_slug(kind, form, &title, was);
    let mut entry = Entry {
        id: was.map_or(0, |was| was.id),
        slug,
        title,
        summary: form.optional("summary", 300),
        body: form.optional("body", 100_000),
        published: form.value("published") == "1",
        ..Entry::default()
    };
    match kind {
        Kind::Page => {}
        Kind::News => {
            let day: Option<Day> = form.parse("date", "Please give a day, such as 2026-05-03.");
            entry.date = day.map(|day| day.to_string()).unwrap_or_default();
        }
        Kind::Event => read_event(form, &mut entry),
    }
    // The home page's text can't be taken away; it can be empty.
    entry.published |= is_home(kind, was);
    entry
}

fn is_home(kind: Kind, was: Option<&Entry>) -> bool {
    kind == Kind::Page && was.is_some_and(|was| was.slug == HOME)
}

fn read_slug(kind: Kind, form: &mut Form, title: &str, was: Option<&Entry>) -> String {
    if is_home(kind, was) {
        return HOME.to_owned();
    }
    let typed = form.optional("slug", 80);
    let slug = if typed.is_empty() { slug::from_text(title).unwrap_or_default() } else { typed };
    if slug.is_empty() {
        if !title.is_empty() {
            form.refuse("slug", "Please give an address in letters a to z and digits.");
        }
    } else if !slug::is_slug(&slug) {
        form.refuse("slug", "Please use small letters a to z, digits and single hyphens, such as our-team.");
    } else if kind == Kind::Page && (slug::is_reserved(&slug) || slug == HOME) {
        form.refuse(
            "slug",
            format!("The address “{slug}” is used by the site itself. Please choose another."),
        );
    } else if kind == Kind::Event && slug == "past" {
        form.refuse("slug", "The address “past” is used by the site itself. Please choose another.");
    }
    slug
}

fn read_event(form: &mut Form, entry: &mut Entry) {
    let start: Option<Moment> = form.parse("date", "Please give a day and a time, such as 2026-05-03T19:00.");
    let end: Option<Moment> = if form.value("ends").trim().is_empty() {
        None
    } else {
        form.parse("ends", "Please give a day and a time, or leave this empty.")
    };
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        form.refuse("ends", "The end must come after the beginning.");
    }
    entry.date = start.map(|start| start.to_string()).unwrap_or_default();
    entry.ends = end.map(|end| end.to_string()).unwrap_or_default();
    entry.place = form.optional("place", 160);
}
