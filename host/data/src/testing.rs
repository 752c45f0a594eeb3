//! What the room's tests share: tenants, where the real servers are, and how the corpus is tried on them.

pub(crate) mod corpus;

use rowhouse_base::id::TenantId;
use rowhouse_base::{DataServerName, Limits, TenantName};
use rowhouse_tenant::{Tenant, TenantState};
use std::sync::Arc;

/// A new active tenant with these limits.
pub(crate) fn tenant(limits: Limits) -> Arc<Tenant> {
    Arc::new(Tenant {
        id: TenantId::new(),
        name: TenantName::parse("club").unwrap(),
        title: "Club".into(),
        state: TenantState::Active,
        addresses: vec![],
        url_prefix: true,
        settings: Default::default(),
        outbound: vec![],
        locale: "en".into(),
        time_zone: "UTC".into(),
        release: None,
        data_server: DataServerName::local(),
        revision: 1,
        limits: Arc::new(limits),
    })
}

/// What a process without others knows: nothing yet.
pub(crate) fn known() -> Arc<crate::known::Known> {
    crate::known::Known::new(Arc::new(rowhouse_base::Alone))
}

/// A superuser's URL of the PostgreSQL server that tests use.
pub(crate) fn postgresql() -> String {
    std::env::var("ROWHOUSE_TEST_POSTGRES")
        .unwrap_or_else(|_unset| "postgres://postgres@127.0.0.1:5432/postgres".into())
}

/// A statement for that server: drops the groups through which roles came into a shared database that is gone.
pub(crate) fn drop_groups(database: &str) -> String {
    let scope = rowhouse_base::Digest::of(database.as_bytes()).short();
    format!("DROP ROLE IF EXISTS rh{scope}_guests, rh{scope}_owners")
}

/// An administrator's URL of the MariaDB server that tests use.
pub(crate) fn mariadb() -> String {
    std::env::var("ROWHOUSE_TEST_MARIADB").unwrap_or_else(|_unset| "mysql://root@127.0.0.1:3306/".into())
}

/// Milliseconds for statements whose time is not what is tested.
pub(crate) const PATIENT: u32 = 120_000;
