//! Opens and closes the connections of tenants.
//!
//! A connection belongs to one tenant for its life and runs as that tenant's own user. What a session is
//! set to is set once, here, before the first statement of a guest; nothing that a guest may say changes it.
//! Closing one that has not ended its statement ends the statement on the server too.
//!
//! Prepared statements are kept, nearly all that run once too: the driver (sqlx 0.9.0, its issue 4335) leaves Nagle's algorithm
//! on, so that whatever it sends after letting go of one waits for the server's delayed acknowledgement, 40 ms.

use super::control::Control;
use super::deadline::Killer;
use super::errors;
use super::names::{Names, Place};
use crate::guard::SQL_MODE;
use crate::key::DataKey;
use crate::pool::Connector;
use crate::{DataServer, SqlError};
use rowhouse_base::id::TenantId;
use rowhouse_base::{Limits, Secret, tasks};
use rowhouse_tenant::Tenant;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// Prepared statements of all connections together. The server keeps 16,382 for all its clients unless it is
/// told otherwise; half of them leaves room for a second server of ours.
const STATEMENTS: usize = 8_000;

/// Prepared statements of one connection at most: a module's page runs a few dozen.
const MOST_STATEMENTS: usize = 100;

/// Prepared statements of a connection that migrates: more than the migrations of a module have. Few migrate at a time.
const MIGRATION_STATEMENTS: usize = 1_000;

/// A connection that rested longer than this is asked whether it is still there.
const FRESH: Duration = Duration::from_secs(10);

/// Passwords of guests' users and of migrations' users come from different epochs of the key.
pub(super) const GUEST: u32 = 0;
const MIGRATOR: u32 = 1 << 31;

/// The server and what the host is there.
pub(super) struct Server {
    options: MySqlConnectOptions,
    key: DataKey,
    pub(super) place: Place,
    pub(super) control: Control,
    pub(super) killer: Killer,
    opened: AtomicU64,
}

impl Server {
    /// Reads the URL; connects to nothing.
    pub(super) fn new(server: &DataServer, key: &DataKey, place: Place) -> Result<Self, SqlError> {
        let url = server.url.as_ref().ok_or_else(|| SqlError::other("the data server has no URL"))?;
        let options = read(&without_database(url.reveal()))?
            .statement_cache_capacity((STATEMENTS / server.connections.max(1)).clamp(10, MOST_STATEMENTS))
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            .set_names(false)
            .disable_statement_logging();
        let (control, kills) = (Control::new(options.clone()), Control::new(options.clone()));
        let (killer, opened) = (Killer::new(kills), AtomicU64::new(0));
        Ok(Self { options, key: key.clone(), place, control, killer, opened })
    }

    /// Connections to tenants' databases that were opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Relaxed)
    }

    pub(super) fn names(&self, id: TenantId) -> Names {
        Names::of(&self.place, id)
    }

    /// Passwords of the tenant's users: for guests and for migrations.
    pub(super) fn passwords(&self, id: TenantId) -> (Secret, Secret) {
        (self.key.password(id, GUEST), self.key.password(id, MIGRATOR))
    }

    async fn open(
        &self,
        options: MySqlConnectOptions,
        user: &str,
        password: &Secret,
        database: &str,
    ) -> Result<MySqlConnection, SqlError> {
        let options = options.username(user).password(password.reveal()).database(database);
        self.opened.fetch_add(1, Relaxed);
        options.connect().await.map_err(|error| unreachable_server(&error))
    }

    /// A connection as the user that guests' statements run as.
    pub(super) async fn connect(&self, tenant: &Tenant) -> Result<Conn, SqlError> {
        let names = self.names(tenant.id);
        let (options, password) = (self.options.clone(), self.passwords(tenant.id).0);
        let db = self.open(options, &names.guest, &password, &names.database).await?;
        Conn::new(db, &guest_settings(&tenant.limits)).await
    }

    /// A connection as the user that migrations run as.
    pub(super) async fn connect_migrator(&self, id: TenantId) -> Result<Conn, SqlError> {
        let names = self.names(id);
        let options = self.options.clone().statement_cache_capacity(MIGRATION_STATEMENTS);
        let db = self.open(options, &names.migrator, &self.passwords(id).1, &names.database).await?;
        let mut conn = Conn::new(db, MIGRATOR_SETTINGS).await?;
        conn.set_reading(false).await.map_err(|error| errors::host(&error))?;
        Ok(conn)
    }
}

/// The URL's database, if it names one.
pub(super) fn database(url: &str) -> Result<Option<String>, SqlError> {
    Ok(read(url)?.get_database().map(str::to_owned))
}

/// Errors of a URL don't repeat it: it holds a password.
fn read(url: &str) -> Result<MySqlConnectOptions, SqlError> {
    MySqlConnectOptions::from_str(url).map_err(|error| {
        tracing::debug!(error = %error, "read a data server's URL");
        SqlError::other(
            "the data server's URL can't be read: mysql://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS",
        )
    })
}

