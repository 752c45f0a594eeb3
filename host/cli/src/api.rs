//! The HTTP side: one method per kind of request, every answer a JSON value or a [`Failure`].
//!
//! It follows no redirect, because a redirected write would arrive as a read, and it sends the token
//! to the named server only.

use crate::connection::{ConnectionArgs, ServerUrl, TokenSource};
use crate::events::Events;
use crate::failure::{Failure, Problem, Refusal};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rowhouse_base::secret::Secret;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::Read;
use std::time::Duration;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Response, header};
use ureq::{AsSendBody, Body, BodyReader, SendBody};

/// The media type of an archive.
pub(crate) const ARCHIVE: &str = "application/zstd";
const PREFIX: &str = "/-/api/v1";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A restore of a large site answers when its last row is there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// A server ends a stream of events after 25 s; one that says nothing for longer than that is gone.
const EVENTS_TIMEOUT: Duration = Duration::from_secs(60);
/// Unreserved characters of RFC 3986 stay as they are; `@` does too, so that releases read well.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');
/// The most items the API gives in one page.
const PAGE: usize = 200;
/// Largest answer that is read: a page of 200 items is far below it.
const ANSWER_BYTES: u64 = 64 << 20;

/// A path below the API's prefix, with a query.
#[derive(Clone, Debug)]
pub(crate) struct Target(String);

impl Target {
    /// A path of these segments, each escaped.
    pub(crate) fn new(segments: &[&str]) -> Self {
        let mut text = PREFIX.to_owned();
        for segment in segments {
            let _ = write!(text, "/{}", utf8_percent_encode(segment, SEGMENT));
        }
        Self(text)
    }

    /// With a query parameter, where there is a value.
    pub(crate) fn with(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            let mark = if self.0.contains('?') { '&' } else { '?' };
            let _ = write!(self.0, "{mark}{name}={}", utf8_percent_encode(value, SEGMENT));
        }
        self
    }
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub body: Value,
}

/// An archive on its way.
pub(crate) struct Archive<'a> {
    api: &'a Api,
    /// What the server calls it.
    pub file: String,
    body: BodyReader<'static>,
}

impl Archive<'_> {
    /// The next bytes; none at the end. An archive that broke off is no answer of the server.
    pub(crate) fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        self.body.read(buffer).map_err(|error| self.api.unreachable(ureq::Error::Io(error)))
    }
}

/// A server and the token to use there.
#[derive(Debug)]
pub(crate) struct Api {
    agent: ureq::Agent,
    url: ServerUrl,
    token: Option<Secret>,
    source: TokenSource,
    /// Seconds to wait for all servers after a change.
    wait: Option<u8>,
    /// What the last wait found.
    waited: RefCell<Option<String>>,
}

impl Api {
    /// Prepares requests; none is sent yet.
    pub(crate) fn new(connection: &ConnectionArgs) -> Result<Self, Failure> {
        let (token, source) = connection.credential()?;
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("rowhouse/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT));
        if connection.url.is_loopback() {
            // A proxy of the environment can't reach a server on this machine.
            config = config.proxy(None);
        }
        let (agent, url) = (config.build().new_agent(), connection.url.clone());
        Ok(Self { agent, url, token, source, wait: connection.wait, waited: RefCell::new(None) })
    }

    /// The server's base address.
    pub(crate) fn url(&self) -> &ServerUrl {
        &self.url
    }

    /// What the last wait for all servers found, where one was asked for.
    pub(crate) fn waited(&self) -> Option<String> {
        self.waited.take()
    }

    /// The address of a target, with the wait where the request changes something.
    fn address(&self, method: &Method, target: &Target) -> String {
        let wait = self.wait.filter(|_| !method.is_safe()).map(|seconds| seconds.to_string());
        format!("{}{}", self.url, target.clone().with("wait", wait.as_deref()).0)
    }

    /// True where a token goes over an unencrypted network connection.
    pub(crate) fn exposes_token(&self) -> bool {
        self.token.is_some() && self.url.is_exposed()
    }

    /// Reads one document.
    pub(crate) fn get(&self, target: &Target) -> Result<Value, Failure> {
        Ok(self.send(Method::GET, target, None)?.body)
    }

    /// Sends a request with a JSON body or none.
    pub(crate) fn send(
        &self,
        method: Method,
        target: &Target,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let address = self.address(&method, target);
        let mut request = Request::builder().method(method).uri(address);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            self.finish(request.body(body.to_string()))
        } else {
            self.finish(request.body(()))
        }
    }

    /// Sends bytes of a module or an archive. The server may refuse before the bytes are sent.
    pub(crate) fn upload(
        &self,
        method: Method,
        target: &Target,
        kind: &str,
        bytes: impl Read,
        length: u64,
    ) -> Result<Answer, Failure> {
        let mut bytes = bytes;
        let address = self.address(&method, target);
        let request = Request::builder()
            .method(method)
            .uri(address)
            .header(header::CONTENT_TYPE, kind)
            .header(header::CONTENT_LENGTH, length)
            .header(header::EXPECT, "100-continue");
        self.finish(request.body(SendBody::from_reader(&mut bytes)))
    }

