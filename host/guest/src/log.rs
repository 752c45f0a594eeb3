//! A guest's standard output and error as log lines with the tenant's name and the request's number, within a quota
//! per request.

use bytes::Bytes;
use parking_lot::Mutex;
use rowhouse_base::TenantName;
use rowhouse_base::id::RequestId;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A line longer than this is cut in pieces.
const LINE: usize = 4 << 10;

/// One guest's log.
#[derive(Clone)]
pub(crate) struct GuestLog(Arc<Mutex<Inner>>);

struct Inner {
    tenant: TenantName,
    /// None for work that no visitor asked for.
    request: Option<RequestId>,
    left: usize,
    line: Vec<u8>,
}

impl GuestLog {
    pub(crate) fn new(tenant: TenantName, request: Option<RequestId>, quota: u32) -> Self {
        let left = usize::try_from(quota).unwrap_or(usize::MAX);
        Self(Arc::new(Mutex::new(Inner { tenant, request, left, line: Vec::new() })))
    }

    /// A new request's quota. What the last one left of a line is written first.
    pub(crate) fn refill(&self, request: Option<RequestId>, quota: u32) {
        let mut inner = self.0.lock();
        inner.flush();
        inner.request = request;
        inner.left = usize::try_from(quota).unwrap_or(usize::MAX);
    }

    fn accept(&self, bytes: &[u8]) {
        let mut inner = self.0.lock();
        if inner.left == 0 {
            return;
        }
        let taken = bytes.len().min(inner.left);
        inner.left = inner.left.saturating_sub(taken);
        for byte in bytes.iter().take(taken) {
            if *byte == b'\n' || inner.line.len() >= LINE {
                inner.flush();
            }
            if *byte != b'\n' {
                inner.line.push(*byte);
            }
        }
        if inner.left == 0 {
            inner.flush();
            let request = inner.request.map(tracing::field::display);
            tracing::warn!(request, tenant = %inner.tenant, "the guest's log quota for this request is used up");
        }
    }
}

impl Inner {
    fn flush(&mut self) {
        if !self.line.is_empty() {
            let text = String::from_utf8_lossy(&self.line);
            // Debug form: a guest must not be able to forge lines with control characters.
            let request = self.request.map(tracing::field::display);
            tracing::info!(target: "guest", request, tenant = %self.tenant, line = ?text);
            self.line.clear();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.flush();
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for GuestLog {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.accept(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestLog {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.accept(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE)
    }
}
