//! Behind proxies, and while a server drains: whom it believes, and how connections end.

use anyhow::{Context, Result, bail};
use rowhouse_tests::{Client, TestServer};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Far more than anything here takes; a machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends these bytes on a connection of their own and gives all that comes back.
fn told(address: &str, bytes: &str) -> Result<String> {
    let mut stream = connect(address)?;
    stream.write_all(bytes.as_bytes())?;
    let mut answer = Vec::new();
    // A refused connection may end with a reset.
    let _ended = stream.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn location(answer: &str) -> &str {
    answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_default()
}

#[test]
fn only_trusted_proxies_say_where_a_request_came_from() -> Result<()> {
    let trusting = TestServer::start_with("[server]\ntrusted-proxies = [\"127.0.0.0/8\"]\n")?;
    let doubting = TestServer::start_with("[server]\ntrusted-proxies = [\"10.0.0.0/8\"]\n")?;
    let request =
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: club.localhost\r\nConnection: close\r\n\r\n";
    for server in [&trusting, &doubting] {
        server.tenant("club", None)?;
    }
    assert!(told(&trusting.address, request)?.starts_with("HTTP/1.1 200"), "the site that was asked for");
    let console = told(&doubting.address, request)?;
    assert_eq!(location(&console), "/-/console", "{console}");

    // A cookie is for encrypted connections alone where the proxy says that the visitor has one.
    let password =
        |server: &TestServer| server.first_password.clone().context("a first start shows a password");
    for (server, is_secure) in [(&trusting, true), (&doubting, false)] {
        let form = [("name", "admin"), ("password", &password(server)?)];
        let client = Client::new(&server.address).with_field("x-forwarded-proto", "https");
        let cookie =
            client.post_form("/-/console/sign-in", &form)?.expect(303)?.header("set-cookie").to_owned();
        assert_eq!(cookie.contains("Secure"), is_secure, "{cookie}");
    }
    Ok(())
}

#[test]
fn trusted_proxies_begin_with_the_proxy_protocol() -> Result<()> {
    let config = "[server]\ntrusted-proxies = [\"127.0.0.1\"]\nproxy-protocol = true\n";
    let server = TestServer::start_with(config)?;
    let request = "GET /-/readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let header = "PROXY TCP4 203.0.113.9 127.0.0.1 4711 443\r\n";
    let answer = told(&server.address, &format!("{header}{request}"))?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(told(&server.address, request)?, "", "a trusted peer without it is not answered");
    // Each connection has its own.
    let unknown = told(&server.address, &format!("PROXY UNKNOWN\r\n{request}"))?;
    assert!(unknown.starts_with("HTTP/1.1 200"), "{unknown}");
    // Others speak plainly.
    let other =
        TestServer::start_with("[server]\ntrusted-proxies = [\"10.0.0.1\"]\nproxy-protocol = true\n")?;
    assert!(told(&other.address, request)?.starts_with("HTTP/1.1 200"));
    Ok(())
}

/// The head of the next answer on a connection, its body read too.
fn next_answer(reader: &mut BufReader<TcpStream>) -> Result<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head)? == 0 {
            bail!("the connection ended: {head}");
        }
        if head.get(before..) == Some("\r\n") {
            break;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    let mut body = vec![0; length.parse()?];
    reader.read_exact(&mut body)?;
    Ok(head)
}

#[test]
fn balancers_ask_for_readiness_without_a_host() -> Result<()> {
    let server = TestServer::start()?;
    for path in ["/-/readyz", "/-/healthz"] {
        let answer = told(&server.address, &format!("GET {path} HTTP/1.0\r\n\r\n"))?;
        assert!(answer.contains(" 200 "), "{answer}");
        let answer = told(&server.address, &format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n"))?;
        assert!(answer.contains(" 400 "), "{answer}");
    }
    let answer = told(&server.address, "GET / HTTP/1.0\r\n\r\n")?;
    assert!(answer.contains(" 400 "), "{answer}");
    Ok(())
}

/// A body that nobody wants must not end a connection that the next request is already on its way through.
#[test]
fn a_body_that_nobody_reads_ends_no_connection_unannounced() -> Result<()> {
    let server = TestServer::start()?;
    let post =
        |length: u64| format!("POST /nobody HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    let mut kept = BufReader::new(connect(&server.address)?);
    kept.get_mut().set_nodelay(true)?;
    for _time in 0..20 {
        // As a balancer does that passes on what it has: the answer is made before the body is there.
        kept.get_mut().write_all(post(6).as_bytes())?;
        std::thread::sleep(Duration::from_millis(5));
        kept.get_mut().write_all(b"a form")?;
        let answer = next_answer(&mut kept)?;
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("connection: close"), "{answer}");
    }
    // What is large, or does not come, is not waited for; the answer says what that means.
    for (length, part) in [(1 << 30, "the beginning"), (6, "a")] {
        let mut given_up = BufReader::new(connect(&server.address)?);
        given_up.get_mut().write_all(format!("{}{part}", post(length)).as_bytes())?;
        let answer = next_answer(&mut given_up)?;
        assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("connection: close"), "{answer}");
    }
    Ok(())
}

#[test]
fn a_draining_server_lets_go_of_connections() -> Result<()> {
    let mut server = TestServer::start_with("[server]\ndrain-wait-ms = 8000\n")?;
    let ask = b"GET /-/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut kept = BufReader::new(connect(&server.address)?);
    kept.get_mut().write_all(ask)?;
    let first = next_answer(&mut kept)?;
    assert!(first.starts_with("HTTP/1.1 200") && !first.contains("connection: close"), "{first}");

    // HTTP/2 with prior knowledge: the preface and empty settings.
    let mut second = connect(&server.address)?;
    second.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")?;
    let (kind, _) = frame(&mut second)?;
    assert_eq!(kind, 4, "the server's settings come first");

    server.ask_to_end()?;
    let end = Instant::now() + PATIENCE;
    while Client::new(&server.address).get("/-/readyz")?.status != 503 {
        if Instant::now() > end {
            bail!("it never said that it drains");
        }
    }
    // It is answered all the same, and told to take another connection.
    kept.get_mut().write_all(ask)?;
    let last = next_answer(&mut kept)?;
    assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
    assert_eq!(kept.read(&mut [0])?, 0, "and then it ends");
    loop {
        let (kind, _) = frame(&mut second).context("a GOAWAY before the end")?;
        if kind == 7 {
            break;
        }
    }
    assert!(server.ended()?);
    Ok(())
}

/// Kind and content of the next frame of HTTP/2.
fn frame(stream: &mut TcpStream) -> Result<(u8, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut content = vec![0; usize::try_from(length)?];
    stream.read_exact(&mut content)?;
    Ok((head[3], content))
}
