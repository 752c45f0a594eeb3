//! The door of the folder: one data server of this kind.

use super::connect::{Conn, Opener};
use super::control::{Control, HOST_CONNECTIONS, Turn};
use super::errors::Failure;
use super::export::PostgresExport;
use super::import::PostgresImport;
use super::names::Names;
use super::quota::Sizes;
use super::session::Session;
use crate::guard::Guard;
use crate::key::DataKey;
use crate::known::Known;
use crate::links::KnownLinks;
use crate::pool::{Pool, PoolUse};
use crate::{DataServer, Dialect, SqlError};
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// One data server.
pub(crate) struct Engine {
    pool: Arc<Pool<Opener>>,
    guard: Guard,
    sizes: Sizes,
    pub(super) links: KnownLinks,
    pub(super) known: Arc<Known>,
    /// Set once this process has seen the server hardened.
    pub(super) hardened: OnceCell<()>,
}

impl Engine {
    /// Reads the server's URL. Does not connect: a server that is away at start must not keep the host from
    /// starting.
    pub(crate) fn new(server: &DataServer, key: &DataKey, known: &Arc<Known>) -> Result<Arc<Self>, SqlError> {
        Self::with_guard(server, key, known, Guard::new(Dialect::Postgresql, server.isolation.into()))
    }

    /// The same with another guard, so that tests can try the engine's own rights alone.
    pub(super) fn with_guard(
        server: &DataServer,
        key: &DataKey,
        known: &Arc<Known>,
        guard: Guard,
    ) -> Result<Arc<Self>, SqlError> {
        let Some(url) = &server.url else {
            return Err(SqlError::other("a data server of this engine needs a URL"));
        };
        let control = Control::new(url)?;
        let names = Names::new(server.isolation, control.database());
        let opener = Opener::new(names, control, key.clone());
        let total = server.connections.saturating_sub(HOST_CONNECTIONS);
        Ok(Arc::new(Self {
            pool: Pool::new(opener, total),
            guard,
            sizes: Sizes::new(),
            links: KnownLinks::new(),
            known: Arc::clone(known),
            hardened: OnceCell::new(),
        }))
    }

    pub(super) fn pool(&self) -> &Arc<Pool<Opener>> {
        &self.pool
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) fn names(&self) -> &Names {
        &self.pool.connector().names
    }

    pub(super) fn control(&self) -> &Arc<Control> {
        &self.pool.connector().control
    }

    /// A turn of operators' work on one tenant: in a database of its own it takes a second connection.
    pub(super) async fn turn(&self) -> Result<Turn, SqlError> {
        self.control().turn(if self.names().shared() { 1 } else { 2 }).await
    }

    /// Refuses a write where the tenant's tables have reached their size.
    pub(super) async fn check_room(
        &self,
        conn: &mut Conn,
        tenant: &Tenant,
        text: &str,
    ) -> Result<(), Failure> {
        self.sizes.check(conn, tenant, text).await
    }

    /// Statements of one guest instance. Opens nothing.
    pub(crate) fn session(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Session {
        Session::new(Arc::clone(self), Arc::clone(tenant))
    }

    /// Opens all of a tenant's tables for reading, over one snapshot.
    pub(crate) async fn export(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Result<PostgresExport, SqlError> {
        PostgresExport::open(self, tenant).await
    }

    /// Opens all of a tenant's tables for filling, in one transaction.
    pub(crate) async fn import(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Result<PostgresImport, SqlError> {
        PostgresImport::open(self, tenant).await
    }

    /// How many connections were opened for tenants.
    pub(crate) fn opened(&self) -> u64 {
        self.pool.connector().opened()
    }

    /// What tenants' connections are doing.
    pub(crate) fn pool_use(&self) -> PoolUse {
        self.pool.usage()
    }

    /// Closes connections that have been idle for this long.
    pub(crate) fn close_idle(&self, longer_than: Duration) {
        self.pool.close_idle(longer_than);
    }
}
