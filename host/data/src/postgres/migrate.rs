//! Migrations of one tenant's tables: a ledger beside them, one migration a transaction.
//!
//! They run as the tenant's owner role, with the guard's word on each statement. The ledger belongs to the
//! host: an owner may read it and add to it, a guest not even that. Servers that migrate the same tenant at
//! once take turns by a lock that ends with the transaction, so nothing is left behind by a host that ends
//! in the middle.

use super::connect::{Conn, Health, millis};
use super::errors::Failure;
use super::names::{SCHEMA, TenantNames};
use super::owner::Owner;
use super::session::{Session, within};
use super::versions;
use crate::migrate::{Applied, MigrateError, Migration, pending};
use crate::{Dialect, SqlError};
use rowhouse_base::Timestamp;
use rowhouse_base::id::TenantId;
use sqlx::AssertSqlSafe;
use std::sync::Arc;
use std::time::Duration;

/// How long a statement waits for a table that guests use. Others wait behind it meanwhile, so it is short.
const LOCK: &str = "SET LOCAL lock_timeout = 1000";

/// Attempts where a table stayed in use.
const ATTEMPTS: u32 = 20;

/// Pause between attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// A migration that failed: at which statement, none for what the host does around them.
type Failed = (Option<usize>, Failure);

impl Session {
    /// Brings the tables to the newest of these migrations, or leaves them where they are ahead of them.
    /// Returns the version they have afterwards. `time` is that of one migration.
    pub(crate) async fn migrate(
        &self,
        migrations: Arc<[Migration]>,
        time: Duration,
    ) -> Result<u32, MigrateError> {
        let mut owner =
            Owner::open(&self.engine, self.tenant.id, time).await.map_err(MigrateError::Ledger)?;
        let names = self.engine.names().of(self.tenant.id);
        let conn = owner.conn().map_err(MigrateError::Ledger)?;
        let applied = within(time, ledger(conn, &names)).await;
        let applied = applied.map_err(|failure| MigrateError::Ledger(failure.into_sql()))?;
        let mut version = applied.last().map_or(0, |last| last.version);
        let first = pending(&migrations, &applied, Dialect::Postgresql)?;
        if first < migrations.len() {
            // A tenant of an older host has no counts yet; asking for them makes them.
            let _made = self.versions().await;
        }
        for migration in migrations.get(first..).unwrap_or_default() {
            let done = self.apply(conn, &names, migration, time).await;
            done.map_err(|(statement, failure)| migration.failed(statement, failure.into_sql()))?;
            version = migration.version;
        }
        Ok(version)
    }

    /// What the ledger says, in order of version.
    pub(crate) async fn applied(&self) -> Result<Vec<Applied>, SqlError> {
        let mut owner = Owner::open(&self.engine, self.tenant.id, self.time()).await?;
        let names = self.engine.names().of(self.tenant.id);
        within(self.time(), ledger(owner.conn()?, &names)).await.map_err(Failure::into_sql)
    }

    async fn apply(
        &self,
        conn: &mut Conn,
        names: &TenantNames,
        migration: &Migration,
        time: Duration,
    ) -> Result<(), Failed> {
        for attempt in 1.. {
            let mut at = None;
            let result = within(time, self.try_apply(conn, names, migration, time, &mut at)).await;
            if conn.health == Health::Idle && result.is_err() {
                conn.say("ROLLBACK").await.map_err(|failure| (None, failure))?;
            }
            match result {
                Err(Failure::Sql(SqlError::Conflict(_))) if attempt < ATTEMPTS => {
                    tokio::time::sleep(PAUSE).await;
                }
                other => return other.map_err(|failure| (at, failure)),
            }
        }
        Ok(())
    }

