//! Failed sign-ins, counted once for all servers: a row for each name and address, until its window ends.
//!
//! Every step is a statement of its own that changes a row only where the limit is not reached, so servers that
//! count at the same time lose nothing and wait for no one. Times are the database's own. Nothing here moves
//! the generation.

use super::dialect::{settled, sql};
use super::{DatabaseError, Result, Store};
use rowhouse_base::Timestamp;
use rowhouse_identity::SignInKey;
use std::time::Duration;

/// Rows that are kept at most: 100 bytes each. An attempt costs a password hash, so a server makes a few hundred rows
/// a second at worst, and this is looked at twice a minute.
const ROWS: i64 = 200_000;
/// Two servers may see that there is no row and both make one; the second counts in the first's.
const TURNS: usize = 3;

impl Store {
    /// Counts a failed sign-in under each of these keys. Gives how long to wait where one of them is at its limit,
    /// and then counts under none.
    pub(super) async fn count_attempt(
        &self,
        keys: Vec<SignInKey>,
        window: Duration,
    ) -> Result<Option<Duration>> {
        self.reachable()?;
        let now = self.moment().await?;
        let mut counted: Vec<String> = Vec::new();
        for key in keys {
            match self.count_one(&key, now, window).await? {
                None => counted.push(key.name),
                Some(wait) => {
                    for name in counted {
                        self.lessen(&name).await?;
                    }
                    return Ok(Some(wait));
                }
            }
        }
        Ok(None)
    }

    async fn count_one(&self, key: &SignInKey, now: Timestamp, window: Duration) -> Result<Option<Duration>> {
        let ends = now.after(window).0;
        for _ in 0..TURNS {
            let more = settled(|| {
                sql("UPDATE sign_ins SET failures = failures + 1 WHERE name = $1 AND ends_at > $2 AND failures < $3")
                    .bind(key.name.as_str())
                    .bind(now.0)
                    .bind(i64::from(key.limit))
                    .execute(&self.pools.write)
            });
            if more.await? > 0 {
                return Ok(None);
            }
            let again = settled(|| {
                sql("UPDATE sign_ins SET failures = 1, ends_at = $1 WHERE name = $2 AND ends_at <= $3")
                    .bind(ends)
                    .bind(key.name.as_str())
                    .bind(now.0)
                    .execute(&self.pools.write)
            });
            if again.await? > 0 {
                return Ok(None);
            }
            let row = sql("SELECT ends_at FROM sign_ins WHERE name = $1 AND failures >= $2")
                .bind(key.name.as_str())
                .bind(i64::from(key.limit))
                .fetch_optional(&self.pools.read)
                .await?;
            if let Some(row) = row {
                let left = row.get::<i64>("ends_at")?.saturating_sub(now.0);
                return Ok(Some(Duration::from_micros(u64::try_from(left).unwrap_or_default())));
            }
            let first = settled(|| {
                sql("INSERT INTO sign_ins (name, failures, ends_at) VALUES ($1, 1, $2)")
                    .bind(key.name.as_str())
                    .bind(ends)
                    .execute(&self.pools.write)
            });
            match first.await.map_err(DatabaseError::from) {
                Ok(_) => return Ok(None),
                Err(error) if error.is_duplicate() => {}
                Err(error) => return Err(error),
            }
        }
        // Rows come and go under our hands: nobody is at the limit for longer than a moment.
        Ok(None)
    }

    async fn lessen(&self, name: &str) -> Result<()> {
        let less = settled(|| {
            sql("UPDATE sign_ins SET failures = failures - 1 WHERE name = $1 AND failures > 0")
                .bind(name)
                .execute(&self.pools.write)
        });
        less.await?;
        Ok(())
    }

    /// Takes an attempt back that succeeded: one key is free again, the other gets its one back.
    pub(super) async fn excuse(&self, forget: String, lessen: Option<String>) -> Result<()> {
        let gone = settled(|| {
            sql("DELETE FROM sign_ins WHERE name = $1").bind(forget.as_str()).execute(&self.pools.write)
        });
        gone.await?;
        match lessen {
            Some(name) => self.lessen(&name).await,
            None => Ok(()),
        }
    }

    /// Drops counts whose window has ended, and those that end first where there are too many.
    pub(crate) async fn drop_old_sign_ins(&self) -> Result<()> {
        let now = self.moment().await?;
        let old = settled(|| {
            sql("DELETE FROM sign_ins WHERE ends_at <= $1").bind(now.0).execute(&self.pools.write)
        });
        old.await?;
        let over = sql("SELECT ends_at FROM sign_ins ORDER BY ends_at DESC LIMIT 1 OFFSET $1")
            .bind(ROWS)
            .fetch_optional(&self.pools.read)
            .await?;
        let Some(row) = over else { return Ok(()) };
        let cut = row.get::<i64>("ends_at")?;
        let rest =
            settled(|| sql("DELETE FROM sign_ins WHERE ends_at <= $1").bind(cut).execute(&self.pools.write));
        rest.await?;
        Ok(())
    }
}
