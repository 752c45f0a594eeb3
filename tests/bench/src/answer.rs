//! What a correct answer is. Checked before anything is counted: a fast error is not fast.

mod http2;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::load::Manner;

/// How long a page may take to be kept where it is going to be.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every answer must be.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// Part of the body.
    pub(crate) marker: String,
    /// Bytes of the body, both included.
    pub(crate) length: std::ops::RangeInclusive<usize>,
    /// Part of the field `Cache-Status`, in lower case.
    cache: Option<&'static str>,
}

/// As much of an answer as is looked at.
struct Answer {
    status: u16,
    /// In lower case; empty where there is none.
    cache: String,
    body: String,
}

impl Expected {
    pub(crate) fn new(marker: &str, length: std::ops::RangeInclusive<usize>) -> Self {
        Self { marker: marker.to_owned(), length, cache: None }
    }

    /// The same from a cache, whose `Cache-Status` has this in it.
    pub(crate) fn cached(self, status: &'static str) -> Self {
        Self { cache: Some(status), ..self }
    }

    /// Asks once; gives the length of the body.
    pub(crate) fn check(&self, url: &str) -> Result<usize> {
        self.check_as(url, &Manner::default())
    }

    /// Asks once, or until the page comes from the cache that it is expected from.
    pub(crate) fn settle(&self, url: &str, manner: &Manner) -> Result<usize> {
        let begin = Instant::now();
        loop {
            match self.check_as(url, manner) {
                Err(_not_kept_yet) if self.cache.is_some() && begin.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                result => return result,
            }
        }
    }

    fn check_as(&self, url: &str, manner: &Manner) -> Result<usize> {
        let Answer { status, cache, body } = ask(url, manner).with_context(|| format!("ask {url}"))?;
        let as_cached = self.cache.is_none_or(|part| cache.contains(part));
        if status != 200 || !as_cached || !body.contains(&self.marker) || !self.length.contains(&body.len()) {
            let head: String = body.chars().take(200).collect();
            bail!(
                "{url} answered {status} with {} bytes and Cache-Status `{cache}`, which is not what was \
                 expected: {head}",
                body.len()
            );
        }
        Ok(body.len())
    }
}

fn ask(url: &str, manner: &Manner) -> Result<Answer> {
    if manner.http2 {
        return http2::ask(url, manner.field);
    }
    let mut request = agent().get(url);
    if let Some((name, value)) = manner.field {
        request = request.header(name, value);
    }
    let mut answer = request.call()?;
    let cache = answer.headers().get("cache-status").and_then(|value| value.to_str().ok());
    let cache = cache.unwrap_or_default().to_ascii_lowercase();
    let body = answer.body_mut().read_to_string().context("read the body")?;
    Ok(Answer { status: answer.status().as_u16(), cache, body })
}

/// A client that is shown redirects as they are, and waits this long for an answer.
pub(crate) fn visitor(patience: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(patience))
        .build()
        .into()
}

/// A client whose errors are those of the connection: every status is an answer.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}