/// The host names databases itself, and one that the URL names may not exist yet.
fn without_database(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, options) =
        rest.split_once('?').map_or((rest, None), |(place, options)| (place, Some(options)));
    let host = place.split_once('/').map_or(place, |(host, _database)| host);
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{scheme}://{host}/{options}")
}

fn unreachable_server(error: &sqlx::Error) -> SqlError {
    tracing::warn!(error = %errors::host(error), "connect to a data server as a tenant");
    SqlError::Other {
        sqlstate: Some("08001".into()),
        message: "the data server can't be reached or refused the connection".into(),
    }
}

/// Locks are given up on before the statement's own time ends, so that the guest learns of the conflict. A
/// statement whose host has died ends by itself: twice the time of a request is more than any may take,
/// cursors included.
fn guest_settings(limits: &Limits) -> String {
    let lock = (limits.statement_ms / 2_000).max(1);
    let seconds = (limits.wall_ms.max(limits.statement_ms) / 500).max(1);
    let millis = u64::from(seconds) * 1_000;
    let write = seconds.max(60);
    format!(
        "innodb_lock_wait_timeout = {lock}, lock_wait_timeout = {lock}, net_write_timeout = {write} \
         /*M!100100 , max_statement_time = {seconds} */ /*!50708 , max_execution_time = {millis} */"
    )
}

/// A migration may wait a little for guests' transactions; its own time is the host's to keep.
const MIGRATOR_SETTINGS: &str = "innodb_lock_wait_timeout = 2, lock_wait_timeout = 2";

/// An open connection.
pub(super) struct Conn {
    pub(super) db: MySqlConnection,
    /// The server's number for it.
    pub(super) thread: u64,
    /// True from before a statement is sent until its end is known.
    pub(super) busy: bool,
    /// True while the session refuses to write outside a transaction that says otherwise.
    reading: bool,
    used: Instant,
}

impl Conn {
    async fn new(mut db: MySqlConnection, settings: &str) -> Result<Self, SqlError> {
        let text = format!(
            "SET autocommit = 1, sql_mode = '{SQL_MODE}', time_zone = '+00:00', {settings}, \
             NAMES utf8mb4 COLLATE utf8mb4_bin; \
             SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
             SELECT CONNECTION_ID()"
        );
        let row = db.fetch_one(sqlx::raw_sql(AssertSqlSafe(text))).await;
        let thread = row.and_then(|row| row.try_get::<u64, _>(0)).map_err(|error| errors::host(&error))?;
        Ok(Self { db, thread, busy: false, reading: true, used: Instant::now() })
    }

    /// Switches the session where it stands otherwise: one round trip, none between statements of a kind.
    pub(super) async fn set_reading(&mut self, reading: bool) -> Result<(), sqlx::Error> {
        if self.reading == reading {
            return Ok(());
        }
        let text = match reading {
            true => "SET SESSION TRANSACTION READ ONLY",
            false => "SET SESSION TRANSACTION READ WRITE",
        };
        Box::pin(self.host(text)).await?;
        self.reading = reading;
        Ok(())
    }

    /// Runs a statement of the host's own.
    pub(super) async fn host(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        self.busy = true;
        let result = self.db.execute(sqlx::raw_sql(text)).await;
        self.busy = matches!(&result, Err(error) if errors::is_broken(error));
        result.map(drop)
    }

    /// False where the server has closed it while it rested.
    pub(super) async fn is_alive(&mut self) -> bool {
        self.used.elapsed() < FRESH || Box::pin(self.db.ping()).await.is_ok()
    }

    /// Notes that it was used just now.
    pub(super) fn touch(&mut self) {
        self.used = Instant::now();
    }
}

/// How the pool opens and closes connections.
pub(super) struct Gate(pub(super) Arc<Server>);

impl Connector for Gate {
    type Conn = Conn;

    async fn connect(&self, tenant: &Tenant) -> Result<Conn, SqlError> {
        self.0.connect(tenant).await
    }

    fn close(&self, conn: Conn) {
        // Without a runtime there is nobody to say good-bye; the server sees the closed socket.
        if Handle::try_current().is_err() {
            return;
        }
        let server = Arc::clone(&self.0);
        tasks::spawn("close a tenant's connection", async move {
            if conn.busy {
                let thread = conn.thread;
                drop(conn);
                server.killer.end(thread).await;
            } else {
                let _gone = conn.db.close().await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_leaves_the_url() {
        for (url, bare) in [
            ("mysql://root@127.0.0.1:3306/", "mysql://root@127.0.0.1:3306/"),
            ("mysql://root@127.0.0.1:3306", "mysql://root@127.0.0.1:3306/"),
            ("mysql://a:b%2F@db/club?ssl-mode=required", "mysql://a:b%2F@db/?ssl-mode=required"),
        ] {
            assert_eq!(without_database(url), bare);
        }
        assert_eq!(database("mysql://root@db/club?ssl-mode=required").unwrap().as_deref(), Some("club"));
        assert_eq!(database("mysql://root@db/").unwrap(), None);
        let refused = database("nothing with s3cret").unwrap_err();
        assert!(!refused.to_string().contains("s3cret"), "{refused}");
    }
}
