//! The public pages: their routes, their common frame and their error pages.
//!
//! A public page never asks who the visitor is, so it is the same for everyone and may be cached.
//! Invariant: every page goes through [`finish`], which sets the security fields. Called by `GroupSite`.

mod contact;
mod events;
mod feeds;
mod home;
mod news;
mod page;

use std::time::Duration;

use rowhouse_sdk::{prelude::*, sql::SqlResult};

use crate::{
    assets,
    calendar::Day,
    markdown::is_local,
    store::{self, Settings},
};

/// Adds the public routes. `/{slug}` stands last: it fits every single segment.
pub(crate) fn routes(router: Router) -> Router {
    router
        .get("/", home::show)
        .get("/news", news::list)
        .get("/news/{slug}", news::show)
        .get("/events", events::list)
        .get("/events/past", events::past)
        .get("/events/{slug}", events::show)
        .get("/events/{slug}/calendar.ics", feeds::one_event)
        .get("/events.ics", feeds::calendar)
        .get("/contact", contact::show)
        .post("/contact", contact::send)
        .get("/contact/thanks", contact::thanks)
        .get("/feed.xml", feeds::rss)
        .get("/sitemap.xml", feeds::sitemap)
        .get("/robots.txt", feeds::robots)
        .get("/assets/{file}", assets::serve)
        .get("/{slug}", page::show)
}

/// What every public page shows around its content.
pub(crate) struct Frame {
    pub(crate) urls: Urls,
    pub(crate) lang: String,
    pub(crate) title: String,
    pub(crate) settings: Settings,
    pub(crate) menu: Vec<Link>,
    /// The path of the page itself, for the menu and the canonical address.
    pub(crate) path: String,
}

/// One link of the menu.
pub(crate) struct Link {
    pub(crate) label: String,
    pub(crate) href: String,
    pub(crate) current: bool,
}

impl Frame {
    /// Loads the frame: one statement.
    pub(crate) fn load(request: &Request) -> SqlResult<Self> {
        let (settings, menu) = store::frame()?;
        let urls = request.urls();
        let link = |item: store::MenuItem| {
            let local = is_local(&item.target);
            let href = if local { urls.to(&item.target).to_string() } else { item.target.clone() };
            Link { label: item.label, href, current: local && is_current(&item.target, request.path()) }
        };
        let menu = menu.into_iter().map(link).collect();
        let info = tenant::current();
        let title = settings.or("title", &info.title).to_owned();
        Ok(Self { urls, lang: info.locale, title, settings, menu, path: request.path().to_owned() })
    }

    /// The style of the theme. Made by `theme::css`, from checked colours only.
    pub(crate) fn css(&self) -> &str {
        self.settings.get("css")
    }

    /// The address of the style sheet.
    pub(crate) fn style(&self) -> String {
        assets::link(&self.urls, "site.css")
    }

    /// The sign beside the title: what the owner chose, or the title's first letter.
    pub(crate) fn mark(&self) -> String {
        let first = || self.title.chars().next().map(|c| c.to_uppercase().to_string());
        let own = self.settings.get("mark");
        if own.is_empty() { first().unwrap_or_default() } else { own.to_owned() }
    }

    /// The sign as a small picture for the browser's tab, as a data address.
    pub(crate) fn icon(&self) -> String {
        let mark = self.mark().replace(['&', '<', '>', '"'], "");
        let accent = self.settings.or("accent", "#335577");
        let ink = self.settings.or("ink", "#ffffff");
        let size = if mark.chars().count() > 1 { 30 } else { 40 };
        let svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'><rect width='64' height='64' rx='16' \
             fill='{accent}'/><text x='32' y='34' dominant-baseline='middle' text-anchor='middle' font-size='{size}' \
             font-family='system-ui,sans-serif' font-weight='700' fill='{ink}'>{mark}</text></svg>"
        );
        format!("data:image/svg+xml,{}", rowhouse_sdk::url::encode(&svg))
    }

    /// The full address of the page itself.
    pub(crate) fn canonical(&self) -> String {
        self.urls.absolute(&self.path).into()
    }

    /// Lines of the postal address or whatever stands in the footer.
    pub(crate) fn footer_lines(&self) -> impl Iterator<Item = &str> {
        self.settings.get("footer").lines()
    }
}

fn is_current(target: &str, path: &str) -> bool {
    let below = || path.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'));
    target == path || (target != "/" && below())
}

/// The longest a page is kept that differs only with its data. The host makes it anew at every edit; the bound is
/// for what an edit doesn't show, such as the site's code having been wrong.
const LONG: Duration = Duration::from_secs(30 * 86_400);

/// How long a public page may be kept by the host.
pub(crate) fn kept() -> Cache {
    Cache::Exact(LONG)
}

/// The same for pages that were made for `today`: until that day is over, in UTC.
pub(crate) fn kept_on(today: Day) -> Cache {
    let left = today.end().seconds().saturating_sub(Timestamp::now().seconds());
    Cache::Exact(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// Renders a public page, with an ETag.
pub(crate) fn render(request: &Request, cache: Cache, template: &impl Template) -> Result {
    let page = Response::page(template)?.cache(cache);
    Ok(finish(page).etag(request))
}

/// Sets the fields that keep a page to itself: no scripts, nothing from elsewhere, no framing.
pub(crate) fn finish(response: Response) -> Response {
    let policy = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; form-action 'self'; \
                  frame-ancestors 'none'; base-uri 'none'";
    response
        .header("content-security-policy", policy)
        .header("x-content-type-options", "nosniff")
        .header("referrer-policy", "same-origin")
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice<'a> {
    frame: Frame,
    title: &'a str,
    text: &'a str,
    code: u16,
}

/// A page that says one thing, in the theme.
fn notice(request: &Request, title: &str, text: &str, code: u16) -> Result {
    let frame = Frame::load(request)?;
    Ok(finish(Response::page(&Notice { frame, title, text, code })?))
}

/// The page for an error, in the theme.
pub(crate) fn error_page(request: &Request, error: &Error) -> Result {
    let code = error.status();
    let title = match code {
        404 => "This page isn’t here",
        403 => "No access",
        400 | 405 => "That didn’t work",
        503 => "One moment, please",
        _ => "Something went wrong",
    };
    let text = match error {
        Error::NotFound => "It may have moved, or the address has a typo in it.",
        other => other.public_text(),
    };
    notice(request, title, text, code)
}
