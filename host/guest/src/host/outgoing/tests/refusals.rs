//! What never leaves the server.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A listener that counts who comes.
async fn counted() -> (u16, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&count);
    let port = listener(move |_head, mut stream| {
        theirs.fetch_add(1, Ordering::SeqCst);
        async move { drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await) }
    })
    .await;
    (port, count)
}

#[tokio::test]
async fn hosts_that_are_not_listed_are_refused_before_they_are_looked_up() {
    let (port, count) = counted().await;
    let mut outgoing =
        outgoing(&["api.example", "*.club.example", &format!("127.0.0.1:{port}")], Limits::default());
    for uri in [
        "http://example.org/".to_owned(),
        "http://club.example/".to_owned(),
        "https://api.example:8443/".to_owned(),
        format!("http://localhost:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://127.0.0.2:{port}/"),
    ] {
        assert!(matches!(plain(&mut outgoing, get(&uri)).await, Err(Error::HttpRequestDenied)), "{uri}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn nothing_listed_is_nothing_allowed() {
    let (port, count) = counted().await;
    let mut outgoing = outgoing(&[], Limits::default());
    let refused = plain(&mut outgoing, get(&format!("http://127.0.0.1:{port}/"))).await;
    assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{refused:?}");
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_listed_host_with_an_inner_address_is_refused() {
    let (port, count) = counted().await;
    let hosts = [
        "127.0.0.1",
        "127.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:db8::1]",
        // The resolver knows them.
        "localhost",
        "2130706433",
        "0x7f000001",
        "127.1",
    ];
    let rules: Vec<String> = hosts.iter().map(|host| format!("{host}:{port}")).collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let limits = Limits { outbound_requests: 100, ..Limits::default() };
    let mut outgoing = Outgoing::new(Exits::new(vec![]).unwrap());
    outgoing.begin(&tenant(&rules, limits));
    for rule in rules {
        let refused = plain(&mut outgoing, get(&format!("http://{rule}/"))).await;
        assert!(matches!(refused, Err(Error::DestinationIpProhibited)), "{rule}: {refused:?}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_allowed_network_allows_itself_alone() {
    let (port, count) = counted().await;
    let names =
        [format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}"), format!("[::ffff:127.0.0.1]:{port}")];
    let mut outgoing = outgoing(&[&names[0], &names[1], &names[2]], Limits::default());
    plain(&mut outgoing, get(&format!("http://{}/", names[0]))).await.unwrap();
    let refused = plain(&mut outgoing, get(&format!("http://{}/", names[1]))).await;
    assert!(matches!(refused, Err(Error::DestinationIpProhibited)), "{refused:?}");
    plain(&mut outgoing, get(&format!("http://{}/", names[2]))).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2, "the same address in another spelling is the same");
}

#[tokio::test]
async fn host_and_user_information_can_not_be_forged() {
    let port = listener(|head, mut stream| async move {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
        drop(stream.write_all(answer.as_bytes()).await);
    })
    .await;
    let rule = format!("127.0.0.1:{port}");
    let mut outgoing = outgoing(&[&rule], Limits::default());
    let mut request = get(&format!("http://{rule}/"));
    request.headers_mut().append("host", "victim.example".parse().unwrap());
    request.headers_mut().append("host", "other.example".parse().unwrap());
    request.headers_mut().append("connection", "x-secret".parse().unwrap());
    request.headers_mut().append("x-secret", "1".parse().unwrap());
    request.headers_mut().append("transfer-encoding", "chunked".parse().unwrap());
    request.headers_mut().append("upgrade", "h2c".parse().unwrap());
    let answer = plain(&mut outgoing, request).await.unwrap();
    let head = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(head, format!("GET / HTTP/1.1\r\nhost: {rule}\r\n\r\n"));
    for uri in
        [format!("http://user@{rule}/"), format!("http://user:word@{rule}/"), "http://127.0.0.1:0/".into()]
    {
        let refused = plain(&mut outgoing, get(&uri)).await;
        assert!(matches!(refused, Err(Error::HttpRequestUriInvalid)), "{uri}: {refused:?}");
    }
    let tunnel = http::Request::connect(rule.as_str()).body(empty()).unwrap();
    let refused = plain(&mut outgoing, tunnel).await;
    assert!(matches!(refused, Err(Error::HttpRequestMethodInvalid)), "{refused:?}");
}

#[tokio::test]
async fn who_is_not_there_is_told_apart() {
    // Bound and dropped: the port is free again.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let names = [format!("127.0.0.1:{port}"), "no-such-host.invalid".to_owned()];
    let mut outgoing = outgoing(&[&names[0], &names[1]], Limits::default());
    let refused = plain(&mut outgoing, get(&format!("http://{}/", names[0]))).await;
    assert!(matches!(refused, Err(Error::ConnectionRefused)), "{refused:?}");
    let refused = plain(&mut outgoing, get(&format!("http://{}/", names[1]))).await;
    assert!(matches!(refused, Err(Error::DnsError { .. } | Error::DnsTimeout)), "{refused:?}");
}
