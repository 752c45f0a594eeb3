//! The one body type that leaves the server.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use rowhouse_cache::Storing;
use rowhouse_guest::{BodyError, ResponseBody, Trace};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A guest's answer, a page of the server's own, or what the console and the API answer.
pub enum OutgoingBody {
    /// From a guest.
    Guest(ResponseBody),
    /// From a guest that streams a page which is kept on its way.
    Told(Told),
    /// From the console or the API.
    Router(axum::body::Body),
}

impl OutgoingBody {
    /// A body that is whole in memory.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Guest(ResponseBody::Full(bytes.into()))
    }
}

impl From<ResponseBody> for OutgoingBody {
    fn from(body: ResponseBody) -> Self {
        Self::Guest(body)
    }
}

/// A streamed body that the output cache is told piece by piece. One that ends early is not kept.
pub struct Told {
    body: ResponseBody,
    /// What the head says is still to come. Nobody reads on once that much has been read, so the end is told there.
    left: Option<u64>,
    storing: Option<Box<Storing>>,
    trace: Option<Arc<Trace>>,
}

impl Told {
    pub(crate) fn new(
        body: ResponseBody,
        head: &http::response::Parts,
        storing: Box<Storing>,
        trace: Option<Arc<Trace>>,
    ) -> Self {
        let length = head.headers.get(http::header::CONTENT_LENGTH);
        let left = length.and_then(|length| length.to_str().ok()?.parse().ok());
        Self { body, left, storing: Some(storing), trace }
    }

    fn tell(&mut self, frame: &Frame<Bytes>) {
        if let (Some(storing), Some(piece)) = (&mut self.storing, frame.data_ref()) {
            if !storing.push(piece) {
                self.storing = None;
            }
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            }
            if self.left == Some(0) {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        if let Some(storing) = self.storing.take() {
            // The visitor has the body by now; what is stored is for the next one.
            drop(storing.finish(self.trace.as_deref().and_then(Trace::stamp)));
        }
    }
}

impl Drop for Told {
    /// A visitor who leaves does not take the page from those who wait for it.
    fn drop(&mut self) {
        let Some(storing) = self.storing.take().filter(|storing| storing.has_waiters()) else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let body = std::mem::replace(&mut self.body, ResponseBody::Full(Bytes::new()));
        let rest = Self { body, left: self.left, storing: Some(storing), trace: self.trace.take() };
        drop(rowhouse_base::tasks::spawn("page-fill", async move {
            // Its pieces are told as they are read; nobody else wants them.
            drop(rest.collect().await);
        }));
    }
}

impl Body for Told {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => self.tell(frame),
            Poll::Ready(Some(Err(_broken))) => self.storing = None,
            Poll::Ready(None) => self.end(),
            Poll::Pending => {}
        }
        polled
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Guest(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Told(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Self::Router(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Guest(body) => body.is_end_stream(),
            // Its end is told when it is seen.
            Self::Told(_) => false,
            Self::Router(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Guest(body) => body.size_hint(),
            Self::Told(body) => body.size_hint(),
            Self::Router(body) => body.size_hint(),
        }
    }
}
