//! The control database's own migrations: forward only, numbered, refused where the database is newer.
//!
//! Never change one that was released; add another. They are written once, with type words that `dialect`
//! turns into an engine's: ids are text, times are microseconds since 1970, truth is 0 or 1, lists and maps
//! are JSON text that no query looks into. Foreign keys stand at the end of a table: MySQL passes over those
//! that stand at a column.
//!
//! On SQLite and PostgreSQL a migration is one transaction with its row in the ledger. On MySQL each statement
//! that changes the schema commits by itself, so each is recorded, and a start goes on where a crash cut
//! the last one short. Of several servers that start at once one migrates and the others wait.

use super::dialect::{Pools, Statement, Tx, sql, was_done};
use super::{DatabaseError, Result};
use rowhouse_base::Timestamp;

struct Migration {
    name: &'static str,
    statements: &'static [&'static str],
}

/// Position + 1 is the version.
const MIGRATIONS: &[Migration] = &[
    Migration { name: "begin", statements: BEGIN },
    Migration { name: "bytes of releases in parts", statements: PARTS },
    Migration { name: "policy of releases", statements: POLICY },
    Migration { name: "data servers and operations", statements: SERVERS },
    Migration { name: "runs with leases and items", statements: RUNS },
    Migration { name: "outbound requests", statements: OUTBOUND },
    Migration { name: "servers of a farm", statements: FARM },
    Migration { name: "releases that servers have ready", statements: READY },
    Migration { name: "ids in the trail", statements: TRAIL_IDS },
];

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
    "CREATE TABLE addresses (host VARCHAR(255) PRIMARY KEY, tenant_id VARCHAR(36) NOT NULL, gen BIGINT NOT NULL, \
     FOREIGN KEY (tenant_id) REFERENCES tenants (id))",
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
    "CREATE TABLE moves (activation_id VARCHAR(36) NOT NULL, tenant_id VARCHAR(36) NOT NULL, \
     tenant_name VARCHAR(63) NOT NULL, from_release VARCHAR(130), to_release VARCHAR(130) NOT NULL, \
     state VARCHAR(16) NOT NULL, error TEXT, PRIMARY KEY (activation_id, tenant_id), \
     FOREIGN KEY (activation_id) REFERENCES activations (id))",
    "CREATE TABLE users (id VARCHAR(36) PRIMARY KEY, name VARCHAR(64) NOT NULL, email TEXT, password TEXT, \
     must_change BIGINT NOT NULL, super_user BIGINT NOT NULL, disabled BIGINT NOT NULL, \
     created_at BIGINT NOT NULL, gen BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX users_name ON users (name)",
    "CREATE INDEX users_gen ON users (gen)",
    "CREATE TABLE memberships (tenant_id VARCHAR(36) NOT NULL, user_id VARCHAR(36) NOT NULL, roles VARCHAR(64) NOT NULL, gen BIGINT NOT NULL, \
     PRIMARY KEY (tenant_id, user_id), FOREIGN KEY (tenant_id) REFERENCES tenants (id), \
     FOREIGN KEY (user_id) REFERENCES users (id))",
    "CREATE INDEX memberships_user ON memberships (user_id)",
    // One row: memberships and users that are gone leave no row to carry a generation.
    "CREATE TABLE membership_changes (id BIGINT PRIMARY KEY, gen BIGINT NOT NULL)",
    "INSERT INTO membership_changes (id, gen) VALUES (1, 0)",
    "CREATE TABLE sessions (digest VARCHAR(64) PRIMARY KEY, user_id VARCHAR(36) NOT NULL, scope VARCHAR(36) NOT NULL, created_at BIGINT NOT NULL, idle_until BIGINT NOT NULL, \
     expires_at BIGINT NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id))",
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

/// A server takes statements of so many bytes only (16 MiB on MariaDB as it comes), and modules are larger.
const PARTS: &[&str] = &[
    "CREATE TABLE release_parts (digest VARCHAR(64) NOT NULL, part BIGINT NOT NULL, bytes BLOB NOT NULL, \
     PRIMARY KEY (digest, part))",
    "INSERT INTO release_parts (digest, part, bytes) SELECT digest, 0, bytes FROM release_bytes",
    "DROP TABLE release_bytes",
];

