//! From a destination to a stream: looked up, checked, connected, and TLS where it is spoken.

use super::allowance::Allowance;
use super::destination::Destination;
use super::exits::Exits;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi_http::{Error, Result};

/// The longest that a name may take. A resolver asks again after 5 s, and whoever waits for that waits too long.
const LOOK_UP: Duration = Duration::from_secs(5);

/// A connection's bytes.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens a connection to an address of the destination that may be reached.
///
/// Cancel-safe: dropping the future closes what was opened.
pub(super) async fn open(exits: &Exits, allowance: &Allowance, to: &Destination) -> Result<Box<dyn Stream>> {
    let looking = exits.addresses(allowance.tenant.id, to);
    let patience = allowance.patience(None, LOOK_UP);
    let addresses = timeout(patience, looking).await.map_err(|_elapsed| Error::DnsTimeout)??;
    let stream = first_of(&addresses).await?;
    // Small requests leave at once. Where the system refuses they leave a little later.
    drop(stream.set_nodelay(true));
    if !to.tls {
        return Ok(Box::new(stream));
    }
    let name = match to.address() {
        Some(address) => ServerName::from(address),
        None => ServerName::try_from(to.host.to_string()).map_err(|_no_name| Error::HttpRequestUriInvalid)?,
    };
    match exits.tls.connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(of_tls(&error)),
    }
}

/// The first address that answers. They were checked: none is looked up again.
async fn first_of(addresses: &[SocketAddr]) -> Result<TcpStream> {
    let mut failed = Error::DestinationNotFound;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = of_connecting(&error),
        }
    }
    Err(failed)
}

fn of_connecting(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => Error::ConnectionTerminated,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Error::DestinationIpUnroutable,
        _ => Error::DestinationUnavailable,
    }
}

fn of_tls(error: &io::Error) -> Error {
    let source = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    match source {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Error::TlsCertificateError
        }
        Some(rustls::Error::AlertReceived(alert)) => Error::TlsAlertReceived {
            alert_id: Some(u8::from(*alert)),
            alert_message: Some(format!("{alert:?}")),
        },
        Some(_) => Error::TlsProtocolError,
        None => Error::ConnectionTerminated,
    }
}
