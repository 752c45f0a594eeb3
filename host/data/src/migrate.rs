//! Migrations as a module declares them, and what a database says of them.
//!
//! Engine-neutral: validation, fingerprints and the comparison of a list with a ledger are here; each
//! engine's folder applies them. A database ahead of the list (the module was rolled back) is left as it
//! is, because old and new releases both run on the expanded schema.

use crate::{Dialect, SqlError};
use rowhouse_base::Digest;

/// One step of a module's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// 1, 2, 3, … without gaps.
    pub version: u32,
    /// For people.
    pub name: String,
    /// One statement each, for SQLite.
    pub sqlite: Vec<String>,
    /// One statement each, for PostgreSQL.
    pub postgresql: Vec<String>,
    /// One statement each, for MySQL and MariaDB.
    pub mysql: Vec<String>,
}

impl Migration {
    /// The statements for one dialect.
    #[must_use]
    pub fn statements(&self, dialect: Dialect) -> &[String] {
        match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgresql => &self.postgresql,
            Dialect::Mysql => &self.mysql,
        }
    }

    /// What the ledger keeps of it, to notice that an applied migration was edited.
    #[must_use]
    pub fn checksum(&self, dialect: Dialect) -> Digest {
        let mut bytes = Vec::new();
        self.write(&mut bytes, &[dialect]);
        Digest::of(&bytes)
    }

    /// It was applied in another form than it has here.
    pub(crate) fn changed(&self) -> MigrateError {
        MigrateError::Changed { version: self.version, name: self.name.clone() }
    }

    /// It failed at one of its statements, or none for what the host does around them.
    pub(crate) fn failed(&self, statement: Option<usize>, cause: SqlError) -> MigrateError {
        MigrateError::Failed { version: self.version, name: self.name.clone(), statement, cause }
    }

    /// Every part with its length before it, so that no two migrations give the same bytes.
    fn write(&self, bytes: &mut Vec<u8>, dialects: &[Dialect]) {
        bytes.extend_from_slice(&self.version.to_le_bytes());
        write_text(bytes, &self.name);
        for dialect in dialects {
            let statements = self.statements(*dialect);
            bytes.extend_from_slice(&(statements.len() as u64).to_le_bytes());
            statements.iter().for_each(|statement| write_text(bytes, statement));
        }
    }
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// The fingerprint of a whole list, over all dialects. Two lists with the same fingerprint lead to the
/// same schema.
#[must_use]
pub fn fingerprint(migrations: &[Migration]) -> Digest {
    let mut bytes = Vec::new();
    for migration in migrations {
        migration.write(&mut bytes, &[Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql]);
    }
    Digest::of(&bytes)
}

/// Checks a list: versions 1, 2, 3, … and names.
///
/// # Errors
/// [`MigrateError::Invalid`] with every problem.
pub fn validate(migrations: &[Migration]) -> Result<(), MigrateError> {
    let mut problems = Vec::new();
    for (expected, migration) in (1_u32..).zip(migrations) {
        if migration.version != expected {
            problems.push(format!(
                "the migration at place {expected} has version {} instead of {expected}",
                migration.version
            ));
        }
        if migration.name.trim().is_empty() {
            problems.push(format!("the migration at place {expected} has no name"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(MigrateError::Invalid(problems)) }
}

/// Where a database stands after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// The newest version in the database's ledger; 0 where nothing was ever applied. Higher than the
    /// list's where the database is ahead.
    pub version: u32,
    /// The fingerprint of the list that was asked for.
    pub fingerprint: Digest,
}

/// One line of a database's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Version of the migration.
    pub version: u32,
    /// Name it had when it was applied.
    pub name: String,
    /// Its checksum, in hexadecimal.
    pub checksum: String,
}

/// Why a database was not migrated. What had been applied before stays.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The list itself is wrong; no database was touched.
    #[error("the migrations are not valid: {}", .0.join("; "))]
    Invalid(Vec<String>),
    /// An applied migration differs from the one in the list.
    #[error(
        "migration {version} ({name}) was applied in another form than this release has: put its statements back \
         as they were and make the change in a new migration"
    )]
    Changed {
        /// Version of the migration.
        version: u32,
        /// Its name in the list.
        name: String,
    },
    /// The ledger can't be read.
    #[error("read the ledger of migrations")]
    Ledger(#[source] SqlError),
    /// A migration failed and was taken back as a whole.
    #[error("apply migration {version} ({name}){}", at(*statement))]
    Failed {
        /// Version of the migration.
        version: u32,
        /// Its name.
        name: String,
        /// Which of its statements, from 0; none for what the host does around them.
        statement: Option<usize>,
        /// Why.
        #[source]
        cause: SqlError,
    },
}

