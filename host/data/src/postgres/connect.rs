//! A tenant's connection: opened as the tenant's own role, hardened by what it is opened with, and ended on
//! the server too where it is given up in the middle of something.
//!
//! Invariant: a connection belongs to one tenant and one role for its life. What it says at the start
//! (read-only, search path, time limits) comes from the host; a guest has no statement that changes it.

use super::control::Control;
use super::errors::{self, Failure};
use super::names::{Names, SCHEMA, TenantNames};
use super::run::Plan;
use crate::SqlError;
use crate::guard::Prefix;
use crate::key::DataKey;
use crate::pool::Connector;
use lru::LruCache;
use rowhouse_base::Limits;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Statements kept prepared per connection: the shipped module has about a hundred.
pub(super) const PREPARED: NonZeroUsize = NonZeroUsize::new(128).expect("not zero");

/// Time that the host has to end a statement before the server does so by itself.
const GRACE: Duration = Duration::from_secs(1);

/// Epochs of the two roles' passwords.
pub(super) const GUEST_EPOCH: u32 = 0;
pub(super) const OWNER_EPOCH: u32 = 1;

/// What runs on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// Nothing; no transaction is open.
    Idle,
    /// A statement, or something that was not heard to its end.
    Busy,
    /// Nothing ever again.
    Broken,
}

/// An open connection.
pub(super) struct Conn {
    pub(super) db: PgConnection,
    /// What is known of prepared statements, by their text.
    pub(super) plans: LruCache<Box<str>, Arc<Plan>>,
    pub(super) health: Health,
    pub(super) prefix: Option<Prefix>,
    /// The server's limit on one statement, as of now.
    pub(super) server_limit: Duration,
    pub(super) role: String,
    pub(super) process: i32,
}

/// Opens tenants' connections.
pub(super) struct Opener {
    pub(super) names: Names,
    pub(super) control: Arc<Control>,
    key: DataKey,
    opened: AtomicU64,
}

impl Opener {
    pub(super) fn new(names: Names, control: Arc<Control>, key: DataKey) -> Self {
        Self { names, control, key, opened: AtomicU64::new(0) }
    }

    /// Connections to tenants' databases that were opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    /// The password of a tenant's role.
    pub(super) fn password(&self, id: TenantId, epoch: u32) -> rowhouse_base::Secret {
        self.key.password(id, epoch)
    }

    /// Opens a connection as the tenant's owner role. `time` is the server's limit on one statement.
    pub(super) async fn owner(&self, id: TenantId, time: Duration) -> Result<Conn, SqlError> {
        let names = self.names.of(id);
        let options = self.options(&names, &names.owner, id, OWNER_EPOCH).options([
            ("statement_timeout", millis(time)),
            ("idle_in_transaction_session_timeout", millis(time)),
        ]);
        self.opened.fetch_add(1, Relaxed);
        open(&options, names.owner.clone(), names.prefix, time).await
    }

    fn options(&self, names: &TenantNames, role: &str, id: TenantId, epoch: u32) -> PgConnectOptions {
        self.control
            .options()
            .username(role)
            .password(self.password(id, epoch).reveal())
            .database(&names.database)
            .application_name("rowhouse")
            .statement_cache_capacity(PREPARED.get())
            .options([
                // A guest's table shadows nothing: temporary tables, which no role may make, come last.
                ("search_path", format!("{SCHEMA},pg_temp").as_str()),
                // Compiling takes longer than most statements; other cores belong to other tenants.
                ("jit", "off"),
                ("max_parallel_workers_per_gather", "0"),
                ("default_transaction_deferrable", "off"),
                ("standard_conforming_strings", "on"),
            ])
    }
}

impl Connector for Opener {
    type Conn = Conn;

    async fn connect(&self, tenant: &Tenant) -> Result<Conn, SqlError> {
        let names = self.names.of(tenant.id);
        let limit = server_limit(&tenant.limits);
        let options = self.options(&names, &names.guest, tenant.id, GUEST_EPOCH).options([
            ("default_transaction_read_only", "on".to_owned()),
            ("statement_timeout", millis(limit)),
            ("lock_timeout", millis(lock_limit(&tenant.limits))),
            ("idle_in_transaction_session_timeout", millis(tenant.limits.wall() + GRACE)),
        ]);
        self.opened.fetch_add(1, Relaxed);
        open(&options, names.guest.clone(), names.prefix, limit).await
    }

    fn close(&self, conn: Conn) {
        if conn.health == Health::Busy {
            self.control.end(conn.role.clone(), conn.process);
        }
    }
}

async fn open(
    options: &PgConnectOptions,
    role: String,
    prefix: Option<Prefix>,
    server_limit: Duration,
) -> Result<Conn, SqlError> {
    let mut db = PgConnection::connect_with(options).await.map_err(|error| errors::unopened(&error))?;
    // The driver keeps the number to itself.
    let process = sqlx::query_scalar("SELECT pg_backend_pid()")
        .persistent(false)
        .fetch_one(&mut db)
        .await
        .map_err(|error| errors::unopened(&error))?;
    let plans = LruCache::new(PREPARED);
    Ok(Conn { db, plans, health: Health::Idle, prefix, server_limit, role, process })
}

impl Conn {
    /// Runs a statement of the host's own, which brings no rows.
    pub(super) async fn say(&mut self, statement: &'static str) -> Result<(), Failure> {
        self.run_own(sqlx::raw_sql(statement)).await
    }

    /// The same with numbers or names of the host's own in it.
    pub(super) async fn say_text(&mut self, statement: String) -> Result<(), Failure> {
        self.run_own(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await
    }

    async fn run_own(&mut self, statement: sqlx::RawSql) -> Result<(), Failure> {
        self.health = Health::Busy;
        let result = statement.execute(&mut self.db).await.map(drop);
        self.heard(result)
    }

    /// Notes that the server has answered, and reads its error.
    pub(super) fn heard<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, Failure> {
        let result = result.map_err(|error| errors::read(error, self.prefix.as_ref()));
        self.health = match &result {
            Err(Failure::Broken(_)) => Health::Broken,
            Ok(_) | Err(_) => Health::Idle,
        };
        result
    }

    /// True where the server's limit is the tenant's, which may have changed since the connection was opened.
    pub(super) fn follows(&self, limits: &Limits) -> bool {
        self.server_limit == server_limit(limits)
    }

    /// Has the server's limit follow the tenant's.
    pub(super) async fn follow(&mut self, limits: &Limits) -> Result<(), Failure> {
        let limit = server_limit(limits);
        let (statement, lock) = (millis(limit), millis(lock_limit(limits)));
        self.say_text(format!("SET statement_timeout = {statement}; SET lock_timeout = {lock}")).await?;
        self.server_limit = limit;
        Ok(())
    }
}

fn server_limit(limits: &Limits) -> Duration {
    limits.statement() + GRACE
}

/// A statement waits for a lock for three quarters of its time, so that the wait is told from slowness.
fn lock_limit(limits: &Limits) -> Duration {
    limits.statement() * 3 / 4
}

/// At least 1, because 0 means no limit.
pub(super) fn millis(time: Duration) -> String {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1).to_string()
}
