//! A request parsed once into what the pipeline needs.

use crate::proxies::Arrival;
use http::header;
use rowhouse_base::Hostname;
use rowhouse_base::hostname::InvalidHostname;
use rowhouse_base::id::RequestId;
use std::net::IpAddr;

/// What is known of a request before anything is looked up.
pub(crate) struct Facts {
    pub(crate) id: RequestId,
    /// Without the port.
    pub(crate) host: Hostname,
    /// Scheme, host and port as the visitor used them; the host in its one spelling, for it is part of what pages are
    /// kept under.
    pub(crate) origin: String,
    pub(crate) client: IpAddr,
}

/// A request that can't be understood.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRequest {
    /// Neither a `Host` field nor an authority.
    #[error("the request names no host")]
    NoHost,
    /// More than one `Host` field, or one that is not text.
    #[error("the request's host field is not valid")]
    HostField,
    /// The host is malformed.
    #[error("read the request's host")]
    Host(#[from] InvalidHostname),
}

/// The port with its colon, as the visitor wrote it; empty where there is none.
fn port(authority: &str) -> &str {
    let from = authority.rfind(':').filter(|_| !authority.ends_with([':', ']']));
    from.map_or("", |from| authority.get(from..).unwrap_or_default())
}

impl Facts {
    /// Host and port as the visitor used them.
    pub(crate) fn authority(&self) -> &str {
        self.origin.split_once("://").map_or("", |(_scheme, authority)| authority)
    }

    pub(crate) fn read(
        request: &http::Request<impl Sized>,
        scheme: &str,
        arrival: &Arrival,
    ) -> Result<Self, InvalidRequest> {
        let authority = match (&arrival.authority, request.uri().authority()) {
            // What the visitor asked the proxy for; the rest of the request is what the proxy asked for.
            (Some(authority), _) => authority.as_str(),
            (None, Some(authority)) => authority.as_str(),
            (None, None) => {
                let mut fields = request.headers().get_all(header::HOST).iter();
                let field = fields.next().ok_or(InvalidRequest::NoHost)?;
                field.to_str().map_err(|_not_text| InvalidRequest::HostField)?
            }
        };
        if request.headers().get_all(header::HOST).iter().nth(1).is_some() {
            // Two hosts are two meanings; somebody in front may have believed the other one (RFC 9112, 3.2).
            return Err(InvalidRequest::HostField);
        }
        let host = Hostname::from_authority(authority)?;
        let scheme = arrival.scheme.unwrap_or(scheme);
        let origin = [scheme, "://", host.as_str(), port(authority)].concat();
        Ok(Self { id: RequestId::new(), host, origin, client: arrival.client })
    }
}
