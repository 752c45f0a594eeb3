//! A stored page as one visitor gets it: 200, 206, 304 or 416, with or without a body, coded or not.
//!
//! This is the hot path: nothing is hashed or parsed that the request didn't ask for. Called by `look` and
//! `fill`.

use crate::coding::{CODINGS, Coding, wanted};
use crate::conditional::{Held, Match, held, range_holds};
use crate::page::{Page, Shown};
use crate::range::{Part, part};
use crate::status::{CACHE_STATUS, CacheStatus};
use bytes::Bytes;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, DATE, ETAG, EXPIRES,
    HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE, VARY,
};
use http::{Method, Response, StatusCode};
use rowhouse_base::Timestamp;
use std::ops::Range;

/// What a `304` repeats of the page (RFC 9110 section 15.4.5).
const CONFIRMED: [HeaderName; 7] = [
    CACHE_CONTROL,
    CONTENT_LOCATION,
    DATE,
    ETAG,
    EXPIRES,
    VARY,
    HeaderName::from_static("cdn-cache-control"),
];

/// The answer, and a coding that the visitor would have liked better and that isn't made yet.
pub(crate) struct View {
    pub(crate) answer: Response<Bytes>,
    pub(crate) missing: Option<Coding>,
}

/// Shows a page.
pub(crate) fn show(
    page: &Page,
    method: &Method,
    asked: &HeaderMap,
    now: Timestamp,
    status: CacheStatus,
) -> View {
    let age = page.age(now);
    let status = CacheStatus { ttl: Some(page.content.policy.left(age)), ..status };
    let ok = page.content.status == StatusCode::OK;
    let ranged = ok && *method == Method::GET && asked.contains_key(RANGE);
    let (shown, missing) =
        if page.is_codable() && !ranged { choose(page, asked) } else { (&page.plain, None) };

    let conditional = ok && (asked.contains_key(IF_NONE_MATCH) || asked.contains_key(IF_MODIFIED_SINCE));
    let mut answer = match conditional.then(|| confirmation(page, shown, asked)).flatten() {
        Some(confirmed) => confirmed,
        None if ranged => partial(page, asked),
        None => whole(page.content.status, shown),
    };
    if *method == Method::HEAD {
        *answer.body_mut() = Bytes::new();
    }
    let headers = answer.headers_mut();
    headers.insert(AGE, HeaderValue::from(age));
    if page.has_status {
        status.add_to(headers);
    } else {
        headers.insert(CACHE_STATUS, status.value());
    }
    View { answer, missing }
}

fn choose<'a>(page: &'a Page, asked: &HeaderMap) -> (&'a Shown, Option<Coding>) {
    let wanted = wanted(asked);
    let ready = wanted.into_iter().flatten().find_map(|coding| page.coded(coding));
    // Only the best is made: what a later visitor likes better is made for that one.
    let missing = wanted.into_iter().flatten().next().filter(|best| page.coded(*best).is_none());
    (ready.unwrap_or(&page.plain), missing)
}

fn whole(status: StatusCode, shown: &Shown) -> Response<Bytes> {
    let mut answer = Response::new(shown.body.clone());
    *answer.status_mut() = status;
    *answer.headers_mut() = shown.head.clone();
    answer
}

/// A `304`, where the visitor holds the page in some coding. Names the tag that the visitor holds.
fn confirmation(page: &Page, shown: &Shown, asked: &HeaderMap) -> Option<Response<Bytes>> {
    let tags: Vec<&HeaderValue> = std::iter::once(&page.plain)
        .chain(CODINGS.iter().filter_map(|coding| page.coded(*coding)))
        .filter_map(|shown| shown.tag.as_ref())
        .collect();
    let found = held(asked, &Held { tags: &tags, modified: page.modified });
    if found == Match::None {
        return None;
    }
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    let headers = answer.headers_mut();
    for name in CONFIRMED {
        for value in shown.head.get_all(&name) {
            headers.append(name.clone(), value.clone());
        }
    }
    if let Match::Tag(place) = found
        && let Some(tag) = tags.get(place)
    {
        headers.insert(ETAG, (*tag).clone());
    }
    if !headers.contains_key(ETAG)
        && let Some(modified) = shown.head.get(LAST_MODIFIED)
    {
        headers.insert(LAST_MODIFIED, modified.clone());
    }
    Some(answer)
}

fn partial(page: &Page, asked: &HeaderMap) -> Response<Bytes> {
    let shown = &page.plain;
    let length = shown.body.len();
    let part = part(asked, length);
    if part == Part::Whole || !range_holds(asked, shown.tag.as_ref(), page.modified) {
        return whole(StatusCode::OK, shown);
    }
    let Part::Bytes(Range { start, end }) = part else { return outside(length) };
    let mut answer = whole(StatusCode::PARTIAL_CONTENT, shown);
    *answer.body_mut() = shown.body.slice(start..end);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(end - start));
    // The last byte, not the one behind it; a part is never empty.
    if let Ok(range) = HeaderValue::try_from(format!("bytes {start}-{}/{length}", end.saturating_sub(1))) {
        headers.insert(CONTENT_RANGE, range);
    }
    answer
}

fn outside(length: usize) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    let headers = answer.headers_mut();
    if let Ok(range) = HeaderValue::try_from(format!("bytes */{length}")) {
        headers.insert(CONTENT_RANGE, range);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}
