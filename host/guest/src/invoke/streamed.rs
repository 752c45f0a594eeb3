//! Turns a guest that writes its body piece by piece into an answer.
//!
//! As long as guest or body make progress, pieces are gathered in the visitor's own task: most pages
//! are complete then and leave with their length. When both wait, or the body grows large, the guest
//! moves to a task of its own and the rest is streamed.

use super::{Ended, Usage, fields};
use crate::changes::{Changes, Outcome};
use crate::{GuestError, LimitHit, ResponseBody};
use bytes::{Bytes, BytesMut};
use http_body::Body;
use rowhouse_base::id::RequestId;
use rowhouse_base::{Chain, Limits, TenantName};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;
use wasmtime_wasi_http::WasiBody;

use super::body::{Ending, Paced, Streaming};

/// Bodies up to this size are gathered; larger ones are streamed from here on.
const GATHER: usize = 256 << 10;

/// What the log says of a guest that has answered and fails then.
const LATE: &str = "a guest ended after its response had begun";

pub(crate) type Head = Result<http::Response<WasiBody>, GuestError>;
pub(crate) type HeadSender = oneshot::Sender<Head>;
pub(crate) type Running = Pin<Box<dyn Future<Output = Ended<Usage>> + Send>>;

/// Whose guest it is, for the log, and how it writes.
pub(crate) struct Whose {
    pub(crate) request: RequestId,
    pub(crate) tenant: TenantName,
    /// Whether what it writes queues up while nobody reads.
    pub(crate) is_queued: bool,
}

impl Whose {
    /// Tells the operator of a guest that fails once it has answered: nobody else hears of it. An error where the host is
    /// the cause.
    fn log(&self, problem: &GuestError) {
        let (id, name) = (self.request, self.tenant.as_str());
        if matches!(problem, GuestError::Host(_)) {
            tracing::error!(request = %id, tenant = name, error = %Chain(problem), "{LATE}");
        } else {
            tracing::warn!(request = %id, tenant = name, error = %Chain(problem), "{LATE}");
        }
    }
}

/// A running guest and what it has answered so far.
struct Gathering {
    guest: Option<Running>,
    ended: Option<Ended<Usage>>,
    head: Option<oneshot::Receiver<Head>>,
    response: Option<http::Response<()>>,
    body: Option<WasiBody>,
    pieces: VecDeque<Bytes>,
    gathered: usize,
    /// Why the body broke off.
    broken: Option<GuestError>,
}

enum Step {
    /// Everything is there.
    Complete,
    /// The head is there; the rest takes its time.
    Streaming,
}

/// Waits for the answer.
///
/// Cancel-safe: dropping the future drops the guest.
pub(crate) async fn answer(
    guest: Running,
    head: oneshot::Receiver<Head>,
    whose: Whose,
    changes: &Arc<Changes>,
    limits: &Limits,
) -> Ended<(http::Response<ResponseBody>, Option<Usage>)> {
    let mut gathering = Gathering {
        guest: Some(guest),
        ended: None,
        head: Some(head),
        response: None,
        body: None,
        pieces: VecDeque::new(),
        gathered: 0,
        broken: None,
    };
    let step = std::future::poll_fn(|cx| gathering.poll(cx)).await?;
    // What the answer says was changed must be known before it leaves, and stored. A guest that has not ended goes on
    // meanwhile: it may be about to store files itself, which are waited for.
    let mut settled = std::pin::pin!(changes.settle());
    std::future::poll_fn(|cx| {
        gathering.poll_guest(cx);
        settled.as_mut().poll(cx)
    })
    .await?;
    gathering.finish(step, whose, changes.outcome(), limits)
}

