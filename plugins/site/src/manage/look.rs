//! Look and texts: the site's colour, letters, mark, and the texts around its content.
//!
//! One colour is all that is asked for; `theme` makes the rest readable. Invariant: what is stored under
//! `css` was made by `theme::css`. Called by the routes of `manage`.

use rowhouse_sdk::prelude::*;

use super::Panel;
use crate::{
    starter, store,
    theme::{Colour, Letters},
};

const FIELDS: [&str; 9] =
    ["title", "tagline", "mark", "accent", "letters", "hero_title", "hero_text", "contact", "footer"];

#[derive(Template)]
#[template(path = "manage/look.html")]
struct Look {
    panel: Panel,
    form: Form,
    contrast: String,
}

impl Look {
    fn letters(&self) -> [(&'static str, &'static str); 3] {
        Letters::ALL
    }

    fn is_chosen(&self, name: &str) -> bool {
        Letters::named(self.form.value("letters")) == Letters::named(name)
    }
}

pub(super) fn show(request: &Request) -> Result {
    let (settings, _) = store::frame()?;
    let form = FIELDS.iter().fold(Form::new(), |form, name| form.with(name, settings.get(name)));
    page(request, form)
}

fn page(request: &Request, form: Form) -> Result {
    let panel = Panel::load(request, "look")?;
    let contrast = form.value("accent").parse::<Colour>();
    let contrast =
        contrast.map_or_else(|_| String::new(), |accent| format!("{:.1}", accent.contrast(accent.ink())));
    let look = Look { panel, form, contrast };
    super::render_form(&look, &look.form)
}

pub(super) fn save(request: &Request) -> Result {
    let mut form = request.form()?;
    let title = form.optional("title", 80);
    let tagline = form.optional("tagline", 140);
    let mark = form.optional("mark", 4);
    let accent: Option<Colour> = form.parse("accent", "Please give a colour, such as #0b5d7a.");
    let letters = form.value("letters").to_owned();
    let hero_title = form.optional("hero_title", 120);
    let hero_text = form.optional("hero_text", 400);
    let contact = form.optional("contact", 4000);
    let footer = form.optional("footer", 400);
    let Some(accent) = accent.filter(|_| form.is_valid()) else {
        return page(request, form);
    };
    let mut statements = store::write_settings(&[
        ("title", &title),
        ("tagline", &tagline),
        ("mark", &mark),
        ("hero_title", &hero_title),
        ("hero_text", &hero_text),
        ("contact", &contact),
        ("footer", &footer),
    ]);
    statements.extend(starter::theme_settings(accent, &letters));
    store::commit(statements)?;
    Ok(super::back(request, "/manage/look", "saved"))
}
