//! Making releases ready before anything is moved to them: each server compiles what was pushed last and what runs are
//! about, behind everything else, and says so with its beat. An activation waits for the others before it moves the
//! first tenant, so that no server has to compile while visitors wait for what it is to serve. What tenants run already
//! and a server has not compiled, it compiles aside, while changes of all others take effect.

use super::servers::{BEAT_PAUSE, LIVE, LOOK};
use crate::Control;
use crate::control::{told, wait};
use crate::error::ControlError;
use crate::store::{ServerRow, ServerState};
use rowhouse_base::{Chain, Digest};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

type Result<T> = std::result::Result<T, ControlError>;

/// Releases that were pushed last, of which the newest of each name is made ready.
const NEWEST: u32 = 32;

/// An activation waits for servers that are slow to compile for this long. It harms nobody to go on then: a server
/// shows a tenant's old release until it has the new one.
const PATIENCE: Duration = Duration::from_secs(60);

impl Control {
    /// Makes ready what may be activated next, whenever the control state moved, until the server ends.
    pub(crate) async fn make_ready_on(self: Arc<Self>, mut ended: watch::Receiver<bool>) {
        self.arrived().await;
        loop {
            if !self.link.is_away()
                && let Err(error) = self.make_releases_ready().await
            {
                tracing::debug!(error = %Chain(&error), "look for releases to make ready");
            }
            if wait(&mut ended, BEAT_PAUSE).await {
                return;
            }
            tokio::select! {
                () = told(&mut ended) => return,
                () = self.link.news() => {}
            }
        }
    }

    /// Makes ready what tenants wait for, whenever there is something, until the server ends.
    pub(crate) async fn make_modules_ready_on(self: Arc<Self>, mut ended: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = told(&mut ended) => return,
                () = self.link.modules_wanted() => {}
            }
            self.reconciler.make_modules_ready().await;
        }
    }

    /// Makes ready what may be activated next, and has the next beat say so. What can't be made ready is left for who
    /// activates it to hear of.
    pub(crate) async fn make_releases_ready(&self) -> Result<()> {
        let newest = self.store.newest_releases(NEWEST).await?;
        let awaited = self.store.awaited_releases().await?;
        let mut names = HashSet::new();
        let first = newest.iter().filter(|(name, _)| names.insert(name.name().to_owned()));
        for digest in first.map(|(_, digest)| *digest).chain(awaited.iter().copied()) {
            if let Err(error) = self.reconciler.prepare(digest).await {
                tracing::warn!(%digest, error = %Chain(&error), "make a release ready before it is activated");
            }
        }
        let mut ready: Vec<Digest> = newest.iter().map(|(_, digest)| *digest).chain(awaited).collect();
        ready.retain(|digest| self.reconciler.is_ready(digest));
        ready.sort_unstable();
        ready.dedup();
        if self.standing.set_ready(ready) {
            self.link.applied();
        }
        Ok(())
    }

    /// Waits until every other server that serves has a module ready, up to a bound.
    pub(super) async fn wait_until_ready(&self, digest: Digest) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let rows = self.store.servers().await?;
            let behind: Vec<&str> = rows
                .iter()
                .filter(|row| row.id != self.link.server && is_awaited(row) && !row.ready.contains(&digest))
                .map(|row| row.name.as_str())
                .collect();
            if behind.is_empty() || self.is_stopping() {
                return Ok(());
            }
            if Instant::now() >= end {
                tracing::warn!(%digest, servers = behind.join(", "), "go on without servers that are slow to compile");
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The names of living servers that have a module ready, this one included.
    pub(super) fn names_of_ready(&self, servers: &[ServerRow], digest: &Digest) -> Vec<String> {
        let has = |row: &&ServerRow| row.silent_for <= LIVE && row.ready.contains(digest);
        servers.iter().filter(has).map(|row| row.name.clone()).collect()
    }
}

/// Whoever is starting, leaving or gone serves nobody from the new release.
fn is_awaited(row: &ServerRow) -> bool {
    row.silent_for <= LIVE && row.state == ServerState::Serving && !row.drain
}
