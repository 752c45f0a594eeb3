//! What a correct answer is. Checked before anything is counted: a fast error is not fast.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// What every answer must be.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// Part of the body.
    pub(crate) marker: String,
    /// Bytes of the body, both included.
    pub(crate) length: std::ops::RangeInclusive<usize>,
}

impl Expected {
    pub(crate) fn new(marker: &str, length: std::ops::RangeInclusive<usize>) -> Self {
        Self { marker: marker.to_owned(), length }
    }

    /// Asks once; gives the length of the body.
    pub(crate) fn check(&self, url: &str) -> Result<usize> {
        let mut answer = agent().get(url).call().with_context(|| format!("ask {url}"))?;
        let status = answer.status();
        let body = answer.body_mut().read_to_string().with_context(|| format!("read {url}"))?;
        if status != 200 || !body.contains(&self.marker) || !self.length.contains(&body.len()) {
            let head: String = body.chars().take(200).collect();
            bail!(
                "{url} answered {status} with {} bytes, which is not what was expected: {head}",
                body.len()
            );
        }
        Ok(body.len())
    }
}

/// A client whose errors are those of the connection: every status is an answer.
pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into()
}
