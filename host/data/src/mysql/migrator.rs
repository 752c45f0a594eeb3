//! The order of a migration run: read the ledger, take the tenant's lock, read it again, apply what is
//! pending one by one.
//!
//! The lock is the server's own and belongs to the connection: of two servers that migrate a tenant at once
//! one waits and then finds nothing to do, and one that dies lets go.

use super::connect::{Conn, Gate};
use super::errors;
use super::ledger::{self, Ledger, Line};
use super::migrate::{self, Failed};
use super::session::Session;
use crate::migrate::{Applied, MigrateError, Migration, pending};
use crate::pool::Connector;
use crate::{Dialect, LimitKind, SqlError};
use sqlx::{AssertSqlSafe, Executor, Row};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// A connection as the tenant's user for migrations. Dropped, it is closed and what runs on it ends.
struct Held {
    conn: Option<Conn>,
    gate: Gate,
}

impl Held {
    fn conn(&mut self) -> Result<&mut Conn, SqlError> {
        self.conn.as_mut().ok_or(SqlError::Closed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.gate.close(conn);
        }
    }
}

impl Session {
    /// Brings the database to the newest of these migrations, or leaves it where it is ahead of them.
    /// Returns the version it has afterwards. `time` is for each migration, and for the wait before them.
    pub(crate) async fn migrate(
        &self,
        migrations: Arc<[Migration]>,
        time: Duration,
    ) -> Result<u32, MigrateError> {
        let _turn = self.engine.migrations.acquire().await.map_err(|_closed| lost())?;
        let mut held = self.migrator().await.map_err(MigrateError::Ledger)?;
        let conn = held.conn().map_err(MigrateError::Ledger)?;
        let lines = self.lines(conn).await?;
        let mut version = newest(&lines);
        if pending(&migrations, &ledger::applied(&lines), Dialect::Mysql)? == migrations.len() {
            return Ok(version);
        }
        self.lock(conn, time).await.map_err(MigrateError::Ledger)?;
        let lines = self.lines(conn).await?;
        version = version.max(newest(&lines));
        let first = pending(&migrations, &ledger::applied(&lines), Dialect::Mysql)?;
        if first == migrations.len() {
            return Ok(version);
        }
        let writing = self.engine.writing(self.tenant.id, conn);
        self.open_schema().await.map_err(MigrateError::Ledger)?;
        let result = self.apply_all(conn, &migrations, first, &lines, time).await;
        self.close_schema().await.map_err(MigrateError::Ledger)?;
        writing.settled().await;
        Ok(result?.max(version))
    }

    /// Applies migrations from this one on; gives the version of the last.
    async fn apply_all(
        &self,
        conn: &mut Conn,
        migrations: &[Migration],
        first: usize,
        lines: &[Line],
        time: Duration,
    ) -> Result<u32, MigrateError> {
        let mut version = 0;
        for migration in migrations.iter().skip(first) {
            let line = lines.iter().find(|line| line.version == migration.version);
            let end = Instant::now() + time;
            migrate::apply(self, conn, migration, line, end).await.map_err(|failed| match failed {
                Failed::Changed => migration.changed(),
                Failed::Step(statement, cause) => migration.failed(statement, cause),
            })?;
            version = migration.version;
        }
        Ok(version)
    }

    /// What the ledger says was applied.
    pub(crate) async fn applied(&self) -> Result<Vec<Applied>, SqlError> {
        let mut held = self.migrator().await?;
        let ledger = Ledger::new(&self.names);
        let lines = timeout(self.time(), ledger.lines(held.conn()?)).await;
        let lines = lines.unwrap_or(Err(SqlError::Limit(LimitKind::Time)))?;
        Ok(ledger::applied(&lines))
    }

    async fn migrator(&self) -> Result<Held, SqlError> {
        let server = Arc::clone(&self.engine.server);
        let conn = timeout(self.time(), server.connect_migrator(self.tenant.id));
        let conn = conn.await.unwrap_or(Err(SqlError::Limit(LimitKind::Time)))?;
        Ok(Held { conn: Some(conn), gate: Gate(server) })
    }

    async fn lines(&self, conn: &mut Conn) -> Result<Vec<Line>, MigrateError> {
        let lines = timeout(self.time(), Ledger::new(&self.names).lines(conn)).await;
        lines.unwrap_or(Err(SqlError::Limit(LimitKind::Time))).map_err(MigrateError::Ledger)
    }

    /// Waits for the tenant's lock. It goes with the connection.
    async fn lock(&self, conn: &mut Conn, time: Duration) -> Result<(), SqlError> {
        let until = Instant::now() + time;
        let text =
            format!("SELECT GET_LOCK('rowhouse migrate {}', {})", self.names.guest, time.as_secs().max(1));
        conn.busy = true;
        let row =
            timeout_at(until + self.time(), conn.db.fetch_one(sqlx::raw_sql(AssertSqlSafe(text)))).await;
        let row = row.map_err(|_late| busy())?.map_err(|error| errors::host(&error))?;
        conn.busy = false;
        match row.try_get::<Option<i64>, _>(0) {
            Ok(Some(1)) => Ok(()),
            _ => Err(busy()),
        }
    }
}

fn busy() -> SqlError {
    SqlError::Conflict("another server migrates this database".to_owned())
}

fn lost() -> MigrateError {
    MigrateError::Ledger(SqlError::Closed)
}

fn newest(lines: &[Line]) -> u32 {
    lines.iter().filter(|line| line.done).map(|line| line.version).max().unwrap_or(0)
}
