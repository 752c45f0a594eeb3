//! What an answer tells of the server that gave it: `X-Served-By`, a cookie for balancers that want to send a visitor to
//! the same server again, and `Connection: close` while the server drains. All off by default but the last.
//!
//! The cookie holds the server's name and nothing of the visitor; who alters it ends up on another server, where
//! everything is the same.

use crate::health::Readiness;
use crate::reply::Answer;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Version};

const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
/// The cookie for balancers.
pub const AFFINITY_COOKIE: &str = "rowhouse_server";

/// What answers tell.
#[derive(Clone, Debug, Default)]
pub struct Mark {
    /// Puts this name into `X-Served-By`.
    pub served_by: Option<HeaderValue>,
    /// Sets a cookie with this name of the server where the visitor has another one or none.
    pub affinity: Option<String>,
}

impl Mark {
    /// What the visitor's cookie has to be for none to be set; none where none is ever set.
    pub(crate) fn is_missing(&self, headers: &HeaderMap) -> bool {
        let Some(own) = &self.affinity else { return false };
        let mut pairs = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        !pairs.any(|(name, value)| name == AFFINITY_COOKIE && value == own)
    }

    /// Marks an answer.
    pub(crate) fn put(&self, answer: &mut Answer, version: Version, readiness: &Readiness, is_missing: bool) {
        if let Some(name) = &self.served_by {
            answer.headers_mut().insert(SERVED_BY, name.clone());
        }
        let draining = readiness.is_draining();
        // A shared cache in front must not hand one visitor's server to all others.
        let wanted = is_missing && !draining && !is_shared(answer.headers());
        if let Some(own) = self.affinity.as_ref().filter(|_| wanted)
            && let Ok(value) =
                HeaderValue::try_from(format!("{AFFINITY_COOKIE}={own}; Path=/; HttpOnly; SameSite=Lax"))
        {
            answer.headers_mut().append(header::SET_COOKIE, value);
        }
        // Idle connections are closed at the end; one that carries a request then would lose it.
        if draining && version <= Version::HTTP_11 {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// True where others may get the same answer from a cache.
fn is_shared(headers: &HeaderMap) -> bool {
    let texts = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|part| {
        let part = part.trim().to_ascii_lowercase();
        part == "public" || part.starts_with("s-maxage")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::OutgoingBody;

    fn marked(mark: &Mark, cookies: &[&'static str], version: Version, draining: bool) -> HeaderMap {
        let readiness = Readiness::default();
        readiness.set_ready();
        if draining {
            readiness.set_draining();
        }
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_static(cookie));
        }
        let mut answer = http::Response::new(OutgoingBody::full(""));
        mark.put(&mut answer, version, &readiness, mark.is_missing(&headers));
        answer.headers().clone()
    }

    #[test]
    fn nothing_is_told_unless_it_was_asked_for() {
        assert!(marked(&Mark::default(), &[], Version::HTTP_11, false).is_empty());
    }

    #[test]
    fn the_cookie_is_set_where_it_is_missing() {
        let mark = Mark { served_by: Some(HeaderValue::from_static("web1")), affinity: Some("web1".into()) };
        let first = marked(&mark, &["a=1; rowhouse_server=web2"], Version::HTTP_11, false);
        assert_eq!(first.get(SERVED_BY).unwrap(), "web1");
        assert!(
            first.get(header::SET_COOKIE).unwrap().to_str().unwrap().starts_with("rowhouse_server=web1;")
        );
        let again = marked(&mark, &["a=1", "b=2; rowhouse_server=web1"], Version::HTTP_11, false);
        assert!(again.get(header::SET_COOKIE).is_none());
        let leaving = marked(&mark, &[], Version::HTTP_11, true);
        assert!(leaving.get(header::SET_COOKIE).is_none());
        let mut answer = http::Response::new(OutgoingBody::full(""));
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=1, Public"));
        mark.put(&mut answer, Version::HTTP_11, &Readiness::default(), true);
        assert!(answer.headers().get(header::SET_COOKIE).is_none(), "others may get this one");
    }

    #[test]
    fn a_draining_server_asks_for_another_connection() {
        let close = |version| marked(&Mark::default(), &[], version, true).get(header::CONNECTION).cloned();
        assert_eq!(close(Version::HTTP_11).unwrap(), "close");
        assert!(close(Version::HTTP_2).is_none(), "there it is a frame of the protocol");
    }
}
