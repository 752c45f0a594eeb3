//! What the whole process has for outbound requests: places, networks that are allowed, TLS.

use super::destination::Destination;
use super::gate::{Gate, Pass};
use rowhouse_base::id::TenantId;
use rowhouse_base::{Network, network, tasks};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use wasmtime_wasi_http::{Error, Result};

/// Names one tenant may have looked up at the same time. The resolver's threads are few and can't be
/// interrupted.
const LOOKUPS: usize = 8;
/// Names being looked up in all.
const ALL_LOOKUPS: usize = 64;
/// Open connections of one tenant: as many as it may have requests being served.
const CONNECTIONS: usize = 32;
/// Open connections in all: half of the file descriptors that a process has by default.
const ALL_CONNECTIONS: usize = 512;
/// Addresses of one name that are tried; more cost time that the request doesn't have.
const ADDRESSES: usize = 8;

/// Ways out. One per process.
pub(crate) struct Exits {
    networks: Vec<Network>,
    lookups: Gate,
    connections: Gate,
    pub(super) tls: TlsConnector,
}

impl Exits {
    /// Addresses in `networks` may be reached though they are not public. Certificates are trusted that
    /// descend from Mozilla's list.
    ///
    /// # Errors
    /// Where the TLS library refuses its own defaults.
    pub(crate) fn new(networks: Vec<Network>) -> std::result::Result<Arc<Self>, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
        Self::trusting(networks, roots)
    }

    pub(super) fn trusting(
        networks: Vec<Network>,
        roots: RootCertStore,
    ) -> std::result::Result<Arc<Self>, rustls::Error> {
        // Named, because other libraries of the process may bring a provider of their own.
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session that is resumed would tell the other side that two tenants share a server.
        tls.resumption = rustls::client::Resumption::disabled();
        Ok(Arc::new(Self {
            networks,
            lookups: Gate::new(LOOKUPS, ALL_LOOKUPS),
            connections: Gate::new(CONNECTIONS, ALL_CONNECTIONS),
            tls: TlsConnector::from(Arc::new(tls)),
        }))
    }

    /// A place for one more connection of this tenant.
    pub(super) async fn place(&self, tenant: TenantId) -> Result<Pass> {
        self.connections.enter(tenant).await.map_err(|_closed| Error::ConnectionLimitReached)
    }

    /// The addresses of a host that may be connected to, looked up once.
    pub(super) async fn addresses(&self, tenant: TenantId, to: &Destination) -> Result<Vec<SocketAddr>> {
        let found = match to.address() {
            Some(address) => vec![address],
            None => self.look_up(tenant, to).await?,
        };
        if found.is_empty() {
            return Err(Error::DestinationNotFound);
        }
        let allowed: Vec<SocketAddr> = found
            .into_iter()
            .map(|address| address.to_canonical())
            .filter(|address| self.may_reach(*address))
            .take(ADDRESSES)
            .map(|address| SocketAddr::new(address, to.port))
            .collect();
        if allowed.is_empty() { Err(Error::DestinationIpProhibited) } else { Ok(allowed) }
    }

    fn may_reach(&self, address: IpAddr) -> bool {
        network::is_public(address) || self.networks.iter().any(|network| network.contains(address))
    }

    async fn look_up(&self, tenant: TenantId, to: &Destination) -> Result<Vec<IpAddr>> {
        let pass = self.lookups.enter(tenant).await.map_err(|_closed| Error::ConnectionLimitReached)?;
        let (host, port) = (to.host.to_string(), to.port);
        let (tell, told) = oneshot::channel();
        // The place is given back when the resolver's thread is free, not when nobody waits for it any more.
        tasks::spawn("look up a name", async move {
            let found: io::Result<Vec<IpAddr>> = tokio::net::lookup_host((host.as_str(), port))
                .await
                .map(|found| found.map(|address| address.ip()).collect());
            drop(pass);
            // Nobody may be waiting any more.
            drop(tell.send(found));
        });
        match told.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) | Err(_) => {
                Err(Error::DnsError { rcode: Some("the name can't be resolved".into()), info_code: None })
            }
        }
    }
}
