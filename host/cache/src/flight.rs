//! Fills that run, so that one page is made once while many wait for it.
//!
//! No wake-up is lost: how a fill ended is a value that stays, not an event. Whoever leads holds a
//! [`Ticket`]; one that is dropped tells the others, and the first of them leads next.

use crate::key::Primary;
use crate::page::Page;
use crate::store::Index;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How a fill ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    /// With a page.
    Stored(Arc<Page>, Arc<Index>),
    /// With a page, but each has to ask for itself.
    Unshared,
    /// With an error, for which this page may be shown.
    Shown(Arc<Page>),
    /// With an answer that isn't stored.
    Refused,
    /// Without an answer.
    Abandoned,
}

/// What a fill is for: the hash of the address, and what distinguishes the variant as far as it is known.
type FlightKey = (u64, Box<str>);

#[derive(Debug)]
struct Flight {
    primary: Arc<Primary>,
    ended: watch::Receiver<Option<Ended>>,
    began: Instant,
}

/// A fill that takes longer is joined by nobody any more; who comes then makes the page again. Its answer may be
/// streamed to a visitor who reads slowly, or not at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// The fills that run. No more than the tenants' permits allow.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<FlightKey, Flight>>);

/// What joining came to.
pub(crate) enum Joined {
    Leads(Ticket),
    Follows(Follower),
    /// Another page has the same hash. It happens once in 2^64.
    Collides,
}

/// The lead of a fill.
#[derive(Debug)]
pub(crate) struct Ticket {
    flights: Arc<Flights>,
    key: FlightKey,
    ended: Option<watch::Sender<Option<Ended>>>,
}

/// A place among those who wait.
pub(crate) struct Follower(watch::Receiver<Option<Ended>>);

impl Flights {
    /// Leads where nobody does.
    pub(crate) fn join(self: &Arc<Self>, hash: u64, vary_key: &str, primary: &Arc<Primary>) -> Joined {
        let key = (hash, Box::from(vary_key));
        let mut flights = self.0.lock();
        if let Some(flight) = flights.get(&key).filter(|flight| flight.began.elapsed() < PATIENCE) {
            return if *flight.primary == **primary {
                Joined::Follows(Follower(flight.ended.clone()))
            } else {
                Joined::Collides
            };
        }
        let (sender, ended) = watch::channel(None);
        flights.insert(key.clone(), Flight { primary: Arc::clone(primary), ended, began: Instant::now() });
        Joined::Leads(Ticket { flights: Arc::clone(self), key, ended: Some(sender) })
    }
}

impl Ticket {
    /// Tells those who wait, who see the store as it is now.
    pub(crate) fn end(mut self, how: Ended) {
        self.tell(how);
    }

    /// True where somebody waits.
    pub(crate) fn has_waiters(&self) -> bool {
        // One receiver is kept for those to come.
        self.ended.as_ref().is_some_and(|sender| sender.receiver_count() > 1)
    }

    fn tell(&mut self, how: Ended) {
        if let Some(sender) = self.ended.take() {
            // First out of the map: who comes now looks at the store again and leads. Unless another leads there.
            let mut flights = self.flights.0.lock();
            if flights.get(&self.key).is_some_and(|flight| flight.ended.same_channel(&sender.subscribe())) {
                flights.remove(&self.key);
            }
            drop(flights);
            // Who is not here yet comes too late to wait for this one: mostly there is nobody to tell.
            if sender.receiver_count() > 0 {
                sender.send_replace(Some(how));
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.tell(Ended::Abandoned);
    }
}

impl Follower {
    /// How it ended. Cancel-safe.
    pub(crate) async fn ended(&mut self) -> Ended {
        match self.0.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().unwrap_or(Ended::Abandoned),
            Err(_dropped) => Ended::Abandoned,
        }
    }
}
