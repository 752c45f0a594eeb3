//! MySQL and MariaDB: a server that many Rowhouse servers may share.
//!
//! Writers are READ COMMITTED: who waited for the generation's row sees everything that was committed
//! before it, and no gaps are locked. Readers are REPEATABLE READ and can't write: what they read in one
//! transaction is of one moment, the one of its first statement.

use super::run::{Statement, bind, within};
use super::{ABANDONED, ACQUIRE, ANSWER, CONNECT, Fate, LOCK, Pool, Pools, SCHEMA_TURN, STATEMENT};
use rowhouse_base::Timestamp;
use sqlx::mysql::{
    MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlPoolOptions,
};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySql, Row as _};

/// There is no database of this name.
const NO_DATABASE: u16 = 1049;

pub(super) async fn open(
    options: &MySqlConnectOptions,
    readers: u32,
    writers: u32,
) -> Result<Pools, sqlx::Error> {
    make_database(options).await?;
    later(options, readers, writers).reached().await
}

/// Connections that are made when they are needed.
pub(super) fn later(options: &MySqlConnectOptions, readers: u32, writers: u32) -> Pools {
    // Errors of length and type are refused, whatever the server's own mode is, and idle connections go before
    // the server ends them.
    let common = format!(
        "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = {0}, \
         lock_wait_timeout = {0}, wait_timeout = {1}",
        LOCK.as_secs(),
        ABANDONED.as_secs(),
    );
    let read = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY".to_owned();
    let write = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE".to_owned();
    let read = pool(readers, vec![common.clone(), read], true);
    let write = pool(writers, vec![common, write], false);
    Pools {
        read: Pool::MySql(read.connect_lazy_with(options.clone())),
        write: Pool::MySql(write.connect_lazy_with(options.clone())),
    }
}

/// MariaDB knows one name of the limit of a statement, MySQL the other.
async fn limit_statements(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let mariadb = format!("SET SESSION max_statement_time = {}", STATEMENT.as_secs());
    if connection.execute(AssertSqlSafe(mariadb)).await.is_ok() {
        return Ok(());
    }
    let mysql = format!("SET SESSION max_execution_time = {}", STATEMENT.as_millis());
    connection.execute(AssertSqlSafe(mysql)).await.map(drop)
}

fn pool(connections: u32, settings: Vec<String>, is_limited: bool) -> MySqlPoolOptions {
    MySqlPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(ABANDONED / 2)
        .after_connect(move |connection, _| {
            let settings = settings.clone();
            Box::pin(async move {
                for setting in settings {
                    connection.execute(AssertSqlSafe(setting)).await?;
                }
                if is_limited {
                    limit_statements(connection).await?;
                }
                Ok(())
            })
        })
        // Without this a connection to a server that fell silent would keep its place for ever.
        .after_release(|connection, _| {
            Box::pin(async move { within(CONNECT, connection.ping()).await.map(|()| true) })
        })
}

/// The server's version and clock; none where it has no such database yet.
pub(super) async fn look(options: &MySqlConnectOptions) -> Result<Option<(String, Timestamp)>, sqlx::Error> {
    let mut connection = match within(CONNECT, MySqlConnection::connect_with(options)).await {
        Err(error) if number(&error) == Some(NO_DATABASE) => return Ok(None),
        connected => connected?,
    };
    let text = "SELECT VERSION(), CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";
    let (version, micros) = within(ANSWER, sqlx::query_as(text).fetch_one(&mut connection)).await?;
    connection.close().await?;
    Ok(Some((version, Timestamp(micros))))
}

