//! Bodies on their way in and out, each with its limit.

use crate::changes::Outcome;
use crate::{GuestError, LimitHit};
use bytes::Bytes;
use http::header::{self, HeaderMap};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::time::{Sleep, sleep};
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
    /// What the answer speaks of is stored nowhere.
    #[error("{0}")]
    Host(String),
}

impl From<BodyError> for wasmtime_wasi_http::Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Limit(_) => Self::HttpRequestBodySize(None),
            BodyError::Visitor(text) | BodyError::Guest(text) | BodyError::Host(text) => {
                Self::InternalError(Some(text))
            }
        }
    }
}

/// The body of a request.
pub type RequestBody = UnsyncBoxBody<Bytes, BodyError>;

/// The length of a body by its head. None where it says nothing.
pub(crate) fn length(head: &HeaderMap) -> Option<u64> {
    head.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

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
    /// when that ends early, so does this body, with an error. So it does where files can't be stored that the guest
    /// wrote meanwhile.
    Streaming(Streaming),
}

/// See [`ResponseBody::Streaming`].
pub struct Streaming {
    pub(crate) ready: VecDeque<Bytes>,
    pub(crate) rest: Paced,
    pub(crate) left: u64,
    pub(crate) limit: u64,
    /// None where nothing is to be done before the end.
    pub(crate) ending: Option<Box<Ending>>,
}

/// For how long pieces are gathered after some were sent. Each piece sent is a wake-up of its connection and a packet, and a
/// guest writes tens of thousands a second.
const GATHERING: Duration = Duration::from_millis(1);

/// A body as its guest writes it: a piece that comes after a pause is sent at once, those that come close after one another
/// together. Only for bodies that queue many pieces, as those of wasi:http 0.2 do: behind a full queue the guest waits.
pub(crate) struct Paced {
    body: WasiBody,
    pace: Pace,
}

enum Pace {
    /// Each piece is sent as it comes.
    Unpaced,
    /// For the next piece.
    Waiting,
    /// Everything that is there.
    Sending,
    /// What comes until then.
    Gathering(Pin<Box<Sleep>>),
}

impl Paced {
    pub(crate) fn new(body: WasiBody, is_queued: bool) -> Self {
        Self { body, pace: if is_queued { Pace::Waiting } else { Pace::Unpaced } }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, wasmtime_wasi_http::Error>>> {
        loop {
            match &mut self.pace {
                Pace::Unpaced => return Pin::new(&mut self.body).poll_frame(cx),
                Pace::Waiting => {
                    let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
                    self.pace = Pace::Sending;
                    return Poll::Ready(frame);
                }
                Pace::Sending => {
                    // Not to be woken by the next piece, but by the clock.
                    let mut unheard = Context::from_waker(Waker::noop());
                    match Pin::new(&mut self.body).poll_frame(&mut unheard) {
                        Poll::Ready(frame) => return Poll::Ready(frame),
                        Poll::Pending => self.pace = Pace::Gathering(Box::pin(sleep(GATHERING))),
                    }
                }
                Pace::Gathering(until) => {
                    ready!(until.as_mut().poll(cx));
                    self.pace = Pace::Waiting;
                }
            }
        }
    }
}

type Next = Option<Result<Frame<Bytes>, BodyError>>;
type Storing = Pin<Box<dyn Future<Output = Result<(), GuestError>> + Send>>;

/// Keeps the end of a body back until what its guest wrote to files is stored: neither a visitor nor a cache on the way may
/// take an answer for whole that speaks of what is stored nowhere.
pub(crate) struct Ending {
    outcome: Outcome,
    /// What the head says is still to come: nobody reads on once that much has been read. None where it says nothing.
    left: Option<u64>,
    /// What is kept back, once it is there: the last piece, trailers, or nothing but the end.
    kept: Option<(Storing, Option<Frame<Bytes>>)>,
}

impl Ending {
    pub(crate) fn new(outcome: Outcome, head: &HeaderMap) -> Self {
        Self { outcome, left: length(head), kept: None }
    }

    /// True where nothing a visitor waits for comes after this.
    fn is_last(&mut self, next: &Next) -> bool {
        let frame = match next {
            None => return true,
            Some(Err(_broken)) => return false,
            Some(Ok(frame)) => frame,
        };
        match (frame.data_ref(), &mut self.left) {
            // Trailers.
            (None, _) => true,
            (Some(_piece), None) => false,
            (Some(piece), Some(left)) => {
                *left = left.saturating_sub(piece.len() as u64);
                *left == 0
            }
        }
    }

