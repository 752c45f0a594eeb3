//! A response, built by chaining.
//!
//! It holds what the host sends on: a status, fields and a body. It refuses nothing here; the host
//! answers 502 for names or values that HTTP does not allow. Called by handlers.

use std::{borrow::Cow, time::Duration};

use crate::{error::Result, request::Request, url::Link};

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(Cow<'static, str>, String)>,
    body: Vec<u8>,
}

/// How long, and by whom, a response may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// Never kept: pages of a signed-in user.
    NoStore,
    /// Kept, and checked before each use.
    NoCache,
    /// Kept by the visitor's browser only.
    Private(Duration),
    /// Kept by everyone.
    Public(Duration),
    /// Kept for a year and never checked: for addresses that change with their content.
    Immutable,
    /// Kept by Rowhouse for so long at most, and by nobody else without a check. Rowhouse knows which tables,
    /// files and tags the page was made from, and makes it anew as soon as one of them has changed: give the
    /// time after which the page would differ by itself, as one that shows today's date does.
    Exact(Duration),
}

/// What Rowhouse's own cache reads in place of Cache-Control; it never leaves the server.
const OWN_CACHE: &str = "rowhouse-cache-control";

impl Cache {
    fn value(self) -> String {
        match self {
            Self::NoStore => "no-store".to_owned(),
            Self::NoCache | Self::Exact(_) => "no-cache".to_owned(),
            Self::Private(age) => format!("private, max-age={}", age.as_secs()),
            Self::Public(age) => format!("public, max-age={}", age.as_secs()),
            Self::Immutable => "public, max-age=31536000, immutable".to_owned(),
        }
    }
}

impl Response {
    /// An empty response.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// 200 with a body of this media type.
    pub fn bytes(media_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![(Cow::Borrowed("content-type"), media_type.to_owned())];
        Self { status: 200, headers, body: body.into() }
    }

    /// 200 with an HTML page.
    pub fn html(body: impl Into<String>) -> Self {
        Self::bytes("text/html; charset=utf-8", body.into())
    }

    /// 200 with plain text.
    pub fn text(body: impl Into<String>) -> Self {
        Self::bytes("text/plain; charset=utf-8", body.into())
    }

    /// 200 with JSON text.
    pub fn json(body: impl Into<String>) -> Self {
        Self::bytes("application/json", body.into())
    }

    /// 200 with a rendered template.
    ///
    /// # Errors
    /// `Template` when rendering fails.
    pub fn page(template: &impl askama::Template) -> Result<Self> {
        Ok(Self::html(template.render()?))
    }

    /// 303: the visitor's browser gets `link` next. The answer to a form that was accepted.
    pub fn see_other(link: Link) -> Self {
        Self::new(303).header("location", link)
    }

    /// 308: the address has changed for good.
    pub fn moved(link: Link) -> Self {
        Self::new(308).header("location", link)
    }

    /// Sets the status, 200 to 599.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sets a field; one of the same name is replaced. `name` is in lower case.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(own, _)| own != name);
        self.headers.push((Cow::Borrowed(name), value.into()));
        self
    }

    /// Says how long, and by whom, the response may be kept.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.headers.retain(|(name, _)| name != OWN_CACHE);
        let response = self.header("cache-control", cache.value());
        match cache {
            Cache::Exact(age) => response.header(OWN_CACHE, format!("max-age={}", age.as_secs())),
            _ => response,
        }
    }

    /// Adds a weak ETag made from the body, and answers 304 where the visitor has that body already.
    #[must_use]
    pub fn etag(self, request: &Request) -> Self {
        let tag = format!("W/\"{:016x}\"", hash(&self.body));
        let known = request.header("if-none-match").unwrap_or_default();
        let fresh = known.split(',').any(|own| own.trim() == tag);
        let mut response = self.header("etag", tag);
        if fresh && response.status == 200 {
            response.status = 304;
            response.body.clear();
            response.headers.retain(|(name, _)| name != "content-type");
        }
        response
    }

    /// The status.
    pub fn status_code(&self) -> u16 {
        self.status
    }

    /// The value of a field.
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text, for tests.
    pub fn body_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Takes the body off, as for HEAD.
    #[must_use]
    pub(crate) fn without_body(mut self) -> Self {
        self.body.clear();
        self
    }

    /// The status, the fields and the body.
    #[cfg(any(test, target_family = "wasm"))]
    pub(crate) fn into_parts(self) -> (u16, Vec<(String, String)>, Vec<u8>) {
        let headers = self.headers.into_iter().map(|(name, value)| (name.into_owned(), value));
        (self.status, headers.collect(), self.body)
    }
}

/// What a handler may return.
pub trait IntoResponse {
    /// Turns it into a response.
    ///
    /// # Errors
    /// The handler's own.
    fn into_response(self) -> Result<Response>;
}

impl IntoResponse for Response {
    fn into_response(self) -> Result<Response> {
        Ok(self)
    }
}

impl IntoResponse for Result<Response> {
    fn into_response(self) -> Result<Response> {
        self
    }
}

/// FNV-1a over words of eight bytes: fast, and enough to tell two versions of a page apart.
fn hash(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ (bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        hash = (hash ^ word).wrapping_mul(PRIME).rotate_left(29);
    }
    for byte in chunks.remainder() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(tag: &str) -> Request {
        Request::get("/").with_header("if-none-match", tag)
    }

    #[test]
    fn a_known_body_is_answered_304_without_it() {
        let first = Response::html("<p>hello</p>").etag(&request(""));
        let tag = first.header_value("etag").unwrap_or_default().to_owned();
        assert_eq!(first.status_code(), 200);
        let again = Response::html("<p>hello</p>").etag(&request(&format!("\"other\", {tag}")));
        assert_eq!((again.status_code(), again.body()), (304, &b""[..]));
        let changed = Response::html("<p>hullo</p>").etag(&request(&tag));
        assert_eq!(changed.status_code(), 200);
    }

    #[test]
    fn a_field_is_replaced_and_not_doubled() {
        let response = Response::text("").cache(Cache::NoStore).cache(Cache::Immutable);
        assert_eq!(response.header_value("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(response.into_parts().1.len(), 2);
    }

    #[test]
    fn what_the_host_keeps_exactly_others_check_each_time() {
        let response = Response::text("").cache(Cache::Exact(Duration::from_secs(60)));
        assert_eq!(response.header_value("cache-control"), Some("no-cache"));
        assert_eq!(response.header_value("rowhouse-cache-control"), Some("max-age=60"));
        let never = response.cache(Cache::NoStore);
        assert_eq!(never.header_value("rowhouse-cache-control"), None);
    }
}