/// Both or none: NULL is a fresh instance for each request.
const POLICY: &[&str] = &[
    "ALTER TABLE releases ADD COLUMN reuse_requests BIGINT",
    "ALTER TABLE releases ADD COLUMN reuse_idle_ms BIGINT",
];

/// Tenants of before are on the embedded engine. An operation is JSON, NULL where none is under way.
const SERVERS: &[&str] = &[
    "ALTER TABLE tenants ADD COLUMN data_server VARCHAR(32) NOT NULL DEFAULT 'local'",
    "ALTER TABLE tenants ADD COLUMN operation TEXT",
];

/// Activations became runs. Who holds a lease works on the run; `lease_turn` counts how often one was taken.
const RUNS: &[&str] = &[
    "CREATE TABLE runs (id VARCHAR(36) PRIMARY KEY, kind VARCHAR(16) NOT NULL, release_name VARCHAR(130) NOT NULL, \
     state VARCHAR(16) NOT NULL, total BIGINT NOT NULL, moved BIGINT NOT NULL, failed BIGINT NOT NULL, \
     gone BIGINT NOT NULL, previous_default VARCHAR(130), rollback_of VARCHAR(36), actor VARCHAR(100) NOT NULL, \
     lease_owner VARCHAR(36), lease_turn BIGINT NOT NULL, lease_until BIGINT, started_at BIGINT NOT NULL, \
     ended_at BIGINT, gen BIGINT NOT NULL)",
    "CREATE INDEX runs_state ON runs (state)",
    "CREATE TABLE run_items (run_id VARCHAR(36) NOT NULL, tenant_id VARCHAR(36) NOT NULL, \
     tenant_name VARCHAR(63) NOT NULL, from_release VARCHAR(130), to_release VARCHAR(130) NOT NULL, \
     state VARCHAR(16) NOT NULL, attempts BIGINT NOT NULL, error TEXT, ended_at BIGINT, \
     PRIMARY KEY (run_id, tenant_id), FOREIGN KEY (run_id) REFERENCES runs (id))",
    "CREATE INDEX run_items_state ON run_items (run_id, state, tenant_id)",
    "INSERT INTO runs (id, kind, release_name, state, total, moved, failed, gone, previous_default, rollback_of, \
     actor, lease_turn, started_at, ended_at, gen) \
     SELECT id, CASE kind WHEN 'activate' THEN 'activation' ELSE kind END, release_name, \
     CASE state WHEN 'done' THEN 'finished' WHEN 'failed-partly' THEN 'failed' ELSE 'interrupted' END, total, \
     (SELECT COUNT(*) FROM moves WHERE activation_id = activations.id AND moves.state = 'moved'), \
     (SELECT COUNT(*) FROM moves WHERE activation_id = activations.id AND moves.state = 'failed'), 0, \
     previous_default, rollback_of, '', 0, started_at, finished_at, gen FROM activations",
    "INSERT INTO run_items (run_id, tenant_id, tenant_name, from_release, to_release, state, attempts, error) \
     SELECT activation_id, tenant_id, tenant_name, from_release, to_release, \
     CASE state WHEN 'pending' THEN 'waiting' ELSE state END, CASE state WHEN 'pending' THEN 0 ELSE 1 END, error \
     FROM moves",
    "DROP TABLE moves",
    "DROP TABLE activations",
];

/// A list as JSON; NULL is nowhere.
const OUTBOUND: &[&str] = &["ALTER TABLE tenants ADD COLUMN outbound TEXT"];

