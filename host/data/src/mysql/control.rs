//! The host's own connection to the server: it makes and removes tenants, measures them, and ends what
//! runs too long. It never carries a guest's text.
//!
//! Statements go one after another over one connection, which is opened when first needed and again after
//! it broke. All of them may be run twice. A future that is dropped drops the connection with it.

use super::errors;
use crate::SqlError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long one statement of the host's may take. Removing a large database is the longest.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plain quotes and backslashes, whatever the server's default; locks of guests are not waited for long. MariaDB makes a
/// user, without a password, of whoever is granted something and is not there, unless told not to.
const SETUP: &str = "SET NAMES utf8mb4, sql_mode = '' /*M! , sql_mode = 'NO_AUTO_CREATE_USER' */, \
                     autocommit = 1, time_zone = '+00:00', lock_wait_timeout = 10 \
                     /*!80000 , information_schema_stats_expiry = 0 */";

/// One connection as the host.
pub(super) struct Control {
    options: MySqlConnectOptions,
    line: Mutex<Option<MySqlConnection>>,
}

impl Control {
    pub(super) fn new(options: MySqlConnectOptions) -> Self {
        Self { options, line: Mutex::new(None) }
    }

    /// Runs one or several statements.
    pub(super) async fn execute(&self, text: &str) -> Result<(), SqlError> {
        self.rows(text).await.map(drop)
    }

    /// Runs statements and returns the rows of all of them.
    pub(super) async fn rows(&self, text: &str) -> Result<Vec<MySqlRow>, SqlError> {
        timeout(PATIENCE, self.attempts(text)).await.unwrap_or_else(|_elapsed| {
            Err(SqlError::other("the data server did not answer the host in time"))
        })
    }

    async fn attempts(&self, text: &str) -> Result<Vec<MySqlRow>, SqlError> {
        let mut line = self.line.lock().await;
        let known = line.take();
        let stale = known.is_some();
        let mut conn = match known {
            Some(conn) => conn,
            None => self.open().await?,
        };
        let mut result = conn.fetch_all(sqlx::raw_sql(AssertSqlSafe(text.to_owned()))).await;
        if stale && matches!(&result, Err(error) if errors::is_broken(error)) {
            conn = self.open().await?;
            result = conn.fetch_all(sqlx::raw_sql(AssertSqlSafe(text.to_owned()))).await;
        }
        if !matches!(&result, Err(error) if errors::is_broken(error)) {
            *line = Some(conn);
        }
        result.map_err(|error| errors::host(&error))
    }

    async fn open(&self) -> Result<MySqlConnection, SqlError> {
        let mut conn = self.options.connect().await.map_err(|error| errors::host(&error))?;
        conn.execute(sqlx::raw_sql(SETUP)).await.map_err(|error| errors::host(&error))?;
        Ok(conn)
    }
}
