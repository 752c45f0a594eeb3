//! The engine through the room's door: what guests can do, what they can't, and what it costs others.

mod attacks;
mod basics;
mod bounds;
mod fairness;
mod isolation;
mod migrations;
mod moves;
mod registry;
mod sharing;

use super::{Engine, Registry, Session};
use crate::home::Home;
use crate::meter::Meter;
use crate::tenant_db::Backend;
use crate::{Data, DataConfig, MigrateError, Migration, SchemaState, SqlError, TenantDb, Value, fingerprint};
use rowhouse_base::Limits;
use rowhouse_tenant::Tenant;
use std::sync::Arc;
use tempfile::TempDir;

/// A data room of its own, removed with it.
struct Room {
    data: Door,
    dir: TempDir,
}

/// The way in: the room's own, or the engine's where tenants share a file.
enum Door {
    Files(Arc<Data>),
    Shared(Arc<Engine>),
}

/// Runs each test with a file per tenant and with one for all.
macro_rules! in_both {
    ($($module:ident :: $test:ident;)*) => {
        mod files {
            $(#[tokio::test] async fn $test() { super::$module::$test(super::room()).await; })*
        }
        mod shared {
            $(#[tokio::test] async fn $test() { super::$module::$test(super::shared_room()).await; })*
        }
    };
}

in_both! {
    attacks::refused_by_every_way_in;
    attacks::bombs_end_in_time;
    attacks::endless_statements_say_why_they_ended;
    attacks::complexity_is_bounded;
    basics::parameters_by_number;
    basics::outcomes_and_constraints;
    basics::a_batch_is_all_or_nothing;
    basics::transactions_commit_roll_back_and_end;
    basics::a_failed_statement_leaves_the_rest_of_its_transaction;
    basics::reading_transactions_see_one_snapshot_and_write_nothing;
    basics::cursors_page_over_one_snapshot;
    basics::statements_follow_a_changed_schema;
    bounds::rows_and_bytes_of_a_result;
    bounds::statements_of_a_request;
    bounds::size_of_the_database;
    bounds::a_raised_quota_holds_at_once;
    bounds::long_reads_move_to_a_thread;
    migrations::applies_what_is_pending_once;
    migrations::names_the_statement_that_failed_and_keeps_what_went_before;
    migrations::two_runs_at_once_apply_each_migration_once;
    sharing::connections_of_one_tenant_are_capped_and_waited_for;
    sharing::dropped_futures_give_everything_back;
}

fn room_with(change: impl FnOnce(&mut DataConfig)) -> Room {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DataConfig::new(dir.path());
    change(&mut config);
    Room { data: Door::Files(Data::new(config).unwrap()), dir }
}

/// A room where tenants share a file, and whether the guard stands before it.
fn shared_room_with(guarded: bool, change: impl FnOnce(&mut DataConfig)) -> Room {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DataConfig::new(dir.path());
    change(&mut config);
    let file = Home::open(dir.path()).unwrap().shared_file(&"farm".parse().unwrap()).unwrap();
    let engine = match guarded {
        true => Engine::shared(&config, file, &crate::testing::known()),
        false => Engine::shared_without_guard(&config, file),
    };
    Room { data: Door::Shared(engine.unwrap()), dir }
}

fn shared_room() -> Room {
    shared_room_with(true, |_config| {})
}

impl std::ops::Deref for Door {
    type Target = Data;

    fn deref(&self) -> &Data {
        match self {
            Self::Files(data) => data,
            Self::Shared(_) => unreachable!("the test is for a file per tenant"),
        }
    }
}

impl Door {
    fn open(&self, tenant: &Arc<Tenant>) -> TenantDb {
        match self {
            Self::Files(data) => data.open(tenant),
            Self::Shared(engine) => {
                let session = Session::new(Arc::clone(engine), Arc::clone(tenant));
                TenantDb::new(Backend::Sqlite(session), Arc::new(Meter::default()), tenant.limits.statements)
            }
        }
    }

    async fn provision(&self, tenant: &Arc<Tenant>) {
        match self {
            Self::Files(data) => data.provision(tenant).await.unwrap(),
            Self::Shared(_) => self.registry().provision(tenant.id).await.unwrap(),
        }
    }

    async fn migrate(
        &self,
        tenant: &Arc<Tenant>,
        migrations: &[Migration],
    ) -> Result<SchemaState, MigrateError> {
        match self {
            Self::Files(data) => data.migrate(tenant, migrations).await,
            Self::Shared(engine) => {
                let session = Session::new(Arc::clone(engine), Arc::clone(tenant));
                let time = std::time::Duration::from_secs(60);
                let version = session.migrate(migrations.into(), time).await?;
                Ok(SchemaState { version, fingerprint: fingerprint(migrations) })
            }
        }
    }

    async fn schema_version(&self, tenant: &Arc<Tenant>) -> Result<u32, SqlError> {
        match self {
            Self::Files(data) => data.schema_version(tenant).await,
            Self::Shared(engine) => {
                let session = Session::new(Arc::clone(engine), Arc::clone(tenant));
                Ok(session.applied().await?.last().map_or(0, |last| last.version))
            }
        }
    }

    async fn database_bytes(&self, tenant: &Tenant) -> u64 {
        match self {
            Self::Files(data) => data.usage(tenant).await.unwrap().database_bytes,
            Self::Shared(_) => self.registry().bytes(tenant.id).await.unwrap(),
        }
    }

    fn engine(&self) -> Arc<Engine> {
        match self {
            Self::Files(data) => data.engine(),
            Self::Shared(engine) => Arc::clone(engine),
        }
    }

    fn alone(&self) -> &Arc<Data> {
        match self {
            Self::Files(data) => data,
            Self::Shared(_) => unreachable!("only for a file per tenant"),
        }
    }

    fn registry(&self) -> Registry {
        self.engine().registry().unwrap()
    }
}

fn room() -> Room {
    room_with(|_config| {})
}

fn tenant_with(change: impl FnOnce(&mut Limits)) -> Arc<Tenant> {
    let mut limits = Limits::default();
    change(&mut limits);
    crate::testing::tenant(limits)
}

impl Room {
    async fn tenant(&self, change: impl FnOnce(&mut Limits)) -> Arc<Tenant> {
        let tenant = tenant_with(change);
        self.data.provision(&tenant).await;
        tenant
    }

    /// A tenant with a table `article (id, title, body)` of so many rows.
    async fn with_articles(&self, rows: u32, change: impl FnOnce(&mut Limits)) -> (Arc<Tenant>, TenantDb) {
        let tenant = self.tenant(change).await;
        let seed = format!(
            "INSERT INTO article (title, body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
             WHERE i < {rows}) SELECT 'title ' || i, 'body ' || i FROM n"
        );
        let table = "CREATE TABLE article (id INTEGER PRIMARY KEY, title TEXT NOT NULL UNIQUE, body TEXT)";
        let steps: &[&str] = if rows == 0 { &[table] } else { &[table, &seed] };
        self.data.migrate(&tenant, &[migration(1, steps)]).await.unwrap();
        let db = self.data.open(&tenant);
        (tenant, db)
    }
}

fn migration(version: u32, statements: &[&str]) -> Migration {
    Migration {
        version,
        name: format!("step {version}"),
        sqlite: statements.iter().map(|&text| text.to_owned()).collect(),
        postgresql: vec![],
        mysql: vec![],
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}
