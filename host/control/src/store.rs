//! The control database: the truth about tenants, releases and people, and the only control SQL.
//!
//! Every change is one [`Change`]: a transaction that first moves the generation (its row lock makes the
//! order of commits the order of numbers), then writes rows that carry the new generation, then the
//! audit row. Texts are portable: `$n` placeholders, no upserts, no RETURNING; what an engine does
//! differently lives in `dialect`.
//!
//! Why whoever reads generation g has everything up to g and nothing after: a change waits for the row of
//! the generation until the one before it is committed, so commits come in the order of the numbers; and
//! [`Store::news`] reads the number and the rows in one transaction that sees one moment.

mod dialect;
mod error;
mod identity;
mod people;
mod releases;
mod runs;
mod schema;
mod servers;
mod sign_ins;
mod tenants;
mod trail;

pub use dialect::{ControlFacts, ControlUrl, UrlError};
pub use error::DatabaseError;

pub(crate) use releases::ReleaseRow;
pub(crate) use runs::{ItemRow, ItemState, Lease, RunKind, RunRow, RunState, Tally};
pub(crate) use servers::{Beat, ServerRow, ServerState};
pub(crate) use tenants::{Operation, TenantRow, state_counts};
pub(crate) use trail::{About, AuditRow, ReceiptRow, Thing, user_in};

use crate::link::Link;
use dialect::{Fate, Pauses, Pools, Row, Tx, fate, sql};
use rowhouse_base::Timestamp;
use rowhouse_base::id::TenantId;
use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;

type Result<T> = std::result::Result<T, DatabaseError>;

/// The control database. Cloning shares the connections.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pools: Pools,
    link: Arc<Link>,
    /// Microseconds by which the database's clock is ahead of this machine's.
    #[cfg(test)]
    ahead: Arc<std::sync::atomic::AtomicI64>,
}

impl Store {
    /// Opens the database, makes it where there is none, and brings its schema up to date. A server gets at most
    /// this many connections.
    pub(crate) async fn open(url: &ControlUrl, connections: u32, link: Arc<Link>) -> Result<Self> {
        let pools = dialect::open(url, connections).await?;
        schema::migrate(&pools).await?;
        Ok(Self::over(pools, link))
    }

    /// A database on a server that is away just now: nothing is asked of it yet. None where it is a file, which
    /// is never away. [`Store::arrive`] comes before anything else once it answers.
    pub(crate) fn later(url: &ControlUrl, connections: u32, link: Arc<Link>) -> Option<Self> {
        Some(Self::over(dialect::later(url, connections)?, link))
    }

    fn over(pools: Pools, link: Arc<Link>) -> Self {
        Self {
            pools,
            link,
            #[cfg(test)]
            ahead: Arc::default(),
        }
    }

    /// Brings the schema of a database up to date that was away when the server started.
    pub(crate) async fn arrive(&self) -> Result<()> {
        schema::migrate(&self.pools).await
    }

    /// Begins a change: moves the generation and holds its row until commit.
    ///
    /// What is lost here is lost before anything was done, so it is begun again: most often the connection was,
    /// because the server was started anew.
    pub(crate) async fn change(&self) -> Result<Change> {
        self.reachable()?;
        let (mut pauses, mut connections) = (Pauses::default(), 1);
        loop {
            let again = match self.begin().await {
                Err(DatabaseError::Sql(error)) => match fate(&error) {
                    Fate::Undone => pauses.wait().await.then_some(()).ok_or(error),
                    Fate::Lost if connections > 0 => {
                        connections -= 1;
                        Ok(())
                    }
                    Fate::Lost | Fate::Busy | Fate::Final => Err(error),
                },
                begun => return begun,
            };
            again?;
        }
    }

    /// Refuses at once while the database is known to be away.
    fn reachable(&self) -> Result<()> {
        if self.link.is_away() { Err(DatabaseError::Away) } else { Ok(()) }
    }

    async fn begin(&self) -> Result<Change> {
        let mut tx = self.pools.write.begin().await?;
        sql("UPDATE control SET gen = gen + 1 WHERE id = 1").execute(&mut tx).await?;
        let row = sql("SELECT gen FROM control WHERE id = 1").fetch_one(&mut tx).await?;
        let generation = row.get("gen")?;
        let row = sql(self.pools.write.moment_text()).fetch_one(&mut tx).await?;
        let at = self.read_moment(&row)?;
        Ok(Change { generation, at, tx, link: Arc::clone(&self.link) })
    }

    /// The generation as of now.
    pub(crate) async fn generation(&self) -> Result<u64> {
        let row = sql("SELECT gen FROM control WHERE id = 1").fetch_one(&self.pools.read).await?;
        generation(&row, "gen")
    }

    /// A setting of the server as a whole.
    pub(crate) async fn setting(&self, key: &str) -> Result<Option<String>> {
        let row = sql("SELECT value FROM settings WHERE name = $1")
            .bind(key.to_owned())
            .fetch_optional(&self.pools.read)
            .await?;
        row.map(|row| Ok(row.get("value")?)).transpose()
    }

