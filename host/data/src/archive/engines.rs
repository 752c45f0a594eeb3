//! The engines behind an export and an import, chosen once. A new engine is an arm in each match here.

use crate::transfer::{Export, Import, RowBlock, TableShape};
use crate::{Dialect, SqlError, mysql, postgres, sqlite};

/// An export of any engine.
pub(crate) enum AnyExport {
    Sqlite(sqlite::Exporter),
    Postgres(Box<postgres::PostgresExport>),
    Mysql(mysql::Dump),
}

impl AnyExport {
    /// Which engine it reads.
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgresql,
            Self::Mysql(_) => Dialect::Mysql,
        }
    }

    /// Tables that hold nothing of their own and are not exported.
    pub(super) fn left_out(&self) -> Vec<String> {
        match self {
            Self::Sqlite(export) => export.left_out(),
            Self::Postgres(_) | Self::Mysql(_) => Vec::new(),
        }
    }

    /// The highest key that a table ever gave out by itself, where the engine never uses one again.
    pub(super) fn sequence(&self, table: &str) -> Option<i64> {
        let sequences = match self {
            Self::Sqlite(export) => export.sequences(),
            Self::Postgres(export) => export.sequences(),
            Self::Mysql(export) => export.sequences(),
        };
        sequences.iter().find(|(name, _)| name == table).map(|(_, highest)| *highest)
    }
}

impl Export for AnyExport {
    fn tables(&self) -> &[TableShape] {
        match self {
            Self::Sqlite(export) => export.tables(),
            Self::Postgres(export) => export.tables(),
            Self::Mysql(export) => export.tables(),
        }
    }

    async fn next(&mut self, table: &TableShape) -> Result<RowBlock, SqlError> {
        match self {
            Self::Sqlite(export) => export.next(table).await,
            Self::Postgres(export) => export.next(table).await,
            Self::Mysql(export) => export.next(table).await,
        }
    }
}

/// An import of any engine.
pub(crate) enum AnyImport {
    Sqlite(sqlite::Importer),
    Postgres(Box<postgres::PostgresImport>),
    Mysql(mysql::Load),
}

impl AnyImport {
    /// True where a column also stores values that its declaration doesn't name.
    pub(super) fn is_loose(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(_) | Self::Mysql(_) => false,
        }
    }

    /// Tells the highest keys that tables ever gave out, before their rows come. Counters go on past them
    /// and past the largest key there is. Where the import fails, a counter may have been raised, which
    /// changes no row.
    pub(super) async fn set_sequences(&mut self, sequences: Vec<(String, i64)>) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(import) => import.set_sequences(sequences),
            Self::Postgres(import) => import.set_sequences(sequences),
            Self::Mysql(import) => return import.set_sequences(sequences).await,
        }
        Ok(())
    }
}

impl Import for AnyImport {
    fn tables(&self) -> &[TableShape] {
        match self {
            Self::Sqlite(import) => import.tables(),
            Self::Postgres(import) => import.tables(),
            Self::Mysql(import) => import.tables(),
        }
    }

    async fn clear(&mut self) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(import) => import.clear().await,
            Self::Postgres(import) => import.clear().await,
            Self::Mysql(import) => import.clear().await,
        }
    }

    async fn write(&mut self, table: &str, columns: &[String], rows: RowBlock) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(import) => import.write(table, columns, rows).await,
            Self::Postgres(import) => import.write(table, columns, rows).await,
            Self::Mysql(import) => import.write(table, columns, rows).await,
        }
    }

    async fn finish(self) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(import) => import.finish().await,
            Self::Postgres(import) => import.finish().await,
            Self::Mysql(import) => import.finish().await,
        }
    }
}
