//! The dashboard at `/manage`: its routes, its guard and its frame.
//!
//! The host signs people in; here their roles are checked. Nothing is changed by a GET, and what can't be
//! undone is asked for twice. Invariant: no page of the dashboard is kept anywhere, and every one stands
//! behind [`guard`]. Called by `GroupSite`.

mod entries;
mod entry_form;
mod inbox;
mod look;
mod menu;
mod overview;

use rowhouse_sdk::{prelude::*, sql::SqlResult};

use crate::{
    assets,
    public::{self, Frame},
    store::entries::Counts,
};

/// Lets owners and editors in; sends others to sign in, or away.
pub(crate) fn guard(request: &Request) -> Result<()> {
    request.require_role(&["owner", "editor"]).map(|_| ())
}

fn owner(request: &Request) -> Result<()> {
    request.require_role(&["owner"]).map(|_| ())
}

/// Adds the dashboard's routes. The kinds stand last: `{kind}` fits any segment.
pub(crate) fn routes(router: Router) -> Router {
    router
        .guard("/manage/look", owner)
        .get("/manage", overview::show)
        .get("/manage/inbox", inbox::list)
        .post("/manage/inbox/{id}", inbox::change)
        .get("/manage/menu", menu::show)
        .post("/manage/menu", menu::save)
        .get("/manage/look", look::show)
        .post("/manage/look", look::save)
        .get("/manage/{kind}", entries::list)
        .get("/manage/{kind}/new", entries::create)
        .post("/manage/{kind}/new", entries::save_new)
        .get("/manage/{kind}/{id}", entries::edit)
        .post("/manage/{kind}/{id}", entries::save)
        .get("/manage/{kind}/{id}/delete", entries::confirm)
        .post("/manage/{kind}/{id}/delete", entries::delete)
}

/// What every page of the dashboard shows around its content.
struct Panel {
    frame: Frame,
    user: String,
    is_owner: bool,
    /// The folder of the section, for the navigation.
    section: &'static str,
    counts: Counts,
    done: &'static str,
}

impl Panel {
    fn load(request: &Request, section: &'static str) -> SqlResult<Self> {
        let user = request.user();
        let done = match request.query("done").as_deref() {
            Some("saved") => "Saved.",
            Some("added") => "Added.",
            Some("deleted") => "Deleted.",
            _ => "",
        };
        Ok(Self {
            frame: Frame::load(request)?,
            user: user.map(|user| user.name.clone()).unwrap_or_default(),
            is_owner: user.is_some_and(|user| user.has_role("owner")),
            section,
            counts: crate::store::entries::counts(crate::calendar::Day::today())?,
            done,
        })
    }

    fn style(&self) -> String {
        assets::link(&self.frame.urls, "manage.css")
    }

    fn to(&self, path: &str) -> rowhouse_sdk::Link {
        self.frame.urls.to(path)
    }

    /// The host's page for it, coming back here.
    fn password(&self) -> rowhouse_sdk::Link {
        self.to("/-/password").query("return-to", self.to("/manage"))
    }

    /// The sections: folder, label, and a number that asks for attention.
    fn sections(&self) -> Vec<(&'static str, &'static str, i64)> {
        let mut sections = vec![
            ("", "Overview", 0),
            ("pages", "Pages", 0),
            ("news", "News", 0),
            ("events", "Events", 0),
            ("inbox", "Inbox", self.counts.unread),
            ("menu", "Menu", 0),
        ];
        if self.is_owner {
            sections.push(("look", "Look and texts", 0));
        }
        sections
    }

    fn section_link(&self, folder: &str) -> String {
        let link = self.to("/manage");
        if folder.is_empty() { link.into() } else { link.segment(folder).into() }
    }
}

fn render(template: &impl Template) -> Result {
    Ok(public::finish(Response::page(template)?.cache(Cache::NoStore)))
}

/// A form that was not accepted comes back with 422.
fn render_form(template: &impl Template, form: &Form) -> Result {
    Ok(render(template)?.status(if form.is_valid() { 200 } else { 422 }))
}

fn back(request: &Request, path: &str, done: &str) -> Response {
    Response::see_other(request.urls().to(path).query("done", done)).cache(Cache::NoStore)
}
