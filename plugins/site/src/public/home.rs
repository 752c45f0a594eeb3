//! The home page, in four statements.
//!
//! Called by the routes of `public`.

use rowhouse_sdk::prelude::*;

use super::Frame;
use crate::{
    calendar::Day,
    markdown,
    store::{self, HOME, Happening, Headline},
};

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    frame: Frame,
    heading: String,
    welcome: String,
    next: Option<Happening>,
    events: Vec<Happening>,
    news: Vec<Headline>,
}

pub(crate) fn show(request: &Request) -> Result {
    let today = Day::today();
    let frame = Frame::load(request)?;
    let page = store::page(HOME)?;
    let mut events = store::upcoming(today, 5)?;
    let news = store::headlines(3, 0)?;
    let next = (!events.is_empty()).then(|| events.remove(0));
    let (heading, welcome) = match page {
        Some(page) => (page.title, markdown::render(&page.body, &frame.urls)),
        None => (String::new(), String::new()),
    };
    super::render(request, super::kept_on(today), &Home { frame, heading, welcome, next, events, news })
}
