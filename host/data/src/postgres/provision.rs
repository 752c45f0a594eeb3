//! Makes a tenant's roles, database and rights, or completes what was left half made.
//!
//! The order leaves nothing open where the host ends in between: roles can do nothing before they are let in
//! somewhere, and a database is empty until the tenant's first migration.

use super::connect::{GUEST_EPOCH, OWNER_EPOCH};
use super::engine::Engine;
use super::errors;
use super::harden::{self, run};
use super::migrate::lock_key;
use super::names::{Groups, SCHEMA, TenantNames};
use super::versions;
use crate::SqlError;
use rowhouse_tenant::Tenant;
use sqlx::PgConnection;

/// Asks whether a role is there.
pub(super) const ROLE: &str = "SELECT 1 FROM pg_roles WHERE rolname = $1";

/// Servers of one farm that may hold a tenant's connections at the same time.
const HOSTS: u32 = 8;

/// The first version of the server that tells a member of a role from one who may become it.
const SET_OPTION: u32 = 160_000;

/// Bytes of temporary files that one connection may fill, for sorts and joins that don't fit its memory.
const TEMPORARY: &str = "256MB";

impl Engine {
    /// Makes what the tenant needs on the server. Doing it again completes what is missing and sets what may
    /// have changed: limits, passwords, rights.
    pub(crate) async fn provision(&self, tenant: &Tenant) -> Result<(), SqlError> {
        let names = self.names().of(tenant.id);
        let turn = self.turn().await?;
        let mut main = self.control().connect(&turn, None).await?;
        self.harden(&mut main).await?;
        // Ends with the connection.
        run(&mut main, format!("SELECT pg_advisory_lock({})", lock_key(tenant.id))).await?;
        let superuser = harden::is_superuser(&mut main).await?;
        let roles = self.roles(&mut main, tenant, &names, superuser).await?;
        let rights = rights(&names, &main);
        if self.names().shared() {
            // One transaction: the server's disk is waited for once.
            return run(&mut main, format!("{roles}; {rights}")).await;
        }
        run(&mut main, roles).await?;
        self.make_database(&mut main, &names).await?;
        admit(&mut main, &names).await?;
        let mut own = self.control().connect(&turn, Some(&names.database)).await?;
        harden::schema(&mut own).await?;
        if superuser {
            harden::catalog(&mut own, &names).await?;
        }
        run(&mut own, rights).await
    }

    /// Once in the life of this process.
    pub(super) async fn harden(&self, main: &mut PgConnection) -> Result<(), SqlError> {
        self.hardened
            .get_or_try_init(|| async {
                harden::server(main, &self.names().main).await?;
                if let Some(groups) = self.names().groups() {
                    harden::shared(main, &self.names().main, &groups).await?;
                }
                Ok(())
            })
            .await
            .copied()
    }

    /// Statements that make the two roles what they should be.
    async fn roles(
        &self,
        main: &mut PgConnection,
        tenant: &Tenant,
        names: &TenantNames,
        superuser: bool,
    ) -> Result<String, SqlError> {
        let opener = self.pool().connector();
        let connections = tenant.limits.connections.saturating_mul(HOSTS).clamp(HOSTS, 10_000);
        let mut statements = Vec::new();
        for (role, epoch) in [(&names.guest, GUEST_EPOCH), (&names.owner, OWNER_EPOCH)] {
            if !exists(main, ROLE, role).await? {
                statements.push(format!("CREATE ROLE {role} NOLOGIN"));
            }
            // A role that no superuser made is no superuser, and only one may say so again. Else the host has
            // to give rights in the owner's name, and to end the roles' connections.
            let never = if superuser { "NOSUPERUSER NOREPLICATION NOBYPASSRLS" } else { "" };
            statements.push(format!(
                "ALTER ROLE {role} LOGIN NOCREATEDB NOCREATEROLE {never} \
                 CONNECTION LIMIT {connections} PASSWORD '{}'",
                opener.password(tenant.id, epoch).reveal()
            ));
            statements.push(if superuser {
                format!("ALTER ROLE {role} SET temp_file_limit = '{TEMPORARY}'")
            } else {
                format!("GRANT {role} TO CURRENT_USER")
            });
        }
        Ok(statements.join("; "))
    }

