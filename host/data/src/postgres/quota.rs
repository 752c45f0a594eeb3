//! How much room a tenant's tables take, and whether they may take more.
//!
//! Looked up before a write where the last look is [`FRESH`] old, so a tenant can pass its limit by what it
//! writes in that time, and each statement by what it writes within its own. Counted is what the engine
//! holds for tables and indexes, rows deleted but not yet cleared away included; deleting is always allowed.

use super::connect::{Conn, Health};
use super::errors::Failure;
use super::names::SCHEMA;
use super::run;
use crate::guard::Prefix;
use crate::{LimitKind, SqlError};
use lru::LruCache;
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use sqlx::AssertSqlSafe;
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::time::Instant;

/// How long a size is believed.
const FRESH: Duration = Duration::from_secs(3);

/// Sizes kept: 100 bytes each, for tenants that wrote lately.
const KEPT: NonZeroUsize = NonZeroUsize::new(4_096).expect("not zero");

/// The sizes looked up lately.
pub(super) struct Sizes(Mutex<LruCache<TenantId, (Instant, u64)>>);

impl Sizes {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }

    /// Refuses a write where the tables have reached the limit.
    pub(super) async fn check(&self, conn: &mut Conn, tenant: &Tenant, text: &str) -> Result<(), Failure> {
        let deletes = text.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("delete"));
        if deletes {
            // What it frees is to be seen at once.
            self.0.lock().pop(&tenant.id);
            return Ok(());
        }
        let known = self.0.lock().get(&tenant.id).copied().filter(|(at, _)| at.elapsed() < FRESH);
        let size = match known {
            Some((_at, size)) => size,
            None => {
                let size = measure(conn).await?;
                self.0.lock().put(tenant.id, (Instant::now(), size));
                size
            }
        };
        if size >= tenant.limits.database_bytes {
            return Err(SqlError::Limit(LimitKind::DatabaseSize).into());
        }
        Ok(())
    }
}

/// Bytes of a tenant's tables, their indexes and their long values, as a statement.
pub(super) fn statement(prefix: Option<&Prefix>) -> String {
    let tables = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class";
    let mut text =
        format!("{tables} WHERE relnamespace = '{SCHEMA}'::regnamespace AND relkind IN ('r', 'm')");
    if let Some(prefix) = prefix {
        // A range, because a pattern would read the entries of every tenant.
        text.push_str(&format!(" AND relname >= '{prefix}' AND relname < '{}'", after(prefix)));
    }
    text
}

/// The least name that comes after all names with this prefix. A prefix ends with `_`.
pub(super) fn after(prefix: &Prefix) -> String {
    format!("{}`", prefix.as_str().trim_end_matches('_'))
}

async fn measure(conn: &mut Conn) -> Result<u64, Failure> {
    let text = statement(conn.prefix.as_ref());
    conn.health = Health::Busy;
    let found = sqlx::query_scalar::<_, i64>(AssertSqlSafe(text)).fetch_one(&mut conn.db).await;
    match found {
        Ok(bytes) => {
            conn.health = Health::Idle;
            Ok(u64::try_from(bytes).unwrap_or(0))
        }
        Err(error) => Err(run::unheard(conn, error)),
    }
}
