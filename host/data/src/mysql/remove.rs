//! What is left of a tenant on the server: finds it, measures it, empties it, removes it.
//!
//! Users go first, so that nobody comes back in; then their connections, wherever they came from; then the
//! tables, the host's own last, so that a removal that was cut off is found and finished.
//!
//! A removal and the look after it list the shared database, once each. The tenant's rights don't tell a table that
//! somebody else made under its prefix, and are gone with the users; a look at names that are known is no proof that
//! there are no others. The server lists names without opening a table. InnoDB's lists take as long, without views.

use super::catalogue::{literal, rights};
use super::engine::Engine;
use super::names::{LEDGER, Names, Place, VERSIONS, quoted};
use super::{errors, ledger, versions};
use crate::guard::Prefix;
use crate::{LimitKind, SqlError};
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use sqlx::Row;
use sqlx::mysql::MySqlRow;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a reset waits for connections in use. Only a suspended tenant is reset.
const RESET_WAIT: Duration = Duration::from_secs(20);

/// What a removal removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// Databases, users, tables and views.
    pub(crate) objects: u64,
    /// Bytes that they took.
    pub(crate) bytes: u64,
}

impl Engine {
    /// Removes a tenant's database or tables, and its users. Doing it again removes what is left.
    ///
    /// [`LimitKind::Connections`] where connections stayed in use; nothing was removed then.
    pub(crate) async fn remove(&self, id: TenantId, wait: Duration) -> Result<Removed, SqlError> {
        if !self.pool.close(id, wait).await {
            return Err(SqlError::Limit(LimitKind::Connections));
        }
        let names = self.server.names(id);
        let (users, bytes) = (self.users(&names).await?, self.usage(id).await?);
        let control = &self.server.control;
        let drop = |user| format!("DROP USER IF EXISTS '{user}'@'%'");
        control.execute(&format!("{}; {}", drop(&names.guest), drop(&names.migrator))).await?;
        self.end_connections(&names).await?;
        // Not before: a migration elsewhere may have made another one until now.
        let tables = self.tables(&names).await?;
        let objects = users + self.objects(&names, &tables).await?;
        match self.server.place {
            Place::Own => {
                control.execute(&format!("DROP DATABASE IF EXISTS {}", quoted(&names.database))).await?;
            }
            Place::Shared(_) if tables.is_empty() => {}
            Place::Shared(_) => {
                self.drop_tables(&names, &tables).await?;
                let own = |table| names.qualified(&names.physical(table));
                let text = format!("DROP TABLE IF EXISTS {}, {}", own(VERSIONS), own(LEDGER));
                control.execute(&text).await?;
            }
        }
        self.sizes.forget(id);
        Ok(Removed { objects, bytes })
    }

    /// How many databases, users, tables and rights of a tenant are there.
    pub(crate) async fn rescan(&self, id: TenantId) -> Result<u64, SqlError> {
        let names = self.server.names(id);
        let control = &self.server.control;
        let databases =
            format!("SELECT count(*) FROM mysql.db WHERE User IN ('{}', '{}')", names.guest, names.migrator);
        let rights =
            total(&control.rows(&rights(&names)).await?) + count(control.rows(&databases).await?.first());
        let tables = self.tables(&names).await?;
        Ok(rights + self.users(&names).await? + self.objects(&names, &tables).await?)
    }

    /// Ids of all tenants that have something here, complete or not.
    pub(crate) async fn tenants(&self) -> Result<Vec<TenantId>, SqlError> {
        let control = &self.server.control;
        let ids: BTreeSet<TenantId> = match &self.server.place {
            Place::Own => {
                let rows = control.rows("SHOW DATABASES LIKE 'rh\\_%'").await?;
                rows.iter().filter_map(|row| Names::tenant_of_database(&name(row))).collect()
            }
            Place::Shared(database) => {
                let names = self.server.names(TenantId::new());
                if !self.has_database(&names).await? {
                    return Ok(Vec::new());
                }
                let rows = control.rows(&format!("SHOW TABLES FROM {}", quoted(database))).await?;
                rows.iter().filter_map(|row| Prefix::tenant(&name(row))).collect()
            }
        };
        Ok(ids.into_iter().collect())
    }

    /// Bytes that the tenant's tables and indexes take, as the server last counted them. Space within them
    /// that deleted rows left free is not counted by the table, but by its pages.
    pub(crate) async fn usage(&self, id: TenantId) -> Result<u64, SqlError> {
        let names = self.server.names(id);
        let database = literal(&names.database);
        let tables = match &names.prefix {
            Some(prefix) => format!("AND table_name LIKE '{}'", pattern(prefix)),
            None => String::new(),
        };
        let query = format!(
            "SELECT CAST(coalesce(sum(clustered_index_size + sum_of_other_index_sizes), 0) \
             * @@innodb_page_size AS SIGNED) FROM mysql.innodb_table_stats \
             WHERE database_name = {database} {tables}"
        );
        let rows = self.server.control.rows(&query).await?;
        Ok(count(rows.first()))
    }

