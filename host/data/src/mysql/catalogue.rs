//! What the server's catalogue says of a tenant's tables, at a cost that other tenants in the database don't raise.
//!
//! MariaDB opens one table where information_schema is asked for a schema and a table by `=`. Asked in any other
//! way, with IN and LIKE too, it opens every table of the database. So each table is asked for by a statement of
//! its own, and all of them are sent together.
//!
//! Where tenants share a database, the names to ask for come from the rights of the tenant's two users. The server
//! lets nobody but the user for migrations make a table or a view, by CREATE and by RENAME, and only under a name
//! that this user was given a right on before. A right outlasts its table and goes with its user. Users that are
//! made again get rights on what is there no later than on the host's own tables (see [`Engine::provision`]).
//! Invariant: while both users have rights on the host's tables, no table or view lacks a right of one of them. So
//! everything but a removal goes by rights; what somebody else made under a tenant's prefix is a removal's matter.

use super::engine::Engine;
use super::errors;
use super::names::{LEDGER, Names};
use crate::SqlError;
use sqlx::Row;
use sqlx::mysql::MySqlRow;
use std::collections::BTreeSet;
use std::sync::Once;

/// Tables and views that are there. Each is named twice.
pub(super) const THERE: &str = "SELECT CAST(table_name AS CHAR), CAST(table_name AS CHAR) \
    FROM information_schema.tables WHERE table_schema";

/// Foreign keys that change a table with another: the other, and the one that changes with it.
pub(super) const ACTIONS: &str = "SELECT CAST(referenced_table_name AS CHAR), CAST(table_name AS CHAR) \
    FROM information_schema.referential_constraints \
    WHERE (delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT') \
    OR update_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT')) AND constraint_schema";

/// Views and their texts.
pub(super) const VIEWS: &str = "SELECT CAST(table_name AS CHAR), CAST(view_definition AS CHAR) \
    FROM information_schema.views WHERE table_schema";

/// One question for each of these tables. The question ends before what its schema is compared with.
pub(super) fn each(schema: &str, question: &str, tables: &[String]) -> String {
    let texts: Vec<String> = tables
        .iter()
        .map(|table| format!("{question} = {schema} AND table_name = {}", literal(table)))
        .collect();
    texts.join("; ")
}

/// The names that the tenant's users have rights on. All of it is compared with the key of a table.
pub(super) fn rights(names: &Names) -> String {
    format!(
        "SELECT CAST(user AS CHAR), CAST(table_name AS CHAR) FROM mysql.tables_priv \
         WHERE host = '%' AND db = {} AND user IN ({}, {})",
        literal(&names.database),
        literal(&names.guest),
        literal(&names.migrator)
    )
}

/// A text between marks, where backslashes have a meaning.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

impl Engine {
    /// Those of these tables and views that are there. All are names on the server.
    pub(super) async fn there(&self, names: &Names, tables: &[String]) -> Result<Vec<String>, SqlError> {
        let found = self.ask_each(names, THERE, tables).await?;
        Ok(found.into_iter().map(|(table, _)| table).collect())
    }

    /// One of the questions above for each of these tables. Every answer has two texts.
    pub(super) async fn ask_each(
        &self,
        names: &Names,
        question: &str,
        tables: &[String],
    ) -> Result<Vec<(String, String)>, SqlError> {
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        let text = each(&literal(&names.database), question, tables);
        pairs(&self.server.control.rows(&text).await?)
    }

    /// All of a tenant's tables and views without the host's own, by their names on the server. Some of the names may
    /// be of tables that are gone.
    pub(super) async fn known_tables(&self, names: &Names) -> Result<Vec<String>, SqlError> {
        let known = match names.prefix {
            Some(_) => self.granted(names).await?,
            None => None,
        };
        let known = match known {
            Some(known) => known,
            None => self.tables(names).await?.into_iter().collect(),
        };
        Ok(known.into_iter().filter(|table| names.own(table).is_some()).collect())
    }

    /// What the tenant's users have rights on; none where that need not be all of the tenant's tables.
    async fn granted(&self, names: &Names) -> Result<Option<BTreeSet<String>>, SqlError> {
        let rows = match self.server.control.rows(&rights(names)).await {
            Ok(rows) => rows,
            Err(error) => {
                // The host's account may not be let in there. The tables tell it as well, with more work.
                static SAID: Once = Once::new();
                SAID.call_once(|| {
                    tracing::warn!(
                        %error,
                        "read the rights of a tenant's users: let the user of the data server's URL SELECT on \
                         mysql.tables_priv; until then all tables of the database are listed for each tenant"
                    );
                });
                return Ok(None);
            }
        };
        let rights = pairs(&rows)?;
        // A user that is gone, or a server that keeps the database's name in another case.
        let ledger = names.physical(LEDGER);
        let is_whole = [&names.guest, &names.migrator]
            .into_iter()
            .all(|user| rights.iter().any(|(one, table)| one == user && *table == ledger));
        Ok(is_whole.then(|| rights.into_iter().map(|(_, table)| table).collect()))
    }
}

fn pairs(rows: &[MySqlRow]) -> Result<Vec<(String, String)>, SqlError> {
    rows.iter().map(pair).collect::<Result<_, _>>().map_err(|error| errors::host(&error))
}

/// The two texts of a row; an empty one for none.
fn pair(row: &MySqlRow) -> Result<(String, String), sqlx::Error> {
    let (one, other) = (row.try_get::<Option<String>, _>(0)?, row.try_get::<Option<String>, _>(1)?);
    Ok((one.unwrap_or_default(), other.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::super::names::Place;
    use super::*;
    use rowhouse_base::id::TenantId;

    #[test]
    fn each_table_is_asked_for_by_its_name() {
        let names = Names::of(&Place::Shared("club".into()), TenantId::new());
        let tables = [names.physical("a"), names.physical("b")];
        let [a, b] = &tables;
        for question in [THERE, ACTIONS, VIEWS] {
            let text = each("'cl''ub'", question, &tables);
            assert_eq!(
                text,
                format!(
                    "{question} = 'cl''ub' AND table_name = '{a}'; {question} = 'cl''ub' AND table_name = '{b}'"
                )
            );
            assert!(!text.contains("LIKE"), "{text}");
        }
        assert_eq!(each("DATABASE()", THERE, &[]), "");
    }

    #[test]
    fn marks_and_backslashes_stand_for_themselves() {
        assert_eq!(literal(r"a'b\"), r"'a''b\\'");
    }
}
