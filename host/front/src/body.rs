//! The one body type that leaves the server.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rowhouse_guest::ResponseBody;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A guest's answer, a page of the server's own, or what the console and the API answer.
pub enum OutgoingBody {
    /// From a guest.
    Guest(ResponseBody),
    /// From the console or the API.
    Router(axum::body::Body),
}

impl OutgoingBody {
    /// A body that is whole in memory.
    pub(crate) fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Guest(ResponseBody::Full(bytes.into()))
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
            Self::Router(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Guest(body) => body.is_end_stream(),
            Self::Router(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Guest(body) => body.size_hint(),
            Self::Router(body) => body.size_hint(),
        }
    }
}
