//! Markdown to HTML, for text that an editor wrote.
//!
//! Raw HTML is shown as text. Links keep to safe schemes, images to this site: others lose their link or
//! become one. Links to a path of this site get the base path in front, so a text works wherever the site
//! is mounted. Invariant: no input yields a tag or attribute that pulldown-cmark did not make from
//! Markdown itself. Called by `public` and by the preview in `manage`.

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};
use rowhouse_sdk::Urls;

/// Renders a text. Its highest headings are of the second level, whichever it begins with: the first level is
/// the page's title, and a skipped one would mislead whoever goes from heading to heading.
pub(crate) fn render(text: &str, urls: &Urls) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut out = String::with_capacity(text.len() * 2);
    // Whether each open link was kept; images that became links are closed as links.
    let mut links: Vec<bool> = Vec::new();
    let parsed: Vec<Event<'_>> = Parser::new_ext(text, options).collect();
    let top = top_level(&parsed);
    let events = parsed.into_iter().filter_map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        Event::Start(Tag::Heading { level, id: _, classes: _, attrs: _ }) => {
            let level = below_title(level, top);
            Some(Event::Start(Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() }))
        }
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(below_title(level, top)))),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let target = target(link_type, &dest_url, urls);
            links.push(target.is_some());
            target.map(|dest_url| {
                let link_type = LinkType::Inline;
                Event::Start(Tag::Link { link_type, dest_url: dest_url.into(), title, id })
            })
        }
        Event::End(TagEnd::Link) => links.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link)),
        Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
            if is_local(&dest_url) {
                let dest_url: CowStr<'_> = urls.to(&dest_url).to_string().into();
                links.push(true);
                return Some(Event::Start(Tag::Image { link_type, dest_url, title, id }));
            }
            links.push(false);
            None
        }
        Event::End(TagEnd::Image) => links.pop().unwrap_or(false).then_some(Event::End(TagEnd::Image)),
        other => Some(other),
    });
    html::push_html(&mut out, events);
    out
}

/// The level of the highest heading in the text, from 1; the first where there is none.
fn top_level(events: &[Event<'_>]) -> usize {
    let levels = events.iter().filter_map(|event| match event {
        Event::Start(Tag::Heading { level, .. }) => Some(*level as usize),
        _ => None,
    });
    levels.min().unwrap_or(1)
}

/// Moves headings so that those of level `top` become the second level.
fn below_title(level: HeadingLevel, top: usize) -> HeadingLevel {
    match (level as usize).saturating_sub(top) {
        0 => HeadingLevel::H2,
        1 => HeadingLevel::H3,
        2 => HeadingLevel::H4,
        3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

fn target(link_type: LinkType, dest: &str, urls: &Urls) -> Option<String> {
    if matches!(link_type, LinkType::Email) {
        return Some(format!("mailto:{dest}"));
    }
    if is_local(dest) {
        return Some(urls.to(dest).into());
    }
    is_safe_link(dest).then(|| dest.to_owned())
}

/// A path of this site: `/news`, not `//elsewhere`.
pub(crate) fn is_local(dest: &str) -> bool {
    dest.starts_with('/') && !dest.starts_with("//") && !dest.starts_with("/\\")
}

/// Whether a link's target may be shown: a path, a fragment, or one of a few schemes.
pub(crate) fn is_safe_link(dest: &str) -> bool {
    // Browsers ignore control characters and leading spaces when they look for a scheme.
    if dest.is_empty() || dest.chars().any(char::is_control) || dest.starts_with(char::is_whitespace) {
        return false;
    }
    let end = dest.find(['/', '?', '#']).unwrap_or(dest.len());
    let Some((scheme, _)) = dest.get(..end).and_then(|head| head.split_once(':')) else {
        return true;
    };
    ["http", "https", "mailto", "tel"].iter().any(|safe| scheme.eq_ignore_ascii_case(safe))
}

/// The text without its markup, cut at a word, for descriptions.
pub(crate) fn excerpt(text: &str, max: usize) -> String {
    let mut plain = String::new();
    for event in Parser::new(text) {
        match event {
            Event::Text(part) | Event::Code(part) => plain.push_str(&part),
            Event::SoftBreak
            | Event::HardBreak
            | Event::End(TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item) => {
                plain.push(' ');
            }
            _ => {}
        }
        if plain.chars().count() > max {
            let cut: String = plain.chars().take(max).collect();
            let cut = cut.rsplit_once(' ').map_or(cut.as_str(), |(head, _)| head);
            return format!("{}…", cut.trim_end_matches([' ', ',', '.', ';', ':']));
        }
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        render(text, &Urls::new("https://example.test", "/club"))
    }

    #[test]
    fn raw_html_is_shown_as_text() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "<!-- x -->",
            "<b title=x>x</b>",
        ] {
            let page = html(text);
            for tag in ["<script", "<img", "<!--", "<b>"] {
                assert!(!page.contains(tag), "{text}: {page}");
            }
        }
        assert!(html("a <b>bold</b>").contains("&lt;b&gt;"));
    }

    #[test]
    fn unsafe_links_lose_their_target() {
        let targets = [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java&#10;script:alert(1)",
            "&#1;javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
        ];
        for target in targets {
            for text in [
                format!("[x](<{target}>)"),
                format!("[x]({target})"),
                format!("![x](<{target}>)"),
                format!("<{target}>"),
            ] {
                let page = html(&text).to_lowercase();
                assert!(!page.contains("href") && !page.contains("src="), "{text}: {page}");
            }
        }
    }

    #[test]
    fn safe_links_stay_and_local_ones_get_the_base_path() {
        assert!(html("[x](/news)").contains(r#"href="/club/news""#));
        assert!(html("![boat](/files/boat.jpg)").contains(r#"src="/club/files/boat.jpg""#));
        for target in
            ["https://example.org/a?b=c", "mailto:a@example.org", "tel:+431", "#part", "//example.org/x"]
        {
            assert!(html(&format!("[x]({target})")).contains(&format!("href=\"{target}\"")), "{target}");
        }
        assert!(html("<a@example.org>").contains(r#"href="mailto:a@example.org""#));
        assert!(!html("![x](https://elsewhere.example/pixel.png)").contains("src="));
    }

    #[test]
    fn attributes_can_not_be_broken_out_of() {
        let page = html(r#"[x](https://example.org/"onmouseover="alert(1) "a\"b")"#);
        assert!(!page.contains("\"onmouseover"), "{page}");
        assert!(html("# Top\n\n## Next").contains("<h2>Top</h2>\n<h3>Next</h3>"));
        assert!(html("## Top\n\n### Next").contains("<h2>Top</h2>\n<h3>Next</h3>"));
        assert!(html("### Late\n\n# Top").contains("<h4>Late</h4>\n<h2>Top</h2>"));
    }

    #[test]
    fn excerpts_are_plain_and_end_at_a_word() {
        assert_eq!(excerpt("# Hello\n\nThe **quick** [fox](/x) runs", 80), "Hello The quick fox runs");
        assert_eq!(excerpt("one two three four", 11), "one two…");
    }
}
