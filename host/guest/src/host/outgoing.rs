//! Outbound HTTP of guests: `wasi:http/outgoing-handler@0.2` and `wasi:http/client@0.3`.
//!
//! A request leaves only for a host on the tenant's list and only to an address that was checked after
//! the name was resolved; it goes to that very address. Whose request it is, the store says: the guest
//! names a host and nothing else. Redirects are never followed. Everything is bounded: requests and bytes
//! of one request in the [`Allowance`], names being looked up and open connections in the [`Exits`].

mod allowance;
mod connect;
mod destination;
mod exchange;
mod exits;
mod gate;

use allowance::Allowance;
pub(crate) use exits::Exits;
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// How many writes a wasi:http 0.2 guest may be ahead of who reads its body, a visitor or a server that it asks; one more is
/// being read. With fewer it waits for its reader after every few bytes.
const QUEUED: usize = 64;

/// Bytes of such a write, and what `blocking-write-and-flush` allows at once anyway. All of them are copies that a slow reader has
/// the host hold.
const CHUNK: usize = 4 << 10;

/// Sends a store's requests, for the tenant that the store works for.
pub(crate) struct Outgoing {
    exits: Arc<Exits>,
    /// None where the store belongs to no tenant or its request is over: everything is refused.
    allowance: Option<Arc<Allowance>>,
}

type Io = Box<dyn Future<Output = Result<()>> + Send>;

impl Outgoing {
    /// Refuses everything until a request begins.
    pub(crate) fn new(exits: Arc<Exits>) -> Self {
        Self { exits, allowance: None }
    }

    /// Begins a request of this tenant, with nothing used yet.
    pub(crate) fn begin(&mut self, tenant: &Arc<Tenant>) {
        self.allowance = Some(Arc::new(Allowance::of(Arc::clone(tenant))));
    }

    /// Ends the request: what comes after is refused.
    pub(crate) fn end(&mut self) {
        self.allowance = None;
    }

    /// Requests that the guest wanted to send, refused ones included.
    pub(crate) fn requests(&self) -> u32 {
        self.allowance.as_ref().map_or(0, |allowance| allowance.requests())
    }
}

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _body_sent: Io,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io)>> + Send> {
        let Some(allowance) = self.allowance.clone() else {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        };
        // Counted when it is asked for: a guest must not start thousands before the first is sent.
        let admitted = allowance.admit(&request);
        let exits = Arc::clone(&self.exits);
        Box::new(async move {
            exchange::send(&exits, allowance, admitted?, request, options.unwrap_or_default()).await
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        QUEUED
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        // The engine queues one of them.
        64 << 10
    }
}

#[cfg(test)]
mod tests;
