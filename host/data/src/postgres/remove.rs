//! Takes a tenant off the server, and tells what is there of it.
//!
//! Every step may be done again, in whatever state the last one left the tenant. First its roles can't log in
//! any more, then their connections end, those of other hosts included, then what they own goes.

use super::engine::Engine;
use super::errors;
use super::harden::{self, run};
use super::migrate::lock_key;
use super::names::{SCHEMA, TenantNames};
use super::provision::{ROLE, exists, rights};
use super::quota;
use crate::SqlError;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use sqlx::{AssertSqlSafe, PgConnection};
use std::time::Duration;

const DATABASE: &str = "SELECT 1 FROM pg_database WHERE datname = $1";

/// What a removal removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Databases, roles, tables, views and sequences.
    pub(crate) objects: u64,
    /// Bytes they took.
    pub(crate) bytes: u64,
}

impl Engine {
    /// Removes what the tenant has on the server. Requests in flight may end first, for as long as `wait`.
    ///
    /// # Errors
    /// [`SqlError::Conflict`] where this host's connections stayed in use; nothing was removed then.
    pub(crate) async fn remove(&self, id: TenantId, wait: Duration) -> Result<Removed, SqlError> {
        if !self.pool().close(id, wait).await {
            return Err(SqlError::Conflict("the tenant's connections are still in use".to_owned()));
        }
        let names = self.names().of(id);
        let turn = self.turn().await?;
        let mut main = self.control().connect(&turn, None).await?;
        let objects = self.count(&mut main, &names).await?;
        let bytes = self.bytes(&mut main, &names).await?;
        for role in [&names.guest, &names.owner] {
            if exists(&mut main, ROLE, role).await? {
                run(&mut main, format!("ALTER ROLE {role} NOLOGIN")).await?;
                let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1";
                sqlx::query(end).bind(role).execute(&mut main).await.map_err(errors::own)?;
            }
        }
        if self.names().shared() {
            drop_owned(&mut main, &names).await?;
            let (ledger, versions) = (names.ledger(), names.versions());
            run(&mut main, format!("DROP TABLE IF EXISTS {ledger}, {versions} CASCADE")).await?;
        } else {
            run(&mut main, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", names.database)).await?;
        }
        run(&mut main, format!("DROP ROLE IF EXISTS {}, {}", names.guest, names.owner)).await?;
        Ok(Removed { objects, bytes })
    }

    /// How many of the tenant's objects are there: none after a removal.
    pub(crate) async fn rescan(&self, id: TenantId) -> Result<u64, SqlError> {
        let turn = self.turn().await?;
        let mut main = self.control().connect(&turn, None).await?;
        self.count(&mut main, &self.names().of(id)).await
    }

    /// The tenants that have anything on the server, complete or not.
    pub(crate) async fn tenants(&self) -> Result<Vec<TenantId>, SqlError> {
        let turn = self.turn().await?;
        let mut main = self.control().connect(&turn, None).await?;
        let text = "SELECT rolname::text FROM pg_roles UNION ALL SELECT datname::text FROM pg_database";
        let found: Vec<String> = sqlx::query_scalar(text).fetch_all(&mut main).await.map_err(errors::own)?;
        let mut ids: Vec<_> = found.iter().filter_map(|name| self.names().tenant(name)).collect();
        if self.names().shared() {
            let text = "SELECT DISTINCT left(relname, 28) FROM pg_class c JOIN pg_namespace n \
                        ON n.oid = c.relnamespace WHERE nspname = $1";
            let prefixes: Vec<String> =
                sqlx::query_scalar(text).bind(SCHEMA).fetch_all(&mut main).await.map_err(errors::own)?;
            ids.extend(prefixes.iter().filter_map(|prefix| crate::guard::Prefix::tenant(prefix)));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Bytes that the tenant takes on the server's disk.
    pub(crate) async fn usage(&self, id: TenantId) -> Result<u64, SqlError> {
        let turn = self.turn().await?;
        let mut main = self.control().connect(&turn, None).await?;
        self.bytes(&mut main, &self.names().of(id)).await
    }

    /// Drops all of the tenant's tables and the ledger's lines; roles and database stay.
    pub(crate) async fn reset(&self, tenant: &Tenant) -> Result<(), SqlError> {
        let names = self.names().of(tenant.id);
        let turn = self.turn().await?;
        if self.names().shared() {
            let mut main = self.control().connect(&turn, None).await?;
            self.harden(&mut main).await?;
            // Ends with the connection.
            run(&mut main, format!("SELECT pg_advisory_lock({})", lock_key(tenant.id))).await?;
            drop_owned(&mut main, &names).await?;
            // The counts begin anew, higher than they ever were.
            let (ledger, versions) = (names.ledger(), names.versions());
            run(&mut main, format!("DROP TABLE IF EXISTS {ledger}, {versions} CASCADE")).await?;
            let rights = rights(&names, &main);
            return run(&mut main, rights).await;
        }
        let mut own = self.control().connect(&turn, Some(&names.database)).await?;
        // At once or not at all: an empty database without rights would serve errors.
        run(&mut own, "BEGIN".to_owned()).await?;
        run(&mut own, format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await?;
        harden::schema(&mut own).await?;
        let rights = rights(&names, &own);
        run(&mut own, rights).await?;
        run(&mut own, "COMMIT".to_owned()).await
    }

    async fn count(&self, main: &mut PgConnection, names: &TenantNames) -> Result<u64, SqlError> {
        let mut count = 0;
        for role in [&names.guest, &names.owner] {
            count += u64::from(exists(main, ROLE, role).await?);
        }
        let Some(prefix) = &names.prefix else {
            return Ok(count + u64::from(exists(main, DATABASE, &names.database).await?));
        };
        let text = "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                    WHERE nspname = $1 AND relname >= $2::name AND relname < $3::name AND relkind <> 'i'";
        let query = sqlx::query_scalar(text).bind(SCHEMA).bind(prefix.as_str()).bind(quota::after(prefix));
        let relations: i64 = query.fetch_one(main).await.map_err(errors::own)?;
        Ok(count + u64::try_from(relations).unwrap_or(0))
    }

    async fn bytes(&self, main: &mut PgConnection, names: &TenantNames) -> Result<u64, SqlError> {
        let bytes: Option<i64> = if names.prefix.is_some() {
            // Without the schema there are no tables, and its name would be an error.
            if !exists(main, "SELECT 1 FROM pg_namespace WHERE nspname = $1", SCHEMA).await? {
                return Ok(0);
            }
            let text = AssertSqlSafe(quota::statement(names.prefix.as_ref()));
            sqlx::query_scalar(text).fetch_one(main).await.map_err(errors::own)?
        } else {
            let text = "SELECT pg_database_size(oid) FROM pg_database WHERE datname = $1";
            let query = sqlx::query_scalar(text).bind(&names.database);
            query.fetch_optional(main).await.map_err(errors::own)?
        };
        Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
    }
}

/// Drops what the two roles own in this database, and takes their rights.
async fn drop_owned(main: &mut PgConnection, names: &TenantNames) -> Result<(), SqlError> {
    harden::lock_server(main).await?;
    for role in [&names.owner, &names.guest] {
        if exists(main, ROLE, role).await? {
            run(main, format!("DROP OWNED BY {role} CASCADE")).await?;
        }
    }
    harden::unlock_server(main).await
}
