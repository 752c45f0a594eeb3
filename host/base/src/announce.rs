//! How a server tells the others what it changed, and knows whether it hears them.
//!
//! The words only: the room `announce` speaks them over Redis, [`Alone`] is a server without others, [`Deaf`] one
//! that can't hear them.
//! Announcements are hints. What they say is in the databases, and a server that hears nothing looks there.

use crate::id::TenantId;
use std::future::Future;
use std::pin::Pin;

/// A future that a room waits for without knowing its type.
pub type Sent<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Tells other servers, and knows whether it hears them.
pub trait Announce: Send + Sync + 'static {
    /// Tells that data of a tenant was changed. Waits until the others have been told, for a few tens of
    /// milliseconds at most; never fails, because who was not told finds out by itself.
    fn data_moved(&self, tenant: TenantId) -> Sent<'_>;

    /// Tells that the control state has this generation now. Does not wait.
    fn generation(&self, generation: u64);

    /// True while everything that others tell is heard at once: what is known of a tenant's versions may be
    /// trusted without asking its database.
    fn is_hearing(&self) -> bool;

    /// True where there are no other servers, so that what is known stays true until this server changes it.
    fn is_alone(&self) -> bool;
}

/// A server that may have others but no way to hear them: whatever is known must be looked up again.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deaf;

impl Announce for Deaf {
    fn data_moved(&self, _tenant: TenantId) -> Sent<'_> {
        Box::pin(std::future::ready(()))
    }

    fn generation(&self, _generation: u64) {}

    fn is_hearing(&self) -> bool {
        false
    }

    fn is_alone(&self) -> bool {
        false
    }
}

/// A server without others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Announce for Alone {
    fn data_moved(&self, _tenant: TenantId) -> Sent<'_> {
        Box::pin(std::future::ready(()))
    }

    fn generation(&self, _generation: u64) {}

    fn is_hearing(&self) -> bool {
        true
    }

    fn is_alone(&self) -> bool {
        true
    }
}
