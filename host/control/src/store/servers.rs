//! Servers of a farm: who is there, which generation each has in force, and which one is to leave.
//!
//! A beat does not move the generation, or each would wake all others. Times are the database's own: whether a
//! server still beats must not depend on two clocks agreeing. Who is to leave is told by the row, and that
//! change does move the generation, so that the server looks at once.

use super::dialect::{Row, settled, sql};
use super::{Change, Result, Store, flag, generation, json_option, number, parsed, timestamp, to_json};
use rowhouse_base::id::{ServerId, TenantId};
use rowhouse_base::{Digest, Timestamp};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Where a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerState {
    /// It loads the control state; nobody is served yet.
    Starting,
    /// It serves.
    Serving,
    /// It finishes what is in flight and goes.
    Draining,
}

/// The text names no state.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a state of a server")]
pub(crate) struct InvalidServerState(String);

impl ServerState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServerState {
    type Err = InvalidServerState;

    fn from_str(text: &str) -> std::result::Result<Self, InvalidServerState> {
        [Self::Starting, Self::Serving, Self::Draining]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| InvalidServerState(text.to_owned()))
    }
}

/// What a server says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    pub(crate) id: ServerId,
    /// For people; need not be unique.
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) state: ServerState,
    /// The generation that requests see there.
    pub(crate) applied: u64,
    /// Modules that it could serve at once, of those that may be activated next.
    pub(crate) ready: Vec<Digest>,
}

/// A server as the others see it.
#[derive(Clone, Debug)]
pub(crate) struct ServerRow {
    pub(crate) id: ServerId,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) state: ServerState,
    /// It was told to leave.
    pub(crate) drain: bool,
    pub(crate) applied: u64,
    /// See [`Beat::ready`].
    pub(crate) ready: Vec<Digest>,
    /// By the database's clock.
    pub(crate) started_at: Timestamp,
    /// How long ago it last beat, by the database's clock.
    pub(crate) silent_for: Duration,
}

fn before(now: Timestamp, age: Duration) -> i64 {
    now.0.saturating_sub(i64::try_from(age.as_micros()).unwrap_or(i64::MAX))
}

impl Store {
    /// The time by the database's clock, which is the same for all servers.
    pub(crate) async fn moment(&self) -> Result<Timestamp> {
        let asked = sql(self.pools.read.moment_text()).fetch_one(&self.pools.read).await;
        let row = asked.inspect_err(|_error| self.link.look())?;
        self.read_moment(&row)
    }

    /// The time that was asked for.
    pub(super) fn read_moment(&self, row: &Row) -> Result<Timestamp> {
        let moment = timestamp(row, "moment")?;
        #[cfg(test)]
        let moment =
            Timestamp(moment.0.saturating_add(self.ahead.load(std::sync::atomic::Ordering::Relaxed)));
        Ok(moment)
    }

    /// Has the database's clock go ahead of this machine's by so many microseconds.
    #[cfg(test)]
    pub(crate) fn put_ahead(&self, micros: i64) {
        self.ahead.store(micros, std::sync::atomic::Ordering::Relaxed);
    }

    /// Enters a server, as it is now: what an earlier process of the same server left is gone.
    pub(crate) async fn enter_server(&self, beat: &Beat) -> Result<()> {
        let now = self.moment().await?;
        let mut tx = self.pools.write.begin().await?;
        sql("DELETE FROM servers WHERE id = $1").bind(beat.id.to_string()).execute(&mut tx).await?;
        sql("INSERT INTO servers (id, name, version, state, drain, applied, ready, started_at, beat_at) \
             VALUES ($1, $2, $3, $4, 0, $5, $6, $7, $8)")
        .bind(beat.id.to_string())
        .bind(beat.name.as_str())
        .bind(beat.version.as_str())
        .bind(beat.state.as_str())
        .bind(number(beat.applied))
        .bind(to_json("ready", &beat.ready)?)
        .bind(now.0)
        .bind(now.0)
        .execute(&mut tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Says that a server is there. Gives whether it is to leave; none where nobody knows it any more.
    pub(crate) async fn beat_server(&self, beat: &Beat) -> Result<Option<bool>> {
        let now = self.moment().await?;
        let ready = to_json("ready", &beat.ready)?;
        let known = settled(|| {
            sql("UPDATE servers SET state = $1, applied = $2, ready = $3, beat_at = $4 WHERE id = $5")
                .bind(beat.state.as_str())
                .bind(number(beat.applied))
                .bind(ready.as_str())
                .bind(now.0)
                .bind(beat.id.to_string())
                .execute(&self.pools.write)
        });
        if known.await? == 0 {
            return Ok(None);
        }
        let row = sql("SELECT drain FROM servers WHERE id = $1")
            .bind(beat.id.to_string())
            .fetch_optional(&self.pools.read)
            .await?;
        row.map(|row| flag(&row, "drain")).transpose()
    }

    /// Forgets a server that has gone.
    pub(crate) async fn leave_server(&self, id: ServerId) -> Result<()> {
        let gone = settled(|| {
            sql("DELETE FROM servers WHERE id = $1").bind(id.to_string()).execute(&self.pools.write)
        });
        gone.await?;
        Ok(())
    }

    /// Forgets servers that have been silent for this long.
    pub(crate) async fn forget_servers(&self, age: Duration) -> Result<u64> {
        let cut = before(self.moment().await?, age);
        let gone =
            settled(|| sql("DELETE FROM servers WHERE beat_at < $1").bind(cut).execute(&self.pools.write));
        Ok(gone.await?)
    }

    /// All servers that are known, in the order of their names.
    pub(crate) async fn servers(&self) -> Result<Vec<ServerRow>> {
        let now = self.moment().await?;
        let rows =
            sql("SELECT id, name, version, state, drain, applied, ready, started_at, beat_at FROM servers \
             ORDER BY name, id LIMIT 1000")
            .fetch_all(&self.pools.read)
            .await?;
        rows.iter()
            .map(|row| {
                let silent = now.0.saturating_sub(row.get::<i64>("beat_at")?);
                Ok(ServerRow {
                    id: parsed(row, "id")?,
                    name: row.get("name")?,
                    version: row.get("version")?,
                    state: parsed(row, "state")?,
                    drain: flag(row, "drain")?,
                    applied: generation(row, "applied")?,
                    ready: json_option(row, "ready")?.unwrap_or_default(),
                    started_at: timestamp(row, "started_at")?,
                    silent_for: Duration::from_micros(u64::try_from(silent).unwrap_or_default()),
                })
            })
            .collect()
    }

    /// Takes over a tenant that some server works on, where that is this one or has been silent for this long.
    /// False where another one is at it.
    pub(crate) async fn take_over(&self, tenant: TenantId, age: Duration) -> Result<bool> {
        let cut = before(self.moment().await?, age);
        let own = self.link.server.to_string();
        let taken = settled(|| {
            sql("UPDATE tenants SET worker = $1 WHERE id = $2 AND (worker IS NULL OR worker = $3 \
                 OR worker NOT IN (SELECT id FROM servers WHERE beat_at >= $4))")
            .bind(own.as_str())
            .bind(tenant.to_string())
            .bind(own.as_str())
            .bind(cut)
            .execute(&self.pools.write)
        });
        Ok(taken.await? > 0)
    }
}

impl Change {
    /// Tells a server to leave. False where there is none.
    pub(crate) async fn drain_server(&mut self, id: ServerId) -> Result<bool> {
        let told = sql("UPDATE servers SET drain = 1 WHERE id = $1").bind(id.to_string());
        Ok(told.execute(&mut self.tx).await? > 0)
    }
}