impl Gathering {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended<Step>> {
        loop {
            let guest_moved = self.poll_guest(cx);
            if self.response.is_none() {
                let Some(head) = &mut self.head else { return self.never_answered() };
                match Pin::new(head).poll(cx) {
                    Poll::Ready(Ok(Ok(response))) => {
                        let (parts, body) = response.into_parts();
                        self.response = Some(http::Response::from_parts(parts, ()));
                        self.body = Some(body);
                    }
                    Poll::Ready(Ok(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(Err(_dropped)) => {
                        self.head = None;
                        return self.never_answered();
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            let body_moved = self.poll_body(cx);
            if self.body.is_none() && self.guest.is_none() {
                return Poll::Ready(self.complete());
            }
            let waiting = !guest_moved && !body_moved;
            if self.broken.is_some() {
                // The guest is ending, and knows why.
                if waiting {
                    return Poll::Pending;
                }
                continue;
            }
            if self.gathered > GATHER || waiting {
                return Poll::Ready(Ok(Step::Streaming));
            }
        }
    }

    /// True where the guest ended just now.
    fn poll_guest(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(guest) = &mut self.guest else { return false };
        match guest.as_mut().poll(cx) {
            Poll::Ready(ended) => {
                self.guest = None;
                self.ended = Some(ended);
                true
            }
            Poll::Pending => false,
        }
    }

    /// The end of guest and body. Nothing has left yet: a body that broke off is none.
    fn complete(&mut self) -> Ended<Step> {
        match (self.broken.take(), self.ended.take()) {
            (Some(_broken), Some(Err(cause))) => Err(cause),
            (Some(broken), _) => Err(broken),
            (None, ended) => {
                self.ended = ended;
                Ok(Step::Complete)
            }
        }
    }

    /// True where a piece came or the body ended.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(body) = &mut self.body else { return false };
        match Pin::new(body).poll_frame(cx) {
            Poll::Pending => false,
            Poll::Ready(None) => {
                self.body = None;
                true
            }
            Poll::Ready(Some(Ok(frame))) => {
                // Trailers of a gathered body have no place to go; HTTP allows to drop them.
                if let Ok(data) = frame.into_data() {
                    self.gathered = self.gathered.saturating_add(data.len());
                    self.pieces.push_back(data);
                }
                true
            }
            Poll::Ready(Some(Err(error))) => {
                self.body = None;
                self.broken = Some(GuestError::BadResponse(format!("the body ended early: {error}")));
                true
            }
        }
    }

    fn never_answered(&mut self) -> Poll<Ended<Step>> {
        match self.ended.take() {
            Some(Err(error)) => Poll::Ready(Err(error)),
            Some(Ok(_)) => {
                Poll::Ready(Err(GuestError::BadResponse("the guest ended without a response".into())))
            }
            // The guest gave its handle to the response away and runs on; its limits will end it.
            None if self.guest.is_some() => Poll::Pending,
            None => Poll::Ready(Err(GuestError::BadResponse("the guest was lost".into()))),
        }
    }

    fn finish(
        self,
        step: Step,
        whose: Whose,
        outcome: Option<Outcome>,
        limits: &Limits,
    ) -> Ended<(http::Response<ResponseBody>, Option<Usage>)> {
        let Some(response) = self.response else {
            return Err(GuestError::BadResponse("the guest gave no response".into()));
        };
        let (mut parts, ()) = response.into_parts();
        fields::status(parts.status.as_u16())?;
        fields::check_size(&parts.headers, limits)?;
        if let Some(Err(error)) = &self.ended {
            whose.log(error);
        }
        let too_large = || GuestError::Limit(LimitHit::ResponseBytes(limits.response_bytes));
        let left = limits.response_bytes.checked_sub(self.gathered as u64).ok_or_else(too_large)?;
        match (step, self.body) {
            (Step::Complete, _) | (Step::Streaming, None) => {
                // A guest that still runs without a body to write finishes in the background.
                if let Some(guest) = self.guest {
                    go_on(guest, whose);
                }
                fields::strip(&mut parts.headers, true);
                let body = ResponseBody::Full(joined(self.pieces));
                let usage = self.ended.and_then(Result::ok);
                Ok((http::Response::from_parts(parts, body), usage))
            }
            (Step::Streaming, Some(rest)) => {
                fields::strip(&mut parts.headers, false);
                let rest = Paced::new(rest, whose.is_queued);
                // What a guest that has ended wrote is stored.
                let mut ending = None;
                if let Some(guest) = self.guest {
                    ending = outcome.map(|outcome| Box::new(Ending::new(outcome, &parts.headers)));
                    go_on(guest, whose);
                }
                let (ready, limit) = (self.pieces, limits.response_bytes);
                let streaming = Streaming { ready, rest, left, limit, ending };
                Ok((http::Response::from_parts(parts, ResponseBody::Streaming(streaming)), None))
            }
        }
    }
}

/// Lets a guest finish in a task of its own; its limits go with it.
fn go_on(guest: Running, whose: Whose) {
    tokio::spawn(async move {
        if let Err(error) = guest.await {
            whose.log(&error);
        }
    });
}

fn joined(mut pieces: VecDeque<Bytes>) -> Bytes {
    match (pieces.pop_front(), pieces.is_empty()) {
        (None, _) => Bytes::new(),
        (Some(only), true) => only,
        (Some(first), false) => {
            let mut all = BytesMut::from(first);
            pieces.iter().for_each(|piece| all.extend_from_slice(piece));
            all.freeze()
        }
    }
}
