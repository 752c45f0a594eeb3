//! Which stored pages an unsafe request makes invalid (RFC 9111 section 4.4): its own address and those of
//! the same site that the answer names. Pure; called by `pass`.

use http::header::{CONTENT_LOCATION, HeaderMap, LOCATION};
use http::{Method, StatusCode, Uri};

/// True for methods that may change something; an unknown method may.
pub(crate) fn is_unsafe(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// True where the answer says that something may have been changed.
pub(crate) fn did_something(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}

/// Paths with queries within the site that `Location` and `Content-Location` name. Other origins' and other
/// sites' addresses are left out: nobody may empty their caches from here.
pub(crate) fn named(headers: &HeaderMap, origin: &str, base_path: &str, asked: &Uri) -> Vec<String> {
    [LOCATION, CONTENT_LOCATION]
        .iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .filter_map(|place| within(place.trim(), origin, base_path, asked))
        .collect()
}

fn within(place: &str, origin: &str, base_path: &str, asked: &Uri) -> Option<String> {
    let place = place.split('#').next().unwrap_or_default();
    if place.contains("://") {
        let (scheme, _) = place.split_once("://")?;
        let same_site = place.get(..origin.len()).is_some_and(|start| start.eq_ignore_ascii_case(origin));
        let rest = place.get(origin.len()..).filter(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        // A query may hold a whole address: then the place is relative.
        if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return if same_site { below(rest?, base_path) } else { None };
        }
    }
    if place.starts_with("//") {
        let authority = origin.split_once("://")?.1;
        let rest = place.get(2..)?;
        let start = rest.get(..authority.len())?;
        return if start.eq_ignore_ascii_case(authority) {
            below(rest.get(authority.len()..)?, base_path)
        } else {
            None
        };
    }
    if place.starts_with('/') {
        return below(place, base_path);
    }
    if place.is_empty() {
        return Some(asked.path_and_query().map_or("/", |whole| whole.as_str()).to_owned());
    }
    let folder = asked.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let path =
        if place.starts_with('?') { asked.path().to_owned() + place } else { format!("{folder}/{place}") };
    Some(without_dots(&path))
}

/// A path of the host as a path of the site.
fn below(path: &str, base_path: &str) -> Option<String> {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let path = without_dots(&path);
    let inner = path.strip_prefix(base_path.trim_end_matches('/'))?;
    match inner.chars().next() {
        None => Some("/".to_owned()),
        Some('/') => Some(inner.to_owned()),
        Some('?') => Some(format!("/{inner}")),
        // `/clubs` is not below `/club`.
        Some(_) => None,
    }
}

/// RFC 3986 section 5.2.4, on the path alone.
fn without_dots(place: &str) -> String {
    let (path, query) = place.split_once('?').map_or((place, None), |(path, query)| (path, Some(query)));
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut plain = format!("/{}", parts.join("/"));
    if (path.ends_with("/.") || path.ends_with("/..")) && !plain.ends_with('/') {
        plain.push('/');
    }
    if let Some(query) = query {
        plain.push('?');
        plain.push_str(query);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn places_are_found_within_the_site_only() {
        let asked = Uri::from_static("/a/b?c=d");
        for (place, expected) in [
            ("https://x.test/club/new", Some("/new")),
            ("HTTPS://X.test/club/new?x=1#top", Some("/new?x=1")),
            ("https://x.test/club", Some("/")),
            ("https://x.test/club?x", Some("/?x")),
            ("https://x.test/clubs", None),
            ("https://x.test.evil.test/club/new", None),
            ("https://y.test/club/new", None),
            ("http://x.test/club/new", None),
            ("//x.test/club/new", Some("/new")),
            ("//y.test/club/new", None),
            ("/club/new", Some("/new")),
            ("/other/new", None),
            ("/club/../other/new", None),
            ("new", Some("/a/new")),
            ("./new", Some("/a/new")),
            ("../new", Some("/new")),
            ("?x=1", Some("/a/b?x=1")),
            ("", Some("/a/b?c=d")),
            ("new?to=http://y.test/", Some("/a/new?to=http://y.test/")),
        ] {
            let headers = HeaderMap::from_iter([(LOCATION, HeaderValue::from_static(place))]);
            let found = named(&headers, "https://x.test", "/club", &asked);
            assert_eq!(found.first().map(String::as_str), expected, "{place}");
        }
    }

    #[test]
    fn methods_that_only_read_change_nothing() {
        for name in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            assert!(!is_unsafe(&Method::from_bytes(name.as_bytes()).unwrap()));
        }
        for name in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get"] {
            assert!(is_unsafe(&Method::from_bytes(name.as_bytes()).unwrap()));
        }
    }
}
