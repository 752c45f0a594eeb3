//! Requests to listeners of this machine, friendly and hostile.

mod bounds;
mod refusals;
mod secure;

use super::{Exits, Outgoing};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Limits, Network, TenantName};
use rowhouse_tenant::{Tenant, TenantState};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// A tenant whose guest may send requests to these places.
fn tenant(outbound: &[&str], limits: Limits) -> Arc<Tenant> {
    Arc::new(Tenant {
        id: TenantId::new(),
        name: TenantName::parse("club").unwrap(),
        title: "Club".into(),
        state: TenantState::Active,
        addresses: vec![],
        url_prefix: true,
        settings: Default::default(),
        outbound: outbound.iter().map(|rule| rule.parse().unwrap()).collect(),
        locale: "en".into(),
        time_zone: "UTC".into(),
        release: None,
        data_server: DataServerName::local(),
        revision: 1,
        limits: Arc::new(limits),
    })
}

fn loopback() -> Vec<Network> {
    vec!["127.0.0.1/32".parse().unwrap()]
}

/// A store's way out, for a tenant that may reach this machine.
fn outgoing(outbound: &[&str], limits: Limits) -> Outgoing {
    let mut outgoing = Outgoing::new(Exits::new(loopback()).unwrap());
    outgoing.begin(&tenant(outbound, limits));
    outgoing
}

fn empty() -> WasiBody {
    Empty::new().map_err(Error::from).boxed_unsync()
}

fn get(uri: &str) -> http::Request<WasiBody> {
    http::Request::get(uri).body(empty()).unwrap()
}

fn post(uri: &str, body: &'static [u8]) -> http::Request<WasiBody> {
    let body = Full::new(Bytes::from_static(body)).map_err(Error::from).boxed_unsync();
    http::Request::post(uri).body(body).unwrap()
}

/// Sends as the engine does: the answer first, then its body while the connection is driven beside it.
async fn sent(
    outgoing: &mut Outgoing,
    request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Result<http::Response<Bytes>, Error> {
    let sending = outgoing.send_request(request, Some(options), Box::new(async { Ok(()) }));
    let (response, drive) = Box::into_pin(sending).await?;
    let (parts, body) = response.into_parts();
    let mut drive = Box::into_pin(drive);
    let mut driven = false;
    let mut collecting = std::pin::pin!(body.collect());
    loop {
        tokio::select! {
            body = &mut collecting => return Ok(http::Response::from_parts(parts, body?.to_bytes())),
            ended = &mut drive, if !driven => {
                ended?;
                driven = true;
            }
        }
    }
}

async fn plain(
    outgoing: &mut Outgoing,
    request: http::Request<WasiBody>,
) -> Result<http::Response<Bytes>, Error> {
    sent(outgoing, request, RequestOptions::default()).await
}

/// Listens on this machine and does something with each connection, once its request's head was read.
async fn listener<F, T>(serve: F) -> u16
where
    F: Fn(String, TcpStream) -> T + Send + Sync + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    tokio::spawn(async move {
        while let Ok((mut stream, _peer)) = listener.accept().await {
            let serve = Arc::clone(&serve);
            tokio::spawn(async move {
                let head = head_of(&mut stream).await;
                serve(head, stream).await;
            });
        }
    });
    port
}

/// A listener that answers with the same bytes each time.
async fn answering(answer: &'static str) -> u16 {
    listener(move |_head, mut stream| async move {
        drop(stream.write_all(answer.as_bytes()).await);
    })
    .await
}

async fn head_of(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

#[tokio::test]
async fn fields_and_body_pass_both_ways_as_they_are() {
    let port = listener(|head, mut stream| async move {
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        let told = format!("{head}{}", String::from_utf8_lossy(&body));
        let fields = "X-A: 1\r\nX-B: 2\r\nx-a: 3\r\nConnection: close, x-hop\r\nX-Hop: gone\r\nKeep-Alive: timeout=5\r\n";
        let answer = format!("HTTP/1.1 299 Odd\r\n{fields}Content-Length: {}\r\n\r\n{told}", told.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let mut outgoing = outgoing(&[&format!("127.0.0.1:{port}")], Limits::default());
    let mut request = post(&format!("http://127.0.0.1:{port}/a%20b?c=d"), b"hello");
    for (name, value) in [("x-one", "1"), ("x-two", "2"), ("x-one", "3")] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = plain(&mut outgoing, request).await.unwrap();
    assert_eq!(answer.status().as_u16(), 299);
    let fields: Vec<_> =
        answer.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    let length = answer.body().len().to_string();
    assert_eq!(fields, [("x-a", "1"), ("x-a", "3"), ("x-b", "2"), ("content-length", length.as_str())]);
    let told = String::from_utf8_lossy(answer.body()).into_owned();
    let expected = format!(
        "POST /a%20b?c=d HTTP/1.1\r\nx-one: 1\r\nx-one: 3\r\nx-two: 2\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 5\r\n\r\nhello"
    );
    let mut lines: Vec<_> = told.split("\r\n").collect();
    let mut wanted: Vec<_> = expected.split("\r\n").collect();
    lines.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(lines, wanted, "nothing added, nothing lost: {told}");
    let ones: Vec<_> = told.lines().filter(|line| line.starts_with("x-one")).collect();
    assert_eq!(ones, ["x-one: 1", "x-one: 3"], "repeated fields keep their order");
    assert_eq!(outgoing.requests(), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let port =
        answering("HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/secret\r\nContent-Length: 0\r\n\r\n")
            .await;
    let mut outgoing = outgoing(&[&format!("127.0.0.1:{port}")], Limits::default());
    let answer = plain(&mut outgoing, get(&format!("http://127.0.0.1:{port}/"))).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["location"]),
        (302, &"http://10.0.0.1/secret".parse().unwrap())
    );
    assert_eq!(outgoing.requests(), 1, "and nothing else was sent");
}

#[tokio::test]
async fn a_name_is_resolved_and_its_allowed_address_used() {
    let port = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").await;
    let mut outgoing = outgoing(&[&format!("localhost:{port}")], Limits::default());
    let answer = plain(&mut outgoing, get(&format!("http://LocalHost:{port}"))).await.unwrap();
    assert_eq!(answer.body().as_ref(), b"hi");
}

#[tokio::test]
async fn each_request_begins_anew_and_nothing_is_sent_after_its_end() {
    let port = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let rule = format!("127.0.0.1:{port}");
    let uri = format!("http://{rule}/");
    let limits = Limits { outbound_requests: 1, ..Limits::default() };
    let mut outgoing = outgoing(&[&rule], limits.clone());
    plain(&mut outgoing, get(&uri)).await.unwrap();
    assert!(matches!(plain(&mut outgoing, get(&uri)).await, Err(Error::HttpRequestDenied)));
    assert_eq!(outgoing.requests(), 2, "refused ones count");
    outgoing.begin(&tenant(&[&rule], limits));
    plain(&mut outgoing, get(&uri)).await.unwrap();
    outgoing.end();
    assert!(matches!(plain(&mut outgoing, get(&uri)).await, Err(Error::HttpRequestDenied)));
    assert_eq!(outgoing.requests(), 0);
}

/// Long enough that it isn't over before a loaded machine gets there, short enough to wait for.
const SHORTLY: Duration = Duration::from_millis(300);
