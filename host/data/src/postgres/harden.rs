//! What the server and each database must be like before a tenant is on it. Every step may be done again.
//!
//! By default PostgreSQL lets every role connect to every database, make temporary tables there and write
//! functions. Here a role gets in only where it was let in by name. In a tenant's own database what tells of
//! the server or holds it up (its lists of databases and roles, advisory locks, sleeping, large objects) is
//! taken from PUBLIC too, where the host is a superuser; a shared database may serve others besides, so
//! there that is the guard's work alone.

use super::errors;
use super::names::{Groups, SCHEMA, TenantNames, quoted};
use super::provision::{ROLE, exists};
use crate::SqlError;
use sqlx::{AssertSqlSafe, PgConnection};
use std::time::Duration;

/// Locks of the host's, apart from tenants' by their first half.
const SERVER_LOCK: &str = "SELECT pg_advisory_lock(1919903861, 1)";
const SERVER_UNLOCK: &str = "SELECT pg_advisory_unlock(1919903861, 1)";

/// Databases that anybody may enter or make temporary tables in.
const OPEN: &str = "SELECT datname::text FROM pg_database WHERE datallowconn
    AND has_database_privilege('public', oid, 'CONNECT, TEMPORARY') ORDER BY datname";

/// Functions of the engine's own that no tenant needs and that reach beyond its tables.
const REACHING: &str = "SELECT coalesce(string_agg(format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', \
    oid::regprocedure), ';'), '') FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace \
    AND has_function_privilege('public', oid, 'EXECUTE') AND proname ~ \
    '^(lo_.*|loread|lowrite|pg_(try_)?advisory_.*|pg_sleep.*|pg_notify|pg_stat_get_.*|pg_lock_status|set_config\
    |(query|table|cursor|schema|database)_to_xml.*|pg_(cancel|terminate)_backend|pg_export_snapshot\
    |pg_database_size|pg_show_all_settings|pg_prepared_xact)$'";

/// Tables and views of the engine's own that tell of others on the server.
const TELLING: &str = "REVOKE SELECT ON pg_database, pg_roles, pg_user, pg_group, pg_auth_members, \
    pg_db_role_setting, pg_tablespace, pg_shdepend, pg_shdescription, pg_stat_activity, pg_stat_database, \
    pg_locks FROM PUBLIC";

/// Attempts at a statement that met another host's change of the same entry of the catalogue.
const ATTEMPTS: u32 = 10;

/// Pause before the second attempt; each further one is longer by as much.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs statements of the host's own. Rights on what tenants share are entries of the catalogue that the server
/// doesn't lock: of two changes at once one fails and is worth another attempt.
pub(super) async fn run(db: &mut PgConnection, text: String) -> Result<(), SqlError> {
    let mut attempt = 1;
    loop {
        let result = sqlx::raw_sql(AssertSqlSafe(text.clone())).execute(&mut *db).await;
        match result.map(drop).map_err(errors::own) {
            Err(error) if attempt < ATTEMPTS && is_concurrent(&error) => {
                tokio::time::sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            other => return other,
        }
    }
}

/// True for `tuple concurrently updated` and `tuple concurrently deleted`.
fn is_concurrent(error: &SqlError) -> bool {
    matches!(error, SqlError::Other { sqlstate: Some(state), message }
        if state == "XX000" && message.starts_with("tuple concurrently"))
}

/// True where the host may do everything here.
pub(super) async fn is_superuser(db: &mut PgConnection) -> Result<bool, SqlError> {
    let is = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
    sqlx::query_scalar(is).fetch_one(db).await.map_err(errors::own)
}

/// Takes turns with other hosts in changing what belongs to the whole server: two changes of one entry at
/// once fail. Ends with [`unlock_server`] or with the connection.
pub(super) async fn lock_server(db: &mut PgConnection) -> Result<(), SqlError> {
    run(db, SERVER_LOCK.to_owned()).await
}

pub(super) async fn unlock_server(db: &mut PgConnection) -> Result<(), SqlError> {
    run(db, SERVER_UNLOCK.to_owned()).await
}

/// Closes every database to those who were not let in by name.
pub(super) async fn server(db: &mut PgConnection, main: &str) -> Result<(), SqlError> {
    lock_server(db).await?;
    // The host itself may have come in as anybody.
    run(db, format!("GRANT CONNECT ON DATABASE {} TO CURRENT_USER", quoted(main))).await?;
    let open: Vec<String> = sqlx::query_scalar(OPEN).fetch_all(&mut *db).await.map_err(errors::own)?;
    for database in open {
        let revoke = format!("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC", quoted(&database));
        if let Err(error) = run(db, revoke).await {
            // Dropped just now, most likely.
            tracing::warn!(%error, database, "a database could not be closed to the public");
        }
    }
    let still: Vec<String> = sqlx::query_scalar(OPEN).fetch_all(&mut *db).await.map_err(errors::own)?;
    if !still.is_empty() {
        tracing::warn!(
            databases = still.join(", "),
            "every role may connect to these databases, and the host may not change it: revoke CONNECT and \
             TEMPORARY from PUBLIC as their owner"
        );
    }
    unlock_server(db).await
}

/// The schema of tenants' tables, in a database of one tenant or of all.
pub(super) async fn schema(db: &mut PgConnection) -> Result<(), SqlError> {
    run(
        db,
        format!(
            "CREATE SCHEMA IF NOT EXISTS {SCHEMA}; REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC; \
             REVOKE CREATE ON SCHEMA public FROM PUBLIC; REVOKE USAGE ON LANGUAGE plpgsql, sql FROM PUBLIC"
        ),
    )
    .await
}

/// Makes ready a database that tenants share: the schema, and the groups through which their roles come in.
pub(super) async fn shared(db: &mut PgConnection, database: &str, groups: &Groups) -> Result<(), SqlError> {
    lock_server(db).await?;
    schema(db).await?;
    for group in [&groups.guests, &groups.owners] {
        if !exists(db, ROLE, group).await? {
            run(db, format!("CREATE ROLE {group} NOLOGIN")).await?;
        }
    }
    let (Groups { guests, owners }, database) = (groups, quoted(database));
    run(
        db,
        format!(
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC; GRANT CONNECT ON DATABASE {database} TO {guests}, {owners}; \
             GRANT USAGE ON SCHEMA {SCHEMA} TO {guests}, {owners}; GRANT CREATE ON SCHEMA {SCHEMA} TO {owners}"
        ),
    )
    .await?;
    unlock_server(db).await
}

/// Takes from PUBLIC what reaches beyond a tenant's own database.
pub(super) async fn catalog(db: &mut PgConnection, names: &TenantNames) -> Result<(), SqlError> {
    let revoke: String = sqlx::query_scalar(REACHING).fetch_one(&mut *db).await.map_err(errors::own)?;
    // Migrations take turns by this lock.
    let keep = format!("GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO {}", names.owner);
    run(db, format!("{revoke}; {TELLING}; {keep}")).await
}
