//! A statement, what it is run on and what comes back, for any engine.

use super::{ANSWER, Pool, mysql, postgresql, sqlite};
use sqlx::query::Query;
use sqlx::{Database, Decode, Encode, MySql, Postgres, Row as _, Sqlite, Type};
use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

/// A statement with `$1`, `$2`, … in the order of binding, each used once.
pub(in crate::store) fn sql(text: &'static str) -> Statement {
    Statement { text: Cow::Borrowed(text), values: Vec::new(), answer: Some(ANSWER) }
}

/// A statement whose `{}`, which stands after all other placeholders, is a list of so many: what follows an `IN`. Lists
/// have few lengths, so that servers and drivers have few texts to keep; the last value fills them up.
pub(in crate::store) fn sql_in(text: &'static str, count: usize) -> Statement {
    let first = text.matches('$').count() + 1;
    let list: Vec<String> = (first..first + places(count)).map(|number| format!("${number}")).collect();
    Statement { text: Cow::Owned(text.replace("{}", &list.join(", "))), ..sql("") }
}

/// Placeholders of a list of so many values.
fn places(count: usize) -> usize {
    count.next_power_of_two()
}

/// A text and its values.
#[derive(Debug)]
#[must_use = "a statement does nothing until it is run"]
pub(in crate::store) struct Statement {
    pub(super) text: Cow<'static, str>,
    pub(super) values: Vec<Value>,
    /// How long a server may take to answer.
    answer: Option<Duration>,
}

/// A value to bind. NULL has a type too: PostgreSQL asks for it.
#[derive(Debug)]
pub(in crate::store) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// Gives a query its values.
pub(super) fn bind<DB: Database>(
    query: Query<'static, DB, DB::Arguments>,
    values: Vec<Value>,
) -> Query<'static, DB, DB::Arguments>
where
    Option<i64>: for<'t> Encode<'t, DB> + Type<DB>,
    Option<String>: for<'t> Encode<'t, DB> + Type<DB>,
    Vec<u8>: for<'t> Encode<'t, DB> + Type<DB>,
{
    values.into_iter().fold(query, |query, value| match value {
        Value::Integer(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
    })
}

impl Statement {
    /// A statement that changes the schema. It may take its time: nobody is served yet.
    pub(in crate::store) fn schema(text: String) -> Self {
        Self { text: Cow::Owned(text), values: Vec::new(), answer: None }
    }

    /// Binds the next value.
    pub(in crate::store) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Binds the values of the list of a [`sql_in`].
    pub(in crate::store) fn bind_all(mut self, values: &[impl ToString]) -> Self {
        let more = places(values.len()).saturating_sub(values.len());
        let filling = values.last().into_iter().cycle().take(more);
        self.values.extend(values.iter().chain(filling).map(|value| Value::from(value.to_string())));
        self
    }

    /// Runs it. Gives the number of rows it found and changed.
    pub(in crate::store) async fn execute(self, on: impl Into<On<'_>>) -> Result<u64, sqlx::Error> {
        let answer = self.answer;
        let on = on.into();
        match on {
            On::Pool(Pool::Sqlite(pool)) => Ok(sqlite::query(self).execute(pool).await?.rows_affected()),
            On::Pool(Pool::Postgres(pool)) => {
                Ok(within(answer, postgresql::query(self).execute(pool)).await?.rows_affected())
            }
            On::Pool(Pool::MySql(pool)) => {
                Ok(within(answer, mysql::query(self).execute(pool)).await?.rows_affected())
            }
            On::Tx(tx) => {
                let done = match &mut tx.kind {
                    Kind::Sqlite(tx) => {
                        sqlite::query(self).execute(&mut **tx).await.map(|done| done.rows_affected())
                    }
                    Kind::Postgres(tx) => within(answer, postgresql::query(self).execute(&mut **tx))
                        .await
                        .map(|done| done.rows_affected()),
                    Kind::MySql(tx) => within(answer, mysql::query(self).execute(&mut **tx))
                        .await
                        .map(|done| done.rows_affected()),
                };
                tx.failed |= done.is_err();
                done
            }
        }
    }

    /// Runs it and gives all rows.
    pub(in crate::store) async fn fetch_all(self, on: impl Into<On<'_>>) -> Result<Vec<Row>, sqlx::Error> {
        let answer = self.answer;
        match on.into() {
            On::Pool(Pool::Sqlite(pool)) => sqlite::query(self).fetch_all(pool).await.map(Row::sqlite),
            On::Pool(Pool::Postgres(pool)) => {
                within(answer, postgresql::query(self).fetch_all(pool)).await.map(Row::postgres)
            }
            On::Pool(Pool::MySql(pool)) => {
                within(answer, mysql::query(self).fetch_all(pool)).await.map(Row::mysql)
            }
            On::Tx(tx) => {
                let rows = match &mut tx.kind {
                    Kind::Sqlite(tx) => sqlite::query(self).fetch_all(&mut **tx).await.map(Row::sqlite),
                    Kind::Postgres(tx) => {
                        within(answer, postgresql::query(self).fetch_all(&mut **tx)).await.map(Row::postgres)
                    }
                    Kind::MySql(tx) => {
                        within(answer, mysql::query(self).fetch_all(&mut **tx)).await.map(Row::mysql)
                    }
                };
                tx.failed |= rows.is_err();
                rows
            }
        }
    }

    /// Runs a statement that finds one row or none.
    pub(in crate::store) async fn fetch_optional(
        self,
        on: impl Into<On<'_>>,
    ) -> Result<Option<Row>, sqlx::Error> {
        Ok(self.fetch_all(on).await?.into_iter().next())
    }

    /// Runs a statement that finds one row.
    pub(in crate::store) async fn fetch_one(self, on: impl Into<On<'_>>) -> Result<Row, sqlx::Error> {
        self.fetch_optional(on).await?.ok_or(sqlx::Error::RowNotFound)
    }
}

/// Waits for a server's answer no longer than this. After that the connection is not used again: the pool
/// finds it silent when it comes back.
pub(super) async fn within<T>(
    answer: impl Into<Option<Duration>>,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let Some(answer) = answer.into() else { return work.await };
    let silent = |_elapsed| {
        let text = "the database server does not answer";
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
    };
    tokio::time::timeout(answer, work).await.unwrap_or_else(silent)
}

/// What a statement runs on.
#[derive(Debug)]
pub(in crate::store) enum On<'a> {
    Pool(&'a Pool),
    Tx(&'a mut Tx),
}

impl<'a> From<&'a Pool> for On<'a> {
    fn from(pool: &'a Pool) -> Self {
        Self::Pool(pool)
    }
}

impl<'a> From<&'a mut Tx> for On<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Self::Tx(tx)
    }
}

