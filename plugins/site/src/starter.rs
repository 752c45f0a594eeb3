//! What a new site begins with: content, menu and theme.
//!
//! The setting `starter` names one of three worked examples; without it a site begins with a short
//! welcome. Dates are counted from the day of the start, so nothing looks old. Invariant: it writes into
//! an empty database only, in one transaction, so it may run any number of times. Called by the upgrade.

mod branch;
mod club;
mod neutral;
mod school;

use rowhouse_sdk::{
    prelude::*,
    sql::{SqlResult, Statement},
};

use crate::{
    calendar::{Day, Moment},
    store::{
        self, HOME, MenuItem,
        entries::{self, Entry, Kind},
    },
    theme::{self, Colour, Letters},
};

/// A worked example.
struct Starter {
    mark: &'static str,
    tagline: &'static str,
    accent: &'static str,
    letters: &'static str,
    hero_title: &'static str,
    hero_text: &'static str,
    contact: &'static str,
    footer: &'static str,
    /// Heading and text on the home page.
    home: (&'static str, &'static str),
    pages: &'static [Page],
    news: &'static [News],
    events: &'static [Event],
    menu: &'static [(&'static str, &'static str)],
}

struct Page {
    slug: &'static str,
    title: &'static str,
    summary: &'static str,
    body: &'static str,
}

struct News {
    days_ago: i64,
    slug: &'static str,
    title: &'static str,
    summary: &'static str,
    body: &'static str,
}

struct Event {
    /// The first day with this weekday (0 is Monday) that is at least so many days ahead; negative for the past.
    days_ahead: i64,
    weekday: i64,
    /// Hours and minutes.
    from: (i64, i64),
    to: (i64, i64),
    slug: &'static str,
    title: &'static str,
    summary: &'static str,
    place: &'static str,
    body: &'static str,
}

/// Fills an empty site; in one that has pages, makes the theme anew, whose rules may have changed.
pub(crate) fn prepare() -> SqlResult<()> {
    let filled: Option<i64> = sql::query_scalar("SELECT id FROM pages LIMIT 1", params![])?;
    if filled.is_some() {
        return refresh_theme();
    }
    let starter = match tenant::setting("starter").as_deref() {
        Some("club") => club::STARTER,
        Some("school") => school::STARTER,
        Some("branch") => branch::STARTER,
        _ => neutral::STARTER,
    };
    store::commit(statements(&starter, Day::today(), Timestamp::now()))?;
    Ok(())
}

/// The settings that a colour and letters lead to.
pub(crate) fn theme_settings(accent: Colour, letters: &str) -> Vec<Statement> {
    let (hex, ink) = (accent.hex(), accent.ink().hex());
    let css = theme::css(accent, Letters::named(letters));
    store::write_settings(&[("accent", &hex), ("ink", &ink), ("letters", letters), ("css", &css)])
}

fn refresh_theme() -> SqlResult<()> {
    let (settings, _) = store::frame()?;
    let accent = settings.get("accent").parse().or_else(|_| "#335577".parse());
    let Ok(accent) = accent else { return Ok(()) };
    if theme::css(accent, Letters::named(settings.get("letters"))) == settings.get("css") {
        return Ok(());
    }
    store::commit(theme_settings(accent, settings.get("letters")))?;
    Ok(())
}

fn statements(starter: &Starter, today: Day, now: Timestamp) -> Vec<Statement> {
    let mut all = store::write_settings(&[
        ("tagline", starter.tagline),
        ("mark", starter.mark),
        ("hero_title", starter.hero_title),
        ("hero_text", starter.hero_text),
        ("contact", starter.contact),
        ("footer", starter.footer),
    ]);
    if let Ok(accent) = starter.accent.parse() {
        all.extend(theme_settings(accent, starter.letters));
    }
    let item = |(label, target): &(&str, &str)| MenuItem { label: (*label).into(), target: (*target).into() };
    all.extend(store::write_menu(&starter.menu.iter().map(item).collect::<Vec<_>>()));
    let (heading, text) = starter.home;
    let home = Page { slug: HOME, title: heading, summary: "", body: text };
    all.extend(std::iter::once(&home).chain(starter.pages).map(|page| {
        entries::insert(Kind::Page, &entry(page.slug, page.title, page.summary, page.body), now)
    }));
    all.extend(starter.news.iter().map(|news| {
        let date = today.plus(-news.days_ago).to_string();
        let entry = Entry { date, ..entry(news.slug, news.title, news.summary, news.body) };
        entries::insert(Kind::News, &entry, now)
    }));
    all.extend(starter.events.iter().map(|event| {
        let earliest = today.plus(event.days_ahead);
        let day = earliest.plus((event.weekday - earliest.weekday_number()).rem_euclid(7));
        let at = |(hour, minute): (i64, i64)| Moment::at(day, hour, minute).to_string();
        let entry = Entry {
            date: at(event.from),
            ends: at(event.to),
            place: event.place.to_owned(),
            ..entry(event.slug, event.title, event.summary, event.body)
        };
        entries::insert(Kind::Event, &entry, now)
    }));
    all
}

fn entry(slug: &str, title: &str, summary: &str, body: &str) -> Entry {
    Entry {
        slug: slug.to_owned(),
        title: title.to_owned(),
        summary: summary.to_owned(),
        body: body.to_owned(),
        published: true,
        ..Entry::default()
    }
}