    /// Empties a tenant's database: no table is left, no migration counts as applied.
    pub(crate) async fn reset(&self, tenant: &Tenant) -> Result<(), SqlError> {
        if !self.pool.close(tenant.id, RESET_WAIT).await {
            return Err(SqlError::Limit(LimitKind::Connections));
        }
        let names = self.names(tenant);
        self.end_connections(&names).await?;
        let tables = self.known_tables(&names).await?;
        self.drop_tables(&names, &tables).await?;
        let ledger = names.qualified(&names.physical(LEDGER));
        // The counts begin anew, higher than they ever were. Rights are on names and outlast it.
        let counts = names.qualified(&names.physical(VERSIONS));
        let (made, counted) = (ledger::table(&names), versions::table(&names));
        let text = format!("DROP TABLE IF EXISTS {ledger}, {counts}; {made}; {counted}");
        self.server.control.execute(&text).await?;
        self.links.forget(tenant.id);
        self.sizes.forget(tenant.id);
        Ok(())
    }

    /// A tenant's tables and views, the host's own among them. Reads the names of every table in the database.
    pub(super) async fn tables(&self, names: &Names) -> Result<Vec<String>, SqlError> {
        if !self.has_database(names).await? {
            return Ok(Vec::new());
        }
        // Unlike SHOW FULL TABLES and a look into information_schema this opens no table's file.
        let like = names.prefix.as_ref().map_or_else(|| "%".to_owned(), pattern);
        let query = format!("SHOW TABLES FROM {} LIKE '{like}'", quoted(&names.database));
        Ok(self.server.control.rows(&query).await?.iter().map(name).collect())
    }

    async fn has_database(&self, names: &Names) -> Result<bool, SqlError> {
        let query = format!(
            "SELECT 1 FROM information_schema.schemata WHERE schema_name = {}",
            literal(&names.database)
        );
        Ok(!self.server.control.rows(&query).await?.is_empty())
    }

    /// Drops these tables and views but the host's. Some may be gone.
    async fn drop_tables(&self, names: &Names, tables: &[String]) -> Result<(), SqlError> {
        let own = tables.iter().filter(|table| names.own(table).is_some());
        let list: Vec<String> = own.map(|table| names.qualified(table)).collect();
        if list.is_empty() {
            return Ok(());
        }
        let list = list.join(", ");
        // The first passes over views. The second would not pass over tables everywhere, but they are gone.
        self.server
            .control
            .execute(&format!(
                "SET foreign_key_checks = 0; DROP TABLE IF EXISTS {list}; DROP VIEW IF EXISTS {list}; \
                 SET foreign_key_checks = 1"
            ))
            .await
    }

    /// Ends the connections of the tenant's users, other servers' ones included.
    pub(super) async fn end_connections(&self, names: &Names) -> Result<(), SqlError> {
        let query = format!(
            "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user IN ('{}', '{}')",
            names.guest, names.migrator
        );
        for row in self.server.control.rows(&query).await? {
            self.server.killer.end(count(Some(&row))).await;
        }
        Ok(())
    }

    /// How many of the tenant's users are there. None of ours is at another host.
    async fn users(&self, names: &Names) -> Result<u64, SqlError> {
        let query = format!(
            "SELECT count(*) FROM mysql.user WHERE Host = '%' AND User IN ('{}', '{}')",
            names.guest, names.migrator
        );
        Ok(count(self.server.control.rows(&query).await?.first()))
    }

    /// These tables, and a database of the tenant's own.
    async fn objects(&self, names: &Names, tables: &[String]) -> Result<u64, SqlError> {
        let own = names.prefix.is_none() && self.has_database(names).await?;
        Ok(total(tables) + u64::from(own))
    }
}

/// The prefix as a pattern in which nothing else stands for anything.
fn pattern(prefix: &Prefix) -> String {
    format!("{}%", prefix.as_str().replace('_', "\\_"))
}

fn name(row: &MySqlRow) -> String {
    row.try_get::<String, _>(0).unwrap_or_else(|error| {
        tracing::warn!(error = %errors::host(&error), "read a name from a data server");
        String::new()
    })
}

fn count(row: Option<&MySqlRow>) -> u64 {
    row.and_then(|row| row.try_get::<i64, _>(0).ok()).and_then(|count| u64::try_from(count).ok()).unwrap_or(0)
}

fn total<T>(found: &[T]) -> u64 {
    u64::try_from(found.len()).unwrap_or(u64::MAX)
}