    fn keep(&mut self, last: Next) {
        let storing: Storing = Box::pin(self.outcome.clone().settle());
        self.kept = Some((storing, last.and_then(Result::ok)));
    }
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
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        loop {
            if let Some((storing, last)) = self.ending.as_mut().and_then(|ending| ending.kept.as_mut()) {
                let stored = ready!(storing.as_mut().poll(cx));
                let last = last.take();
                self.ending = None;
                return Poll::Ready(match stored {
                    Ok(()) => last.map(Ok),
                    Err(error) => Some(Err(BodyError::Host(error.to_string()))),
                });
            }
            let next = ready!(self.poll_next(cx));
            let Some(ending) = &mut self.ending else { return Poll::Ready(next) };
            if !ending.is_last(&next) {
                return Poll::Ready(next);
            }
            ending.keep(next);
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if let Some(bytes) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match ready!(self.rest.poll(cx)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http_body_util::{BodyExt as _, Empty, StreamBody};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;
    use tokio::sync::mpsc;

    /// What a visitor gets of `one`, `two` and trailers, and whether it breaks off.
    async fn read(head: &HeaderMap, trailers: bool, lost: Option<&str>) -> (String, bool) {
        let none = Empty::<Bytes>::new().map_err(|never| -> wasmtime_wasi_http::Error { match never {} });
        let rest: WasiBody = if trailers {
            none.with_trailers(std::future::ready(Some(Ok(HeaderMap::new())))).boxed_unsync()
        } else {
            none.boxed_unsync()
        };
        let mut body = ResponseBody::Streaming(Streaming {
            ready: [Bytes::from_static(b"one"), Bytes::from_static(b"two")].into(),
            rest: Paced::new(rest, true),
            left: 100,
            limit: 100,
            ending: Some(Box::new(Ending::new(Outcome::ended(lost), head))),
        });
        let mut text = String::new();
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => text.push_str(std::str::from_utf8(&data).unwrap()),
                Ok(Err(_trailers)) => text.push('.'),
                Err(error) => {
                    assert!(matches!(&error, BodyError::Host(why) if why.contains("no bucket")), "{error}");
                    return (text, true);
                }
            }
        }
        (text, false)
    }

    #[tokio::test]
    async fn an_answer_whose_files_are_lost_has_no_end() {
        let (open, mut told) = (HeaderMap::new(), HeaderMap::new());
        told.insert(header::CONTENT_LENGTH, HeaderValue::from_static("6"));
        let lost = Some("no bucket");
        assert_eq!(read(&open, false, None).await, ("onetwo".into(), false));
        assert_eq!(read(&open, true, None).await, ("onetwo.".into(), false));
        assert_eq!(read(&told, false, None).await, ("onetwo".into(), false));
        assert_eq!(read(&open, false, lost).await, ("onetwo".into(), true));
        assert_eq!(read(&open, true, lost).await, ("onetwo".into(), true));
        // The last piece would make it whole.
        assert_eq!(read(&told, false, lost).await, ("one".into(), true));
    }

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn pieces_that_come_close_after_one_another_wake_their_reader_once() {
        let (write, mut read) = mpsc::channel(101);
        let pieces = futures_util::stream::poll_fn(move |cx| read.poll_recv(cx));
        let mut paced = Paced::new(StreamBody::new(pieces).boxed_unsync(), true);
        let send = |byte: u8| write.try_send(Ok(Frame::data(Bytes::from(vec![byte])))).unwrap();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut reader = Context::from_waker(&waker);

        assert!(paced.poll(&mut reader).is_pending());
        send(0);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "the first after a pause is heard");
        assert!(paced.poll(&mut reader).is_ready());
        assert!(paced.poll(&mut reader).is_pending());
        (1..=100).for_each(send);
        // Nobody looks at the clock before the test waits for something.
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "those after it are not");
        drop(write);
        let mut last = 0;
        while let Some(frame) = std::future::poll_fn(|cx| paced.poll(cx)).await {
            let piece = frame.unwrap().into_data().unwrap();
            assert_eq!(piece[..], [last + 1]);
            last += 1;
        }
        assert_eq!(last, 100);
    }
}
