//! Everything the public pages read, and the settings: rows and statements.
//!
//! One function is one statement. It decides nothing about pages and knows no HTML. Invariant: a draft
//! never leaves this file through a function without `entries` in its name. Called by `public`, `manage`
//! and `starter`.

pub(crate) mod entries;
pub(crate) mod inbox;

use rowhouse_sdk::{
    prelude::*,
    sql::{Outcome, SqlResult, Statement, statement},
};

use crate::calendar::{Day, Moment};

/// The slug of the page whose text stands on the home page.
pub(crate) const HOME: &str = "home";

/// Settings of the site, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(Vec<(String, String)>);

impl Settings {
    /// The value, or empty.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str())
    }

    /// The value, or something else where it is empty.
    pub(crate) fn or<'a>(&'a self, name: &str, other: &'a str) -> &'a str {
        Some(self.get(name)).filter(|value| !value.is_empty()).unwrap_or(other)
    }
}

/// One entry of the menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MenuItem {
    pub(crate) label: String,
    pub(crate) target: String,
}

/// Settings and menu in one statement, because every page needs both.
pub(crate) fn frame() -> SqlResult<(Settings, Vec<MenuItem>)> {
    let rows: Vec<(i64, String, String)> = sql::query_as(
        "SELECT 0 AS place, name AS a, value AS b FROM site_settings \
         UNION ALL SELECT place, label, target FROM menu_items ORDER BY 1",
        params![],
    )?;
    let (mut settings, mut menu) = (Vec::new(), Vec::new());
    for (place, first, second) in rows {
        if place == 0 {
            settings.push((first, second));
        } else {
            menu.push(MenuItem { label: first, target: second });
        }
    }
    Ok((Settings(settings), menu))
}

/// Statements that write these settings, whatever was there.
pub(crate) fn write_settings(settings: &[(&str, &str)]) -> Vec<Statement> {
    let write = |(name, value): &(&str, &str)| {
        [
            statement("DELETE FROM site_settings WHERE name = $1", params![*name]),
            statement("INSERT INTO site_settings (name, value) VALUES ($1, $2)", params![*name, *value]),
        ]
    };
    settings.iter().flat_map(write).collect()
}

/// Statements that replace the menu. Places count from 1: 0 marks a setting in [`frame`].
pub(crate) fn write_menu(items: &[MenuItem]) -> Vec<Statement> {
    let mut statements = vec![statement("DELETE FROM menu_items", params![])];
    for (place, item) in items.iter().enumerate() {
        let values = params![&item.label, &item.target, place + 1];
        let text = "INSERT INTO menu_items (label, target, place) VALUES ($1, $2, $3)";
        statements.push(statement(text, values));
    }
    statements
}

/// Runs the statements in one transaction.
pub(crate) fn commit(statements: Vec<Statement>) -> SqlResult<Vec<Outcome>> {
    sql::batch(statements)
}

/// A published page.
#[derive(Row)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) body: String,
}

/// The published page of this slug.
pub(crate) fn page(slug: &str) -> SqlResult<Option<Page>> {
    let text = "SELECT title, summary, body FROM pages WHERE slug = $1 AND published = 1";
    sql::query_first(text, params![slug])
}

/// A published news item, as lists show it.
#[derive(Row)]
pub(crate) struct Headline {
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) published_on: String,
}

impl Headline {
    /// The day it was published on.
    pub(crate) fn day(&self) -> Option<Day> {
        self.published_on.parse().ok()
    }
}

/// Published news, the newest first.
pub(crate) fn headlines(limit: usize, offset: usize) -> SqlResult<Vec<Headline>> {
    let text = "SELECT slug, title, summary, published_on FROM news WHERE published = 1 \
                ORDER BY published_on DESC, id DESC LIMIT $1 OFFSET $2";
    sql::query_as(text, params![limit, offset])
}

/// A published news item.
#[derive(Row)]
pub(crate) struct Article {
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) body: String,
    pub(crate) published_on: String,
}