/// A transaction. Dropped without [`Tx::commit`] it is undone.
#[derive(Debug)]
pub(in crate::store) struct Tx {
    kind: Kind,
    /// A statement failed. PostgreSQL answers a commit after that as if it had happened, MySQL may have begun
    /// to commit each statement by itself: so nothing of it is committed.
    failed: bool,
}

#[derive(Debug)]
enum Kind {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
    MySql(sqlx::Transaction<'static, MySql>),
}

impl Tx {
    pub(super) fn sqlite(tx: sqlx::Transaction<'static, Sqlite>) -> Self {
        Self { kind: Kind::Sqlite(tx), failed: false }
    }

    pub(super) fn postgres(tx: sqlx::Transaction<'static, Postgres>) -> Self {
        Self { kind: Kind::Postgres(tx), failed: false }
    }

    pub(super) fn mysql(tx: sqlx::Transaction<'static, MySql>) -> Self {
        Self { kind: Kind::MySql(tx), failed: false }
    }

    /// True where a statement failed; then it can't be committed.
    pub(in crate::store) fn failed(&self) -> bool {
        self.failed
    }

    pub(in crate::store) async fn commit(self) -> Result<(), sqlx::Error> {
        match self.kind {
            Kind::Sqlite(tx) => tx.commit().await,
            Kind::Postgres(tx) => within(ANSWER, tx.commit()).await,
            Kind::MySql(tx) => within(ANSWER, tx.commit()).await,
        }
    }

    pub(in crate::store) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self.kind {
            Kind::Sqlite(tx) => tx.rollback().await,
            Kind::Postgres(tx) => within(ANSWER, tx.rollback()).await,
            Kind::MySql(tx) => within(ANSWER, tx.rollback()).await,
        }
    }
}

/// A row.
#[derive(Debug)]
pub(in crate::store) enum Row {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
    MySql(sqlx::mysql::MySqlRow),
}

/// A type that a column can be read as, on every engine.
pub(in crate::store) trait Field:
    for<'r> Decode<'r, Sqlite>
    + Type<Sqlite>
    + for<'r> Decode<'r, Postgres>
    + Type<Postgres>
    + for<'r> Decode<'r, MySql>
    + Type<MySql>
{
}

impl<T> Field for T where
    T: for<'r> Decode<'r, Sqlite>
        + Type<Sqlite>
        + for<'r> Decode<'r, Postgres>
        + Type<Postgres>
        + for<'r> Decode<'r, MySql>
        + Type<MySql>
{
}

impl Row {
    fn sqlite(rows: Vec<sqlx::sqlite::SqliteRow>) -> Vec<Self> {
        rows.into_iter().map(Self::Sqlite).collect()
    }

    fn postgres(rows: Vec<sqlx::postgres::PgRow>) -> Vec<Self> {
        rows.into_iter().map(Self::Postgres).collect()
    }

    fn mysql(rows: Vec<sqlx::mysql::MySqlRow>) -> Vec<Self> {
        rows.into_iter().map(Self::MySql).collect()
    }

    /// Reads a column.
    pub(in crate::store) fn get<T: Field>(&self, column: &'static str) -> Result<T, sqlx::Error> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
            Self::MySql(row) => row.try_get(column),
        }
    }
}
