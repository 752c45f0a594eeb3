//! Runs, and who works on them.
//!
//! A run is held by a lease: the server and the turn in which it took the run, until a time that its beat
//! moves on. That time is the database's, and so is the one it is compared with: servers whose clocks differ agree on who
//! has a run. Leases are taken in a change, and every change of a run's progress asks for the lease in the
//! statement that moves the counts: who lost it changes nothing, however late it comes. What a run is to
//! do with each tenant is in `items`.

mod items;

pub(crate) use items::{ItemRow, ItemState};

use super::dialect::{Row, settled, sql};
use super::{Change, Result, Store, generation, number, parsed, parsed_option, timestamp};
use rowhouse_base::Timestamp;
use rowhouse_base::id::{RunId, ServerId};
use rowhouse_tenant::ReleaseName;
use std::time::Duration;

macro_rules! columns {
    () => {
        "id, kind, release_name, state, total, moved, failed, gone, previous_default, rollback_of, actor, \
         lease_owner, lease_turn, lease_until, started_at, ended_at"
    };
}

/// An enum that is a word in the database and in the API.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> std::result::Result<Self, String> {
                let known = Self::ALL.iter().copied().find(|one| one.as_str() == text);
                known.ok_or_else(|| {
                    let all: Vec<&str> = Self::ALL.iter().map(|one| one.as_str()).collect();
                    format!("one of {}", all.join(", "))
                })
            }
        }
    };
}
use words;

words! {
    /// What a run does.
    RunKind {
        /// Tenants get a release.
        Activation "activation",
        /// Tenants return to the release they had before an activation.
        Rollback "rollback",
    }
}

words! {
    /// Where a run stands.
    RunState {
        /// Recorded; nobody works on it yet.
        Queued "queued",
        /// A server works on it.
        Running "running",
        /// The server that worked on it ended or lost the database; the next one goes on.
        Interrupted "interrupted",
        /// Over: no tenant failed.
        Finished "finished",
        /// Over: some tenants failed and kept their release.
        Failed "failed",
    }
}

/// A run as the control database knows it.
#[derive(Clone, Debug)]
pub(crate) struct RunRow {
    pub(crate) id: RunId,
    pub(crate) kind: RunKind,
    /// What tenants get; for a rollback what they leave.
    pub(crate) release: ReleaseName,
    /// As it was written: a run whose server died is `running` until its lease is over.
    pub(crate) state: RunState,
    pub(crate) total: u64,
    pub(crate) moved: u64,
    pub(crate) failed: u64,
    pub(crate) gone: u64,
    /// What was the default release before, where this run changed it.
    pub(crate) previous_default: Option<ReleaseName>,
    pub(crate) rollback_of: Option<RunId>,
    pub(crate) actor: String,
    pub(crate) owner: Option<ServerId>,
    pub(crate) turn: i64,
    /// By the database's clock.
    pub(crate) until: Option<Timestamp>,
    /// When this was read, by the same clock.
    pub(crate) now: Timestamp,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
}

impl RunRow {
    /// The state as of now: a lease that ran out is an interruption.
    pub(crate) fn state_now(&self) -> RunState {
        match self.state {
            RunState::Running if self.until.is_none_or(|until| until < self.now) => RunState::Interrupted,
            state => state,
        }
    }

    /// Whether this server may take it: nobody has it, nobody has it any more, or this server had it before
    /// it was started anew.
    pub(crate) fn is_free_for(&self, server: ServerId) -> bool {
        match self.state_now() {
            RunState::Queued | RunState::Interrupted => true,
            RunState::Running => self.owner == Some(server),
            RunState::Finished | RunState::Failed => false,
        }
    }
}

/// The right to work on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) run: RunId,
    pub(crate) owner: ServerId,
    /// Tells a server from what it was before a restart, too.
    pub(crate) turn: i64,
}

/// How many tenants ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) moved: u64,
    pub(crate) failed: u64,
    pub(crate) gone: u64,
}

