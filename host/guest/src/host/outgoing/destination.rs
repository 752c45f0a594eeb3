//! Where a request wants to go, read from its URI and from nothing else.

use http::uri::Scheme;
use http::{HeaderValue, Uri};
use rowhouse_base::Hostname;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use wasmtime_wasi_http::{Error, Result};

/// A host, a port, and whether TLS is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) host: Hostname,
    pub(super) port: u16,
    pub(super) tls: bool,
}

impl Destination {
    /// Reads a URI. One with user information is refused: it would be a credential in a log, or a disguise.
    pub(super) fn of(uri: &Uri) -> Result<Self> {
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        if authority.as_str().contains('@') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(Error::HttpProtocolError),
        };
        let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let port = match rest.strip_prefix(':') {
            None => usual(tls),
            Some(port) => port.parse().map_err(|_malformed| Error::HttpRequestUriInvalid)?,
        };
        let host = Hostname::parse(authority.host()).map_err(|_malformed| Error::HttpRequestUriInvalid)?;
        if port == 0 {
            return Err(Error::HttpRequestUriInvalid);
        }
        Ok(Self { host, port, tls })
    }

    /// The address, where the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let text = self.host.as_str();
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match inner {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            None => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        }
    }

    /// The `Host` field. A host name's bytes are those of a field's value.
    pub(super) fn field(&self) -> Result<HeaderValue> {
        let text = if self.port == usual(self.tls) {
            self.host.as_str().to_owned()
        } else {
            format!("{}:{}", self.host, self.port)
        };
        HeaderValue::try_from(text).map_err(|_malformed| Error::HttpRequestUriInvalid)
    }
}

fn usual(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}
