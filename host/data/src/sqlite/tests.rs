//! The engine through the room's door: what guests can do, what they can't, and what it costs others.

mod attacks;
mod basics;
mod bounds;
mod migrations;
mod sharing;

use crate::{Data, DataConfig, Migration, TenantDb, Value};
use rowhouse_base::id::TenantId;
use rowhouse_base::{Limits, TenantName};
use rowhouse_tenant::{Tenant, TenantState};
use std::sync::Arc;
use tempfile::TempDir;

/// A data room of its own, removed with it.
struct Room {
    data: Arc<Data>,
    dir: TempDir,
}

fn room_with(change: impl FnOnce(&mut DataConfig)) -> Room {
    let dir = tempfile::tempdir().unwrap();
    let mut config = DataConfig::new(dir.path());
    change(&mut config);
    Room { data: Data::new(config).unwrap(), dir }
}

fn room() -> Room {
    room_with(|_config| {})
}

fn tenant_with(change: impl FnOnce(&mut Limits)) -> Arc<Tenant> {
    let mut limits = Limits::default();
    change(&mut limits);
    Arc::new(Tenant {
        id: TenantId::new(),
        name: TenantName::parse("club").unwrap(),
        title: "Club".into(),
        state: TenantState::Active,
        addresses: vec![],
        url_prefix: true,
        settings: Default::default(),
        locale: "en".into(),
        time_zone: "UTC".into(),
        release: None,
        revision: 1,
        limits: Arc::new(limits),
    })
}

impl Room {
    async fn tenant(&self, change: impl FnOnce(&mut Limits)) -> Arc<Tenant> {
        let tenant = tenant_with(change);
        self.data.provision(&tenant).await.unwrap();
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