    async fn make_database(&self, main: &mut PgConnection, names: &TenantNames) -> Result<(), SqlError> {
        let database = &names.database;
        if exists(main, "SELECT 1 FROM pg_database WHERE datname = $1", database).await?
            || self.take_spare(main, database).await?
        {
            return Ok(());
        }
        create_database(main, database).await
    }
}

/// Lets the two roles into their own database, and nobody else.
async fn admit(main: &mut PgConnection, names: &TenantNames) -> Result<(), SqlError> {
    let database = super::names::quoted(&names.database);
    harden::lock_server(main).await?;
    let admitted = run(
        main,
        format!(
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC; GRANT CONNECT ON DATABASE {database} TO {}, {}",
            names.guest, names.owner
        ),
    )
    .await;
    harden::unlock_server(main).await?;
    admitted
}

/// An empty database. Texts sort by their bytes, as on every other engine.
pub(super) async fn create_database(main: &mut PgConnection, name: &str) -> Result<(), SqlError> {
    run(main, format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'")).await
}

/// Statements for what the two roles may do with the tenant's tables, those to come included, and the ledger.
///
/// Where tenants share a database, they come in as members of groups: rights on the database and its schema given to
/// each by name would be a list that grows with every tenant and is read at every statement.
pub(super) fn rights(names: &TenantNames, db: &PgConnection) -> String {
    let (guest, owner, ledger) = (&names.guest, &names.owner, names.ledger());
    let (versions, as_member) = (versions::table(names), as_member(db.server_version_num()));
    let entry = match &names.groups {
        // Roles that older hosts made inherit nothing.
        Some(Groups { guests, owners }) => format!(
            "ALTER ROLE {guest} INHERIT; ALTER ROLE {owner} INHERIT; \
             GRANT {guests} TO {guest}{as_member}; GRANT {owners} TO {owner}{as_member}"
        ),
        None => format!(
            "GRANT USAGE ON SCHEMA {SCHEMA} TO {guest}; GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {owner}"
        ),
    };
    format!(
        "{entry}; CREATE TABLE IF NOT EXISTS {ledger} (version bigint PRIMARY KEY, name text NOT NULL, \
         checksum text NOT NULL, applied_at bigint NOT NULL); {versions}; \
         REVOKE ALL ON {ledger} FROM PUBLIC; GRANT SELECT, INSERT ON {ledger} TO {owner}; \
         ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {SCHEMA} \
         GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {guest}; \
         ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {SCHEMA} \
         GRANT USAGE, SELECT ON SEQUENCES TO {guest}"
    )
}

/// How a role becomes a member of a group: it has the group's rights and can't become the group. Servers before
/// version 16 know no difference; there the guard, which lets no SET ROLE through, is all that holds. So it is for a
/// membership that another role than this host's granted: from version 16 on there is one for each grantor, and only
/// the grantor's own is changed here.
fn as_member(version: Option<u32>) -> &'static str {
    match version {
        Some(SET_OPTION..) => " WITH INHERIT TRUE, SET FALSE",
        Some(_) | None => "",
    }
}

pub(super) async fn exists(
    db: &mut PgConnection,
    question: &'static str,
    name: &str,
) -> Result<bool, SqlError> {
    let found: Option<i32> =
        sqlx::query_scalar(question).bind(name).fetch_optional(db).await.map_err(errors::own)?;
    Ok(found.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_asked_for_what_they_know() {
        assert_eq!([None, Some(90_600), Some(150_018)].map(as_member), ["", "", ""]);
        assert_eq!([Some(160_000), Some(180_001)].map(as_member), [" WITH INHERIT TRUE, SET FALSE"; 2]);
    }
}
