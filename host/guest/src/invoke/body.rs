//! Bodies on their way in and out, each with its limit.

use crate::LimitHit;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime_wasi_http::WasiBody;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Larger than the tenant may send or receive.
    #[error("limit reached: {0}")]
    Limit(LimitHit),
    /// The visitor's connection failed or was too slow.
    #[error("the visitor's connection: {0}")]
    Visitor(String),
    /// The guest ended before its body did.
    #[error("the guest ended before its answer was complete: {0}")]
    Guest(String),
}

impl From<BodyError> for wasmtime_wasi_http::Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Limit(_) => Self::HttpRequestBodySize(None),
            BodyError::Visitor(text) | BodyError::Guest(text) => Self::InternalError(Some(text)),
        }
    }
}

/// The body of a request.
pub type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// A body that may not grow past a limit.
pub(crate) struct Capped<B> {
    inner: B,
    left: u64,
    limit: u64,
}

impl<B> Capped<B> {
    pub(crate) fn new(inner: B, limit: u64) -> Self {
        Self { inner, left: limit, limit }
    }
}

impl<B: Body<Data = Bytes, Error = BodyError> + Unpin> Body for Capped<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => {
                    let limit = LimitHit::RequestBytes(self.limit);
                    return Poll::Ready(Some(Err(BodyError::Limit(limit))));
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of a response: whole in memory, or still being written by its guest.
pub enum ResponseBody {
    /// Whole.
    Full(Bytes),
    /// What came so far, and the rest as the guest writes it. The guest's own task holds its limits:
    /// when that ends early, so does this body, with an error.
    Streaming(Streaming),
}

/// See [`ResponseBody::Streaming`].
pub struct Streaming {
    pub(crate) ready: VecDeque<Bytes>,
    pub(crate) rest: WasiBody,
    pub(crate) left: u64,
    pub(crate) limit: u64,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Streaming(streaming) => streaming.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streaming(_) => SizeHint::default(),
        }
    }
}

impl Streaming {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(bytes) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match std::task::ready!(Pin::new(&mut self.rest).poll_frame(cx)) {
            None => Poll::Ready(None),
            Some(Err(error)) => Poll::Ready(Some(Err(BodyError::Guest(error.to_string())))),
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match self.left.checked_sub(size) {
                    Some(left) => {
                        self.left = left;
                        Poll::Ready(Some(Ok(frame)))
                    }
                    None => {
                        let limit = LimitHit::ResponseBytes(self.limit);
                        Poll::Ready(Some(Err(BodyError::Limit(limit))))
                    }
                }
            }
        }
    }
}
