//! Keeps what a guest wrote before it failed from passing for a whole body: the engine ends it as if it were one.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use wasmtime_wasi_http::{Error, WasiBody};

/// What becomes of a guest, for who reads its body.
#[derive(Clone, Default)]
pub(crate) struct Fate(Arc<AtomicBool>);

/// The guest's side. Dropped unless [`done`](Self::done) says otherwise, it has failed. To be dropped before the store: its end
/// is what ends the body.
pub(crate) struct Author(Option<Fate>);

impl Author {
    pub(crate) fn new() -> (Self, Fate) {
        let fate = Fate::default();
        (Self(Some(fate.clone())), fate)
    }

    /// However the body ends now, its guest wants it so.
    pub(crate) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Author {
    fn drop(&mut self) {
        if let Some(fate) = &self.0 {
            fate.0.store(true, Relaxed);
        }
    }
}

impl Fate {
    /// The response with a body that ends with an error where its guest has failed, unless all is there that the head promises.
    pub(crate) fn watch(self, response: http::Response<WasiBody>) -> http::Response<WasiBody> {
        let left = super::body::length(response.headers());
        response.map(|body| Watched { body, left, fate: self, ended: false }.boxed_unsync())
    }
}

struct Watched {
    body: WasiBody,
    /// What the head says is still to come. None where it says nothing.
    left: Option<u64>,
    fate: Fate,
    ended: bool,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.ended = !matches!(frame, Some(Ok(_)));
        if let Some(Ok(frame)) = &frame {
            let size = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.left = self.left.map(|left| left.saturating_sub(size));
        }
        let is_broken = frame.is_none() && self.left != Some(0) && self.fate.0.load(Relaxed);
        Poll::Ready(if is_broken {
            Some(Err(Error::InternalError(Some("its guest failed before it was complete".to_owned()))))
        } else {
            frame
        })
    }

    fn is_end_stream(&self) -> bool {
        // Only its end tells whether it is whole.
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_LENGTH;
    use http_body_util::Full;

    /// Whether `text` breaks off for who reads it after its guest's end.
    async fn breaks_off(length: Option<&str>, end: impl FnOnce(Author)) -> bool {
        let (author, fate) = Author::new();
        let text = Full::new(Bytes::from_static(b"text")).map_err(|never| match never {}).boxed_unsync();
        let mut response = http::Response::new(text);
        if let Some(length) = length {
            response.headers_mut().insert(CONTENT_LENGTH, length.parse().unwrap());
        }
        let mut body = fate.watch(response).into_body();
        let text = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(text, "text");
        end(author);
        let breaks_off = body.frame().await.is_some_and(|end| end.is_err());
        assert!(body.frame().await.is_none(), "it ends once");
        breaks_off
    }

    #[tokio::test]
    async fn a_body_is_whole_where_its_guest_is_done_or_its_length_is_there() {
        assert!(!breaks_off(None, Author::done).await);
        assert!(breaks_off(None, drop).await);
        assert!(!breaks_off(Some("4"), drop).await);
        assert!(breaks_off(Some("5"), drop).await);
        // As an answer to HEAD may say: the engine checks it where there is a body.
        assert!(!breaks_off(Some("5"), Author::done).await);
    }
}
