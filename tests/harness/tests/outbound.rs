//! Guests' outbound HTTP, seen from outside: through both versions of wasi:http, to the tenant's own list.
//!
//! What is refused and why is tested piece by piece in `rowhouse-guest`; here the pieces are together.

use anyhow::{Context, Result};
use rowhouse_tests::{Answer, TestServer};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// As an operator of an intranet has it.
const LOOPBACK: &str = "[outbound]\nallow-networks = [\"127.0.0.1/32\"]\n";

/// A server that answers every request with the request's own bytes. It lives as long as the test's process.
fn echo() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // Who leaves early has seen enough.
                let _left = echoed(stream);
            });
        }
    });
    Ok(port)
}

fn echoed(mut stream: TcpStream) -> Result<()> {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        seen.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&seen).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let mut body = vec![0; length.map_or(Ok(0), str::parse)?];
    stream.read_exact(&mut body)?;
    seen.extend(body);
    write!(stream, "HTTP/1.1 203 Told\r\nX-One: 1\r\nX-One: 2\r\nConnection: close\r\n")?;
    write!(stream, "Content-Length: {}\r\n\r\n", seen.len())?;
    Ok(stream.write_all(&seen)?)
}

/// A site that passes requests on to `origin`.
fn forward(server: &TestServer, name: &str, origin: &str) -> Result<()> {
    if server.operator()?.get("/-/api/v1/releases/forward@1.0.0")?.status == 404 {
        server.push("forward", "1.0.0", &rowhouse_tests::guest("forward")?.bytes)?;
    }
    server.tenant(name, Some("forward@1.0.0"))?;
    change(server, name, json!({ "settings": { "origin": origin } }))
}

fn change(server: &TestServer, name: &str, patch: serde_json::Value) -> Result<()> {
    let path = format!("/-/api/v1/tenants/{name}");
    let body = patch.to_string();
    let operator = server.operator()?;
    operator.send("PATCH", &path, Some(("application/json", body.as_bytes())))?.expect(200).map(drop)
}

fn refused(answer: &Answer, why: &str) {
    assert_eq!((answer.status, answer.text().contains(why)), (502, true), "{why}: {}", answer.text());
}

#[test]
fn requests_go_where_the_operator_says_and_nowhere_else() -> Result<()> {
    let server = TestServer::start_with(LOOPBACK)?;
    let rule = format!("127.0.0.1:{}", echo()?);
    forward(&server, "club", &format!("http://{rule}"))?;
    refused(&server.get("club", "/")?, "HttpRequestDenied");

    change(&server, "club", json!({ "outbound": [rule] }))?;
    let client = server.visitor().with_field("x-two", "2");
    let answer = client.post_bytes("/club/a%20b?c=d", "text/plain", b"said")?.expect(203)?;
    let seen = answer.text();
    assert!(seen.starts_with("POST /a%20b?c=d HTTP/1.1\r\n") && seen.ends_with("\r\n\r\nsaid"), "{seen}");
    assert!(seen.contains("\r\nx-two: 2\r\n") && seen.contains(&format!("\r\nhost: {rule}\r\n")), "{seen}");
    let ones: Vec<_> = answer.headers.get_all("x-one").iter().collect();
    assert_eq!(ones, ["1", "2"]);
    let seen = server.get("club", "/")?.expect(203)?.text();
    assert!(!seen.contains("content-length") && !seen.contains("transfer-encoding"), "{seen}");

    // The list belongs to this tenant, is shown, and may be taken back.
    forward(&server, "other", &format!("http://{rule}"))?;
    refused(&server.get("other", "/")?, "HttpRequestDenied");
    let shown = server.operator()?.get("/-/api/v1/tenants/club")?.expect(200)?.json()?;
    assert_eq!(shown["outbound"], json!([rule]));
    let wrong = json!({ "outbound": ["*.com", "a b"] }).to_string();
    let path = "/-/api/v1/tenants/club";
    let answer =
        server.operator()?.send("PATCH", path, Some(("application/json", wrong.as_bytes())))?.expect(422)?;
    assert!(
        answer.text().contains("outbound[0]") && answer.text().contains("outbound[1]"),
        "{}",
        answer.text()
    );
    change(&server, "club", json!({ "outbound": [] }))?;
    refused(&server.get("club", "/")?, "HttpRequestDenied");
    Ok(())
}

#[test]
fn a_listed_host_that_leads_inside_is_refused() -> Result<()> {
    let server = TestServer::start()?;
    let port = echo()?;
    for (name, host) in [("by-name", "localhost"), ("by-address", "127.0.0.1"), ("by-number", "2130706433")] {
        let rule = format!("{host}:{port}");
        forward(&server, name, &format!("http://{rule}"))?;
        change(&server, name, json!({ "outbound": [rule] }))?;
        refused(&server.get(name, "/")?, "DestinationIpProhibited");
    }
    Ok(())
}

#[test]
fn the_version_of_wasi_http_makes_no_difference() -> Result<()> {
    let server = TestServer::start_with(LOOPBACK)?;
    let port = echo()?;
    server.site_of("club", "fetch-http03")?;
    let url = format!("http://127.0.0.1:{port}/there");
    refused(&server.get("club", &format!("/?{url}"))?, "HttpRequestDenied");
    change(
        &server,
        "club",
        json!({ "outbound": [format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}")] }),
    )?;
    let answer = server.get("club", &format!("/?{url}"))?.expect(203)?;
    assert!(answer.text().starts_with("GET /there HTTP/1.1\r\n"), "{}", answer.text());
    refused(&server.get("club", &format!("/?http://127.0.0.2:{port}/"))?, "DestinationIpProhibited");
    refused(&server.get("club", &format!("/?http://user@127.0.0.1:{port}/"))?, "HttpRequestUriInvalid");
    Ok(())
}

#[test]
fn a_guest_sends_as_often_as_its_limit_says() -> Result<()> {
    let server = TestServer::start_with(&format!("{LOOPBACK}[limits]\noutbound-sent-bytes = 1000\n"))?;
    let rule = format!("127.0.0.1:{}", echo()?);
    forward(&server, "club", &format!("http://{rule}"))?;
    change(&server, "club", json!({ "outbound": [rule] }))?;
    let small = server.visitor().post_bytes("/club/", "text/plain", &[b'x'; 100])?;
    small.expect(203).context("within the limit, and each visitor's request begins anew")?;
    for _ in 0..3 {
        let large = server.visitor().post_bytes("/club/", "text/plain", &[b'x'; 2000])?;
        refused(&large, "HttpRequestBodySize");
    }
    server.visitor().post_bytes("/club/", "text/plain", &[b'x'; 100])?.expect(203)?;
    Ok(())
}
