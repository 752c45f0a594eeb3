//! `wasi:http/handler@0.3`: an async function that returns its response and may go on writing the body.

use super::{Ended, PIECES, Usage};
use crate::GuestError;
use crate::invoke::streamed::HeadSender;
use crate::store::GuestState;
use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use rowhouse_base::Limits;
use std::future::poll_fn;
use tokio::sync::mpsc;
use wasmtime::Store;
use wasmtime_wasi_http::p3::Request;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{WasiBody, WasiHttpView};

/// Runs the guest until its body is read and its tasks are done.
pub(crate) async fn run(
    pre: ServicePre<GuestState>,
    mut store: Store<GuestState>,
    request: http::Request<WasiBody>,
    head: HeadSender,
    limits: &Limits,
) -> Ended<Usage> {
    let called = async {
        let (incoming, sent) = Request::from_http(store.data_mut().http().hooks, request);
        let service = pre.instantiate_async(&mut store).await?;
        store
            .run_concurrent(async move |accessor| -> wasmtime::Result<()> {
                let answer = match service.handle(accessor, incoming).await? {
                    Ok(answer) => answer,
                    Err(code) => {
                        let refused = GuestError::BadResponse(format!("the guest reports {code:?}"));
                        drop(head.send(Err(refused)));
                        return Ok(());
                    }
                };
                let mut answer = accessor.with(|mut store| answer.into_http(&mut store, sent))?;
                let (pieces, body) = queue();
                let mut written = std::mem::replace(answer.body_mut(), body);
                drop(head.send(Ok(answer)));
                // The body is piped by the store's own event loop, which runs only in here: stay until
                // the reader is done with it, then until the guest's other tasks are.
                tokio::select! {
                    () = hand_on(&mut written, &pieces) => {}
                    () = pieces.closed() => {}
                }
                drop((written, pieces));
                poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
                Ok(())
            })
            .await?
    };
    match called.await {
        Ok(()) => Ok(Usage::of(&store)),
        Err(error) => Err(store.data().explain(&error, limits)),
    }
}

/// A part of a body; none is its end.
type Piece = Option<Result<Frame<Bytes>, wasmtime_wasi_http::Error>>;

/// A body that the guest's own task fills: the engine holds no more than one piece back, and a reader on another thread would
/// have to be woken for each. Where the sender goes before the body has ended, its guest has failed, and so does the body.
fn queue() -> (mpsc::Sender<Piece>, WasiBody) {
    let (pieces, read) = mpsc::channel(PIECES);
    let body = StreamBody::new(stream::unfold(Some(read), async |read: Option<mpsc::Receiver<Piece>>| {
        let mut read = read?;
        match read.recv().await {
            Some(piece) => piece.map(|piece| (piece, Some(read))),
            None => {
                let lost = "its guest ended before it".to_owned();
                Some((Err(wasmtime_wasi_http::Error::InternalError(Some(lost))), None))
            }
        }
    }));
    (pieces, body.boxed_unsync())
}

/// Moves a body into a queue as far as there is room.
async fn hand_on(body: &mut WasiBody, pieces: &mpsc::Sender<Piece>) {
    loop {
        let piece = body.frame().await;
        let is_last = piece.is_none();
        if pieces.send(piece).await.is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    /// What is read of a body, and whether it breaks off, where its guest ends after all of it or before the end.
    async fn read(whole: bool) -> (Bytes, bool) {
        let (pieces, mut body) = queue();
        let text = Full::new(Bytes::from_static(b"text"));
        let mut written = text.map_err(|never| match never {}).boxed_unsync();
        if whole {
            hand_on(&mut written, &pieces).await;
        } else {
            pieces.send(written.frame().await).await.unwrap();
        }
        drop(pieces);
        let text = body.frame().await.unwrap().unwrap().into_data().unwrap();
        (text, body.frame().await.is_some_and(|end| end.is_err()))
    }

    #[tokio::test]
    async fn a_body_whose_guest_fails_has_no_end() {
        assert_eq!(read(true).await, (Bytes::from_static(b"text"), false));
        assert_eq!(read(false).await, (Bytes::from_static(b"text"), true));
    }
}
