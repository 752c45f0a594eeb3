//! Pages about runs.

use super::{Frame, Moment, Pager};
use crate::types::{RunItemView, RunView};
use askama::Template;

/// Every state that a tenant of a run can be in, as the filter offers them.
const STATES: [&str; 5] = ["waiting", "running", "moved", "failed", "gone"];

/// The list of runs.
#[derive(Debug, Template)]
#[template(path = "console/runs.html")]
pub(in crate::console) struct RunsPage {
    pub frame: Frame,
    /// One of them goes on.
    pub is_open: bool,
    pub rows: Vec<RunRow>,
    pub pager: Pager,
}

/// A run.
#[derive(Debug)]
pub(in crate::console) struct RunRow {
    pub id: String,
    pub release: String,
    pub is_rollback: bool,
    pub state: String,
    pub chip: &'static str,
    pub total: u64,
    pub moved: u64,
    pub failed: u64,
    pub gone: u64,
    pub left: u64,
    pub actor: String,
    pub turns: u64,
    pub rollback_of: Option<String>,
    pub started: Moment,
    pub ended: Option<Moment>,
}

impl RunRow {
    /// Tenants that are through, whatever came of them.
    pub(in crate::console) fn done(&self) -> u64 {
        self.total.saturating_sub(self.left)
    }
}

impl From<RunView> for RunRow {
    fn from(run: RunView) -> Self {
        Self {
            chip: match run.state.as_str() {
                "finished" => "chip-good",
                "queued" | "running" => "chip-warn",
                _ => "chip-bad",
            },
            id: run.id,
            release: run.release,
            is_rollback: run.kind == "rollback",
            state: run.state,
            total: run.total,
            moved: run.moved,
            failed: run.failed,
            gone: run.gone,
            left: run.left,
            actor: run.actor,
            turns: run.turns,
            rollback_of: run.rollback_of,
            started: Moment::of(&run.started_at),
            ended: run.ended_at.as_deref().map(Moment::of),
        }
    }
}

/// One run with a page of its tenants.
#[derive(Debug, Template)]
#[template(path = "console/run.html")]
pub(in crate::console) struct RunPage {
    pub frame: Frame,
    /// Where the run is shown.
    pub base: String,
    pub run: RunRow,
    pub is_open: bool,
    pub can_resume: bool,
    pub can_roll_back: bool,
    /// The state whose tenants are shown; empty for all.
    pub state: String,
    pub items: Vec<RunItemView>,
    pub pager: Pager,
}

impl RunPage {
    fn states(&self) -> [&'static str; 5] {
        STATES
    }

    fn is_state(&self, state: &str) -> bool {
        self.state == state
    }
}
