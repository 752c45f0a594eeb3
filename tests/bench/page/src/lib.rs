//! The page that guests and native rivals render alike: 20 rows of a table of 200, about 5 KB of HTML. In
//! [`calls`], the statement that they run alike.
//!
//! One crate holds the schema, the query and the template, so that a difference between two figures
//! is a difference between two servers and not between two pages. It does no input or output.
//! Invariant: the same rows give the same bytes everywhere. Called by the guests `page` and
//! `page-http02` and by the native rivals of the benchmarks.

pub mod calls;
pub mod packed;

use std::fmt::Write as _;

/// What every correct answer contains.
pub const MARKER: &str = "<title>Two hundred articles</title>";

/// The query of the page; `$1` is [`NOW`].
pub const QUERY: &str = "SELECT id, title, summary, published FROM article \
     WHERE published <= $1 ORDER BY published DESC LIMIT 20";

/// The parameter of [`QUERY`]: later than every row, so that the newest 20 are shown.
pub const NOW: i64 = 1_800_000_000;

/// How many rows the table has.
pub const ROWS: u32 = 200;

/// One row of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Article<'a> {
    /// The key.
    pub id: i64,
    /// Text, not HTML.
    pub title: &'a str,
    /// Text, not HTML.
    pub summary: &'a str,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub published: i64,
}

/// The statements that make and fill the table, in order. They are valid for SQLite, PostgreSQL and
/// MySQL.
#[must_use]
pub fn schema() -> Vec<String> {
    let mut insert = String::from("INSERT INTO article (id, title, summary, published) VALUES ");
    for id in 1..=ROWS {
        let comma = if id == 1 { "" } else { ", " };
        let published = 1_700_000_000 + i64::from(id) * 3600;
        // The ampersand makes escaping part of the work; writing to a String can't fail.
        let _ = write!(
            insert,
            "{comma}({id}, 'Article {id}: bread & roses', 'What the members of the club said about \
             number {id} on the evening of the yearly meeting, and what was written down.', {published})"
        );
    }
    vec![
        "CREATE TABLE article (id INTEGER PRIMARY KEY, title VARCHAR(200) NOT NULL, \
         summary VARCHAR(1000) NOT NULL, published BIGINT NOT NULL)"
            .to_owned(),
        "CREATE INDEX article_published ON article (published)".to_owned(),
        insert,
    ]
}

/// Renders the page. `articles` come in the order they are shown in.
pub fn render<'a>(articles: impl IntoIterator<Item = Article<'a>>) -> String {
    // 20 rows of about 240 bytes and the frame: one allocation.
    let mut html = String::with_capacity(6 * 1024);
    html.push_str("<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">");
    html.push_str(MARKER);
    html.push_str("</head>\n<body>\n<h1>Two hundred articles</h1>\n<ul>\n");
    for article in articles {
        let _ = write!(html, "<li id=\"a{0}\"><a href=\"/articles/{0}\">", article.id);
        escape(&mut html, article.title);
        let _ = write!(html, "</a> <time>{}</time><p>", article.published);
        escape(&mut html, article.summary);
        html.push_str("</p></li>\n");
    }
    html.push_str("</ul>\n</body>\n</html>\n");
    html
}

fn escape(html: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"']) {
        let (plain, special) = rest.split_at(at);
        html.push_str(plain);
        let mut chars = special.chars();
        html.push_str(match chars.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            _ => "&quot;",
        });
        rest = chars.as_str();
    }
    html.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        render((1..=20).map(|id| Article {
            id,
            title: "Article 200: bread & roses",
            summary: "What the members of the club said about number 200 on the evening of the \
                      yearly meeting, and what was written down.",
            published: 1_700_720_000,
        }))
    }

    #[test]
    fn the_page_has_about_five_kilobytes_and_its_marker() {
        let html = page();
        assert!((4_500..6_000).contains(&html.len()), "{} bytes", html.len());
        assert!(html.contains(MARKER));
    }

    #[test]
    fn text_is_escaped() {
        let html = render([Article { id: 1, title: "a<b>&\"c\"", summary: "", published: 0 }]);
        assert!(html.contains("a&lt;b&gt;&amp;&quot;c&quot;</a>"), "{html}");
    }

    #[test]
    fn the_table_has_as_many_rows_as_the_title_says() {
        let insert = schema().pop().unwrap_or_default();
        assert_eq!(insert.matches("(").count() - 1, usize::try_from(ROWS).unwrap_or(0));
    }
}
