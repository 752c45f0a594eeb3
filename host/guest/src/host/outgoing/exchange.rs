//! One request and its answer over a connection of its own, HTTP/1.1.
//!
//! Fields pass as the guest gave them and as they came, in their order, repeated ones as often as they came;
//! only those of a connection are the host's (RFC 9110, 7.6.1), and `Host`, which is where the request goes.

use super::Io;
use super::allowance::Allowance;
use super::connect;
use super::destination::Destination;
use super::exits::Exits;
use crate::invoke::fields;
use bytes::Bytes;
use http::header::HOST;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep, timeout};
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody};

/// The longest that connecting may take, looking up and TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// The smallest buffer that hyper takes, in bytes.
const LEAST_BUFFER: usize = 8 << 10;

/// Sends a request that was admitted. The future that comes with the answer drives the connection.
pub(super) async fn send(
    exits: &Exits,
    allowance: Arc<Allowance>,
    to: Destination,
    request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Result<(http::Response<WasiBody>, Io)> {
    let connecting = async {
        let pass = exits.place(allowance.tenant.id).await?;
        Ok::<_, Error>((pass, connect::open(exits, &allowance, &to).await?))
    };
    let patience = allowance.patience(options.connect_timeout, CONNECT);
    let (pass, stream) =
        timeout(patience, connecting).await.map_err(|_elapsed| Error::ConnectionTimeout)??;

    let most_header = usize::try_from(allowance.limits().header_bytes).unwrap_or(usize::MAX);
    let shake = http1::Builder::new()
        .max_buf_size(most_header.max(LEAST_BUFFER))
        .handshake::<_, Sent>(TokioIo::new(stream));
    let (mut sender, connection) = shake.await.map_err(|error| of_hyper(&error))?;
    let mut connection = Box::pin(connection);

    let request = prepared(request, &to, &allowance)?;
    let patience = allowance.patience(options.first_byte_timeout, Duration::MAX);
    let mut over = false;
    let answering = async {
        let mut asking = pin!(sender.send_request(request));
        tokio::select! {
            biased;
            answer = &mut asking => answer,
            ended = &mut connection => {
                over = true;
                ended?;
                // It ended in order: the answer, or why there is none, is there.
                asking.await
            }
        }
    };
    let answer = timeout(patience, answering).await.map_err(|_elapsed| Error::ConnectionReadTimeout)?;
    let (mut parts, body) = answer.map_err(|error| of_hyper(&error))?.into_parts();
    if parts.status == http::StatusCode::SWITCHING_PROTOCOLS {
        // Nobody asked for another protocol.
        return Err(Error::HttpProtocolError);
    }
    let size = fields::size(&parts.headers);
    if size > u64::from(allowance.limits().header_bytes) {
        return Err(Error::HttpResponseHeaderSectionSize(u32::try_from(size).ok()));
    }
    allowance.receive(size)?;
    fields::strip(&mut parts.headers, false);

    let between = allowance.patience(options.between_bytes_timeout, Duration::MAX);
    let body = Received { inner: body, allowance, between, alarm: Box::pin(sleep(between)), failed: false };
    let drive: Io = Box::new(async move {
        // What goes wrong from here on, the body says.
        if !over {
            drop(connection.await);
        }
        drop(pass);
        Ok(())
    });
    Ok((http::Response::from_parts(parts, body.boxed_unsync()), drive))
}

/// The request as it leaves: its path alone in the first line, and fields that can't name another host.
fn prepared(
    request: http::Request<WasiBody>,
    to: &Destination,
    allowance: &Arc<Allowance>,
) -> Result<http::Request<Sent>> {
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |both| both.as_str());
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    parts.uri = path.parse().map_err(|_malformed| Error::HttpRequestUriInvalid)?;
    parts.version = http::Version::HTTP_11;
    fields::strip(&mut parts.headers, false);
    parts.headers.insert(HOST, to.field()?);
    Ok(http::Request::from_parts(parts, Sent { inner: body, allowance: Arc::clone(allowance) }))
}

/// A body on its way out, counted.
struct Sent {
    inner: WasiBody,
    allowance: Arc<Allowance>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Err(error) = self.allowance.send(size_of(frame))
        {
            return Poll::Ready(Some(Err(error)));
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

/// A body on its way in, counted, with a bound on the time between two pieces.
struct Received {
    inner: Incoming,
    allowance: Arc<Allowance>,
    between: Duration,
    alarm: Pin<Box<Sleep>>,
    failed: bool,
}

impl Received {
    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.failed = true;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => self.fail(of_hyper(&error)),
            Poll::Ready(Some(Ok(frame))) => {
                if let Err(error) = self.allowance.receive(size_of(&frame)) {
                    return self.fail(error);
                }
                // Never past the end of the request.
                let between = self.allowance.patience(Some(self.between), Duration::MAX);
                let until = Instant::now() + between;
                self.alarm.as_mut().reset(until);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending => match self.alarm.as_mut().poll(cx) {
                Poll::Ready(()) => self.fail(Error::ConnectionReadTimeout),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn size_of(frame: &Frame<Bytes>) -> u64 {
    match (frame.data_ref(), frame.trailers_ref()) {
        (Some(data), _) => data.len() as u64,
        (None, Some(trailers)) => fields::size(trailers),
        (None, None) => 0,
    }
}

/// hyper's errors as wasi:http words them.
fn of_hyper(error: &hyper::Error) -> Error {
    let source = std::error::Error::source(error);
    if let Some(Error::HttpRequestBodySize(size)) = source.and_then(|source| source.downcast_ref::<Error>()) {
        return Error::HttpRequestBodySize(*size);
    }
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(None);
    }
    if error.is_incomplete_message() {
        return Error::HttpResponseIncomplete;
    }
    let broken = source.and_then(|source| source.downcast_ref::<io::Error>());
    if broken.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
        // A body that ends before its length.
        return Error::HttpResponseIncomplete;
    }
    if broken.is_some() || error.is_closed() || error.is_canceled() || error.is_body_write_aborted() {
        return Error::ConnectionTerminated;
    }
    Error::HttpProtocolError
}
