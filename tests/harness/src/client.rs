//! A small HTTP client: no redirects followed, every status an answer, cookies by hand.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::time::Duration;
use ureq::http;

/// Where the console is on its host.
pub const CONSOLE: &str = "/-/console";

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The fields.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Where it isn't.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("read as JSON: {}", self.text()))
    }

    /// One field as text, empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Passes an answer with this status on.
    ///
    /// # Errors
    /// For any other status, with the body.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status != status {
            bail!("expected {status}, got {}: {}", self.status, self.text());
        }
        Ok(self)
    }
}

/// Reads an answer whole.
///
/// # Errors
/// Where it breaks off.
pub fn answer_of(response: http::Response<ureq::Body>) -> Result<Answer> {
    let (parts, mut body) = response.into_parts();
    let body = body.with_config().limit(64 << 20).read_to_vec().context("read the body")?;
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}

/// Talks to one server. Keeps connections open.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    fields: Vec<(String, String)>,
}

impl Client {
    /// A client for `HOST:PORT`.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(280)))
            .build()
            .new_agent();
        Self { agent, base: format!("http://{address}"), fields: Vec::new() }
    }

    /// Sends this API token along.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.with_field("authorization", &format!("Bearer {token}"))
    }

    /// Sends this field along.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends along what another client does, such as its session.
    #[must_use]
    pub fn with_fields_of(mut self, other: &Self) -> Self {
        self.fields.extend_from_slice(&other.fields);
        self
    }

    /// GET.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, None)
    }

    /// Any method without a body.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn send(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Result<Answer> {
        answer_of(self.begin(method, path, body)?)
    }

    /// The same up to where the answer's body begins; [`answer_of`] reads on.
    ///
    /// # Errors
    /// Where no answer begins.
    pub fn begin(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Result<http::Response<ureq::Body>> {
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in &self.fields {
            request = request.header(name, value);
        }
        let response = match body {
            Some((kind, bytes)) => self.agent.run(request.header("content-type", kind).body(bytes)?),
            None => self.agent.run(request.body(())?),
        };
        response.with_context(|| format!("{method} {path}"))
    }

    /// POST of bytes.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn post_bytes(&self, path: &str, kind: &str, bytes: &[u8]) -> Result<Answer> {
        self.send("POST", path, Some((kind, bytes)))
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn post_json(&self, path: &str, body: &Value) -> Result<Answer> {
        self.post_bytes(path, "application/json", body.to_string().as_bytes())
    }

    /// POST of a form, as a browser on the same site sends it.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let client = self.clone().with_field("sec-fetch-site", "same-origin");
        client.post_bytes(path, "application/x-www-form-urlencoded", body.join("&").as_bytes())
    }

    /// Signs in at a site (`/NAME`, or empty where a host leads to it) or the console ([`CONSOLE`]) and returns a
    /// client with the session.
    ///
    /// # Errors
    /// Where it is refused.
    pub fn signed_in(&self, base_path: &str, name: &str, password: &str) -> Result<Self> {
        let form = [("name", name), ("password", password)];
        let folder = if base_path == CONSOLE { CONSOLE.to_owned() } else { format!("{base_path}/-") };
        let answer = self.post_form(&format!("{folder}/sign-in"), &form)?.expect(303)?;
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        Ok(self.clone().with_field("cookie", &cookie))
    }
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
