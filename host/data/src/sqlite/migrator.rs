//! The order of a migration run: read the ledger, compare, apply what is pending one by one.

use super::errors::Failure;
use super::ledger;
use super::migrate::{self, Failed};
use super::session::Session;
use crate::migrate::{Applied, MigrateError, Migration, pending};
use crate::{Dialect, SqlError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Attempts at getting the writer's lock from another process. Each waits 20 ms in the engine and some
/// time outside.
const ATTEMPTS: u32 = 20;

/// Pause between attempts.
const PAUSE: Duration = Duration::from_millis(50);

impl Session {
    /// Brings the database to the newest of these migrations, or leaves it where it is ahead of them.
    /// Returns the version it has afterwards.
    pub(crate) async fn migrate(
        &self,
        migrations: Arc<[Migration]>,
        time: Duration,
    ) -> Result<u32, MigrateError> {
        let applied = self.applied().await.map_err(MigrateError::Ledger)?;
        let mut version = applied.last().map_or(0, |last| last.version);
        let first = pending(&migrations, &applied, Dialect::Sqlite)?;
        for index in first..migrations.len() {
            let Some(migration) = migrations.get(index) else { break };
            let done = self.apply(&migrations, index, time).await;
            done.map_err(|(statement, cause)| migration.failed(statement, cause))?;
            version = migration.version;
        }
        Ok(version)
    }

    /// The version that the ledger tells, 0 where nothing was applied.
    pub(crate) async fn applied(&self) -> Result<Vec<Applied>, SqlError> {
        let until = Instant::now() + self.time();
        let checkout = self.engine.slots.checkout(&self.slot, until).await?;
        self.attempts(checkout, until, |conn| ledger::applied(conn)).await
    }

    async fn apply(
        &self,
        migrations: &Arc<[Migration]>,
        index: usize,
        time: Duration,
    ) -> Result<(), (Option<usize>, SqlError)> {
        let outside = |error| (None, error);
        for attempt in 1.. {
            let until = Instant::now() + self.time();
            let checkout = self.writer(until).await.map_err(outside)?;
            let migrations = Arc::clone(migrations);
            let (checkout, result) = self
                .on_thread(checkout, until, time, move |conn| {
                    Ok(migrations
                        .get(index)
                        .map_or(Ok(()), |migration| migrate::apply(conn, migration, time)))
                })
                .await
                .map_err(outside)?;
            drop(checkout);
            match result {
                Ok(Ok(())) => break,
                Ok(Err(Failed { failure: Failure::Busy(_), .. })) if attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE).await;
                }
                Ok(Err(Failed { statement, failure })) => return Err((statement, failure.into_sql())),
                Err(failure) => return Err(outside(failure.into_sql())),
            }
        }
        Ok(())
    }
}