/// Makes the database where the server has none of this name and the user may.
async fn make_database(options: &MySqlConnectOptions) -> Result<(), sqlx::Error> {
    let missing = match within(CONNECT, MySqlConnection::connect_with(options)).await {
        Ok(connection) => return connection.close().await,
        Err(error) => error,
    };
    let (Some(NO_DATABASE), Some(name)) = (number(&missing), options.get_database()) else {
        return Err(missing);
    };
    let name = name.replace('`', "``");
    // Everybody may enter this one.
    let server = options.clone().database("information_schema");
    let mut connection = within(CONNECT, MySqlConnection::connect_with(&server)).await?;
    let make = format!("CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    connection.execute(AssertSqlSafe(make)).await?;
    connection.close().await
}

/// Takes the lock on the schema, with a connection of its own: it ends with the connection, also where this
/// process does.
pub(super) async fn schema_turn(pool: &sqlx::Pool<MySql>) -> Result<Option<MySqlConnection>, sqlx::Error> {
    let mut connection = within(CONNECT, MySqlConnection::connect_with(&pool.connect_options())).await?;
    // The lock's name is the server's, so it names the database; 64 characters are allowed.
    let lock = "SELECT GET_LOCK(CONCAT('rowhouse-', LEFT(SHA2(DATABASE(), 256), 48)), ?) AS taken";
    let seconds = i64::try_from(SCHEMA_TURN.as_secs()).unwrap_or(i64::MAX);
    let wait = sqlx::query(lock).bind(seconds).fetch_one(&mut connection);
    let row = within(SCHEMA_TURN + ANSWER, wait).await?;
    let taken: Option<i64> = row.try_get("taken")?;
    Ok((taken == Some(1)).then_some(connection))
}

pub(super) fn query(statement: Statement) -> Query<'static, MySql, MySqlArguments> {
    bind(sqlx::query(AssertSqlSafe(placeholders(&statement.text))), statement.values)
}

/// Makes `?` of `$1`, `$2`, … Texts are short and have no `$` but these: doing it each time costs less than
/// a thousandth of the way to the server.
fn placeholders(text: &str) -> String {
    let mut parts = text.split('$');
    let mut changed = parts.next().unwrap_or_default().to_owned();
    for (index, part) in parts.enumerate() {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        debug_assert!(
            part.strip_suffix(rest) == Some((index + 1).to_string().as_str()),
            "placeholders are in the order of binding: {text}"
        );
        changed.push('?');
        changed.push_str(rest);
    }
    changed
}

/// TEXT holds 64 KiB here, which a tenant's settings may exceed. The collation compares and orders by bytes,
/// as on the other engines.
pub(super) fn schema_text(text: &str) -> String {
    let mut changed = text.replace(" TEXT", " LONGTEXT").replace(" BLOB", " LONGBLOB");
    if text.starts_with("CREATE TABLE") {
        changed.push_str(" ENGINE = InnoDB ROW_FORMAT = DYNAMIC CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    }
    changed
}

/// True where a statement that changes the schema failed because it was done before.
pub(super) fn was_done(error: &sqlx::Error) -> bool {
    // A table, column or index is there already; a table, column or index to drop is not.
    matches!(number(error), Some(1050 | 1060 | 1061 | 1051 | 1091))
}

fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref().map(MySqlDatabaseError::number)
}

pub(super) fn fate(error: &MySqlDatabaseError) -> Fate {
    match error.number() {
        // A deadlock; a row that changed since the transaction began (MariaDB 11).
        1213 | 1020 => Fate::Undone,
        // The server ends or is not ready, or the connection was ended: killed, idle, unread, unwritten.
        1047 | 1053 | 1158..=1161 | 1317 | 1927 | 4031 => Fate::Lost,
        // Too many connections; a lock or a statement took too long.
        1040 | 1203 | 1205 | 1226 | 1969 | 3024 => Fate::Busy,
        _ => Fate::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_question_marks() {
        assert_eq!(placeholders("SELECT a FROM b"), "SELECT a FROM b");
        let text = "WHERE ($1 = '' OR id < $2) AND c LIKE $3 ESCAPE '!' LIMIT $4";
        assert_eq!(placeholders(text), "WHERE (? = '' OR id < ?) AND c LIKE ? ESCAPE '!' LIMIT ?");
        let many: Vec<String> = (1..=16).map(|n| format!("${n}")).collect();
        assert_eq!(placeholders(&many.join(", ")), ["?"; 16].join(", "));
    }

    #[test]
    fn types_get_room_and_tables_a_collation() {
        let text = "CREATE TABLE a (b TEXT NOT NULL, c BLOB)";
        assert!(schema_text(text).starts_with("CREATE TABLE a (b LONGTEXT NOT NULL, c LONGBLOB) ENGINE"));
        assert_eq!(schema_text("CREATE INDEX a ON b (c)"), "CREATE INDEX a ON b (c)");
    }
}
