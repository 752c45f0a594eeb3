//! A page of the group's own.
//!
//! Called by the routes of `public`.

use rowhouse_sdk::prelude::*;

use super::Frame;
use crate::{
    markdown,
    store::{self, HOME},
};

#[derive(Template)]
#[template(path = "page.html")]
struct Show {
    frame: Frame,
    title: String,
    summary: String,
    body: String,
}

pub(crate) fn show(request: &Request, slug: String) -> Result {
    if slug == HOME {
        return Ok(Response::moved(request.urls().to("/")));
    }
    let page = store::page(&slug)?.ok_or(Error::NotFound)?;
    let frame = Frame::load(request)?;
    let body = markdown::render(&page.body, &frame.urls);
    super::render(request, super::kept(), &Show { frame, title: page.title, summary: page.summary, body })
}
