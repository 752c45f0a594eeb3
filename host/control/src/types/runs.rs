//! Runs, as the API shows and takes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A run to start: an activation of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRun {
    /// NAME@VERSION.
    pub release: String,
    /// Names of tenants; all active and suspended ones where nothing is said.
    pub tenants: Option<Vec<String>>,
    /// Whether new tenants get it too; yes for all, no for some, where nothing is said.
    pub default: Option<bool>,
}

/// A run: an activation or a rollback of a release over a set of tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    /// UUID.
    pub id: String,
    /// `activation` or `rollback`.
    pub kind: String,
    /// NAME@VERSION that tenants get; for a rollback the one they leave.
    pub release: String,
    /// `queued`, `running`, `interrupted` (the server that worked on it is gone; the next one goes on), or over:
    /// `finished`, `failed` (some tenants kept their release).
    pub state: String,
    /// Tenants that did not run it before.
    pub total: u64,
    /// Tenants that run it now.
    pub moved: u64,
    /// Tenants that kept their release because something failed.
    pub failed: u64,
    /// Tenants that were deleted meanwhile.
    pub gone: u64,
    /// Tenants whose turn is still to come or to end.
    pub left: u64,
    /// Who started it.
    pub actor: String,
    /// The run that a rollback took back.
    pub rollback_of: Option<String>,
    /// The server that works on it just now.
    pub server: Option<String>,
    /// How often a server took it: more than once after interruptions.
    pub turns: u64,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub ended_at: Option<String>,
}

impl RunView {
    /// True while there is something left that the servers do by themselves.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.state.as_str(), "finished" | "failed")
    }
}

/// One tenant of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunItemView {
    /// Its name.
    pub tenant: String,
    /// Its UUID.
    pub id: String,
    /// NAME@VERSION that it ran before.
    pub from: Option<String>,
    /// NAME@VERSION that it gets.
    pub to: String,
    /// `waiting`, `running`, `moved`, `failed` or `gone`.
    pub state: String,
    /// How often it was begun.
    pub attempts: u64,
    /// Why the last attempt that failed did.
    pub error: Option<String>,
    /// When it moved, failed or was found gone; RFC 3339.
    pub ended_at: Option<String>,
}

/// A run with a page of its tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunDetail {
    /// The run.
    #[serde(flatten)]
    pub run: RunView,
    /// Tenants on this page.
    pub items: Vec<RunItemView>,
    /// The cursor of the next page; none on the last.
    pub next: Option<String>,
}
