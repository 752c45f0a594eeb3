//! Fills a tenant's tables from an archive, in one transaction.
//!
//! The server checks each foreign key with each row and can't wait for the end, so the checks are off while
//! rows go in (a row may refer to a later one) and each key is checked by a query before the commit. Counters
//! of automatic keys follow the largest key by themselves, and are raised before to what they were where the
//! archive comes from. Dropped before the end, no row was changed.

use super::connect::{Conn, Gate};
use super::engine::Engine;
use super::export::NO_LIMIT;
use super::names::quoted;
use super::session::{Session, in_time};
use super::shape::{self, Foreign, Shapes};
use super::{convert, encode, run};
use crate::guard::SQL_MODE;
use crate::pool::Lease;
use crate::transfer::{ColumnKind, Import, RowBlock, TableShape};
use crate::{ConstraintKind, SqlError};
use rowhouse_tenant::Tenant;
use sqlx::mysql::MySqlArguments;
use sqlx::{AssertSqlSafe, Executor};
use std::sync::Arc;
use tokio::time::Instant;

/// Parameters of one INSERT. The server takes 65,535.
const PARAMETERS: usize = 10_000;

/// An import that has begun.
pub(crate) struct Load {
    session: Session,
    lease: Lease<Gate>,
    shapes: Shapes,
}

impl Engine {
    /// Begins an import.
    pub(crate) async fn import(self: &Arc<Self>, tenant: &Arc<Tenant>) -> Result<Load, SqlError> {
        let session = self.session(tenant);
        let until = Instant::now() + session.time();
        let (lease, shapes) = in_time(until, async {
            let mut lease = session.lease(until, false).await?;
            let conn = lease.conn()?;
            session.host(conn, NO_LIMIT).await?;
            // A key of 0 is a key, not the wish for the next one.
            let mode = format!("SET foreign_key_checks = 0, sql_mode = '{SQL_MODE},NO_AUTO_VALUE_ON_ZERO'");
            write(conn, &session, &mode, MySqlArguments::default()).await?;
            session.host(conn, "START TRANSACTION READ WRITE").await?;
            let known = self.known_tables(&session.names).await?;
            let shapes = shape::read(conn, &session.names, &known).await?;
            Ok((lease, shapes))
        })
        .await?;
        Ok(Load { session, lease, shapes })
    }
}

impl Import for Load {
    fn tables(&self) -> &[TableShape] {
        &self.shapes.tables
    }

    async fn clear(&mut self) -> Result<(), SqlError> {
        for table in &self.shapes.tables {
            let names = &self.session.names;
            let text = format!("DELETE FROM {}", names.qualified(&names.physical(&table.name)));
            write(self.lease.conn()?, &self.session, &text, MySqlArguments::default()).await?;
        }
        Ok(())
    }

    async fn write(&mut self, table: &str, columns: &[String], rows: RowBlock) -> Result<(), SqlError> {
        let (kinds, head) = self.target(table, columns)?;
        let each = (PARAMETERS / columns.len().max(1)).max(1);
        let places = format!("({})", vec!["?"; columns.len()].join(", "));
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut arguments = MySqlArguments::default();
            let mut count = 0;
            for row in rows.by_ref().take(each) {
                if row.len() != columns.len() {
                    return Err(SqlError::Parameter(format!(
                        "a row of table {table} has {} values",
                        row.len()
                    )));
                }
                for ((value, kind), column) in row.into_iter().zip(&kinds).zip(columns) {
                    let fits =
                        convert::to_kind(value, *kind).and_then(|value| encode::add(&mut arguments, &value));
                    fits.map_err(|problem| SqlError::Parameter(format!("{table}.{column}: {problem}")))?;
                }
                count += 1;
            }
            let text = format!("{head} {}", vec![places.as_str(); count].join(", "));
            write(self.lease.conn()?, &self.session, &text, arguments).await?;
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), SqlError> {
        for key in &self.shapes.foreign {
            self.session.check_key(self.lease.conn()?, key).await?;
        }
        let conn = self.lease.conn()?;
        write(conn, &self.session, &self.session.everything(), MySqlArguments::default()).await?;
        let writing = self.session.engine.writing(self.session.tenant.id, conn);
        self.session.host(conn, "COMMIT").await?;
        writing.settled().await;
        self.session.engine.sizes.forget(self.session.tenant.id);
        Ok(())
    }
}