    /// One attempt. `at` is the statement that runs.
    async fn try_apply(
        &self,
        conn: &mut Conn,
        names: &TenantNames,
        migration: &Migration,
        time: Duration,
        at: &mut Option<usize>,
    ) -> Result<(), Failure> {
        conn.say("BEGIN READ WRITE").await?;
        // Another server may be at it: that is waited for, not fought.
        conn.say_text(format!("SET LOCAL lock_timeout = {}", millis(time))).await?;
        conn.say_text(format!("SELECT pg_advisory_xact_lock({})", lock_key(self.tenant.id))).await?;
        conn.say(LOCK).await?;
        if ledger(conn, names).await?.iter().any(|line| line.version == migration.version) {
            return conn.say("COMMIT").await;
        }
        let before = Before::read(conn, names).await?;
        for (index, text) in migration.statements(Dialect::Postgresql).iter().enumerate() {
            *at = Some(index);
            let template = self.engine.guard().migration(text)?;
            own(conn, sqlx::query(AssertSqlSafe(template.text(names.prefix.as_ref()).into_owned()))).await?;
        }
        *at = None;
        check(conn, names, &before).await?;
        let insert = format!("INSERT INTO {} VALUES ($1, $2, $3, $4)", names.ledger());
        let line = sqlx::query(AssertSqlSafe(insert))
            .bind(i64::from(migration.version))
            .bind(&migration.name)
            .bind(migration.checksum(Dialect::Postgresql).to_string())
            .bind(Timestamp::now().0);
        own(conn, line).await?;
        conn.say_text(versions::everything(names)).await?;
        self.engine.links.forget(self.tenant.id);
        let writing = self.engine.writing(self.tenant.id, conn);
        conn.say("COMMIT").await?;
        self.engine.links.forget(self.tenant.id);
        writing.settled().await;
        Ok(())
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Runs a statement that brings no rows, prepared for this once: the engine takes one statement then.
async fn own(conn: &mut Conn, query: Query<'_>) -> Result<(), Failure> {
    conn.health = Health::Busy;
    let result = query.persistent(false).execute(&mut conn.db).await.map(drop);
    conn.heard(result)
}

async fn ledger(conn: &mut Conn, names: &TenantNames) -> Result<Vec<Applied>, Failure> {
    let text = format!("SELECT version, name, checksum FROM {} ORDER BY version", names.ledger());
    conn.health = Health::Busy;
    let rows: Result<Vec<(i64, String, String)>, _> =
        sqlx::query_as(AssertSqlSafe(text)).persistent(false).fetch_all(&mut conn.db).await;
    let rows = conn.heard(rows)?;
    rows.into_iter()
        .map(|(version, name, checksum)| {
            let version = u32::try_from(version)
                .map_err(|error| SqlError::other(format!("the ledger has version {version}: {error}")))?;
            Ok(Applied { version, name, checksum })
        })
        .collect()
}

/// What was there before a migration, so that looking at what it made need not read the entries of every tenant: no index
/// leads from an owner to what is theirs.
struct Before {
    /// The condition on what has to be looked at. Empty where that is everything.
    condition: String,
}

/// Numbers of the engine's objects grow until they begin anew. Near the end that can't be relied upon.
const NUMBERS_END: i64 = 0xF000_0000;

impl Before {
    async fn read(conn: &mut Conn, names: &TenantNames) -> Result<Self, Failure> {
        let all = Self { condition: String::new() };
        let Some(prefix) = &names.prefix else { return Ok(all) };
        let text = format!(
            "SELECT coalesce(max(oid), 0)::bigint, (SELECT coalesce(string_agg(oid::text, ','), '') FROM pg_class \
             WHERE relnamespace = '{SCHEMA}'::regnamespace AND relname >= '{prefix}' AND relname < '{after}') \
             FROM pg_class",
            after = super::quota::after(prefix)
        );
        conn.health = Health::Busy;
        let found = sqlx::query_as(AssertSqlSafe(text)).persistent(false).fetch_one(&mut conn.db).await;
        let (newest, own): (i64, String) = conn.heard(found)?;
        if newest > NUMBERS_END {
            return Ok(all);
        }
        // What is made gets a larger number; what was there may be renamed.
        Ok(Self { condition: format!(" AND (oid > '{newest}'::oid OR oid = ANY ('{{{own}}}'::oid[]))") })
    }
}

/// Nothing that the owner made may lack the tenant's prefix or have a name of the host's.
async fn check(conn: &mut Conn, names: &TenantNames, before: &Before) -> Result<(), Failure> {
    let text = format!(
        "SELECT relname::text FROM pg_class WHERE relnamespace = '{SCHEMA}'::regnamespace \
         AND relowner = (SELECT current_user::text::regrole){}",
        before.condition
    );
    conn.health = Health::Busy;
    let found = sqlx::query_scalar(AssertSqlSafe(text)).persistent(false).fetch_all(&mut conn.db).await;
    let found: Vec<String> = conn.heard(found)?;
    for name in found {
        let own = names.own(&name);
        if names.physical(own) != name || own.trim_start_matches('_').starts_with("rowhouse_") {
            return Err(SqlError::Denied(format!("`{own}` is a name of the host's or of nobody")).into());
        }
    }
    Ok(())
}

/// The number that stands for a tenant in locks: the random half of its id.
pub(super) fn lock_key(id: TenantId) -> i64 {
    id.as_bytes().last_chunk().map_or(0, |half: &[u8; 8]| i64::from_be_bytes(*half))
}