    /// Asks for an archive. It is read by whoever gets it.
    pub(crate) fn archive(&self, target: &Target) -> Result<Archive<'_>, Failure> {
        let request = Request::builder().method(Method::GET).uri(format!("{}{}", self.url, target.0));
        let response = self.ask(request.body(()))?;
        let text_of = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if !response.status().is_success() {
            return match self.read(response) {
                Ok(_) => Err(self.foreign("an answer that is no archive")),
                Err(failure) => Err(failure),
            };
        }
        if text_of(header::CONTENT_TYPE) != Some(ARCHIVE) {
            return Err(self.foreign("an answer that is no archive"));
        }
        let file = text_of(header::CONTENT_DISPOSITION).and_then(|text| text.split('"').nth(1));
        let file = file.unwrap_or_default().to_owned();
        Ok(Archive { api: self, file, body: response.into_body().into_reader() })
    }

    /// Asks for events, which are read as they come.
    pub(crate) fn events(&self, target: &Target) -> Result<Events<'_>, Failure> {
        let request = Request::builder().method(Method::GET).uri(format!("{}{}", self.url, target.0));
        let request = request.body(()).map(|request| {
            self.agent.configure_request(request).timeout_recv_body(Some(EVENTS_TIMEOUT)).build()
        });
        let response = self.ask(request)?;
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if response.status().is_success() && kind.is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return Ok(Events::new(self, response.into_body().into_reader()));
        }
        match self.read(response) {
            Ok(_) => Err(self.foreign("an answer that is no stream of events")),
            Err(failure) => Err(failure),
        }
    }

    /// Reads a list page by page, up to `most` items, and gives it as one document.
    pub(crate) fn list(&self, target: &Target, most: Option<usize>) -> Result<Value, Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let wanted = most.map_or(PAGE, |most| most.saturating_sub(items.len()).min(PAGE));
            let page =
                target.clone().with("limit", Some(&wanted.to_string())).with("cursor", cursor.as_deref());
            let mut answer = self.get(&page)?;
            let Some(Value::Array(part)) = answer.get_mut("items").map(Value::take) else {
                return Err(self.foreign("a list without items"));
            };
            let came = part.len();
            items.extend(part);
            let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
            let full = most.is_some_and(|most| items.len() >= most);
            // A cursor that doesn't move would ask for the same page forever.
            if full || next.is_none() || next == cursor || came == 0 {
                return Ok(json!({ "items": items, "next": next }));
            }
            cursor = next;
        }
    }

    fn finish<B: AsSendBody>(&self, request: ureq::http::Result<Request<B>>) -> Result<Answer, Failure> {
        let response = self.ask(request)?;
        self.read(response)
    }

    fn ask<B: AsSendBody>(&self, request: ureq::http::Result<Request<B>>) -> Result<Response<Body>, Failure> {
        let mut request = request.map_err(|error| self.unreachable(error.into()))?;
        let headers = request.headers_mut();
        headers.insert(
            header::ACCEPT,
            HeaderValue::from_static("application/json, application/problem+json, */*"),
        );
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.reveal()))
                .map_err(|_secret| Failure::usage("the token has characters that no token has"))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        self.agent.run(request).map_err(|error| self.unreachable(error))
    }

    fn read(&self, mut response: Response<Body>) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        let text_of = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if let Some(behind) = text_of(HeaderName::from_static("rowhouse-behind")) {
            let generation = text_of(HeaderName::from_static("rowhouse-generation")).unwrap_or_default();
            *self.waited.borrow_mut() = Some(match behind {
                "" => format!("every server has generation {generation}"),
                names => format!("not yet at generation {generation}: {names}"),
            });
        }
        let retry_after = text_of(header::RETRY_AFTER).map(str::to_owned);
        let content_type = text_of(header::CONTENT_TYPE).unwrap_or_default().to_owned();
        if (300..400).contains(&status) {
            let location = text_of(header::LOCATION).unwrap_or("another address");
            return Err(self.foreign(&format!("it redirects to {location}")));
        }
        let bytes = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES)
            .read_to_vec()
            .map_err(|error| self.unreachable(error))?;
        let success = (200..300).contains(&status);
        if success && bytes.is_empty() {
            return Ok(Answer { status, body: Value::Object(Map::new()) });
        }
        let is_json = content_type.starts_with("application/json")
            || content_type.starts_with("application/problem+json");
        let parsed = if is_json { serde_json::from_slice::<Value>(&bytes).ok() } else { None };
        match parsed {
            Some(body) if success => Ok(Answer { status, body }),
            Some(raw) => {
                let problem = Problem::deserialize_tolerantly(&raw);
                Err(self.refused(status, problem, raw, retry_after))
            }
            // A balancer in front of the server answers so while no server is ready.
            None if matches!(status, 429 | 502..=504) => {
                let raw = json!({ "status": status, "title": "the server is not available now" });
                Err(self.refused(status, Problem::deserialize_tolerantly(&raw), raw, retry_after))
            }
            None => Err(self.foreign(&format!("status {status} without JSON"))),
        }
    }

    fn refused(&self, status: u16, problem: Problem, raw: Value, retry_after: Option<String>) -> Failure {
        let token = self.source.clone();
        Failure::Refused(Box::new(Refusal { status, problem, raw, token, retry_after }))
    }

    /// The server's answer is not what the API says.
    pub(crate) fn foreign(&self, what: &str) -> Failure {
        Failure::Foreign { url: self.url.to_string(), what: what.to_owned() }
    }

    pub(crate) fn unreachable(&self, error: ureq::Error) -> Failure {
        Failure::Unreachable { url: self.url.to_string(), source: Box::new(error) }
    }
}
