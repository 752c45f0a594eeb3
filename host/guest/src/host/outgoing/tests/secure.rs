//! TLS: the certificate is checked, and it must be for the name that the guest asked for.
//!
//! `ca.pem` signed `leaf.pem` for `localhost`; both last until 2120 and are trusted by nobody else.

use super::*;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

fn acceptor() -> TlsAcceptor {
    let leaf = CertificateDer::from_pem_slice(include_bytes!("leaf.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("leaf.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn secure_listener() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = acceptor();
    tokio::spawn(async move {
        while let Ok((stream, _peer)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret").await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    port
}

fn trusting_ours() -> Arc<Exits> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(include_bytes!("ca.pem")).unwrap()).unwrap();
    Exits::trusting(loopback(), roots).unwrap()
}

async fn through(exits: Arc<Exits>, host: &str, port: u16) -> Result<http::Response<Bytes>, Error> {
    let rule = format!("{host}:{port}");
    let mut outgoing = Outgoing::new(exits);
    outgoing.begin(&tenant(&[&rule], Limits::default()));
    plain(&mut outgoing, get(&format!("https://{rule}/"))).await
}

#[tokio::test]
async fn a_trusted_certificate_for_the_name_is_needed() {
    let port = secure_listener().await;
    assert_eq!(through(trusting_ours(), "localhost", port).await.unwrap().body().as_ref(), b"secret");
    let other_name = through(trusting_ours(), "127.0.0.1", port).await;
    assert!(matches!(other_name, Err(Error::TlsCertificateError)), "{other_name:?}");
    let stranger = through(Exits::new(loopback()).unwrap(), "localhost", port).await;
    assert!(matches!(stranger, Err(Error::TlsCertificateError)), "{stranger:?}");
}

#[tokio::test]
async fn who_speaks_no_tls_is_an_error() {
    let said_first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = said_first.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _peer)) = said_first.accept().await {
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let ended = through(trusting_ours(), "localhost", first).await;
    assert!(matches!(ended, Err(Error::TlsProtocolError | Error::ConnectionTerminated)), "{ended:?}");
    let plain_answer = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let rule = format!("127.0.0.1:{plain_answer}");
    let mut outgoing = outgoing(&[&rule], Limits::default());
    let options = RequestOptions { connect_timeout: Some(SHORTLY), ..RequestOptions::default() };
    // It waits for the end of a head that TLS never sends.
    let ended = sent(&mut outgoing, get(&format!("https://{rule}/")), options).await;
    assert!(matches!(ended, Err(Error::ConnectionTimeout)), "{ended:?}");
}
