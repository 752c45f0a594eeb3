//! The front and the guest of these tests.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use rowhouse_base::id::TenantId;
use rowhouse_base::{Digest, Subject, Versions};
use rowhouse_cache::{Asked, Begun, Cache, CacheConfig, Fill, Finished, Looked, SecondLevel, Site};
use std::sync::Arc;

pub(crate) type Fields<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn fields(list: Fields<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

/// An answer of the guest.
pub(crate) fn answer(status: u16, list: Fields<'_>, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = status.try_into().unwrap();
    *response.headers_mut() = fields(list);
    response
}

pub(crate) fn fresh(body: &str) -> Response<Bytes> {
    answer(200, &[("cache-control", "max-age=3600")], body)
}

/// One site and its cache.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) cache: Arc<Cache>,
    pub(crate) site: Site,
    pub(crate) versions: Option<Arc<Versions>>,
}

/// What a visitor got.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) answer: Response<Bytes>,
    /// What the guest was asked with, if it was.
    pub(crate) asked: Option<HeaderMap>,
}

impl Served {
    pub(crate) fn body(&self) -> &str {
        std::str::from_utf8(self.answer.body()).unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> u16 {
        self.answer.status().as_u16()
    }
}

pub(crate) fn page_table() -> Subject {
    Subject::table("page")
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(CacheConfig::default(), None)
    }

    pub(crate) fn with(config: CacheConfig, second: Option<Arc<dyn SecondLevel>>) -> Self {
        let site = Site { tenant: TenantId::new(), revision: 1, digest: Digest::of(b"module") };
        let versions = Some(Arc::new(Versions::new([(page_table(), 1)])));
        Self { cache: Cache::new(config, second), site, versions }
    }

    /// The same tenant after a write.
    pub(crate) fn written(&self, count: u64) -> Self {
        let versions = Some(Arc::new(Versions::new([(page_table(), count)])));
        Self { versions, ..self.clone() }
    }

    pub(crate) async fn look(&self, method: &Method, path: &str, headers: &HeaderMap) -> Looked {
        let uri: Uri = path.parse().unwrap();
        let asked =
            Asked { site: self.site, method, origin: "http://site.test", base_path: "", uri: &uri, headers };
        self.cache.look(&asked, self.versions.as_ref()).await
    }

    /// A GET that the guest would answer with `guest`; None is a guest that fails.
    pub(crate) async fn get(&self, path: &str, asked: Fields<'_>, guest: Option<Response<Bytes>>) -> Served {
        self.visit("GET", path, asked, guest).await
    }

    /// Whether a GET is answered without the guest.
    pub(crate) async fn hits(&self, path: &str, asked: Fields<'_>) -> bool {
        self.get(path, asked, Some(answer(200, &[], "not from the store"))).await.asked.is_none()
    }

    pub(crate) async fn visit(
        &self,
        method: &str,
        path: &str,
        asked: Fields<'_>,
        guest: Option<Response<Bytes>>,
    ) -> Served {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut headers = fields(asked);
        match self.look(&method, path, &headers).await {
            Looked::Answer(answer) => Served { answer, asked: None },
            Looked::Stale { answer, fill } => {
                let asked = fill.map(|fill| {
                    fill.prepare(&mut headers);
                    self.give(fill, guest);
                    headers
                });
                Served { answer, asked }
            }
            Looked::Fill(fill) => {
                fill.prepare(&mut headers);
                let answer = self.give(fill, guest);
                Served { answer, asked: Some(headers) }
            }
            Looked::Pass(pass) => {
                let (mut head, body) = guest.unwrap_or_else(failure).into_parts();
                pass.answered(&mut head);
                Served { answer: Response::from_parts(head, body), asked: Some(headers) }
            }
        }
    }

    /// Does a fill with what the guest answers.
    pub(crate) fn give(&self, fill: Fill, guest: Option<Response<Bytes>>) -> Response<Bytes> {
        let stamp = self.versions.as_ref().map(|versions| versions.stamp([page_table()]));
        let Some(guest) = guest else { return fill.failed().unwrap_or_else(failure) };
        let (mut head, body) = guest.into_parts();
        let pass = match fill.begin(&head, || stamp.clone()) {
            Begun::Answer(answer) => return answer,
            Begun::Pass(pass) => pass,
            Begun::Store(mut storing) => {
                for chunk in body.chunks(1000) {
                    if !storing.push(&body.slice_ref(chunk)) {
                        break;
                    }
                }
                match storing.finish(stamp) {
                    Finished::Stored(answer) => return answer,
                    Finished::Passed(pass) => pass,
                }
            }
        };
        pass.answered(&mut head);
        Response::from_parts(head, body)
    }
}

fn failure() -> Response<Bytes> {
    answer(500, &[], "the guest failed")
}
