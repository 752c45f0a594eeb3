//! The connection that a guest instance goes on with from one statement to the next.
//!
//! Given back after every statement, a connection goes to whoever waits for one. Where more instances are at work than
//! their tenant has connections, each would stand in line for every statement, and be woken for it with cold caches.
//! So an instance goes on with its connection for a turn, and only as long as it runs: whoever polls it has it let go
//! ([`Hold::let_go`]) whenever it waits for anything but a statement.
//!
//! Invariant: a connection that is held runs nothing and counts as leased, so that bounds hold with it as without.

use super::{Connector, Lease};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// An instance begins no statement on a connection that it has had for this long. It is enough for some dozens of short
/// ones; and where 32 requests share four connections, the last of them waits for seven turns.
const TURN: Duration = Duration::from_millis(5);

/// Where an instance's connection is between two statements. Dropped, it gives the connection back.
pub(crate) struct Held<C: Connector> {
    turn: Duration,
    lease: Mutex<Option<Lease<C>>>,
}

impl<C: Connector> Held<C> {
    pub(crate) fn new() -> Arc<Self> {
        Self::with_turn(TURN)
    }

    pub(super) fn with_turn(turn: Duration) -> Arc<Self> {
        Arc::new(Self { turn, lease: Mutex::new(None) })
    }

    /// The connection of the instance's last statement, unless it was let go, its turn is over or its tenant is being
    /// removed.
    pub(crate) fn take(&self) -> Option<Lease<C>> {
        let lease = self.lease.lock().take()?;
        if lease.age() < self.turn && lease.is_welcome() {
            return Some(lease);
        }
        lease.keep();
        None
    }

    /// Keeps a connection for the next statement, or gives it back where its turn is over.
    pub(super) fn put(&self, lease: Lease<C>) {
        if lease.age() >= self.turn {
            return lease.keep();
        }
        let before = self.lease.lock().replace(lease);
        if let Some(before) = before {
            before.keep();
        }
    }
}

impl<C: Connector> Drop for Held<C> {
    fn drop(&mut self) {
        self.let_go();
    }
}

trait LetGo: Send + Sync {
    fn let_go(&self);
}

impl<C: Connector> LetGo for Held<C> {
    fn let_go(&self) {
        let lease = self.lease.lock().take();
        if let Some(lease) = lease {
            lease.keep();
        }
    }
}

/// A guest instance's hold on a connection between its statements; none on engines in this process.
#[derive(Clone, Default)]
pub struct Hold(Option<Arc<dyn LetGo>>);

impl Hold {
    pub(crate) fn on<C: Connector>(held: Arc<Held<C>>) -> Self {
        Self(Some(held))
    }

    /// Gives back what is held. To be called whenever the instance has run and may not go on at once; cheap where
    /// nothing is held.
    pub fn let_go(&self) {
        if let Some(held) = &self.0 {
            held.let_go();
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}
