//! Why a guest gave no answer. The front room turns these into statuses; texts here are for operators.

use rowhouse_base::Digest;
use std::time::Duration;

/// A limit that ended a request, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitHit {
    /// Guest CPU time.
    #[error("cpu-ms {0}")]
    Cpu(u32),
    /// Wall time.
    #[error("wall-ms {0}")]
    Wall(u32),
    /// Sum of memories.
    #[error("memory-bytes {0}")]
    Memory(u64),
    /// Sum of table elements.
    #[error("table-elements {0}")]
    Table(u64),
    /// The guest's stack.
    #[error("stack")]
    Stack,
    /// Open resources.
    #[error("resources {0}")]
    Resources(u32),
    /// Body of the request.
    #[error("request-bytes {0}")]
    RequestBytes(u64),
    /// Body of the response.
    #[error("response-bytes {0}")]
    ResponseBytes(u64),
    /// Header fields of the response.
    #[error("header-bytes {0}")]
    HeaderBytes(u32),
}

impl LimitHit {
    /// The limit's name as in the documentation, for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu-ms",
            Self::Wall(_) => "wall-ms",
            Self::Memory(_) => "memory-bytes",
            Self::Table(_) => "table-elements",
            Self::Stack => "stack",
            Self::Resources(_) => "resources",
            Self::RequestBytes(_) => "request-bytes",
            Self::ResponseBytes(_) => "response-bytes",
            Self::HeaderBytes(_) => "header-bytes",
        }
    }
}

/// Why a guest gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The tenant has no release yet.
    #[error("the tenant has no release")]
    NoRelease,
    /// The release is not compiled on this server.
    #[error("release {0} is not ready on this server")]
    NotReady(Digest),
    /// Too many requests are waiting.
    #[error("too many requests are waiting; try again in {} s", retry_after.as_secs())]
    Overloaded {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// A limit ended the request.
    #[error("limit reached: {0}")]
    Limit(LimitHit),
    /// The guest trapped.
    #[error("the guest trapped: {0}")]
    Trap(String),
    /// The guest's answer can't be passed on.
    #[error("the guest's answer is not valid: {0}")]
    BadResponse(String),
    /// The visitor's body could not be read.
    #[error("read the request body: {0}")]
    RequestBody(String),
    /// The `upgrade` function of the release refused.
    #[error("the release's upgrade step failed: {0}")]
    Upgrade(String),
    /// The server itself failed. Always a bug or a broken machine.
    #[error("the host failed: {0}")]
    Host(String),
}
