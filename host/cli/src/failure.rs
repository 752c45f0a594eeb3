//! Everything that can go wrong for a client command, what is said about it, and the exit code.
//!
//! Each failure ends with what to do next. No failure holds a token: only where it came from.

use crate::connection::TokenSource;
use crate::screen::{Screen, plain};
use rowhouse_base::Chain;
use serde::Deserialize;
use serde_json::Value;
use std::io;
use std::path::PathBuf;

/// All went well.
pub(crate) const OK: u8 = 0;
const REFUSED: u8 = 1;
const USAGE: u8 = 2;
const NO_CONNECTION: u8 = 3;
const NOT_FOUND: u8 = 4;
const CONFLICT: u8 = 5;
const PARTLY: u8 = 6;

/// The exit codes as the help text shows them. The app crate puts this below its own long help.
pub const EXIT_CODES_HELP: &str = "\
Exit codes:
  0  done
  1  the server refused, or failed
  2  wrong usage: an option, a name or a file
  3  no connection to a Rowhouse server
  4  not found
  5  conflict with the present state
  6  partly failed: some items are done, others are not";

/// Why a command ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing answered at the URL, or the connection broke.
    #[error("no answer from {url}")]
    Unreachable { url: String, source: Box<ureq::Error> },
    /// Something answered that doesn't speak the API.
    #[error("{url} answers, but not as a Rowhouse server: {what}")]
    Foreign { url: String, what: String },
    /// The server said no.
    #[error("{}", .0.headline())]
    Refused(Box<Refusal>),
    /// The command can't be carried out as it was given.
    #[error("{problem}")]
    Usage { problem: String, hint: Option<String> },
    /// A local file can't be read or written.
    #[error("{action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// Some of several items failed; each was reported when it did.
    #[error("{failed} of {total} failed")]
    Partly { failed: usize, total: usize },
    /// The result can't be written.
    #[error("write the output")]
    Output(#[from] io::Error),
}

/// A refusal of the server, from its problem details.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub problem: Problem,
    /// The document as it came, for `--json`.
    pub raw: Value,
    pub token: TokenSource,
    pub retry_after: Option<String>,
}

/// RFC 9457 problem details, as far as people are shown them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub title: String,
    pub detail: String,
    /// The request id, by which an operator finds the log line.
    pub instance: String,
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FieldError {
    pub field: String,
    pub detail: String,
}

impl Problem {
    /// Reads what is there; a document of another form gives an empty problem.
    pub(crate) fn deserialize_tolerantly(raw: &Value) -> Self {
        Self::deserialize(raw).unwrap_or_default()
    }
}

impl Refusal {
    fn headline(&self) -> String {
        // The document's text may point at its own list, which is printed below and has no name there.
        if !self.problem.errors.is_empty() {
            return "the server refused what was given:".to_owned();
        }
        let text = [&self.problem.detail, &self.problem.title].into_iter().find(|text| !text.is_empty());
        text.cloned().unwrap_or_else(|| format!("the server answered with status {}", self.status))
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.status {
            401 => self.token.hint(),
            403 => "the token lacks the scope for this; `rowhouse token create NAME --scope write` makes one that has it"
                .to_owned(),
            404 => "`rowhouse tenant list`, `module list`, `run list`, `user list` and `token list` show what there is".to_owned(),
            409 => "look at the present state first, then try again".to_owned(),
            429 | 503 => match &self.retry_after {
                Some(seconds) => format!("try again in {seconds} s"),
                None => "try again in a moment".to_owned(),
            },
            500.. => "the server's log has the cause under this request id".to_owned(),
            _ => return None,
        };
        Some(hint)
    }
}

impl Failure {
    /// Wrong usage without a further hint.
    pub(crate) fn usage(problem: impl Into<String>) -> Self {
        Self::Usage { problem: problem.into(), hint: None }
    }

    /// Wrong usage, and what would be right.
    pub(crate) fn usage_with(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { problem: problem.into(), hint: Some(hint.into()) }
    }

    /// The code the program ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable { .. } | Self::Foreign { .. } => NO_CONNECTION,
            Self::Refused(refusal) => match refusal.status {
                404 | 410 => NOT_FOUND,
                409 | 412 => CONFLICT,
                _ => REFUSED,
            },
            Self::Usage { .. } | Self::File { .. } => USAGE,
            Self::Partly { .. } => PARTLY,
            Self::Output(_) => REFUSED,
        }
    }

    /// Writes the failure, each field error and what to do next to the notes. With `--json` a refusal
    /// is written as the problem document it came as.
    pub(crate) fn report(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        if let (true, Self::Refused(refusal)) = (screen.json, self) {
            return screen.note(&refusal.raw.to_string());
        }
        screen.note(&format!("error: {}", plain(&Chain(self).to_string())))?;
        if let Self::Refused(refusal) = self {
            for error in &refusal.problem.errors {
                screen.note(&format!("  {}: {}", plain(&error.field), plain(&error.detail)))?;
            }
        }
        if let Some(hint) = self.hint() {
            screen.note(&format!("hint: {hint}"))?;
        }
        if let Self::Refused(refusal) = self
            && !refusal.problem.instance.is_empty()
            && refusal.status != 404
        {
            screen.note(&format!("request id: {}", plain(&refusal.problem.instance)))?;
        }
        Ok(())
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreachable { url, source } => Some(unreachable_hint(url, source)),
            Self::Foreign { .. } => {
                Some("name the server's base address with --url or ROWHOUSE_URL".to_owned())
            }
            Self::Refused(refusal) => refusal.hint(),
            Self::Usage { hint, .. } => hint.clone(),
            Self::Partly { .. } => Some("each failure is named above; the others are done".to_owned()),
            Self::File { .. } | Self::Output(_) => None,
        }
    }
}

fn unreachable_hint(url: &str, source: &ureq::Error) -> String {
    match source {
        ureq::Error::Timeout(_) => {
            "the server took too long; what was asked for may still be under way, so look before asking again"
                .to_owned()
        }
        ureq::Error::HostNotFound => format!("the host in {url} has no address: check the spelling of --url"),
        _ => format!("no server at {url}: start one with `rowhouse serve`, or check --url or ROWHOUSE_URL"),
    }
}