    /// Everything that moved after a generation, read in one transaction.
    pub(crate) async fn news(&self, applied: u64) -> Result<News> {
        let mut tx = self.pools.read.begin().await?;
        let row = sql("SELECT gen, horizon FROM control WHERE id = 1").fetch_one(&mut tx).await?;
        let current = generation(&row, "gen")?;
        // Tombstones up to the horizon are gone: who is older than that begins from nothing.
        let whole = applied < generation(&row, "horizon")?;
        let after = if whole { 0 } else { number(applied) };
        let changed = tenants::changed_after(&mut tx, after).await?;
        let removed = tenants::removed_after(&mut tx, after).await?;
        let people = sql("SELECT COUNT(*) AS n FROM users WHERE gen > $1 \
             UNION ALL SELECT COUNT(*) FROM membership_changes WHERE gen > $2")
        .bind(after)
        .bind(after)
        .fetch_all(&mut tx)
        .await?;
        let mut people_changed = false;
        for row in people {
            people_changed |= row.get::<i64>("n")? > 0;
        }
        tx.rollback().await?;
        Ok(News { generation: current, whole, changed, removed, people_changed })
    }

    /// Drops tombstones older than this and moves the horizon.
    pub(crate) async fn compact(&self, before: Timestamp) -> Result<u64> {
        let mut change = self.change().await?;
        let row = sql("SELECT MAX(gen) AS newest FROM tombstones WHERE removed_at < $1")
            .bind(before.0)
            .fetch_one(&mut change.tx)
            .await?;
        let Some(newest) = row.get::<Option<i64>>("newest")? else { return Ok(0) };
        sql("UPDATE control SET horizon = $1 WHERE id = 1").bind(newest).execute(&mut change.tx).await?;
        let gone = sql("DELETE FROM tombstones WHERE gen <= $1").bind(newest).execute(&mut change.tx).await?;
        change.commit().await?;
        Ok(gone)
    }
}

/// What changed since a generation.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) generation: u64,
    /// The rows are all there are, not only the changed ones.
    pub(crate) whole: bool,
    pub(crate) changed: Vec<TenantRow>,
    pub(crate) removed: Vec<TenantId>,
    pub(crate) people_changed: bool,
}

/// One change under way. Dropped without [`Change::commit`] it never happened.
#[derive(Debug)]
pub(crate) struct Change {
    tx: Tx,
    generation: i64,
    at: Timestamp,
    link: Arc<Link>,
}

impl Change {
    /// When the change began, by the database's clock; every time it writes is this one.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// Sets, or with none removes, a setting of the server as a whole.
    pub(crate) async fn set(&mut self, key: &str, value: Option<&str>) -> Result<()> {
        sql("DELETE FROM settings WHERE name = $1").bind(key.to_owned()).execute(&mut self.tx).await?;
        if let Some(value) = value {
            sql("INSERT INTO settings (name, value, gen) VALUES ($1, $2, $3)")
                .bind(key.to_owned())
                .bind(value.to_owned())
                .bind(self.generation)
                .execute(&mut self.tx)
                .await?;
        }
        Ok(())
    }

    /// A setting as this change sees it.
    pub(crate) async fn setting(&mut self, key: &str) -> Result<Option<String>> {
        let row = sql("SELECT value FROM settings WHERE name = $1")
            .bind(key.to_owned())
            .fetch_optional(&mut self.tx)
            .await?;
        row.map(|row| Ok(row.get("value")?)).transpose()
    }

    /// Makes the change durable and visible, and tells who is to look.
    ///
    /// # Errors
    /// [`DatabaseError::Unknown`] where the connection was lost meanwhile; after any other error nothing happened.
    pub(crate) async fn commit(self) -> Result<()> {
        if self.tx.failed() {
            return Err(DatabaseError::Failed);
        }
        // An engine that says why it did not commit did not; all else leaves the question open.
        let done = self.tx.commit().await.map_err(|error| match &error {
            sqlx::Error::Database(_) if fate(&error) != Fate::Lost => DatabaseError::Sql(error),
            _ => DatabaseError::Unknown(error),
        });
        // What may have happened is told like what has: who looks in vain loses one small query.
        if matches!(done, Ok(()) | Err(DatabaseError::Unknown(_))) {
            self.link.moved(u64::try_from(self.generation).unwrap_or_default());
        }
        done
    }
}

fn generation(row: &Row, column: &'static str) -> Result<u64> {
    u64::try_from(row.get::<i64>(column)?).map_err(|error| value(column, error))
}

fn number(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}

fn value(column: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> DatabaseError {
    DatabaseError::Value { column, source: source.into() }
}

/// Reads a column whose text has a type of its own.
fn parsed<T>(row: &Row, column: &'static str) -> Result<T>
where
    T: FromStr,
    T::Err: Into<Box<dyn Error + Send + Sync>>,
{
    row.get::<String>(column)?.parse().map_err(|error| value(column, error))
}

/// Like [`parsed`], for columns that may be NULL.
fn parsed_option<T>(row: &Row, column: &'static str) -> Result<Option<T>>
where
    T: FromStr,
    T::Err: Into<Box<dyn Error + Send + Sync>>,
{
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|error| value(column, error))).transpose()
}

/// Reads a column that holds JSON.
fn json<T: serde::de::DeserializeOwned>(row: &Row, column: &'static str) -> Result<T> {
    serde_json::from_str(&row.get::<String>(column)?).map_err(|error| value(column, error))
}

/// Like [`json`], for columns that may be NULL.
fn json_option<T: serde::de::DeserializeOwned>(row: &Row, column: &'static str) -> Result<Option<T>> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| value(column, error))).transpose()
}

/// Writes what [`json`] reads.
fn to_json(column: &'static str, what: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(what).map_err(|error| value(column, error))
}

fn timestamp(row: &Row, column: &'static str) -> Result<Timestamp> {
    Ok(Timestamp(row.get(column)?))
}

fn flag(row: &Row, column: &'static str) -> Result<bool> {
    Ok(row.get::<i64>(column)? != 0)
}

/// A LIKE pattern that finds this text anywhere, with `!` as its escape character.
fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.trim().to_lowercase().chars().take(100) {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
