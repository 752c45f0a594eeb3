//! `wasi:http/handler@0.3`: an async function that returns its response and may go on writing the body.

use super::{Ended, Usage};
use crate::GuestError;
use crate::invoke::streamed::HeadSender;
use crate::invoke::whole::Author;
use crate::store::GuestState;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use rowhouse_base::Limits;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;
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
        let (author, fate) = Author::new();
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
                let (read, is_read) = oneshot::channel();
                let answer = accessor.with(|mut store| answer.into_http(&mut store, sent))?;
                let answer = fate.watch(answer).map(|body| Read { body, _over: read }.boxed_unsync());
                drop(head.send(Ok(answer)));
                // The body is piped by the store's own event loop, which runs only in here: stay until
                // the reader is done with it, then until the guest's other tasks are.
                let _gone = is_read.await;
                author.done();
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

/// A body whose end, by reading or dropping, closes a channel.
struct Read {
    body: WasiBody,
    _over: oneshot::Sender<()>,
}

impl Body for Read {
    type Data = bytes::Bytes;
    type Error = wasmtime_wasi_http::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
