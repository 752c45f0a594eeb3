//! Makes a tenant on the server: database, users, rights and the host's own table, in an order in which a
//! tenant that was half made is found again and completed.
//!
//! Rights end at the tenant's own tables and are no more than its user needs: rows for guests, tables as well
//! for migrations; never FILE, PROCESS, TRIGGER, EVENT, routines or temporary tables. Where tenants share a
//! database, each right is on one table by name: migrations get theirs before a table exists, guests after.

use super::catalogue::literal;
use super::engine::Engine;
use super::names::{LEDGER, Names, Place, VERSIONS, quoted, quoted_pattern};
use super::{ledger, versions};
use crate::SqlError;
use rowhouse_tenant::Tenant;
use sqlx::Row;

/// What guests' statements need.
const ROWS: &str = "SELECT, INSERT, UPDATE, DELETE";

/// What migrations need.
const TABLES: &str =
    "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW";

/// Connections of one tenant's user on the server, over all servers of ours: a dozen of them at four each.
const MOST_CONNECTIONS: u32 = 50;

/// Texts compare by their characters, as on the other engines: upper and lower case differ.
const TEXTS: &str = "DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";

impl Engine {
    /// Makes what is missing of a tenant, and sets its passwords and rights anew.
    pub(crate) async fn provision(&self, tenant: &Tenant) -> Result<(), SqlError> {
        let names = self.names(tenant);
        self.check_texts(&names).await?;
        let found = self.found(&names).await?;
        let (guest, migrator) = self.server.passwords(tenant.id);
        let database = quoted(&names.database);
        let mut text = format!("CREATE DATABASE IF NOT EXISTS {database} {TEXTS};");
        // First of all, so that whatever is made after it is found by it.
        text.push_str(&ledger::table(&names));
        text.push_str(&format!("; {}", versions::table(&names)));
        let make = make_user(&self.server.place, &names);
        for (user, password) in [(&names.guest, &guest), (&names.migrator, &migrator)] {
            let rest = format!("'{user}'@'%' IDENTIFIED BY '{}'", password.reveal());
            text.push_str(&format!(
                "; {make} {rest}; ALTER USER {rest} WITH MAX_USER_CONNECTIONS {MOST_CONNECTIONS}"
            ));
        }
        for grant in guest_grants(&names, found.iter().map(String::as_str)) {
            text.push_str(&format!("; {grant}"));
        }
        // Behind the others: users with rights on the host's tables count as those that have all of theirs.
        text.push_str(&rights(&self.server.place, &names));
        self.server.control.execute(&text).await
    }

    /// What a tenant has that was made before. One without the host's ledger is new: nothing of it is looked for
    /// in a database that may hold the tables of thousands.
    async fn found(&self, names: &Names) -> Result<Vec<String>, SqlError> {
        let ledger = [names.physical(LEDGER)];
        if names.prefix.is_none() || self.there(names, &ledger).await?.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.known_tables(names).await?;
        self.there(names, &known).await
    }

    /// A shared database may have been there before: one that can't hold every text is refused.
    async fn check_texts(&self, names: &Names) -> Result<(), SqlError> {
        let query = format!(
            "SELECT CAST(default_character_set_name AS CHAR) FROM information_schema.schemata \
             WHERE schema_name = {}",
            literal(&names.database)
        );
        let found = self.server.control.rows(&query).await?;
        match found.first().and_then(|row| row.try_get::<String, _>(0).ok()).as_deref() {
            None | Some("utf8mb4") => Ok(()),
            Some(other) => Err(SqlError::other(format!(
                "the database's character set is {other}: make it utf8mb4, or name a new database"
            ))),
        }
    }

    /// Lets a migration work on these tables of the tenant's, whether they exist or not.
    pub(super) async fn grant_migrator(&self, names: &Names, tables: &[String]) -> Result<(), SqlError> {
        if names.prefix.is_none() || tables.is_empty() {
            return Ok(());
        }
        let grants: Vec<_> = tables
            .iter()
            .map(|own| grant(TABLES, &names.qualified(&names.physical(own)), &names.migrator))
            .collect();
        self.server.control.execute(&grants.join("; ")).await
    }

    /// Lets guests read and write those of these tables and views of the tenant's that are there. Rights on those
    /// that are gone stay until the user goes: they are on the tenant's own names.
    pub(super) async fn grant_guest(&self, names: &Names, tables: &[String]) -> Result<(), SqlError> {
        if names.prefix.is_none() {
            return Ok(());
        }
        let tables: Vec<String> = tables.iter().map(|own| names.physical(own)).collect();
        let there = self.there(names, &tables).await?;
        let grants = guest_grants(names, there.iter().map(String::as_str));
        match grants.as_slice() {
            [] => Ok(()),
            grants => self.server.control.execute(&grants.join("; ")).await,
        }
    }
}

/// What makes a user who is not there. On MariaDB `CREATE USER` first looks for the name in every row of the tables of rights,
/// 170 ms where 5,600 tenants share a server; a right that includes nothing, where the host may give one, makes a user without
/// that look. MySQL 8 has no such form.
fn make_user(place: &Place, names: &Names) -> String {
    let on = match place {
        Place::Own => format!("{}.*", quoted_pattern(&names.database)),
        Place::Shared(_) => names.qualified(&names.physical(LEDGER)),
    };
    format!("/*M! GRANT USAGE ON {on} TO */ /*!80000 CREATE USER IF NOT EXISTS */")
}

/// What guests need on these tables, which are named as on the server; nothing on the host's own.
fn guest_grants<'a>(names: &Names, tables: impl Iterator<Item = &'a str>) -> Vec<String> {
    tables
        .filter(|table| names.own(table).is_some())
        .map(|table| grant(ROWS, &names.qualified(table), &names.guest))
        .collect()
}

pub(super) fn rights(place: &Place, names: &Names) -> String {
    let grants = match place {
        Place::Own => {
            let all = format!("{}.*", quoted_pattern(&names.database));
            vec![grant(ROWS, &all, &names.guest), grant(TABLES, &all, &names.migrator)]
        }
        // The guest's one lets it enter the database and do nothing: without CREATE nothing refers.
        Place::Shared(_) => {
            let ledger = names.qualified(&names.physical(LEDGER));
            let versions = names.qualified(&names.physical(VERSIONS));
            vec![
                grant("REFERENCES", &ledger, &names.guest),
                grant(ROWS, &ledger, &names.migrator),
                // A line of one step each: the sums can't be made smaller by it.
                grant("SELECT, INSERT (subject)", &versions, &names.guest),
                grant(ROWS, &versions, &names.migrator),
            ]
        }
    };
    grants.iter().map(|grant| format!("; {grant}")).collect()
}

fn grant(rights: &str, object: &str, user: &str) -> String {
    format!("GRANT {rights} ON {object} TO '{user}'@'%'")
}