fn read(row: &Row, now: Timestamp) -> Result<RunRow> {
    Ok(RunRow {
        id: parsed(row, "id")?,
        kind: parsed(row, "kind")?,
        release: parsed(row, "release_name")?,
        state: parsed(row, "state")?,
        total: generation(row, "total")?,
        moved: generation(row, "moved")?,
        failed: generation(row, "failed")?,
        gone: generation(row, "gone")?,
        previous_default: parsed_option(row, "previous_default")?,
        rollback_of: parsed_option(row, "rollback_of")?,
        actor: row.get("actor")?,
        owner: parsed_option(row, "lease_owner")?,
        turn: row.get("lease_turn")?,
        until: row.get::<Option<i64>>("lease_until")?.map(Timestamp),
        now,
        started_at: timestamp(row, "started_at")?,
        ended_at: row.get::<Option<i64>>("ended_at")?.map(Timestamp),
    })
}

impl Store {
    pub(crate) async fn run(&self, id: RunId) -> Result<Option<RunRow>> {
        let now = self.moment().await?;
        let row = sql(concat!("SELECT ", columns!(), " FROM runs WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pools.read)
            .await?;
        row.map(|row| read(&row, now)).transpose()
    }

    /// Runs, newest first, older than one where given.
    pub(crate) async fn runs_page(&self, before: &str, limit: u32) -> Result<Vec<RunRow>> {
        let now = self.moment().await?;
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM runs WHERE ($1 = '' OR id < $2) ORDER BY id DESC LIMIT $3"
        ))
        .bind(before.to_owned())
        .bind(before.to_owned())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(|row| read(row, now)).collect()
    }

    /// Those that are not over. There is one at a time.
    pub(crate) async fn runs_open(&self) -> Result<Vec<RunRow>> {
        let now = self.moment().await?;
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM runs WHERE state IN ('queued', 'running', 'interrupted') ORDER BY id"
        ))
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(|row| read(row, now)).collect()
    }

    /// Has a lease hold for so long from now. False where another server has the run.
    pub(crate) async fn beat(&self, lease: &Lease, time: Duration) -> Result<bool> {
        let until = self.moment().await?.after(time);
        let held = settled(|| {
            sql("UPDATE runs SET lease_until = $1 WHERE id = $2 AND lease_owner = $3 AND lease_turn = $4 \
                 AND state = 'running'")
            .bind(until.0)
            .bind(lease.run.to_string())
            .bind(lease.owner.to_string())
            .bind(lease.turn)
            .execute(&self.pools.write)
        });
        Ok(held.await? > 0)
    }

    /// Drops runs that ended before this, with what they say of tenants. Gives how many.
    pub(crate) async fn drop_old_runs(&self, before: Timestamp) -> Result<u64> {
        let old = sql("SELECT COUNT(*) AS n FROM runs WHERE ended_at < $1").bind(before.0);
        if generation(&old.fetch_one(&self.pools.read).await?, "n")? == 0 {
            return Ok(0);
        }
        let mut change = self.change().await?;
        let items = "DELETE FROM run_items WHERE run_id IN (SELECT id FROM runs WHERE ended_at < $1)";
        sql(items).bind(before.0).execute(&mut change.tx).await?;
        let runs = sql("DELETE FROM runs WHERE ended_at < $1").bind(before.0);
        let dropped = runs.execute(&mut change.tx).await?;
        change.commit().await?;
        Ok(dropped)
    }

    /// Ends every lease, as if the servers that hold them had been gone for long.
    #[cfg(test)]
    pub(crate) async fn expire_leases(&self) -> Result<u64> {
        Ok(sql("UPDATE runs SET lease_until = 0 WHERE state = 'running'").execute(&self.pools.write).await?)
    }
}

