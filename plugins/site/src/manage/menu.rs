//! The menu: labels, targets and their order, in one form without scripts.
//!
//! The form carries all rows in their order. "Up" and "Down" save what was typed as well, so nothing is
//! lost on the way. Invariant: a target is a path of this site or a link with a safe scheme. Called by
//! the routes of `manage`.

use rowhouse_sdk::prelude::*;

use super::Panel;
use crate::{
    markdown::{is_local, is_safe_link},
    store::{
        self, MenuItem,
        entries::{self, Kind},
    },
};

/// A menu with more entries than this is no help to anyone.
const MOST: usize = 12;

#[derive(Template)]
#[template(path = "manage/menu.html")]
struct Menu {
    panel: Panel,
    form: Form,
    items: Vec<MenuItem>,
    targets: Vec<(String, String)>,
}

pub(super) fn show(request: &Request) -> Result {
    let (_, items) = store::frame()?;
    page(request, Form::new(), items)
}

fn page(request: &Request, form: Form, items: Vec<MenuItem>) -> Result {
    let panel = Panel::load(request, "menu")?;
    let fixed = [("/", "Home"), ("/news", "News"), ("/events", "Events"), ("/contact", "Contact")];
    let mut targets: Vec<(String, String)> =
        fixed.map(|(path, label)| (path.to_owned(), label.to_owned())).into();
    let pages =
        entries::all(Kind::Page)?.into_iter().filter(|page| page.published && page.slug != store::HOME);
    targets.extend(pages.map(|page| (format!("/{}", page.slug), page.title)));
    let menu = Menu { panel, form, items, targets };
    super::render_form(&menu, &menu.form)
}

pub(super) fn save(request: &Request) -> Result {
    let mut form = request.form()?;
    let mut items = typed(&form);
    if let Some(place) = form.value("remove").parse::<usize>().ok().filter(|place| *place < items.len()) {
        items.remove(place);
    }
    move_one(&mut items, form.value("up"), 1, 0);
    move_one(&mut items, form.value("down"), 0, 1);
    items.retain(|item| !item.label.is_empty() || !item.target.is_empty());
    check(&mut form, &items);
    if !form.is_valid() {
        return page(request, form, items);
    }
    store::commit(store::write_menu(&items))?;
    Ok(super::back(request, "/manage/menu", "saved"))
}

/// The rows of the form, the empty one for a new entry included.
fn typed(form: &Form) -> Vec<MenuItem> {
    let plain = |text: &str| text.trim().replace(char::is_control, "");
    let rows = form.values("label").zip(form.values("target"));
    rows.map(|(label, target)| MenuItem { label: plain(label), target: plain(target) })
        .take(MOST + 2)
        .collect()
}

/// Swaps the row at `place` with its neighbour: the one before (`1, 0`) or after (`0, 1`).
fn move_one(items: &mut [MenuItem], place: &str, before: usize, after: usize) {
    let Ok(place) = place.parse::<usize>() else { return };
    let other = place.checked_sub(before).and_then(|other| other.checked_add(after));
    if let Some(other) = other.filter(|other| *other < items.len() && place < items.len()) {
        items.swap(place, other);
    }
}

fn check(form: &mut Form, items: &[MenuItem]) {
    for (place, item) in items.iter().enumerate() {
        if item.label.is_empty() || item.label.chars().count() > 40 {
            form.refuse(&format!("label-{place}"), "Please give a label of at most 40 characters.");
        }
        let length_fits = !item.target.is_empty() && item.target.len() <= 300;
        let absolute = item.target.contains(':') && is_safe_link(&item.target);
        if !length_fits || !(is_local(&item.target) || absolute) {
            let message = "Please give a path of this site, such as /news, or a full address with https://.";
            form.refuse(&format!("target-{place}"), message);
        }
    }
    if items.len() > MOST {
        form.refuse("menu", format!("A menu has at most {MOST} entries."));
    }
}
