//! One request over HTTP/2 without TLS, on a connection of its own. The other client speaks HTTP/1.1 only, and
//! some servers take nothing but HTTP/2 on such a port.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2::handshake;
use hyper::{Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::Answer;

/// As long as the other client waits.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn ask(url: &str, field: Option<(&str, &str)>) -> Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, answer(url, field)).await.context("wait for an answer over HTTP/2")?
    })
}

async fn answer(url: &str, field: Option<(&str, &str)>) -> Result<Answer> {
    let uri: Uri = url.parse().context("read the URL")?;
    let authority = uri.authority().context("a URL names a host")?.as_str();
    let stream = tokio::net::TcpStream::connect(authority).await.context("connect")?;
    let (mut sender, connection) =
        handshake(TokioExecutor::new(), TokioIo::new(stream)).await.context("begin HTTP/2")?;
    let mut request = Request::get(uri);
    if let Some((name, value)) = field {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new()).context("make the request")?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await.context("ask over HTTP/2")?.into_parts();
        let body = body.collect().await.context("read the body")?.to_bytes();
        let cache = head.headers.get("cache-status").and_then(|value| value.to_str().ok());
        anyhow::Ok(Answer {
            status: head.status.as_u16(),
            cache: cache.unwrap_or_default().to_ascii_lowercase(),
            body: String::from_utf8(body.to_vec()).context("read the body as text")?,
        })
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => bail!("the connection ended before the answer: {ended:?}"),
    }
}