impl Change {
    /// The run as this change sees it.
    pub(crate) async fn run(&mut self, id: RunId) -> Result<Option<RunRow>> {
        let row = sql(concat!("SELECT ", columns!(), " FROM runs WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&mut self.tx)
            .await?;
        row.map(|row| read(&row, self.at)).transpose()
    }

    /// The run that is not over, where there is one.
    pub(crate) async fn open_run(&mut self) -> Result<Option<RunId>> {
        let row = sql("SELECT id FROM runs WHERE state IN ('queued', 'running', 'interrupted')")
            .fetch_optional(&mut self.tx)
            .await?;
        row.map(|row| parsed(&row, "id")).transpose()
    }

    /// Adds a run without tenants.
    pub(crate) async fn add_run(&mut self, run: &RunRow) -> Result<()> {
        sql(
            "INSERT INTO runs (id, kind, release_name, state, total, moved, failed, gone, previous_default, \
             rollback_of, actor, lease_turn, started_at, gen) \
             VALUES ($1, $2, $3, $4, 0, 0, 0, 0, $5, $6, $7, 0, $8, $9)",
        )
        .bind(run.id.to_string())
        .bind(run.kind.as_str())
        .bind(run.release.as_str())
        .bind(run.state.as_str())
        .bind(run.previous_default.as_ref().map(|name| name.as_str().to_owned()))
        .bind(run.rollback_of.map(|id| id.to_string()))
        .bind(run.actor.as_str())
        .bind(run.started_at.0)
        .bind(self.generation)
        .execute(&mut self.tx)
        .await?;
        Ok(())
    }

    /// Says of how many tenants a run is.
    pub(crate) async fn set_total(&mut self, id: RunId, total: u64) -> Result<()> {
        sql("UPDATE runs SET total = $1 WHERE id = $2")
            .bind(number(total))
            .bind(id.to_string())
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }

    /// Takes a run that is free, for so long.
    pub(crate) async fn take_run(
        &mut self,
        id: RunId,
        owner: ServerId,
        time: Duration,
    ) -> Result<Option<Lease>> {
        let Some(row) = self.run(id).await?.filter(|row| row.is_free_for(owner)) else {
            return Ok(None);
        };
        let lease = Lease { run: id, owner, turn: row.turn.saturating_add(1) };
        sql("UPDATE runs SET state = 'running', lease_owner = $1, lease_turn = $2, lease_until = $3, gen = $4 \
             WHERE id = $5")
        .bind(owner.to_string())
        .bind(lease.turn)
        .bind(self.at.after(time).0)
        .bind(self.generation)
        .bind(id.to_string())
        .execute(&mut self.tx)
        .await?;
        Ok(Some(lease))
    }

    /// Adds to a run's counts and has its lease hold for so long. False where the lease is another's by now: then nothing
    /// of this change may be committed.
    pub(crate) async fn advance_run(&mut self, lease: &Lease, more: Tally, time: Duration) -> Result<bool> {
        let held = sql(
            "UPDATE runs SET moved = moved + $1, failed = failed + $2, gone = gone + $3, lease_until = $4, gen = $5 \
             WHERE id = $6 AND lease_owner = $7 AND lease_turn = $8 AND state = 'running'",
        )
        .bind(number(more.moved))
        .bind(number(more.failed))
        .bind(number(more.gone))
        .bind(self.at.after(time).0)
        .bind(self.generation)
        .bind(lease.run.to_string())
        .bind(lease.owner.to_string())
        .bind(lease.turn)
        .execute(&mut self.tx)
        .await?;
        Ok(held > 0)
    }

    /// Records how a run ended and gives the lease back. False where it is another's.
    pub(crate) async fn end_run(&mut self, lease: &Lease) -> Result<bool> {
        let held = sql(
            "UPDATE runs SET state = CASE WHEN failed = 0 THEN 'finished' ELSE 'failed' END, ended_at = $1, \
             lease_owner = NULL, lease_until = NULL, gen = $2 \
             WHERE id = $3 AND lease_owner = $4 AND lease_turn = $5 AND state = 'running'",
        )
        .bind(self.at.0)
        .bind(self.generation)
        .bind(lease.run.to_string())
        .bind(lease.owner.to_string())
        .bind(lease.turn)
        .execute(&mut self.tx)
        .await?;
        Ok(held > 0)
    }

    /// Gives the lease of a run back that is not over. Nothing happens where it is another's.
    pub(crate) async fn interrupt_run(&mut self, lease: &Lease) -> Result<()> {
        sql("UPDATE runs SET state = 'interrupted', lease_owner = NULL, lease_until = NULL, gen = $1 \
             WHERE id = $2 AND lease_owner = $3 AND lease_turn = $4 AND state = 'running'")
        .bind(self.generation)
        .bind(lease.run.to_string())
        .bind(lease.owner.to_string())
        .bind(lease.turn)
        .execute(&mut self.tx)
        .await?;
        Ok(())
    }

    /// Queues a run again for so many of its failed tenants.
    pub(crate) async fn reopen_run(&mut self, id: RunId, again: u64) -> Result<()> {
        sql(
            "UPDATE runs SET state = 'queued', failed = failed - $1, ended_at = NULL, gen = $2 WHERE id = $3",
        )
        .bind(number(again))
        .bind(self.generation)
        .bind(id.to_string())
        .execute(&mut self.tx)
        .await?;
        Ok(())
    }
}
