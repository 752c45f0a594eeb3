//! The engine's door: one data server, its connections, and what the host does for tenants there.

use super::connect::{Gate, Server, database};
use super::names::{Names, Place};
use super::session::Session;
use super::sizes::Sizes;
use crate::guard::Guard;
use crate::key::DataKey;
use crate::known::Known;
use crate::links::KnownLinks;
use crate::pool::{Pool, PoolUse};
use crate::{DataServer, Dialect, Isolation, SqlError};
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Migrations at a time; each has a connection beside the tenants' ones.
const MIGRATIONS: usize = 2;

/// Connections that tenants' statements never use: two of the host's own and those of migrations.
const HOST: usize = 2 + MIGRATIONS;

/// One MySQL or MariaDB server.
pub(crate) struct Engine {
    pub(super) server: Arc<Server>,
    pub(super) guard: Guard,
    pub(super) pool: Arc<Pool<Gate>>,
    pub(super) sizes: Sizes,
    pub(super) links: KnownLinks,
    pub(super) known: Arc<Known>,
    pub(super) migrations: Semaphore,
}

impl Engine {
    /// Does not connect: a server that is away at start must not keep the host from starting.
    pub(crate) fn new(server: &DataServer, key: &DataKey, known: &Arc<Known>) -> Result<Arc<Self>, SqlError> {
        Self::with_guard(server, key, known, Guard::new(Dialect::Mysql, server.isolation.into()))
    }

    /// With a guard of the caller's, for tests of the server's own rights.
    pub(super) fn with_guard(
        server: &DataServer,
        key: &DataKey,
        known: &Arc<Known>,
        guard: Guard,
    ) -> Result<Arc<Self>, SqlError> {
        let place = match server.isolation {
            Isolation::Database => Place::Own,
            Isolation::Prefix => {
                let url = server.url.as_ref().map(|url| database(url.reveal())).transpose()?.flatten();
                Place::Shared(url.ok_or_else(|| {
                    SqlError::other("isolation \"prefix\" needs a database in the data server's URL")
                })?)
            }
        };
        let gate = Gate(Arc::new(Server::new(server, key, place)?));
        Ok(Arc::new(Self {
            server: Arc::clone(&gate.0),
            guard,
            pool: Pool::new(gate, server.connections.saturating_sub(HOST)),
            sizes: Sizes::default(),
            links: KnownLinks::new(),
            known: Arc::clone(known),
            migrations: Semaphore::new(MIGRATIONS),
        }))
    }

    pub(crate) fn session(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Session {
        Session::new(Arc::clone(self), Arc::clone(tenant))
    }

    /// Whether the server answers the host.
    pub(crate) async fn is_reachable(&self) -> bool {
        self.server.control.execute("SELECT 1").await.is_ok()
    }

    /// How many connections were opened for tenants.
    pub(crate) fn opened(&self) -> u64 {
        self.server.opened()
    }

    /// What the tenants' connections are doing.
    pub(crate) fn pool_use(&self) -> PoolUse {
        self.pool.usage()
    }

    /// Closes connections that have been idle for this long.
    pub(crate) fn close_idle(&self, longer_than: Duration) {
        self.pool.close_idle(longer_than);
    }

    pub(super) fn names(&self, tenant: &Tenant) -> Names {
        self.server.names(tenant.id)
    }
}
