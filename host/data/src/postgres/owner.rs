//! A connection as the tenant's owner role, for migrations, exports and imports. Outside the pool, and
//! bounded apart from it, because such work takes long and must not wait for guests.
//!
//! Dropped, it is closed, and what runs on it is ended on the server.

use super::connect::{Conn, Opener};
use super::control::Turn;
use super::engine::Engine;
use crate::SqlError;
use crate::pool::Connector;
use rowhouse_base::id::TenantId;
use std::sync::Arc;
use std::time::Duration;

/// A connection as the owner.
pub(super) struct Owner {
    engine: Arc<Engine>,
    conn: Option<Conn>,
    #[expect(dead_code, reason = "held for the bound")]
    turn: Turn,
}

impl Owner {
    /// Opens one. `time` is the server's limit on one statement, and on a pause within a transaction.
    pub(super) async fn open(engine: &Arc<Engine>, id: TenantId, time: Duration) -> Result<Self, SqlError> {
        let opener: &Opener = engine.pool().connector();
        let turn = opener.control.owner_turn().await?;
        let conn = opener.owner(id, time).await?;
        Ok(Self { engine: Arc::clone(engine), conn: Some(conn), turn })
    }

    pub(super) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    pub(super) fn conn(&mut self) -> Result<&mut Conn, SqlError> {
        self.conn.as_mut().ok_or(SqlError::Closed)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.engine.pool().connector().close(conn);
        }
    }
}
