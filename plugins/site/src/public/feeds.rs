//! What machines read: RSS, iCalendar, the sitemap and robots.txt.
//!
//! Addresses in them are full ones, with the origin the visitor used. Invariant: a title can break
//! neither XML nor iCalendar: both are escaped, and control characters never get into the database.
//! Called by the routes of `public`.

use rowhouse_sdk::prelude::*;

use super::Frame;
use crate::{
    calendar::Day,
    store::{self, Happening, Headline},
};

#[derive(Template)]
#[template(path = "feed.xml")]
struct Feed {
    frame: Frame,
    news: Vec<Headline>,
}

pub(crate) fn rss(request: &Request) -> Result {
    let feed = Feed { frame: Frame::load(request)?, news: store::headlines(20, 0)? };
    let body = feed.render()?;
    Ok(Response::bytes("application/rss+xml; charset=utf-8", body).cache(super::kept()).etag(request))
}

#[derive(Template)]
#[template(path = "sitemap.xml")]
struct Sitemap {
    urls: Urls,
    places: Vec<(String, String)>,
}

pub(crate) fn sitemap(request: &Request) -> Result {
    let urls = request.urls();
    let place = |(folder, slug, changed): (String, String, Timestamp)| {
        (urls.absolute(&folder).segment(slug).to_string(), Day::of(changed).to_string())
    };
    let places = store::published()?.into_iter().map(place).collect();
    let body = Sitemap { urls, places }.render()?;
    Ok(Response::bytes("application/xml; charset=utf-8", body).cache(super::kept()).etag(request))
}

pub(crate) fn robots(request: &Request) -> Response {
    let urls = request.urls();
    let (manage, map) = (urls.to("/manage"), urls.absolute("/sitemap.xml"));
    Response::text(format!("User-agent: *\nDisallow: {manage}\nSitemap: {map}\n")).cache(super::kept())
}

pub(crate) fn calendar(request: &Request) -> Result {
    let frame = Frame::load(request)?;
    let today = Day::today();
    let events = store::upcoming(today.plus(-31), 300)?;
    Ok(ical(&frame, &events).cache(super::kept_on(today)))
}

pub(crate) fn one_event(request: &Request, slug: String) -> Result {
    let event = store::happening(&slug)?.ok_or(Error::NotFound)?;
    Ok(ical(&Frame::load(request)?, &[event]))
}

/// Times are local ones without a zone: an event takes place when the clock on site says so.
fn ical(frame: &Frame, events: &[Happening]) -> Response {
    let info = tenant::current();
    let mut lines = vec![
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Rowhouse//Site//EN".to_owned(),
        format!("X-WR-CALNAME:{}", escaped(&frame.title)),
        format!("X-WR-TIMEZONE:{}", escaped(&info.time_zone)),
    ];
    for event in events {
        let Some(start) = event.start() else { continue };
        let changed = Timestamp(event.updated_at);
        let stamp = Day::of(changed);
        let seconds = changed.seconds().rem_euclid(86_400);
        let time = format!("{:02}{:02}{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
        lines.push("BEGIN:VEVENT".to_owned());
        lines.push(format!("UID:event-{}@{}", event.id, info.id));
        lines.push(format!("DTSTAMP:{}T{time}Z", stamp.to_string().replace('-', "")));
        lines.push(format!("DTSTART:{}", start.ical()));
        if let Some(end) = event.end().filter(|end| *end > start) {
            lines.push(format!("DTEND:{}", end.ical()));
        }
        lines.push(format!("SUMMARY:{}", escaped(&event.title)));
        if !event.place.is_empty() {
            lines.push(format!("LOCATION:{}", escaped(&event.place)));
        }
        if !event.summary.is_empty() {
            lines.push(format!("DESCRIPTION:{}", escaped(&event.summary)));
        }
        lines.push(format!("URL:{}", frame.urls.absolute("/events").segment(&event.slug)));
        lines.push("END:VEVENT".to_owned());
    }
    lines.push("END:VCALENDAR".to_owned());
    let body: String = lines.iter().map(|line| folded(line)).collect();
    Response::bytes("text/calendar; charset=utf-8", body).cache(super::kept())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
}

/// A line of at most 75 bytes goes on in the next one after a space (RFC 5545, 3.1).
fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut length = 0;
    for c in line.chars() {
        if length + c.len_utf8() > 74 {
            out.push_str("\r\n ");
            length = 1;
        }
        out.push(c);
        length += c.len_utf8();
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters() {
        let line = format!("SUMMARY:{}", "ä".repeat(100));
        let folded = folded(&line);
        assert!(folded.split("\r\n").all(|part| part.len() <= 75));
        assert_eq!(folded.replace("\r\n ", "").trim_end(), line);
        assert_eq!(escaped("a,b;c\\d\ne"), "a\\,b\\;c\\\\d\\ne");
    }
}