/// The published news item of this slug.
pub(crate) fn article(slug: &str) -> SqlResult<Option<Article>> {
    let text = "SELECT title, summary, body, published_on FROM news WHERE slug = $1 AND published = 1";
    sql::query_first(text, params![slug])
}

/// A published event.
#[derive(Row)]
pub(crate) struct Happening {
    pub(crate) id: i64,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) body: String,
    pub(crate) starts: String,
    pub(crate) ends: String,
    pub(crate) place: String,
    pub(crate) updated_at: i64,
}

impl Happening {
    /// When it begins.
    pub(crate) fn start(&self) -> Option<Moment> {
        self.starts.parse().ok()
    }

    /// When it ends, where that is known.
    pub(crate) fn end(&self) -> Option<Moment> {
        self.ends.parse().ok()
    }

    /// The number of the day in its month.
    pub(crate) fn day(&self) -> i64 {
        self.start().map_or(0, |start| start.day.number_in_month())
    }

    /// `May`.
    pub(crate) fn month(&self) -> &'static str {
        self.start().map_or("", |start| start.day.month_short())
    }

    /// `Sun 19:00` or `Sun 19:00–21:30`.
    pub(crate) fn short_time(&self) -> String {
        self.start()
            .map_or_else(String::new, |start| format!("{} {}", start.day.weekday_short(), self.hours(start)))
    }

    /// `Sunday, 3 May 2026, 19:00–21:30`.
    pub(crate) fn when(&self) -> String {
        let Some(start) = self.start() else { return String::new() };
        match self.end().filter(|end| end.day != start.day) {
            Some(end) => {
                format!("{}, {} to {}, {}", start.day.full(), start.time(), end.day.full(), end.time())
            }
            None => format!("{}, {}", start.day.full(), self.hours(start)),
        }
    }

    fn hours(&self, start: Moment) -> String {
        match self.end().filter(|end| end.day == start.day && *end > start) {
            Some(end) => format!("{}–{}", start.time(), end.time()),
            None => start.time(),
        }
    }

    /// `May 2026`.
    pub(crate) fn month_and_year(&self) -> String {
        self.start().map_or_else(String::new, |start| start.day.month_and_year())
    }
}

/// Published events that begin today or later, or go on until then; the next first.
pub(crate) fn upcoming(today: Day, limit: usize) -> SqlResult<Vec<Happening>> {
    let text = "SELECT id, slug, title, summary, body, starts, ends, place, updated_at FROM events \
                WHERE published = 1 AND (starts >= $1 OR ends >= $1) ORDER BY starts, id LIMIT $2";
    sql::query_as(text, params![today.to_string(), limit])
}

/// Published events that are over; the last first.
pub(crate) fn past(today: Day, limit: usize) -> SqlResult<Vec<Happening>> {
    let text = "SELECT id, slug, title, summary, body, starts, ends, place, updated_at FROM events \
                WHERE published = 1 AND starts < $1 AND ends < $1 ORDER BY starts DESC, id DESC LIMIT $2";
    sql::query_as(text, params![today.to_string(), limit])
}

/// The published event of this slug.
pub(crate) fn happening(slug: &str) -> SqlResult<Option<Happening>> {
    let text = "SELECT id, slug, title, summary, body, starts, ends, place, updated_at FROM events \
                WHERE slug = $1 AND published = 1";
    sql::query_first(text, params![slug])
}

/// Everything that is published, as (path, moment of the last change), for the sitemap.
pub(crate) fn published() -> SqlResult<Vec<(String, String, Timestamp)>> {
    let text = "SELECT '/' AS folder, slug, updated_at FROM pages WHERE published = 1 AND slug <> 'home' \
                UNION ALL SELECT '/news', slug, updated_at FROM news WHERE published = 1 \
                UNION ALL SELECT '/events', slug, updated_at FROM events WHERE published = 1 ORDER BY 1, 2 LIMIT 5000";
    sql::query_as(text, params![])
}
