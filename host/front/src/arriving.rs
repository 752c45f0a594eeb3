//! A request's body on its way in, and what is left of it when the answer is there.
//!
//! Over HTTP/1.1 a body that nobody reads stands between this request and the next one: the connection can only be
//! closed. A balancer that was not told so sends its next request into a closed connection, and takes the server for a
//! broken one. So what is small is read to its end, and where that fails the answer says that the connection ends.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Bodies up to this length are read to their end although nobody wants them: cheaper than a new connection.
const SMALL: u64 = 64 << 10;

/// How long an answer waits for the rest of such a body. It is on its way, or its sender is slow.
const PATIENCE: Duration = Duration::from_millis(100);

type Shared = Arc<Mutex<Incoming>>;

/// The body as the rest of the server reads it.
pub(crate) struct Arriving(Option<Shared>);

/// What tells whether it was read.
pub(crate) struct Rest {
    body: Option<Shared>,
    /// Whether it may be read for no other reason than to be rid of it.
    is_small: bool,
}

/// Takes a request's body over. Bodies that end where they begin, and those of HTTP/2, which has a stream for each
/// request, cost nothing.
pub(crate) fn watched(request: Request<Incoming>) -> (Request<Arriving>, Rest) {
    let is_one_by_one = request.version() <= Version::HTTP_11;
    let length =
        request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // Whoever waits for leave to send has not sent anything yet.
    let is_small = length.is_some_and(|length| length <= SMALL) && !request.headers().contains_key(EXPECT);
    let (parts, body) = request.into_parts();
    let body = (!body.is_end_stream()).then(|| Arc::new(Mutex::new(body)));
    let rest = Rest { body: body.clone().filter(|_| is_one_by_one), is_small };
    (Request::from_parts(parts, Arriving(body)), rest)
}

impl Rest {
    /// True where the connection can carry another request. Reads what is left of a small body, where nobody else does.
    pub(crate) async fn read(self) -> bool {
        let Some(body) = self.body else { return true };
        if body.lock().is_end_stream() {
            return true;
        }
        if !self.is_small || Arc::strong_count(&body) > 1 {
            return false;
        }
        let read = std::future::poll_fn(|cx| {
            let mut body = body.lock();
            loop {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(_unwanted))) => {}
                    Poll::Ready(None) => return Poll::Ready(true),
                    Poll::Ready(Some(Err(_gone))) => return Poll::Ready(false),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        tokio::time::timeout(PATIENCE, read).await.unwrap_or(false)
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &self.0 {
            Some(body) => Pin::new(&mut *body.lock()).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.lock().is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.lock().size_hint())
    }
}
