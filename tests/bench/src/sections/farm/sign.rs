//! What a server shows once it has a change, and the wait for it.
//!
//! It is asked for under the site's own host and below `/-/`, where nothing but the server's snapshot decides and an
//! unknown host does not make it look again: what is seen is what it was told, or found by its timer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::answer::visitor;
use crate::host::Host;

/// A change that is not there after so long is lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// The form that is asked for where the status alone tells: it costs the server next to nothing.
const DOOR: &str = "/-/sign-out";

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Sign {
    site: String,
    path: &'static str,
    cookie: Option<String>,
    status: u16,
    /// Part of the body.
    text: Option<String>,
}

impl Sign {
    fn of(site: &str, path: &'static str, status: u16) -> Self {
        Self { site: site.to_owned(), path, cookie: None, status, text: None }
    }

    /// There is such a site, and it is open.
    pub(super) fn open(site: &str) -> Self {
        Self::of(site, DOOR, 303)
    }

    /// The site is suspended.
    pub(super) fn suspended(site: &str) -> Self {
        Self::of(site, DOOR, 503)
    }

    /// There is no such site.
    pub(super) fn unknown(site: &str) -> Self {
        Self::of(site, DOOR, 404)
    }

    /// Its home page, made by its guest, has this text.
    pub(super) fn home(site: &str, text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::of(site, "/", 200) }
    }

    /// The host's own page for it has this title.
    pub(super) fn titled(site: &str, title: &str) -> Self {
        Self { text: Some(title.to_owned()), ..Self::of(site, "/-/sign-in", 200) }
    }

    /// Whoever has this cookie is signed in.
    pub(super) fn signed_in(site: &str, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..Self::of(site, "/-/password", 200) }
    }

    /// Whoever has this cookie is sent to sign in.
    pub(super) fn signed_out(site: &str, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..Self::of(site, "/-/password", 303) }
    }

    /// Asks without a pause, on one connection, until it is seen; gives when that was.
    pub(super) fn wait(&self, host: &Host) -> Result<Instant> {
        self.wait_unless(host, &AtomicBool::new(false))
    }

    /// The same, unless it is given up.
    pub(super) fn wait_unless(&self, host: &Host, given_up: &AtomicBool) -> Result<Instant> {
        let agent = visitor(ANSWER);
        let begin = Instant::now();
        loop {
            let (status, body) = self.ask(&agent, host).with_context(|| format!("look for {self:?}"))?;
            if status == self.status && self.text.as_ref().is_none_or(|text| body.contains(text)) {
                return Ok(Instant::now());
            }
            if given_up.load(Ordering::Relaxed) {
                bail!("the change was not made");
            }
            if begin.elapsed() > PATIENCE {
                bail!("{} shows status {status} and nothing of {self:?}", host.server.url());
            }
        }
    }

    fn ask(&self, agent: &ureq::Agent, host: &Host) -> Result<(u16, String)> {
        let mut request = agent
            .get(format!("{}{}", host.server.url(), self.path))
            .header("host", format!("{}.localhost", self.site));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let mut answer = request.call()?;
        let body = answer.body_mut().read_to_string()?;
        Ok((answer.status().as_u16(), body))
    }
}
