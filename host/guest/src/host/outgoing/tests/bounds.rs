//! Answers that are too much, too slow or not HTTP.

use super::*;

/// Options as a guest would set them.
fn options(first: Option<Duration>, between: Option<Duration>) -> RequestOptions {
    RequestOptions { connect_timeout: None, first_byte_timeout: first, between_bytes_timeout: between }
}

async fn of(port: u16, limits: Limits, options: RequestOptions) -> Result<http::Response<Bytes>, Error> {
    let rule = format!("127.0.0.1:{port}");
    sent(&mut outgoing(&[&rule], limits), get(&format!("http://{rule}/")), options).await
}

/// A listener that says something and then nothing more, without leaving.
async fn silent_after(said: &'static str) -> u16 {
    listener(move |_head, mut stream| async move {
        drop(stream.write_all(said.as_bytes()).await);
        // Until the other side leaves.
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest).await);
    })
    .await
}

#[tokio::test]
async fn who_never_answers_is_left() {
    let port = silent_after("").await;
    let ended = of(port, Limits::default(), options(Some(SHORTLY), None)).await;
    assert!(matches!(ended, Err(Error::ConnectionReadTimeout)), "{ended:?}");
}

#[tokio::test]
async fn half_a_head_is_no_answer() {
    let port = silent_after("HTTP/1.1 200 OK\r\nX-A: ").await;
    let ended = of(port, Limits::default(), options(Some(SHORTLY), None)).await;
    assert!(matches!(ended, Err(Error::ConnectionReadTimeout)), "{ended:?}");
}

#[tokio::test]
async fn a_body_that_stalls_is_left() {
    let port = silent_after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let ended = of(port, Limits::default(), options(None, Some(SHORTLY))).await;
    assert!(matches!(ended, Err(Error::ConnectionReadTimeout)), "{ended:?}");
}

#[tokio::test]
async fn no_option_lasts_longer_than_the_request() {
    let port = silent_after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let day = Some(Duration::from_secs(86_400));
    let limits = Limits { wall_ms: 300, ..Limits::default() };
    let ended = of(port, limits, options(day, day)).await;
    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit() {
    let port = listener(|_head, mut stream| async move {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await);
        while stream.write_all(b"400\r\n").await.is_ok()
            && stream.write_all(&[b'x'; 1024]).await.is_ok()
            && stream.write_all(b"\r\n").await.is_ok()
        {}
    })
    .await;
    let limits = Limits { outbound_received_bytes: 100_000, ..Limits::default() };
    let ended = of(port, limits, options(None, None)).await;
    assert!(matches!(ended, Err(Error::HttpResponseBodySize(Some(100_000)))), "{ended:?}");
}

#[tokio::test]
async fn received_bytes_are_one_sum_over_all_requests() {
    let port = listener(|_head, mut stream| async move {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 6000\r\n\r\n{}", "x".repeat(6000));
        drop(stream.write_all(answer.as_bytes()).await);
    })
    .await;
    let rule = format!("127.0.0.1:{port}");
    let limits = Limits { outbound_received_bytes: 10_000, ..Limits::default() };
    let mut outgoing = outgoing(&[&rule], limits);
    let uri = format!("http://{rule}/");
    assert_eq!(plain(&mut outgoing, get(&uri)).await.unwrap().body().len(), 6000);
    let ended = plain(&mut outgoing, get(&uri)).await;
    assert!(matches!(ended, Err(Error::HttpResponseBodySize(Some(10_000)))), "{ended:?}");
}

#[tokio::test]
async fn sent_bytes_are_one_sum_over_all_requests() {
    let port = listener(|_head, mut stream| async move {
        let mut body = vec![0; 3000];
        drop(stream.read_exact(&mut body).await);
        drop(stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await);
    })
    .await;
    let rule = format!("127.0.0.1:{port}");
    let mut outgoing = outgoing(&[&rule], Limits { outbound_sent_bytes: 5000, ..Limits::default() });
    let uri = format!("http://{rule}/");
    plain(&mut outgoing, post(&uri, &[b'x'; 3000])).await.unwrap();
    let ended = plain(&mut outgoing, post(&uri, &[b'x'; 3000])).await;
    assert!(matches!(ended, Err(Error::HttpRequestBodySize(Some(5000)))), "{ended:?}");
}

#[tokio::test]
async fn huge_header_fields_are_refused() {
    let one = listener(|_head, mut stream| async move {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nX-Huge: ").await);
        while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
    })
    .await;
    let ended = of(one, Limits::default(), options(None, None)).await;
    assert!(matches!(ended, Err(Error::HttpResponseHeaderSectionSize(_))), "{ended:?}");
    let many = listener(|_head, mut stream| async move {
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\n").await);
        while stream.write_all(b"a: b\r\n").await.is_ok() {}
    })
    .await;
    let ended = of(many, Limits::default(), options(None, None)).await;
    assert!(matches!(ended, Err(Error::HttpResponseHeaderSectionSize(_))), "{ended:?}");
    let just = listener(|_head, mut stream| async move {
        let answer = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(3000));
        drop(stream.write_all(answer.as_bytes()).await);
    })
    .await;
    let limits = Limits { header_bytes: 2000, ..Limits::default() };
    let ended = of(just, limits, options(None, None)).await;
    assert!(matches!(ended, Err(Error::HttpResponseHeaderSectionSize(Some(_)))), "{ended:?}");
}

#[tokio::test]
async fn huge_requests_are_refused() {
    let port = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let rule = format!("127.0.0.1:{port}");
    let mut outgoing = outgoing(&[&rule], Limits { header_bytes: 2000, ..Limits::default() });
    let ended = plain(&mut outgoing, get(&format!("http://{rule}/{}", "x".repeat(3000)))).await;
    assert!(matches!(ended, Err(Error::HttpRequestUriTooLong)), "{ended:?}");
    let mut request = get(&format!("http://{rule}/"));
    request.headers_mut().insert("x-a", "x".repeat(3000).parse().unwrap());
    let ended = plain(&mut outgoing, request).await;
    assert!(matches!(ended, Err(Error::HttpRequestHeaderSectionSize(Some(_)))), "{ended:?}");
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    for said in [
        "SSH-2.0-Server\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let port = answering(said).await;
        let ended = of(port, Limits::default(), options(None, None)).await;
        assert!(ended.is_err(), "{said}: {ended:?}");
    }
    let port = answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let ended = of(port, Limits::default(), options(None, None)).await;
    assert!(matches!(ended, Err(Error::HttpResponseIncomplete)), "{ended:?}");
    let port = answering("").await;
    let ended = of(port, Limits::default(), options(None, None)).await;
    assert!(matches!(ended, Err(Error::HttpResponseIncomplete | Error::ConnectionTerminated)), "{ended:?}");
}

#[tokio::test]
async fn places_are_given_back() {
    let port = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let rule = format!("127.0.0.1:{port}");
    let limits = Limits { outbound_requests: 200, ..Limits::default() };
    let mut outgoing = outgoing(&[&rule], limits);
    // Several times as many as a tenant may have open.
    for _ in 0..100 {
        plain(&mut outgoing, get(&format!("http://{rule}/"))).await.unwrap();
    }
}