/// What servers of a farm know of one another. Times of `servers` and `sign_ins` are the database's own, so that
/// clocks that differ do no harm; neither moves the generation. `worker` is who makes, moves or removes a tenant.
const FARM: &[&str] = &[
    "CREATE TABLE servers (id VARCHAR(36) PRIMARY KEY, name VARCHAR(64) NOT NULL, version VARCHAR(64) NOT NULL, \
     state VARCHAR(16) NOT NULL, drain BIGINT NOT NULL, applied BIGINT NOT NULL, started_at BIGINT NOT NULL, \
     beat_at BIGINT NOT NULL)",
    "CREATE TABLE sign_ins (name VARCHAR(96) PRIMARY KEY, failures BIGINT NOT NULL, ends_at BIGINT NOT NULL)",
    "CREATE INDEX sign_ins_ends ON sign_ins (ends_at)",
    "ALTER TABLE tenants ADD COLUMN worker VARCHAR(36)",
];

/// Digests as a JSON list; NULL is none.
const READY: &[&str] = &["ALTER TABLE servers ADD COLUMN ready TEXT"];

/// Whom the names in the trail meant: a name is used again. NULL where it was neither a tenant nor a user, and in rows
/// of before.
const TRAIL_IDS: &[&str] = &[
    "ALTER TABLE audit ADD COLUMN subject_id VARCHAR(36)",
    "ALTER TABLE audit ADD COLUMN actor_id VARCHAR(36)",
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS control_ledger (version BIGINT PRIMARY KEY, name VARCHAR(64) NOT NULL, \
     applied_at BIGINT NOT NULL)";
const NEWEST: &str = "SELECT MAX(version) AS newest FROM control_ledger";
/// How far a migration is, on engines where a statement commits by itself: `done` of its statements are.
const STEPS: &str =
    "CREATE TABLE IF NOT EXISTS control_steps (version BIGINT PRIMARY KEY, done BIGINT NOT NULL)";

/// Brings the schema up to date.
pub(super) async fn migrate(pools: &Pools) -> Result<()> {
    let turn = pools.schema_turn().await?.ok_or(DatabaseError::Migrating)?;
    if pools.schema_commits() {
        in_steps(pools).await?;
    } else {
        // Each transaction asks again what is pending: another server may have had a turn in between.
        while one(pools).await? {}
    }
    Ok(turn.end().await?)
}

/// Applies the next migration in a transaction. False where there is none.
async fn one(pools: &Pools) -> Result<bool> {
    let mut tx = pools.begin_schema().await?;
    Statement::schema(pools.schema_text(LEDGER)).execute(&mut tx).await?;
    let found = newest(&mut tx, sql(NEWEST)).await?;
    let Some(migration) = next(found)? else {
        tx.commit().await?;
        return Ok(false);
    };
    for statement in migration.statements {
        Statement::schema(pools.schema_text(statement)).execute(&mut tx).await?;
    }
    record(&mut tx, found + 1, migration).await?;
    tx.commit().await?;
    Ok(true)
}

/// Applies what is pending, a statement at a time.
async fn in_steps(pools: &Pools) -> Result<()> {
    for table in [LEDGER, STEPS] {
        Statement::schema(pools.schema_text(table)).execute(&pools.write).await?;
    }
    loop {
        let mut tx = pools.write.begin().await?;
        let found = newest(&mut tx, sql(NEWEST)).await?;
        // A newer server may have been cut short before its row in the ledger.
        next(newest(&mut tx, sql("SELECT MAX(version) AS newest FROM control_steps")).await?)?;
        tx.rollback().await?;
        let Some(migration) = next(found)? else { return Ok(()) };
        steps(pools, found + 1, migration).await?;
    }
}

async fn steps(pools: &Pools, version: i64, migration: &Migration) -> Result<()> {
    let row = sql("SELECT done FROM control_steps WHERE version = $1")
        .bind(version)
        .fetch_optional(&pools.write)
        .await?;
    let known = row.map(|row| row.get::<i64>("done")).transpose()?;
    if known.is_none() {
        let begun = sql("INSERT INTO control_steps (version, done) VALUES ($1, 0)").bind(version);
        begun.execute(&pools.write).await?;
    }
    let done = known.unwrap_or(0);
    for (number, text) in (1_i64..).zip(migration.statements).filter(|(number, _)| *number > done) {
        let statement = Statement::schema(pools.schema_text(text));
        let moved = sql("UPDATE control_steps SET done = $1 WHERE version = $2").bind(number).bind(version);
        if changes_rows(text) {
            let mut tx = pools.write.begin().await?;
            statement.execute(&mut tx).await?;
            moved.execute(&mut tx).await?;
            tx.commit().await?;
        } else {
            match statement.execute(&pools.write).await {
                // Done before a crash, and not yet recorded. Only the first statement can be that one.
                Err(error) if number == done + 1 && was_done(&error) => {}
                other => drop(other?),
            }
            moved.execute(&pools.write).await?;
        }
    }
    let mut tx = pools.write.begin().await?;
    record(&mut tx, version, migration).await?;
    sql("DELETE FROM control_steps WHERE version = $1").bind(version).execute(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// True where a statement changes rows, and so belongs to a transaction on every engine.
fn changes_rows(text: &str) -> bool {
    ["INSERT ", "UPDATE ", "DELETE "].iter().any(|verb| text.starts_with(verb))
}

/// The migration that follows this version, where there is one.
fn next(found: i64) -> Result<Option<&'static Migration>> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(DatabaseError::Newer { found, known });
    }
    Ok(usize::try_from(found).ok().and_then(|position| MIGRATIONS.get(position)))
}

async fn newest(tx: &mut Tx, statement: Statement) -> Result<i64> {
    Ok(statement.fetch_one(tx).await?.get::<Option<i64>>("newest")?.unwrap_or(0))
}

async fn record(tx: &mut Tx, version: i64, migration: &Migration) -> Result<()> {
    sql("INSERT INTO control_ledger (version, name, applied_at) VALUES ($1, $2, $3)")
        .bind(version)
        .bind(migration.name)
        .bind(Timestamp::now().0)
        .execute(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ItemState, RunState, Store, dialect};
    use crate::tests::{TestDatabase, on_each_engine};
    use rowhouse_base::id::RunId;

    fn link() -> std::sync::Arc<crate::link::Link> {
        crate::stub::alone()
    }

    async fn a_newer_database_is_refused() {
        let database = TestDatabase::new().await;
        let store = Store::open(&database.url(), 4, link()).await.unwrap();
        let future = Migration { name: "from the future", statements: &[] };
        let mut tx = store.pools.write.begin().await.unwrap();
        record(&mut tx, 99, &future).await.unwrap();
        tx.commit().await.unwrap();
        let refused = Store::open(&database.url(), 4, link()).await;
        assert!(matches!(refused, Err(DatabaseError::Newer { found: 99, .. })), "{refused:?}");
    }

    /// A crash after any statement, recorded or not yet, on engines where each commits by itself; on the others
    /// the whole migration is undone.
    async fn a_migration_that_was_cut_short_is_finished() {
        let statements = i64::try_from(BEGIN.len()).unwrap();
        for (cut, recorded) in [(0, 0), (1, 0), (2, 2), (3, 2), (5, 5), (6, 5), (statements, statements - 1)]
        {
            let database = TestDatabase::new().await;
            let pools = dialect::open(&database.url(), 4).await.unwrap();
            if pools.schema_commits() {
                for text in [LEDGER, STEPS].into_iter().chain(BEGIN.iter().copied().take(cut as usize)) {
                    Statement::schema(pools.schema_text(text)).execute(&pools.write).await.unwrap();
                }
                sql("INSERT INTO control_steps (version, done) VALUES (1, $1)")
                    .bind(recorded)
                    .execute(&pools.write)
                    .await
                    .unwrap();
            } else {
                let mut tx = pools.begin_schema().await.unwrap();
                for text in [LEDGER].into_iter().chain(BEGIN.iter().copied().take(cut as usize)) {
                    Statement::schema(pools.schema_text(text)).execute(&mut tx).await.unwrap();
                }
                tx.rollback().await.unwrap();
            }
            migrate(&pools).await.unwrap();
            let rows = sql("SELECT version, name FROM control_ledger ORDER BY version");
            let names: Vec<String> = rows
                .fetch_all(&pools.read)
                .await
                .unwrap()
                .iter()
                .map(|row| row.get("name").unwrap())
                .collect();
            assert!(names.iter().eq(MIGRATIONS.iter().map(|migration| migration.name)), "{cut}: {names:?}");
            let store = Store::over(pools, link());
            assert_eq!(store.generation().await.unwrap(), 0, "{cut}");
            store.change().await.unwrap().commit().await.unwrap();
        }
    }

    /// A database as an older server left it, with so many migrations.
    async fn older(database: &TestDatabase, migrations: usize) -> Pools {
        let pools = dialect::open(&database.url(), 4).await.unwrap();
        if pools.schema_commits() {
            for table in [LEDGER, STEPS] {
                Statement::schema(pools.schema_text(table)).execute(&pools.write).await.unwrap();
            }
        }
        for (version, migration) in (1..).zip(MIGRATIONS.iter().take(migrations)) {
            if pools.schema_commits() {
                steps(&pools, version, migration).await.unwrap();
                continue;
            }
            let mut tx = pools.begin_schema().await.unwrap();
            for text in [LEDGER].iter().chain(migration.statements) {
                Statement::schema(pools.schema_text(text)).execute(&mut tx).await.unwrap();
            }
            record(&mut tx, version, migration).await.unwrap();
            tx.commit().await.unwrap();
        }
        pools
    }

    /// What an older server knew of its activations is there as runs, and the one that ran goes on.
    async fn activations_become_runs() {
        let database = TestDatabase::new().await;
        let pools = older(&database, 4).await;
        let ids: Vec<RunId> = (0..3).map(|_| RunId::new()).collect();
        for (id, state) in ids.iter().zip(["done", "failed-partly", "running"]) {
            sql("INSERT INTO activations (id, kind, release_name, state, total, started_at, gen) \
                 VALUES ($1, 'activate', 'site@1.0.0', $2, 2, 7, 1)")
            .bind(id.to_string())
            .bind(state)
            .execute(&pools.write)
            .await
            .unwrap();
            let last = if state == "running" { "pending" } else { "failed" };
            for (number, state) in ["moved", last].into_iter().enumerate() {
                sql("INSERT INTO moves (activation_id, tenant_id, tenant_name, to_release, state) \
                     VALUES ($1, $2, $3, 'site@1.0.0', $4)")
                .bind(id.to_string())
                .bind(rowhouse_base::id::TenantId::new().to_string())
                .bind(format!("club-{number}"))
                .bind(state)
                .execute(&pools.write)
                .await
                .unwrap();
            }
        }
        migrate(&pools).await.unwrap();
        let store = Store::over(pools, link());
        let mut states = Vec::new();
        for id in &ids {
            let run = store.run(*id).await.unwrap().unwrap();
            states.push((run.state, run.kind.as_str(), run.moved, run.failed, run.turn));
        }
        assert_eq!(
            states,
            [
                (RunState::Finished, "activation", 1, 1, 0),
                (RunState::Failed, "activation", 1, 1, 0),
                (RunState::Interrupted, "activation", 1, 0, 0)
            ]
        );
        let items = store.run_items(ids[2], None, "", 10).await.unwrap();
        let items: Vec<_> = items.iter().map(|item| (item.state, item.attempts)).collect();
        assert_eq!(items, [(ItemState::Moved, 1), (ItemState::Waiting, 0)]);
        assert_eq!(store.runs_open().await.unwrap().len(), 1);
    }

    /// What the first version stored is there after the move.
    async fn bytes_of_releases_are_kept_when_they_move() {
        let database = TestDatabase::new().await;
        let pools = older(&database, 1).await;
        let digest = rowhouse_base::Digest::of(b"component");
        sql("INSERT INTO release_bytes (digest, bytes) VALUES ($1, $2)")
            .bind(digest.to_string())
            .bind(b"component".to_vec())
            .execute(&pools.write)
            .await
            .unwrap();
        migrate(&pools).await.unwrap();
        assert_eq!(Store::over(pools, link()).bytes(&digest).await.unwrap().unwrap(), b"component");
    }

    on_each_engine!(
        a_newer_database_is_refused,
        a_migration_that_was_cut_short_is_finished,
        activations_become_runs,
        bytes_of_releases_are_kept_when_they_move,
    );
}
