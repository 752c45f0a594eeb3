//! Databases made ahead, so that a sign-up doesn't wait for one: making takes up to half a second, renaming
//! some milliseconds.
//!
//! A spare has nobody's name and lets nobody in. Taking one is a single statement of the server's, so of two
//! hosts that want the same spare one gets it and the other looks for the next.

use super::engine::Engine;
use super::errors;
use super::harden::run;
use super::names::SPARE;
use super::provision::create_database;
use crate::SqlError;
use rowhouse_base::id::TenantId;
use sqlx::PgConnection;

/// Attempts at taking one, where other hosts take them too.
const ATTEMPTS: usize = 3;

/// Databases ready to be taken, the oldest first.
const READY: &str = "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1)
    AND NOT has_database_privilege('public', oid, 'CONNECT') ORDER BY oid";

/// All of them, those half made included.
const ALL: &str = "SELECT datname::text FROM pg_database WHERE starts_with(datname, $1) ORDER BY oid";

impl Engine {
    /// Brings the number of databases made ahead to `count`: completes what was left half made, makes what is
    /// missing, drops what is too many. Returns how many there are. Where tenants share a database there is
    /// nothing to make.
    pub(crate) async fn keep_spares(&self, count: usize) -> Result<usize, SqlError> {
        if self.names().shared() {
            return Ok(0);
        }
        let turn = self.turn().await?;
        let mut main = self.control().connect(&turn, None).await?;
        // Of several hosts one does it.
        run(&mut main, "SELECT pg_advisory_lock(1919903861, 2)".to_owned()).await?;
        let mut spares = list(&mut main, ALL).await?;
        for surplus in spares.split_off(count.min(spares.len())) {
            run(&mut main, format!("DROP DATABASE IF EXISTS {surplus} WITH (FORCE)")).await?;
        }
        while spares.len() < count {
            // A name that was never used: the id has the time and chance in it.
            let name = format!("{SPARE}{}", TenantId::new().to_string().replace('-', ""));
            create_database(&mut main, &name).await?;
            spares.push(name);
        }
        let ready = list(&mut main, READY).await?;
        for spare in spares.iter().filter(|spare| !ready.contains(spare)) {
            run(&mut main, format!("REVOKE ALL ON DATABASE {spare} FROM PUBLIC")).await?;
        }
        Ok(spares.len())
    }

    /// Gives a spare this name. False where there is none.
    pub(super) async fn take_spare(&self, main: &mut PgConnection, name: &str) -> Result<bool, SqlError> {
        for spare in list(main, READY).await?.iter().take(ATTEMPTS) {
            match run(main, format!("ALTER DATABASE {spare} RENAME TO {name}")).await {
                Ok(()) => return Ok(true),
                // Another host was faster, or is looking into it just now.
                Err(error) => tracing::debug!(%error, spare, "a spare database could not be taken"),
            }
        }
        Ok(false)
    }
}

async fn list(main: &mut PgConnection, question: &'static str) -> Result<Vec<String>, SqlError> {
    sqlx::query_scalar(question).bind(SPARE).fetch_all(main).await.map_err(errors::own)
}
