//! Servers of a farm as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerView {
    /// The same after a restart on the same data folder.
    pub id: String,
    /// As configured; need not be unique.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// starting, serving, draining, or silent where it has not been heard of for 10 s.
    pub state: String,
    /// The generation in force there.
    pub applied: u64,
    /// Generations that it has yet to take over.
    pub behind: u64,
    /// When it started.
    pub started_at: String,
    /// How long ago it was last heard of, in milliseconds.
    pub silent_ms: u64,
    /// It is the one that answers.
    pub is_this: bool,
}

/// All servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerList {
    /// The generation of the control state.
    pub generation: u64,
    /// In the order of their names.
    pub items: Vec<ServerView>,
}

/// What a wait for all servers found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedView {
    /// The generation that was waited for.
    pub generation: u64,
    /// Names of servers that don't have it yet.
    pub behind: Vec<String>,
}
