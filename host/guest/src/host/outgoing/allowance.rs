//! What one request of a tenant may still send and receive, and until when.

use super::destination::Destination;
use crate::invoke::fields;
use rowhouse_base::Limits;
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, Result, WasiBody};

/// Made with the request, shared by everything it sends.
pub(super) struct Allowance {
    pub(super) tenant: Arc<Tenant>,
    until: Instant,
    requests: AtomicU32,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Allowance {
    pub(super) fn of(tenant: Arc<Tenant>) -> Self {
        Self {
            until: Instant::now() + tenant.limits.wall(),
            tenant,
            requests: AtomicU32::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.tenant.limits
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Counts a request and says where it may go.
    pub(super) fn admit(&self, request: &http::Request<WasiBody>) -> Result<Destination> {
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        if before >= self.limits().outbound_requests {
            return Err(Error::HttpRequestDenied);
        }
        if *request.method() == http::Method::CONNECT {
            // A tunnel's bytes would be nobody's request.
            return Err(Error::HttpRequestMethodInvalid);
        }
        let destination = Destination::of(request.uri())?;
        let Destination { host, port, .. } = &destination;
        if !self.tenant.outbound.iter().any(|rule| rule.allows(host, *port)) {
            return Err(Error::HttpRequestDenied);
        }
        let most = u64::from(self.limits().header_bytes);
        let line = request.uri().path_and_query().map_or(0, |both| both.as_str().len()) as u64;
        if line > most {
            return Err(Error::HttpRequestUriTooLong);
        }
        let fields = fields::size(request.headers());
        if fields > most {
            return Err(Error::HttpRequestHeaderSectionSize(u32::try_from(fields).ok()));
        }
        self.send(line.saturating_add(fields))?;
        Ok(destination)
    }

    /// Counts bytes on their way out.
    pub(super) fn send(&self, bytes: u64) -> Result<()> {
        let limit = self.limits().outbound_sent_bytes;
        if spend(&self.sent, bytes, limit) { Ok(()) } else { Err(Error::HttpRequestBodySize(Some(limit))) }
    }

    /// Counts bytes that came in.
    pub(super) fn receive(&self, bytes: u64) -> Result<()> {
        let limit = self.limits().outbound_received_bytes;
        if spend(&self.received, bytes, limit) {
            Ok(())
        } else {
            Err(Error::HttpResponseBodySize(Some(limit)))
        }
    }

    /// How long something may take: what the guest asked for, what the host allows for it, and what is left of
    /// the request, whichever is least.
    pub(super) fn patience(&self, asked: Option<Duration>, most: Duration) -> Duration {
        let left = self.until.saturating_duration_since(Instant::now());
        asked.map_or(most, |asked| asked.min(most)).min(left)
    }
}

/// Adds to a count; false where that goes past the limit.
fn spend(count: &AtomicU64, bytes: u64, limit: u64) -> bool {
    count.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= limit
}