fn at(statement: Option<usize>) -> String {
    statement.map(|index| format!(", statement {}", index.saturating_add(1))).unwrap_or_default()
}

/// The index of the first migration that the ledger doesn't have.
///
/// # Errors
/// [`MigrateError::Changed`] where what both have differs, [`MigrateError::Ledger`] where the ledger has
/// gaps.
pub(crate) fn pending(
    migrations: &[Migration],
    applied: &[Applied],
    dialect: Dialect,
) -> Result<usize, MigrateError> {
    for (expected, line) in (1_u32..).zip(applied) {
        if line.version != expected {
            let message = format!("the ledger has version {} where {expected} should be", line.version);
            return Err(MigrateError::Ledger(SqlError::other(message)));
        }
    }
    for (migration, line) in migrations.iter().zip(applied) {
        if migration.checksum(dialect).to_string() != line.checksum {
            return Err(migration.changed());
        }
    }
    Ok(applied.len().min(migrations.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(version: u32, name: &str, statements: &[&str]) -> Migration {
        let statements: Vec<String> = statements.iter().map(|&text| text.to_owned()).collect();
        Migration { version, name: name.into(), sqlite: statements, postgresql: vec![], mysql: vec![] }
    }

    #[test]
    fn lists_every_problem() {
        let Err(MigrateError::Invalid(problems)) =
            validate(&[migration(1, "a", &[]), migration(3, " ", &[]), migration(3, "c", &[])])
        else {
            unreachable!("the list is wrong");
        };
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(validate(&[]).is_ok());
    }

    #[test]
    fn fingerprints_tell_lists_apart() {
        let lists = [
            vec![],
            vec![migration(1, "a", &["x", "y"])],
            vec![migration(1, "a", &["xy"])],
            vec![migration(1, "ax", &["y"])],
            vec![migration(1, "a", &["x"]), migration(2, "b", &["y"])],
        ];
        let prints: std::collections::HashSet<_> = lists.iter().map(|list| fingerprint(list)).collect();
        assert_eq!(prints.len(), lists.len());
    }

    /// The ledgers of existing databases hold these digests: a change of the encoding would make every
    /// database refuse its next migration.
    #[test]
    fn checksums_are_stable() {
        let checksum = migration(1, "create article", &["CREATE TABLE article (id INTEGER PRIMARY KEY)"]);
        assert_eq!(checksum.checksum(Dialect::Sqlite).short(), "b3d1eb01bc96");
    }

    #[test]
    fn compares_with_the_ledger() {
        let list = [migration(1, "a", &["x"]), migration(2, "b", &["y"])];
        let lines: Vec<Applied> = list
            .iter()
            .chain([&migration(3, "c", &["z"])])
            .map(|one| Applied {
                version: one.version,
                name: one.name.clone(),
                checksum: one.checksum(Dialect::Sqlite).to_string(),
            })
            .collect();
        assert_eq!(pending(&list, &[], Dialect::Sqlite).unwrap(), 0);
        assert_eq!(pending(&list, lines.get(..1).unwrap(), Dialect::Sqlite).unwrap(), 1);
        assert_eq!(pending(&list, &lines, Dialect::Sqlite).unwrap(), 2, "a database may be ahead");
        let edited = [migration(1, "a", &["x, edited"])];
        assert!(matches!(
            pending(&edited, &lines, Dialect::Sqlite),
            Err(MigrateError::Changed { version: 1, .. })
        ));
        assert!(pending(&list, lines.get(1..).unwrap(), Dialect::Sqlite).is_err());
    }
}
