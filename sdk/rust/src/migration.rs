//! The schema as data: one step from one version to the next, for each dialect.
//!
//! A builder, not a runner: the host applies the steps, records them and never runs one twice. Never
//! change a released step; add another. Called by [`crate::Site::migrations`].

/// One step. Its statements run in one transaction where the engine allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    pub(crate) version: u32,
    pub(crate) name: String,
    pub(crate) sqlite: Vec<String>,
    pub(crate) postgresql: Vec<String>,
    pub(crate) mysql: Vec<String>,
}

impl Migration {
    /// A step without statements yet. Versions are 1, 2, 3, … without gaps.
    pub fn new(version: u32, name: impl Into<String>) -> Self {
        let none = Vec::new;
        Self { version, name: name.into(), sqlite: none(), postgresql: none(), mysql: none() }
    }

    /// Adds statements that every dialect understands.
    #[must_use]
    pub fn all<T: Into<String>>(mut self, statements: impl IntoIterator<Item = T>) -> Self {
        for statement in statements {
            let statement = statement.into();
            self.sqlite.push(statement.clone());
            self.postgresql.push(statement.clone());
            self.mysql.push(statement);
        }
        self
    }

    /// Adds statements for SQLite.
    #[must_use]
    pub fn sqlite<T: Into<String>>(mut self, statements: impl IntoIterator<Item = T>) -> Self {
        self.sqlite.extend(statements.into_iter().map(Into::into));
        self
    }

    /// Adds statements for PostgreSQL.
    #[must_use]
    pub fn postgresql<T: Into<String>>(mut self, statements: impl IntoIterator<Item = T>) -> Self {
        self.postgresql.extend(statements.into_iter().map(Into::into));
        self
    }

    /// Adds statements for MySQL and MariaDB.
    #[must_use]
    pub fn mysql<T: Into<String>>(mut self, statements: impl IntoIterator<Item = T>) -> Self {
        self.mysql.extend(statements.into_iter().map(Into::into));
        self
    }

    /// The version this step leads to.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The statements for one dialect, in order.
    pub fn statements(&self, dialect: crate::sql::Dialect) -> &[String] {
        match dialect {
            crate::sql::Dialect::Sqlite => &self.sqlite,
            crate::sql::Dialect::Postgresql => &self.postgresql,
            crate::sql::Dialect::Mysql => &self.mysql,
        }
    }
}
