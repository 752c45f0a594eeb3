//! Links that work wherever the site is mounted.
//!
//! A site may answer at `https://club.example/` and at `https://host.example/club/` at the same time,
//! so no template may write a path by itself: [`Urls`] puts the base path in front and percent-encodes
//! what it is given. Also the decoding used by the router and by forms. Invariant: a link made from a
//! path never leaves the site. Called by sites, `request`, `router` and `form`.

use std::fmt;

/// Makes links for one request. Cheap to clone; meant to be a field of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Urls {
    base: String,
    origin: String,
}

impl Urls {
    /// For a site at `origin` (`https://host[:port]`) under `base` (empty, or `/NAME`).
    pub fn new(origin: impl Into<String>, base: impl Into<String>) -> Self {
        Self { base: base.into(), origin: origin.into() }
    }

    /// The base path: empty, or `/NAME`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The origin: `https://host[:port]`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A link to a path of this site: `urls.to("/news")`. However many slashes it begins with, it stays on
    /// this site: `//elsewhere` would be another host to a browser, and so would `/\elsewhere`.
    pub fn to(&self, path: &str) -> Link {
        let path = path.trim_start_matches(['/', '\\']);
        Link { text: format!("{}/{path}", self.base), has_query: path.contains('?') }
    }

    /// A link to a path and one more segment that comes from data: `urls.item("/news", &news.slug)`.
    pub fn item(&self, path: &str, segment: impl fmt::Display) -> Link {
        self.to(path).segment(segment)
    }

    /// The same with the origin in front, for feeds, sitemaps and mail.
    pub fn absolute(&self, path: &str) -> Link {
        let link = self.to(path);
        Link { text: format!("{}{}", self.origin, link.text), ..link }
    }

    /// The host's sign-in page, coming back to `path` (a path of this site).
    pub fn sign_in(&self, path: &str) -> Link {
        self.to("/-/sign-in").query("return-to", self.to(path))
    }

    /// Where a POST form signs the visitor out.
    pub fn sign_out(&self) -> Link {
        self.to("/-/sign-out")
    }
}

/// A link being built; shows as its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    text: String,
    has_query: bool,
}

impl Link {
    /// Adds a path segment from data, percent-encoded whole.
    #[must_use]
    pub fn segment(mut self, segment: impl fmt::Display) -> Self {
        if !self.text.ends_with('/') {
            self.text.push('/');
        }
        encode_into(&mut self.text, &segment.to_string());
        self
    }

    /// Adds a query parameter, percent-encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        encode_into(&mut self.text, name);
        self.text.push('=');
        encode_into(&mut self.text, &value.to_string());
        self
    }
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl From<Link> for String {
    fn from(link: Link) -> Self {
        link.text
    }
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode_into(&mut out, text);
    out
}

fn encode_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(char::from(if half < 10 { b'0' + half } else { b'A' + half - 10 }));
            }
        }
    }
}

/// Decodes percent-encoding; none where it is malformed or not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    decode_bytes(text, false)
}

/// As [`decode`], with `+` for a space, as forms and queries have it.
pub fn decode_form(text: &str) -> Option<String> {
    decode_bytes(text, true)
}

fn decode_bytes(text: &str, plus: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

/// The pairs of a query or an urlencoded form, in order. Pairs that don't decode are left out.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode_form(name)?, decode_form(value)?))
    };
    text.split('&').filter(|pair| !pair.is_empty()).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_the_base_path_and_encode_data() {
        let urls = Urls::new("https://example.test", "/club");
        assert_eq!(urls.to("/news").to_string(), "/club/news");
        assert_eq!(urls.to("/").to_string(), "/club/");
        for path in ["//elsewhere.example", "/\\elsewhere.example", "elsewhere.example"] {
            assert_eq!(Urls::default().to(path).to_string(), "/elsewhere.example", "{path}");
        }
        assert_eq!(urls.item("/news", "a/b ?ä").to_string(), "/club/news/a%2Fb%20%3F%C3%A4");
        assert_eq!(urls.absolute("/feed.xml").to_string(), "https://example.test/club/feed.xml");
        let link = urls.to("/news").query("q", "a&b").query("page", 2);
        assert_eq!(link.to_string(), "/club/news?q=a%26b&page=2");
        assert_eq!(urls.sign_in("/manage").to_string(), "/club/-/sign-in?return-to=%2Fclub%2Fmanage");
    }

    #[test]
    fn decoding_refuses_what_is_malformed() {
        assert_eq!(decode("a%20b+c").as_deref(), Some("a b+c"));
        assert_eq!(decode_form("a%20b+c").as_deref(), Some("a b c"));
        for text in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode(&encode("ä/%+ ~")).as_deref(), Some("ä/%+ ~"));
    }

    #[test]
    fn pairs_keep_their_order() {
        let expected = [("a", "1"), ("b", ""), ("a", "x y")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(pairs("a=1&b&&a=x+y&bad=%ff"), expected);
    }
}
