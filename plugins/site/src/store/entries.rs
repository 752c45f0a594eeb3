//! Pages, news and events as their editors see them, drafts included.
//!
//! The three kinds differ in a few columns and share everything else, so there is one list, one form and
//! one set of functions for all. Invariant: every statement is fixed text; a kind chooses among them.
//! Called by `manage` and `starter`.

use rowhouse_sdk::{
    prelude::*,
    sql::{SqlResult, Statement, Value, statement},
};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A page of its own.
    Page,
    /// A news item.
    News,
    /// An event.
    Event,
}

/// The names of a kind in addresses and texts.
pub(crate) struct Names {
    /// The folder in the dashboard.
    pub(crate) folder: &'static str,
    /// `page`.
    pub(crate) one: &'static str,
    /// `Pages`.
    pub(crate) title: &'static str,
}

impl Kind {
    /// The kind's names.
    pub(crate) fn names(self) -> Names {
        match self {
            Self::Page => Names { folder: "pages", one: "page", title: "Pages" },
            Self::News => Names { folder: "news", one: "news item", title: "News" },
            Self::Event => Names { folder: "events", one: "event", title: "Events" },
        }
    }

    fn list_text(self) -> &'static str {
        match self {
            Self::Page => {
                "SELECT id, slug, title, summary, body, published, '' AS date, '' AS ends, '' AS place FROM pages \
                 ORDER BY title, id LIMIT 500"
            }
            Self::News => {
                "SELECT id, slug, title, summary, body, published, published_on AS date, '' AS ends, '' AS place \
                 FROM news ORDER BY published_on DESC, id DESC LIMIT 500"
            }
            Self::Event => {
                "SELECT id, slug, title, summary, body, published, starts AS date, ends, place FROM events \
                 ORDER BY starts DESC, id DESC LIMIT 500"
            }
        }
    }

    fn get_text(self) -> &'static str {
        match self {
            Self::Page => {
                "SELECT id, slug, title, summary, body, published, '' AS date, '' AS ends, '' AS place FROM pages \
                 WHERE id = $1"
            }
            Self::News => {
                "SELECT id, slug, title, summary, body, published, published_on AS date, '' AS ends, '' AS place \
                 FROM news WHERE id = $1"
            }
            Self::Event => {
                "SELECT id, slug, title, summary, body, published, starts AS date, ends, place FROM events \
                 WHERE id = $1"
            }
        }
    }

    fn insert_text(self) -> &'static str {
        match self {
            Self::Page => {
                "INSERT INTO pages (slug, title, summary, body, published, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)"
            }
            Self::News => {
                "INSERT INTO news (slug, title, summary, body, published, updated_at, published_on) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)"
            }
            Self::Event => {
                "INSERT INTO events (slug, title, summary, body, published, updated_at, starts, ends, place) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
            }
        }
    }

    fn update_text(self) -> &'static str {
        match self {
            Self::Page => {
                "UPDATE pages SET slug = $1, title = $2, summary = $3, body = $4, published = $5, updated_at = $6 \
                 WHERE id = $7"
            }
            Self::News => {
                "UPDATE news SET slug = $1, title = $2, summary = $3, body = $4, published = $5, updated_at = $6, \
                 published_on = $7 WHERE id = $8"
            }
            Self::Event => {
                "UPDATE events SET slug = $1, title = $2, summary = $3, body = $4, published = $5, updated_at = $6, \
                 starts = $7, ends = $8, place = $9 WHERE id = $10"
            }
        }
    }

    fn id_text(self) -> &'static str {
        match self {
            Self::Page => "SELECT id FROM pages WHERE slug = $1",
            Self::News => "SELECT id FROM news WHERE slug = $1",
            Self::Event => "SELECT id FROM events WHERE slug = $1",
        }
    }

    fn delete_text(self) -> &'static str {
        match self {
            Self::Page => "DELETE FROM pages WHERE id = $1 AND slug <> 'home'",
            Self::News => "DELETE FROM news WHERE id = $1",
            Self::Event => "DELETE FROM events WHERE id = $1",
        }
    }
}

/// An entry of any kind. Columns that a kind lacks are empty.
#[derive(Row, Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) body: String,
    pub(crate) published: bool,
    /// The day of a news item, the start of an event.
    pub(crate) date: String,
    /// The end of an event, or empty.
    pub(crate) ends: String,
    pub(crate) place: String,
}

/// All entries of a kind: pages by title, the others by date, the latest first.
pub(crate) fn all(kind: Kind) -> SqlResult<Vec<Entry>> {
    sql::query_as(kind.list_text(), params![])
}

/// One entry.
pub(crate) fn entry(kind: Kind, id: i64) -> SqlResult<Option<Entry>> {
    sql::query_first(kind.get_text(), params![id])
}

/// The id of the entry with this slug.
pub(crate) fn id_of(kind: Kind, slug: &str) -> SqlResult<Option<i64>> {
    sql::query_scalar(kind.id_text(), params![slug])
}

/// The statement that adds an entry.
pub(crate) fn insert(kind: Kind, entry: &Entry, now: Timestamp) -> Statement {
    statement(kind.insert_text(), values(kind, entry, now))
}

/// The statement that changes the entry with `entry.id`.
pub(crate) fn update(kind: Kind, entry: &Entry, now: Timestamp) -> Statement {
    let mut values = values(kind, entry, now);
    values.push(entry.id.into());
    statement(kind.update_text(), values)
}

/// Deletes an entry. The home page's text stays.
pub(crate) fn delete(kind: Kind, id: i64) -> SqlResult<u64> {
    Ok(sql::execute(kind.delete_text(), params![id])?.rows_affected)
}

/// The moment is an integer here and in the column: every engine gives it back alike.
fn values(kind: Kind, entry: &Entry, now: Timestamp) -> Vec<Value> {
    let published = i64::from(entry.published);
    let mut values = params![&entry.slug, &entry.title, &entry.summary, &entry.body, published, now.0];
    match kind {
        Kind::Page => {}
        Kind::News => values.extend(params![&entry.date]),
        Kind::Event => {
            // An event without an end sorts as ending when it begins.
            let ends = if entry.ends.is_empty() { &entry.date } else { &entry.ends };
            values.extend(params![&entry.date, ends, &entry.place]);
        }
    }
    values
}

/// How many there are of each, for the overview.
#[derive(Row, Default)]
pub(crate) struct Counts {
    pub(crate) pages: i64,
    pub(crate) drafts: i64,
    pub(crate) news: i64,
    pub(crate) upcoming: i64,
    pub(crate) unread: i64,
}

/// Counts everything in one statement.
pub(crate) fn counts(today: crate::calendar::Day) -> SqlResult<Counts> {
    let text = "SELECT (SELECT count(*) FROM pages) AS pages, \
                (SELECT count(*) FROM pages WHERE published = 0) + (SELECT count(*) FROM news WHERE published = 0) \
                + (SELECT count(*) FROM events WHERE published = 0) AS drafts, \
                (SELECT count(*) FROM news WHERE published = 1) AS news, \
                (SELECT count(*) FROM events WHERE published = 1 AND starts >= $1) AS upcoming, \
                (SELECT count(*) FROM messages WHERE is_read = 0) AS unread";
    Ok(sql::query_first(text, params![today.to_string()])?.unwrap_or_default())
}
