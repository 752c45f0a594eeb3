//! The control database's own migrations: forward only, numbered, each in one transaction with its ledger row.
//!
//! Never change one that was released; add another. Ids are text, times are microseconds since 1970,
//! truth is 0 or 1, lists and maps are JSON text that no query looks into.

use super::dialect::{Db, sql};
use super::{DatabaseError, Result};
use rowhouse_base::Timestamp;
use sqlx::{Pool, Row as _};

struct Migration {
    name: &'static str,
    statements: &'static [&'static str],
}

/// Position + 1 is the version.
const MIGRATIONS: &[Migration] = &[Migration { name: "begin", statements: BEGIN }];

const BEGIN: &[&str] = &[
    "CREATE TABLE control (id BIGINT PRIMARY KEY, gen BIGINT NOT NULL, horizon BIGINT NOT NULL)",
    "INSERT INTO control (id, gen, horizon) VALUES (1, 0, 0)",
    "CREATE TABLE settings (name VARCHAR(64) PRIMARY KEY, value TEXT NOT NULL, gen BIGINT NOT NULL)",
    // live_name is the name while it is taken, else NULL: unique among those who hold it.
    "CREATE TABLE tenants (id VARCHAR(36) PRIMARY KEY, name VARCHAR(63) NOT NULL, live_name VARCHAR(63), \
     title TEXT NOT NULL, state VARCHAR(16) NOT NULL, addresses TEXT NOT NULL, url_prefix BIGINT NOT NULL, \
     settings TEXT NOT NULL, locale VARCHAR(64) NOT NULL, time_zone VARCHAR(64) NOT NULL, \
     release_name VARCHAR(130), release_digest VARCHAR(64), previous_release VARCHAR(130), \
     schema_version BIGINT NOT NULL, fingerprint VARCHAR(64), created_at BIGINT NOT NULL, \
     trash_until BIGINT, gen BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX tenants_live_name ON tenants (live_name)",
    "CREATE INDEX tenants_gen ON tenants (gen)",
    "CREATE INDEX tenants_name ON tenants (name, id)",
    "CREATE INDEX tenants_state ON tenants (state, trash_until)",
    "CREATE INDEX tenants_release ON tenants (release_name)",
    "CREATE INDEX tenants_previous ON tenants (previous_release)",
    "CREATE TABLE tombstones (id VARCHAR(36) PRIMARY KEY, name VARCHAR(63) NOT NULL, \
     removed_at BIGINT NOT NULL, gen BIGINT NOT NULL)",
    "CREATE INDEX tombstones_gen ON tombstones (gen)",
    "CREATE TABLE addresses (host VARCHAR(255) PRIMARY KEY, tenant_id VARCHAR(36) NOT NULL \
     REFERENCES tenants (id), gen BIGINT NOT NULL)",
    "CREATE INDEX addresses_tenant ON addresses (tenant_id)",
    "CREATE TABLE releases (name VARCHAR(130) PRIMARY KEY, digest VARCHAR(64) NOT NULL, size BIGINT NOT NULL, \
     lane VARCHAR(16) NOT NULL, exports TEXT NOT NULL, imports TEXT NOT NULL, migrations TEXT NOT NULL, \
     fingerprint VARCHAR(64) NOT NULL, has_upgrade BIGINT NOT NULL, pushed_at BIGINT NOT NULL, gen BIGINT NOT NULL)",
    "CREATE INDEX releases_digest ON releases (digest)",
    "CREATE TABLE release_bytes (digest VARCHAR(64) PRIMARY KEY, bytes BLOB NOT NULL)",
    "CREATE TABLE activations (id VARCHAR(36) PRIMARY KEY, kind VARCHAR(16) NOT NULL, release_name VARCHAR(130) NOT NULL, \
     state VARCHAR(16) NOT NULL, total BIGINT NOT NULL, previous_default VARCHAR(130), rollback_of VARCHAR(36), \
     started_at BIGINT NOT NULL, finished_at BIGINT, gen BIGINT NOT NULL)",
    "CREATE INDEX activations_state ON activations (state)",
    "CREATE TABLE moves (activation_id VARCHAR(36) NOT NULL REFERENCES activations (id), tenant_id VARCHAR(36) NOT NULL, \
     tenant_name VARCHAR(63) NOT NULL, from_release VARCHAR(130), to_release VARCHAR(130) NOT NULL, \
     state VARCHAR(16) NOT NULL, error TEXT, PRIMARY KEY (activation_id, tenant_id))",
    "CREATE TABLE users (id VARCHAR(36) PRIMARY KEY, name VARCHAR(64) NOT NULL, email TEXT, password TEXT, \
     must_change BIGINT NOT NULL, super_user BIGINT NOT NULL, disabled BIGINT NOT NULL, \
     created_at BIGINT NOT NULL, gen BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX users_name ON users (name)",
    "CREATE INDEX users_gen ON users (gen)",
    "CREATE TABLE memberships (tenant_id VARCHAR(36) NOT NULL REFERENCES tenants (id), \
     user_id VARCHAR(36) NOT NULL REFERENCES users (id), roles VARCHAR(64) NOT NULL, gen BIGINT NOT NULL, \
     PRIMARY KEY (tenant_id, user_id))",
    "CREATE INDEX memberships_user ON memberships (user_id)",
    // One row: memberships and users that are gone leave no row to carry a generation.
    "CREATE TABLE membership_changes (id BIGINT PRIMARY KEY, gen BIGINT NOT NULL)",
    "INSERT INTO membership_changes (id, gen) VALUES (1, 0)",
    "CREATE TABLE sessions (digest VARCHAR(64) PRIMARY KEY, user_id VARCHAR(36) NOT NULL REFERENCES users (id), \
     scope VARCHAR(36) NOT NULL, created_at BIGINT NOT NULL, idle_until BIGINT NOT NULL, expires_at BIGINT NOT NULL)",
    "CREATE INDEX sessions_user ON sessions (user_id)",
    "CREATE INDEX sessions_scope ON sessions (scope)",
    "CREATE INDEX sessions_idle ON sessions (idle_until)",
    "CREATE TABLE tokens (id VARCHAR(36) PRIMARY KEY, digest VARCHAR(64) NOT NULL, name VARCHAR(64) NOT NULL, \
     scopes VARCHAR(32) NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT)",
    "CREATE UNIQUE INDEX tokens_digest ON tokens (digest)",
    "CREATE TABLE audit (id VARCHAR(36) PRIMARY KEY, at BIGINT NOT NULL, actor VARCHAR(100) NOT NULL, \
     action VARCHAR(64) NOT NULL, subject VARCHAR(255) NOT NULL, tenant_name VARCHAR(63), detail TEXT NOT NULL, \
     gen BIGINT NOT NULL)",
    "CREATE INDEX audit_tenant ON audit (tenant_name, id)",
    "CREATE TABLE receipts (tenant_id VARCHAR(36) PRIMARY KEY, tenant_name VARCHAR(63) NOT NULL, \
     receipt TEXT NOT NULL, at BIGINT NOT NULL)",
];

/// Brings the schema up to date. Two servers starting at once are put in order by the ledger's key.
pub(super) async fn migrate(pool: &Pool<Db>) -> Result<()> {
    sql("CREATE TABLE IF NOT EXISTS control_ledger (version BIGINT PRIMARY KEY, name VARCHAR(64) NOT NULL, \
         applied_at BIGINT NOT NULL)")
    .execute(pool)
    .await?;
    let row = sql("SELECT MAX(version) AS newest FROM control_ledger").fetch_one(pool).await?;
    let found = row.try_get::<Option<i64>, _>("newest")?.unwrap_or(0);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(DatabaseError::Newer { found, known });
    }
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let mut tx = pool.begin().await?;
        sql("INSERT INTO control_ledger (version, name, applied_at) VALUES ($1, $2, $3)")
            .bind(version)
            .bind(migration.name)
            .bind(Timestamp::now().0)
            .execute(&mut *tx)
            .await?;
        for statement in migration.statements {
            sql(statement).execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}
