//! Activations and their moves: a resumable list of which tenant goes from which release to which.

use super::dialect::{Row, sql};
use super::{Change, Result, Store, generation, parsed, parsed_option, timestamp};
use rowhouse_base::Timestamp;
use rowhouse_base::id::{ActivationId, TenantId};
use rowhouse_tenant::ReleaseName;

macro_rules! columns {
    () => {
        "id, kind, release_name, state, total, previous_default, rollback_of, started_at, finished_at"
    };
}

/// An activation as the control database knows it.
#[derive(Clone, Debug)]
pub(crate) struct ActivationRow {
    pub(crate) id: ActivationId,
    /// `activate` or `rollback`.
    pub(crate) kind: String,
    pub(crate) release: ReleaseName,
    /// `running`, `done` or `failed-partly`.
    pub(crate) state: String,
    pub(crate) total: u64,
    /// What was the default release before, where this activation changed it.
    pub(crate) previous_default: Option<ReleaseName>,
    pub(crate) rollback_of: Option<ActivationId>,
    pub(crate) started_at: Timestamp,
    pub(crate) finished_at: Option<Timestamp>,
}

/// Where one move stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoveState {
    Pending,
    Moved,
    Failed,
}

impl MoveState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Moved => "moved",
            Self::Failed => "failed",
        }
    }
}

/// One tenant's move.
#[derive(Clone, Debug)]
pub(crate) struct MoveRow {
    pub(crate) tenant: TenantId,
    pub(crate) name: String,
    pub(crate) from: Option<ReleaseName>,
    pub(crate) to: ReleaseName,
    pub(crate) error: Option<String>,
}

fn activation(row: &Row) -> Result<ActivationRow> {
    Ok(ActivationRow {
        id: parsed(row, "id")?,
        kind: row.get("kind")?,
        release: parsed(row, "release_name")?,
        state: row.get("state")?,
        total: generation(row, "total")?,
        previous_default: parsed_option(row, "previous_default")?,
        rollback_of: parsed_option(row, "rollback_of")?,
        started_at: timestamp(row, "started_at")?,
        finished_at: row.get::<Option<i64>>("finished_at")?.map(Timestamp),
    })
}

impl Store {
    pub(crate) async fn activation(&self, id: ActivationId) -> Result<Option<ActivationRow>> {
        let row = sql(concat!("SELECT ", columns!(), " FROM activations WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&self.pools.read)
            .await?;
        row.as_ref().map(activation).transpose()
    }

    /// Activations, newest first, older than one where given.
    pub(crate) async fn activations_page(&self, before: &str, limit: u32) -> Result<Vec<ActivationRow>> {
        let rows = sql(concat!(
            "SELECT ",
            columns!(),
            " FROM activations WHERE ($1 = '' OR id < $2) ORDER BY id DESC LIMIT $3"
        ))
        .bind(before.to_owned())
        .bind(before.to_owned())
        .bind(i64::from(limit))
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter().map(activation).collect()
    }

    /// Those that a crash left running.
    pub(crate) async fn activations_running(&self) -> Result<Vec<ActivationRow>> {
        let rows =
            sql(concat!("SELECT ", columns!(), " FROM activations WHERE state = 'running' ORDER BY id"))
                .fetch_all(&self.pools.read)
                .await?;
        rows.iter().map(activation).collect()
    }

    /// An activation's moves in one state, in the order of tenant ids.
    pub(crate) async fn moves(&self, id: ActivationId, state: MoveState) -> Result<Vec<MoveRow>> {
        let rows = sql("SELECT tenant_id, tenant_name, from_release, to_release, error FROM moves \
             WHERE activation_id = $1 AND state = $2 ORDER BY tenant_id")
        .bind(id.to_string())
        .bind(state.as_str())
        .fetch_all(&self.pools.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(MoveRow {
                    tenant: parsed(row, "tenant_id")?,
                    name: row.get("tenant_name")?,
                    from: parsed_option(row, "from_release")?,
                    to: parsed(row, "to_release")?,
                    error: row.get("error")?,
                })
            })
            .collect()
    }

    /// How many of an activation's moves are in one state.
    pub(crate) async fn move_count(&self, id: ActivationId, state: MoveState) -> Result<u64> {
        let row = sql("SELECT COUNT(*) AS n FROM moves WHERE activation_id = $1 AND state = $2")
            .bind(id.to_string())
            .bind(state.as_str())
            .fetch_one(&self.pools.read)
            .await?;
        generation(&row, "n")
    }
}

impl Change {
    /// True where one is running.
    pub(crate) async fn activation_runs(&mut self) -> Result<bool> {
        let row =
            sql("SELECT id FROM activations WHERE state = 'running'").fetch_optional(&mut self.tx).await?;
        Ok(row.is_some())
    }

    /// Adds an activation with its moves, all pending.
    pub(crate) async fn add_activation(
        &mut self,
        activation: &ActivationRow,
        moves: &[MoveRow],
    ) -> Result<()> {
        sql(
            "INSERT INTO activations (id, kind, release_name, state, total, previous_default, rollback_of, started_at, \
             finished_at, gen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(activation.id.to_string())
        .bind(activation.kind.clone())
        .bind(activation.release.as_str().to_owned())
        .bind(activation.state.clone())
        .bind(super::number(activation.total))
        .bind(activation.previous_default.as_ref().map(|name| name.as_str().to_owned()))
        .bind(activation.rollback_of.map(|id| id.to_string()))
        .bind(activation.started_at.0)
        .bind(activation.finished_at.map(|at| at.0))
        .bind(self.generation)
        .execute(&mut self.tx)
        .await?;
        for step in moves {
            sql(
                "INSERT INTO moves (activation_id, tenant_id, tenant_name, from_release, to_release, state) \
                 VALUES ($1, $2, $3, $4, $5, 'pending')",
            )
            .bind(activation.id.to_string())
            .bind(step.tenant.to_string())
            .bind(step.name.clone())
            .bind(step.from.as_ref().map(|name| name.as_str().to_owned()))
            .bind(step.to.as_str().to_owned())
            .execute(&mut self.tx)
            .await?;
        }
        Ok(())
    }

    /// Records how one move ended.
    pub(crate) async fn end_move(
        &mut self,
        id: ActivationId,
        tenant: TenantId,
        state: MoveState,
        error: Option<&str>,
    ) -> Result<()> {
        sql("UPDATE moves SET state = $1, error = $2 WHERE activation_id = $3 AND tenant_id = $4")
            .bind(state.as_str())
            .bind(error.map(str::to_owned))
            .bind(id.to_string())
            .bind(tenant.to_string())
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }

    /// Records how an activation ended.
    pub(crate) async fn end_activation(&mut self, id: ActivationId, state: &'static str) -> Result<()> {
        sql("UPDATE activations SET state = $1, finished_at = $2, gen = $3 WHERE id = $4")
            .bind(state)
            .bind(self.at.0)
            .bind(self.generation)
            .bind(id.to_string())
            .execute(&mut self.tx)
            .await?;
        Ok(())
    }
}
