//! Outbound HTTP of guests. No tenant has an allow-list yet, so every request is refused.

use wasmtime_wasi_http::{Error, RequestOptions, Result, WasiBody, WasiHttpHooks};

/// Refuses.
pub(crate) struct Outgoing;

type Io = Box<dyn Future<Output = Result<()>> + Send>;

impl WasiHttpHooks for Outgoing {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _body_sent: Io,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io)>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        // The guest's writes are copied into the host; the default of 1 MiB lets a slow visitor hold that much.
        64 << 10
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        64 << 10
    }
}
