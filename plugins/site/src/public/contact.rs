//! The contact form, with a quiet defence against spam.
//!
//! Nothing is asked of people: no puzzle, no token, no script. A field that people don't see must stay
//! empty, a form that comes back within two seconds was not typed, and a message full of links is
//! refused. Invariant: what a robot filled in looks sent, and is not kept. Called by the routes of `public`.

use rowhouse_sdk::prelude::*;

use super::Frame;
use crate::{markdown, store::inbox};

/// A person needs longer than this to write a message, in seconds.
const QUICKEST: i64 = 2;
/// Messages with more links than this are refused.
const MOST_LINKS: usize = 4;

#[derive(Template)]
#[template(path = "contact.html")]
struct Contact {
    frame: Frame,
    form: Form,
    intro: String,
    shown_at: i64,
}

pub(crate) fn show(request: &Request) -> Result {
    page(request, Form::new())
}

/// Without an ETag: the moment it is shown at differs every time.
fn page(request: &Request, form: Form) -> Result {
    let frame = Frame::load(request)?;
    let intro = markdown::render(frame.settings.get("contact"), &frame.urls);
    let shown_at = Timestamp::now().seconds();
    let status = if form.is_valid() { 200 } else { 422 };
    let page = Response::page(&Contact { frame, form, intro, shown_at })?.cache(Cache::NoCache);
    Ok(super::finish(page).status(status))
}

pub(crate) fn send(request: &Request) -> Result {
    let mut form = request.form()?;
    let now = Timestamp::now();
    let thanks = || Response::see_other(request.urls().to("/contact/thanks")).cache(Cache::NoStore);
    if !form.value("website").is_empty() {
        return Ok(thanks());
    }
    let name = form.required("name", 120, "Please tell us your name.");
    let email =
        form.email("email", "Please give an e-mail address we can answer to, such as name@example.org.");
    let body = form.required("message", 5000, "Please write a message.");
    if body.matches("://").count() > MOST_LINKS {
        form.refuse("message", format!("Please use at most {MOST_LINKS} links."));
    }
    let shown_at: i64 = form.value("shown").parse().unwrap_or(i64::MAX);
    if form.is_valid() && now.seconds().saturating_sub(shown_at) < QUICKEST {
        form.refuse("message", "That was quick! Please read it once more and send it again.");
    }
    if form.is_valid() {
        if inbox::keep(&name, &email, &body, now)? {
            return Ok(thanks());
        }
        form.refuse("message", "Our inbox is full at the moment. Please reach us another way.");
    }
    page(request, form)
}

pub(crate) fn thanks(request: &Request) -> Result {
    let text = "Your message has reached us. We read every one and answer as soon as we can.";
    Ok(super::notice(request, "Thank you", text, 200)?.cache(Cache::NoCache))
}
