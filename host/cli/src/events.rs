//! A stream of server-sent events, read as it comes: of each event the data, which is JSON.
//!
//! It reads what this API sends and no more of the format: one line of data for an event, and comments that
//! say that the server is still there.

use crate::api::Api;
use crate::failure::Failure;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use ureq::BodyReader;

/// Bytes of one line at most: a run takes below 1 KiB.
const LINE: u64 = 64 << 10;

/// Events on their way.
pub(crate) struct Events<'a> {
    api: &'a Api,
    lines: BufReader<BodyReader<'static>>,
}

impl<'a> Events<'a> {
    pub(crate) fn new(api: &'a Api, body: BodyReader<'static>) -> Self {
        Self { api, lines: BufReader::new(body) }
    }

    /// The data of the next event; none where the stream ends. One that breaks off is no answer of the server.
    pub(crate) fn next(&mut self) -> Result<Option<Value>, Failure> {
        loop {
            let mut line = Vec::new();
            let read = self.lines.by_ref().take(LINE).read_until(b'\n', &mut line);
            read.map_err(|error| self.api.unreachable(ureq::Error::Io(error)))?;
            if line.is_empty() {
                return Ok(None);
            }
            let Some(data) = line.strip_prefix(b"data:") else { continue };
            let value = serde_json::from_slice(data.trim_ascii());
            return value.map(Some).map_err(|_not_json| self.api.foreign("an event that is not JSON"));
        }
    }
}
