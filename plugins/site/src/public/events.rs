//! Events: what comes, what was, and each by itself.
//!
//! Called by the routes of `public`.

use rowhouse_sdk::prelude::*;

use super::Frame;
use crate::{
    calendar::Day,
    markdown,
    store::{self, Happening},
};

/// Events of one month.
struct Month {
    name: String,
    events: Vec<Happening>,
}

#[derive(Template)]
#[template(path = "events.html")]
struct List {
    frame: Frame,
    months: Vec<Month>,
    past: bool,
}

pub(crate) fn list(request: &Request) -> Result {
    let today = Day::today();
    let months = by_month(store::upcoming(today, 200)?);
    super::render(request, super::kept_on(today), &List { frame: Frame::load(request)?, months, past: false })
}

pub(crate) fn past(request: &Request) -> Result {
    let today = Day::today();
    let months = by_month(store::past(today, 100)?);
    super::render(request, super::kept_on(today), &List { frame: Frame::load(request)?, months, past: true })
}

fn by_month(events: Vec<Happening>) -> Vec<Month> {
    let mut months: Vec<Month> = Vec::new();
    for event in events {
        let name = event.month_and_year();
        match months.last_mut().filter(|month| month.name == name) {
            Some(month) => month.events.push(event),
            None => months.push(Month { name, events: vec![event] }),
        }
    }
    months
}

#[derive(Template)]
#[template(path = "event.html")]
struct Show {
    frame: Frame,
    event: Happening,
    body: String,
    is_past: bool,
}

pub(crate) fn show(request: &Request, slug: String) -> Result {
    let event = store::happening(&slug)?.ok_or(Error::NotFound)?;
    let frame = Frame::load(request)?;
    let body = markdown::render(&event.body, &frame.urls);
    let last = event.end().or_else(|| event.start());
    let today = Day::today();
    let is_past = last.is_some_and(|last| last.day < today);
    super::render(request, super::kept_on(today), &Show { frame, event, body, is_past })
}
