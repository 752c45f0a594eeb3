//! The host's own connections to the server: for operators' work, and for ending what tenants' connections
//! left running.
//!
//! They are few and bounded: one for ending, [`OPERATORS`] for operators' work, and [`OWNERS`] owner connections. No
//! guest's text ever runs on a host connection.

use super::errors;
use crate::SqlError;
use rowhouse_base::Secret;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections of operators' work at once. Work that makes databases, which keeps the server's disk busy, takes both.
const OPERATORS: usize = 2;

/// Migrations, exports and imports at once.
const OWNERS: usize = 2;

/// Connections that are not tenants' statements.
pub(super) const HOST_CONNECTIONS: usize = 1 + OPERATORS + OWNERS;

/// How long opening a connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the server is, and whom the host is there.
pub(super) struct Control {
    options: PgConnectOptions,
    turns: Arc<Semaphore>,
    owners: Arc<Semaphore>,
    ender: Mutex<Option<PgConnection>>,
}

/// The right to use host connections, for as long as it is held.
pub(super) struct Turn(#[expect(dead_code, reason = "held for the bound")] OwnedSemaphorePermit);

impl Control {
    /// Reads the URL. Connects to nothing.
    pub(super) fn new(url: &Secret) -> Result<Arc<Self>, SqlError> {
        let options = PgConnectOptions::from_str(url.reveal())
            .map_err(|_secret| SqlError::other("the data server's URL can't be read"))?
            .disable_statement_logging();
        Ok(Arc::new(Self {
            options,
            turns: Arc::new(Semaphore::new(OPERATORS)),
            owners: Arc::new(Semaphore::new(OWNERS)),
            ender: Mutex::new(None),
        }))
    }

    /// Host, port, TLS and the host's own user, for connections to begin with.
    pub(super) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// The database that the URL names.
    pub(super) fn database(&self) -> String {
        self.options.get_database().unwrap_or_else(|| self.options.get_username()).to_owned()
    }

    /// A turn of operators' work: good for this many connections at a time, [`OPERATORS`] at most.
    pub(super) async fn turn(&self, connections: u32) -> Result<Turn, SqlError> {
        permit(&self.turns, connections).await
    }

    /// The right to one owner connection.
    pub(super) async fn owner_turn(&self) -> Result<Turn, SqlError> {
        permit(&self.owners, 1).await
    }

    /// Opens a connection as the host. None stands for the URL's own database.
    pub(super) async fn connect(
        &self,
        _turn: &Turn,
        database: Option<&str>,
    ) -> Result<PgConnection, SqlError> {
        self.open(database).await
    }

    async fn open(&self, database: Option<&str>) -> Result<PgConnection, SqlError> {
        let options = self.options().application_name("rowhouse").options([("lock_timeout", "60000")]);
        let options = match database {
            Some(database) => options.database(database),
            None => options,
        };
        match timeout(PATIENCE, PgConnection::connect_with(&options)).await {
            Ok(opened) => opened.map_err(errors::own),
            Err(_elapsed) => Err(SqlError::Other {
                sqlstate: Some("08001".into()),
                message: "the data server did not accept a connection in time".into(),
            }),
        }
    }

    /// Ends a tenant's connection on the server, together with what runs on it. Returns at once. The role
    /// is compared as well: where the process has ended and its number was given out again, at worst
    /// another connection of the same tenant ends.
    pub(super) fn end(self: &Arc<Self>, role: String, process: i32) {
        if tokio::runtime::Handle::try_current().is_err() {
            // The server is going down and takes its connections with it.
            return;
        }
        let control = Arc::clone(self);
        let _ends_by_itself = rowhouse_base::tasks::spawn("end-statement", async move {
            if let Err(error) = control.try_end(&role, process).await {
                tracing::warn!(%error, "a statement could not be ended: its own time limit will");
            }
        });
    }

    /// Becomes ready once a tenant's connection has ended on the server, so that nothing more comes of what was
    /// sent on it. Asks until the server answers: meanwhile nothing is trusted, and that costs little.
    pub(super) async fn until_ended(&self, role: &str, process: i32) {
        let mut pause = Duration::from_millis(20);
        loop {
            match self.is_running(role, process).await {
                Ok(false) => return,
                Ok(true) => {}
                Err(error) => tracing::debug!(%error, "ask whether a connection has ended"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PATIENCE);
        }
    }

    async fn is_running(&self, role: &str, process: i32) -> Result<bool, SqlError> {
        let mut ender = self.ender.lock().await;
        let mut db = match ender.take() {
            Some(db) => db,
            None => self.open(None).await?,
        };
        // Ended as well: one that broke on this side alone would go on for long.
        let text =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = $1 AND usename = $2";
        let asked = sqlx::query_scalar(text).bind(process).bind(role);
        let running: i64 = match timeout(PATIENCE, asked.fetch_one(&mut db)).await {
            Ok(answer) => answer.map_err(errors::own)?,
            Err(_elapsed) => return Err(SqlError::other("the server does not answer")),
        };
        *ender = Some(db);
        Ok(running > 0)
    }

    async fn try_end(&self, role: &str, process: i32) -> Result<(), SqlError> {
        let mut ender = self.ender.lock().await;
        // The kept connection may have been closed from outside: then a new one does it.
        for kept in [true, false] {
            let mut db = match ender.take() {
                Some(db) if kept => db,
                _ => self.open(None).await?,
            };
            let ended = sqlx::query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND usename = $2",
            )
            .bind(process)
            .bind(role);
            match timeout(PATIENCE, ended.execute(&mut db)).await {
                Ok(Ok(_ended)) => {
                    *ender = Some(db);
                    return Ok(());
                }
                Ok(Err(error)) if !kept => return Err(errors::own(error)),
                Err(_elapsed) if !kept => return Err(SqlError::other("the server does not answer")),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Ok(())
    }
}

async fn permit(semaphore: &Arc<Semaphore>, many: u32) -> Result<Turn, SqlError> {
    Arc::clone(semaphore).acquire_many_owned(many).await.map(Turn).map_err(|_closed| SqlError::Closed)
}
