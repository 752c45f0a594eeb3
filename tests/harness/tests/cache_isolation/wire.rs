//! Requests as bytes, so that they may be such as no client library sends, and the answers to them.
//!
//! Each has a connection of its own: whoever poisons a page is not who gets it.

use anyhow::{Context, Result, ensure};
use rowhouse_tests::Answer;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

/// Far more than an answer takes; a machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which page an address leads to, if it leads to a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// That of an item, with all that it was made of.
    Stamp(usize),
    /// One that says who looks.
    Who,
    /// None, however it is read.
    Nowhere,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) page: Page,
    /// What the path begins with where the site is below another host: `/NAME`, else empty.
    pub(crate) base: String,
    /// Path and query as they are sent.
    pub(crate) target: String,
    pub(crate) host: String,
    /// Another `Host` beside the first.
    pub(crate) second_host: Option<String>,
    /// `scheme://authority` before the target.
    pub(crate) absolute: Option<String>,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Ask {
    /// A plain request for a page.
    pub(crate) fn plain(page: Page, host: String, base: String) -> Self {
        let target = match page {
            Page::Stamp(item) => format!("{base}/stamp/{item}"),
            Page::Who | Page::Nowhere => format!("{base}/who"),
        };
        Self {
            method: "GET",
            page,
            base,
            target,
            host,
            second_host: None,
            absolute: None,
            fields: Vec::new(),
            body: String::new(),
        }
    }

    /// The host and port that count (RFC 9112 section 3.2.2).
    pub(crate) fn authority(&self) -> &str {
        let absolute = self.absolute.as_deref().and_then(|place| place.split_once("://"));
        absolute.map_or(self.host.as_str(), |(_scheme, authority)| authority)
    }

    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// Sets a field; one of the same name is replaced.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.fields.retain(|(own, _)| *own != name);
        self.fields.push((name, value.into()));
    }

    /// The variant that is asked for; none where `Connection` says that the field is of the connection.
    pub(crate) fn variant(&self) -> Option<&str> {
        self.field("x-variant").filter(|_| self.field("connection").is_none())
    }

    /// The same page of the same address, as somebody asks for it who plays no tricks.
    pub(crate) fn without_tricks(&self) -> Self {
        let mut plain = Self {
            target: self.target.clone(),
            ..Self::plain(self.page, self.authority().to_owned(), self.base.clone())
        };
        for (name, value) in
            [("accept-language", self.field("accept-language")), ("x-variant", self.variant())]
        {
            if let Some(value) = value {
                plain.set(name, value);
            }
        }
        plain
    }

    /// Sends it.
    ///
    /// # Errors
    /// Where no whole answer comes.
    pub(crate) fn send(&self, address: &str) -> Result<Answer> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(self.text().as_bytes())?;
        let mut bytes = Vec::new();
        // A refused request may end with a reset.
        let ended = stream.read_to_end(&mut bytes);
        if bytes.is_empty() {
            ended.context("nothing came back")?;
        }
        let answer = read(&bytes)?;
        let length: Option<usize> = answer.header("content-length").parse().ok();
        let has_body = self.method != "HEAD" && answer.status != 304;
        let came = answer.body.len();
        ensure!(!has_body || length.is_none_or(|length| length == came), "{came} of {length:?} bytes came");
        Ok(answer)
    }

    fn text(&self) -> String {
        let place = self.absolute.as_deref().unwrap_or_default();
        let mut lines = vec![format!("{} {place}{} HTTP/1.1", self.method, self.target)];
        lines.push(format!("Host: {}", self.host));
        lines.extend(self.second_host.iter().map(|host| format!("Host: {host}")));
        lines.extend(self.fields.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.body.is_empty() {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        format!("{}\r\nConnection: close\r\n\r\n{}", lines.join("\r\n"), self.body)
    }
}

fn read(bytes: &[u8]) -> Result<Answer> {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").context("an answer has a head")?;
    let (head, rest) = bytes.split_at(end);
    let mut lines = std::str::from_utf8(head)?.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("a status")?.parse()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').context("a field has a name")?;
        headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value.trim())?);
    }
    Ok(Answer { status, headers, body: rest.get(4..).unwrap_or_default().to_vec() })
}

/// The body without its coding; none where it has one that can't be read here.
///
/// # Errors
/// Where it is not what its fields say.
pub(crate) fn decoded(answer: &Answer) -> Result<Option<Vec<u8>>> {
    match answer.header("content-encoding") {
        "" => Ok(Some(answer.body.clone())),
        "gzip" => unzipped(&answer.body).map(Some),
        _ => Ok(None),
    }
}

fn unzipped(body: &[u8]) -> Result<Vec<u8>> {
    let mut command = Command::new("gzip");
    let mut child = command.arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    // Some hundred bytes: the pipes hold them, so that neither side waits for the other.
    child.stdin.take().context("gzip reads")?.write_all(body)?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "this is not gzip");
    Ok(output.stdout)
}
