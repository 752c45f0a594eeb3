//! One request, from a tenant and an HTTP request to an answer.
//!
//! The three lanes differ in how they call the guest; admission, limits, panics and metering are the
//! same for all and live in [`crate::guests`].

pub(crate) mod body;
pub(crate) mod fast;
pub(crate) mod fields;
pub(crate) mod http02;
pub(crate) mod http03;
pub(crate) mod streamed;
pub(crate) mod whole;

use crate::store::GuestState;
use crate::{GuestError, RequestBody, ResponseBody, Trace, Visitor};
use rowhouse_base::id::RequestId;
use rowhouse_data::SqlError;
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::Store;

/// A request for a tenant's guest. The path of `request` is within the site: the base path is taken off.
pub struct Call {
    /// By which the log tells of it.
    pub id: RequestId,
    /// Whose site.
    pub tenant: Arc<Tenant>,
    /// Who looks, and from where.
    pub visitor: Visitor,
    /// What the answer is made from is noted here.
    pub trace: Option<Arc<Trace>>,
    /// The request, without anything the guest must not see: session cookies, and the fields of its connection
    /// ([`strip_fields`](crate::strip_fields)).
    pub request: http::Request<RequestBody>,
}

/// An answer.
pub struct Reply {
    /// What the guest answered. The body may still be streaming.
    pub response: http::Response<ResponseBody>,
    /// What it took; none while the body is still streaming.
    pub usage: Option<Usage>,
    /// The last statement that failed by then: the likely cause where the guest answers that it failed itself.
    pub cause: Option<SqlError>,
}

/// What a guest used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Guest CPU time.
    pub cpu: Duration,
    /// The most memory at once, in bytes.
    pub peak_memory: u64,
    /// SQL statements.
    pub statements: u32,
    /// Time in SQL, waiting included.
    pub sql: Duration,
    /// Outbound HTTP requests, refused ones included.
    pub outbound: u32,
}

impl Usage {
    pub(crate) fn of(store: &Store<GuestState>) -> Self {
        let state = store.data();
        let db = state.db();
        Self {
            cpu: state.meter.used(),
            peak_memory: state.limiter.peak(),
            statements: db.map_or(0, rowhouse_data::TenantDb::statements),
            sql: db.map_or(Duration::ZERO, rowhouse_data::TenantDb::sql_time),
            outbound: state.outbound_requests(),
        }
    }
}

/// How a guest's future ends.
pub(crate) type Ended<T> = Result<T, GuestError>;