impl Load {
    /// Raises the counters of keys. Only the user of migrations may, and each statement commits by itself; so
    /// it is done before the first row, when the transaction holds nothing yet.
    pub(crate) async fn set_sequences(&mut self, sequences: Vec<(String, i64)>) -> Result<(), SqlError> {
        let (session, names) = (&self.session, &self.session.names);
        let counters = &self.shapes.counters;
        let raised: Vec<(String, i64)> = sequences
            .into_iter()
            .filter(|(table, highest)| counters.iter().any(|(name, now)| name == table && now < highest))
            .collect();
        if raised.is_empty() {
            return Ok(());
        }
        let conn = self.lease.conn()?;
        session.host(conn, "COMMIT").await?;
        let engine = &session.engine;
        let _turn = engine.migrations.acquire().await.map_err(|_closed| SqlError::Closed)?;
        let mut migrator = engine.server.connect_migrator(session.tenant.id).await?;
        for (table, highest) in raised {
            let physical = names.qualified(&names.physical(&table));
            let next = highest.unsigned_abs().saturating_add(1);
            let text = format!("ALTER TABLE {physical} AUTO_INCREMENT = {next}");
            write(&mut migrator, session, &text, MySqlArguments::default()).await?;
        }
        let _gone = sqlx::Connection::close(migrator.db).await;
        session.host(conn, "START TRANSACTION READ WRITE").await
    }

    /// Kinds of the columns, and the statement's beginning.
    fn target(&self, table: &str, columns: &[String]) -> Result<(Vec<ColumnKind>, String), SqlError> {
        let shape = self.shapes.tables.iter().find(|shape| shape.name == table);
        let shape = shape.ok_or_else(|| SqlError::Syntax(format!("there is no table {table}")))?;
        let kinds = columns
            .iter()
            .map(|name| {
                let found = shape.columns.iter().find(|column| column.name == *name);
                found
                    .map(|column| column.kind)
                    .ok_or_else(|| SqlError::Syntax(format!("table {table} has no column {name}")))
            })
            .collect::<Result<_, _>>()?;
        let names = &self.session.names;
        let list = columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let table = names.qualified(&names.physical(table));
        Ok((kinds, format!("INSERT INTO {table} ({list}) VALUES")))
    }
}

impl Session {
    /// Fails where a row refers to none.
    async fn check_key(&self, conn: &mut Conn, key: &Foreign) -> Result<(), SqlError> {
        let pairs: Vec<_> = key.columns.iter().zip(&key.parent_columns).collect();
        let join: Vec<_> =
            pairs.iter().map(|(own, other)| format!("p.{} = c.{}", quoted(other), quoted(own))).collect();
        let given: Vec<_> = pairs.iter().map(|(own, _)| format!("c.{} IS NOT NULL", quoted(own))).collect();
        let text = format!(
            "SELECT 1 FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) LIMIT 1",
            self.names.qualified(&key.table),
            given.join(" AND "),
            self.names.qualified(&key.parent),
            join.join(" AND "),
        );
        conn.busy = true;
        let found = conn.db.fetch_all(sqlx::query(AssertSqlSafe(text))).await;
        let found = found.map_err(|error| run::answered(&mut conn.busy, &error, &self.names).error)?;
        conn.busy = false;
        if found.is_empty() {
            return Ok(());
        }
        let table = self.names.own(&key.table).unwrap_or_default();
        let message = format!("a foreign key of table {table} leads nowhere");
        Err(SqlError::Constraint { kind: ConstraintKind::ForeignKey, message })
    }
}

/// Runs one statement of the host's own with values in it.
async fn write(
    conn: &mut Conn,
    session: &Session,
    text: &str,
    arguments: MySqlArguments,
) -> Result<(), SqlError> {
    conn.busy = true;
    // Not kept: each block of rows has a text of its own, and the server holds megabytes for it.
    let query = sqlx::query_with(AssertSqlSafe(text.to_owned()), arguments).persistent(false);
    let result = conn.db.execute(query).await;
    result.map_err(|error| run::answered(&mut conn.busy, &error, &session.names).error)?;
    conn.busy = false;
    Ok(())
}
