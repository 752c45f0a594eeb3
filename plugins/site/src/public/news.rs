//! News: the list, page by page, and the article.
//!
//! Called by the routes of `public`.

use rowhouse_sdk::prelude::*;

use super::Frame;
use crate::{
    calendar::Day,
    markdown,
    store::{self, Headline},
};

/// News items on one page of the list.
const PER_PAGE: usize = 12;

#[derive(Template)]
#[template(path = "news.html")]
struct List {
    frame: Frame,
    news: Vec<Headline>,
    newer: Option<usize>,
    older: Option<usize>,
}

pub(crate) fn list(request: &Request) -> Result {
    let number = match request.query("page") {
        Some(text) => {
            text.parse().ok().filter(|number| (1..=1000).contains(number)).ok_or(Error::NotFound)?
        }
        None => 1_usize,
    };
    // One more than is shown tells whether there is another page.
    let mut news = store::headlines(PER_PAGE + 1, (number - 1) * PER_PAGE)?;
    if news.is_empty() && number > 1 {
        return Err(Error::NotFound);
    }
    let older = (news.len() > PER_PAGE).then_some(number + 1);
    news.truncate(PER_PAGE);
    let newer = (number > 1).then(|| number - 1);
    super::render(request, super::kept(), &List { frame: Frame::load(request)?, news, newer, older })
}

#[derive(Template)]
#[template(path = "article.html")]
struct Show {
    frame: Frame,
    title: String,
    summary: String,
    date: String,
    day: String,
    body: String,
}

pub(crate) fn show(request: &Request, slug: String) -> Result {
    let article = store::article(&slug)?.ok_or(Error::NotFound)?;
    let frame = Frame::load(request)?;
    let body = markdown::render(&article.body, &frame.urls);
    let date = article.published_on.parse().map_or_else(|_| String::new(), Day::long);
    let (title, summary, day) = (article.title, article.summary, article.published_on);
    super::render(request, super::kept(), &Show { frame, title, summary, date, day, body })
}
