//! Accepts connections and speaks HTTP/1.1 and HTTP/2 on them, after the PROXY protocol where that is switched on.

mod head_timer;

use crate::pipeline::Front;
use crate::proxy_protocol;
use crate::reply::Answer;
use futures_util::FutureExt;
use head_timer::HeadTimer;
use http::StatusCode;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rowhouse_base::Chain;
use rowhouse_base::id::RequestId;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a connection may cost.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Connections at the same time; further ones wait in the system's queue.
    pub connections: usize,
    /// How long a visitor may take to send the header fields.
    pub header_timeout: Duration,
    /// Bytes of all header fields of a request.
    pub header_bytes: usize,
    /// How long requests in flight may take once the server stops.
    pub drain_timeout: Duration,
    /// Trusted peers begin each connection with the PROXY protocol.
    pub proxy_protocol: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_timeout: Duration::from_secs(10),
            header_bytes: 32 << 10,
            drain_timeout: Duration::from_secs(30),
            proxy_protocol: false,
        }
    }
}

/// A pause after a failed accept: without descriptors left, trying again at once would burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The queue is empty where nobody comes out of it for so long: the runtime hears of a connection within a millisecond.
const LAST_LOOK: Duration = Duration::from_millis(20);
/// And how long all of these looks may take: some times as long as a full queue needs.
const LAST_LOOKS: Duration = Duration::from_millis(300);

/// Serves until `stop` is done, then finishes what is in flight.
pub async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    config: ServerConfig,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(config.connections));
    let served = Served {
        front,
        graceful: GracefulShutdown::new(),
        builders: Arc::new(Builders::new(&config)),
        header_timeout: config.header_timeout,
        proxy_protocol: config.proxy_protocol,
    };
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        if let Some(accepted) = accepted {
            served.connection(accepted);
        }
    }
    // Who is in the system's queue has a connection already and would lose it with the listener. Visitors who go on
    // coming must not keep the server from ending.
    let last = tokio::time::Instant::now() + LAST_LOOKS;
    while tokio::time::Instant::now() < last
        && let Ok(Some(accepted)) = tokio::time::timeout(LAST_LOOK, accept(&listener, &places)).await
    {
        served.connection(accepted);
    }
    for accepted in close(listener, &places) {
        served.connection(accepted);
    }
    let graceful = served.graceful;
    if tokio::time::timeout(config.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = config.drain_timeout.as_secs(),
            "stop although requests are still in flight"
        );
    }
}

/// Connections that are taken in at the very end: what a usual queue holds.
const MOST_AT_LAST: usize = 1024;

/// A connection with its peer and its place.
type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// What every connection is served with.
struct Served {
    front: Arc<Front>,
    graceful: GracefulShutdown,
    builders: Arc<Builders>,
    header_timeout: Duration,
    proxy_protocol: bool,
}

impl Served {
    /// Serves a connection in a task of its own, which ends with it.
    fn connection(&self, (mut stream, peer, place): Accepted) {
        let front = Arc::clone(&self.front);
        let builders = Arc::clone(&self.builders);
        let watcher = self.graceful.watcher();
        let announced = self.proxy_protocol && front.config.proxies.trusts(peer.ip());
        let header_timeout = self.header_timeout;
        tokio::spawn(async move {
            let peer = if announced {
                let header = proxy_protocol::read(&mut stream);
                match tokio::time::timeout(header_timeout, header).await {
                    Ok(Ok(source)) => source.unwrap_or(peer.ip()),
                    Ok(Err(error)) => {
                        tracing::warn!(%peer, error = %Chain(&error), "refuse a connection");
                        return;
                    }
                    Err(_elapsed) => return,
                }
            } else {
                peer.ip()
            };
            let begun = tokio::time::timeout(header_timeout, begins(&stream)).await;
            let Ok(Some(protocol)) = begun else { return };
            let service = service_fn(move |request: http::Request<Incoming>| {
                let front = Arc::clone(&front);
                async move { Ok::<_, Infallible>(answer(&front, request, peer).await) }
            });
            let connection =
                builders.of(protocol).serve_connection(TokioIo::new(stream), service).into_owned();
            // How a visitor's connection ends is the visitor's business.
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "a connection ended");
            }
            drop(place);
        });
    }
}

/// How an HTTP/2 connection begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Between two looks at a connection that has begun like HTTP/2 and said no more.
const PEEK_PAUSE: Duration = Duration::from_millis(10);

/// What a connection speaks.
#[derive(Clone, Copy)]
enum Protocol {
    Http1,
    Http2,
}

/// Waits until a connection has said which protocol it speaks: before that, no timer of the protocols runs. None
/// where it ended first.
async fn begins(stream: &TcpStream) -> Option<Protocol> {
    let mut start = [0; PREFACE.len()];
    loop {
        match stream.peek(&mut start).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => {
                let said = start.get(..read).unwrap_or_default();
                if !PREFACE.starts_with(said) {
                    return Some(Protocol::Http1);
                }
                if read == PREFACE.len() {
                    return Some(Protocol::Http2);
                }
            }
        }
        // What is there already makes the next look return at once.
        tokio::time::sleep(PEEK_PAUSE).await;
    }
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are written whole; waiting for more would only delay them.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "set TCP_NODELAY");
            }
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!(%error, "accept a connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Closes the listener, and gives who came up to that moment. Between the last look and the end there is nothing that
/// waits: the system resets whoever is in its queue then.
fn close(listener: TcpListener, places: &Arc<Semaphore>) -> Vec<Accepted> {
    let mut last = Vec::new();
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    // It does not block: an empty queue is an error. A flood must not keep the server from ending.
    while last.len() < MOST_AT_LAST
        && let Ok((stream, peer)) = listener.accept()
    {
        last.push((stream, peer));
    }
    drop(listener);
    last.into_iter()
        .filter_map(|(stream, peer)| {
            let place = Arc::clone(places).try_acquire_owned().ok()?;
            stream.set_nonblocking(true).ok()?;
            stream.set_nodelay(true).ok()?;
            Some((TcpStream::from_std(stream).ok()?, peer, place))
        })
        .collect()
}

/// One for each protocol: one for both would find out anew which it is, and a connection whose server stops before
/// that would be closed with its first request unread.
struct Builders {
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
}

impl Builders {
    fn new(config: &ServerConfig) -> Self {
        Self { http1: builder(config).http1_only(), http2: builder(config).http2_only() }
    }

    /// For one connection.
    fn of(&self, protocol: Protocol) -> Builder<TokioExecutor> {
        match protocol {
            Protocol::Http1 => {
                let mut own = self.http1.clone();
                own.http1().timer(HeadTimer::new());
                own
            }
            Protocol::Http2 => self.http2.clone(),
        }
    }
}

fn builder(config: &ServerConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .header_read_timeout(config.header_timeout)
        .max_buf_size(config.header_bytes.max(8 << 10))
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(config.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(100)
        .keep_alive_interval(Duration::from_secs(30));
    builder
}

/// A panic is an answer too: it ends one request and no connection.
async fn answer(front: &Front, request: http::Request<Incoming>, peer: IpAddr) -> Answer {
    match AssertUnwindSafe(front.handle(request, peer)).catch_unwind().await {
        Ok(answer) => answer,
        Err(_logged_by_the_hook) => {
            let id = RequestId::new();
            tracing::error!(request = %id, "a request panicked");
            let mut answer = crate::reply::failed(id);
            crate::reply::stamp(&mut answer, id);
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }
    }
}
