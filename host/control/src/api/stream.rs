//! Archives on their way: between a body, which is asynchronous, and a reader or writer, which blocks.
//!
//! A few parts are under way at a time, so an archive of any size takes the same memory, and whoever is
//! slower holds up the other. A side that goes away ends the other with an error, never with an archive
//! that only looks whole.

use super::Problem;
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use http::StatusCode;
use std::io::{self, Read, Write};
use tokio::sync::mpsc;

/// Parts under way. Parts are at most [`PART`] bytes on the way out and what the network gave on the way in.
const PARTS: usize = 4;
/// Bytes of a part: large enough that a hop between threads costs nothing beside it.
const PART: usize = 64 << 10;

type Part = io::Result<Bytes>;

/// The writing end of an answer's body.
pub(super) struct Outlet {
    parts: mpsc::Sender<Part>,
    buffer: Vec<u8>,
}

/// A pair of a writer and what it wrote.
pub(super) fn outlet() -> (Outlet, mpsc::Receiver<Part>) {
    let (parts, written) = mpsc::channel(PARTS);
    (Outlet { parts, buffer: Vec::with_capacity(PART) }, written)
}

impl Outlet {
    /// A way to break the body off: without it, an archive that failed would end like a whole one.
    pub(super) fn breaker(&self) -> mpsc::Sender<Part> {
        self.parts.clone()
    }

    fn send(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let part = std::mem::replace(&mut self.buffer, Vec::with_capacity(PART));
        let gone = |_gone| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the archive any more");
        self.parts.blocking_send(Ok(part.into())).map_err(gone)
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PART.saturating_sub(self.buffer.len());
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() >= PART {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

/// The parts as a body.
pub(super) fn body(first: Part, rest: mpsc::Receiver<Part>) -> Body {
    let parts = unfold((Some(first), rest), |(first, mut rest)| async move {
        let part = match first {
            Some(first) => Some(first),
            None => rest.recv().await,
        };
        part.map(|part| (part, (None, rest)))
    });
    Body::from_stream(parts)
}

/// The reading end of a request's body.
pub(super) struct Inlet {
    parts: mpsc::Receiver<Part>,
    part: Bytes,
}

impl Read for Inlet {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.parts.blocking_recv() {
                Some(part) => self.part = part?,
                None => return Ok(0),
            }
        }
        let taken = self.part.split_to(self.part.len().min(into.len()));
        if let Some(place) = into.get_mut(..taken.len()) {
            place.copy_from_slice(&taken);
        }
        Ok(taken.len())
    }
}

/// What brings a request's body to its reader.
pub(super) struct Pump {
    body: BodyDataStream,
    parts: mpsc::Sender<Part>,
    limit: u64,
}

/// A pair of a reader and what fills it, with at most this many bytes.
pub(super) fn inlet(body: Body, limit: u64) -> (Inlet, Pump) {
    let (parts, read) = mpsc::channel(PARTS);
    (Inlet { parts: read, part: Bytes::new() }, Pump { body: body.into_data_stream(), parts, limit })
}

impl Pump {
    /// Brings all of it, or says why it ended early; then the reader gets an error. A reader that has enough
    /// ends it too.
    pub(super) async fn run(mut self) -> Result<(), Problem> {
        let mut sum: u64 = 0;
        while let Some(part) = self.body.next().await {
            let problem = match part {
                Ok(part) => {
                    sum = sum.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
                    if sum <= self.limit {
                        if self.parts.send(Ok(part)).await.is_err() {
                            return Ok(());
                        }
                        continue;
                    }
                    too_large(self.limit)
                }
                Err(_broken) => Problem::new(StatusCode::BAD_REQUEST, "the body broke off"),
            };
            let broken = io::Error::new(io::ErrorKind::UnexpectedEof, "the body ended early");
            // A reader that is gone needs no error.
            drop(self.parts.send(Err(broken)).await);
            return Err(problem);
        }
        Ok(())
    }
}

/// The body is larger than an archive may be.
pub(super) fn too_large(limit: u64) -> Problem {
    let text = format!("the archive has more than {limit} bytes, which `data.max-archive-bytes` allows");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}
