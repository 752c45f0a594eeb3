//! The page of servers.

use super::{Frame, Moment};
use crate::types::ServerView;
use askama::Template;

/// A server in the list.
#[derive(Clone, Debug)]
pub(in crate::console) struct ServerRow {
    pub id: String,
    pub name: String,
    pub version: String,
    pub state: String,
    pub applied: u64,
    pub behind: u64,
    pub started: Moment,
    pub is_this: bool,
    /// It can be told to leave.
    pub may_drain: bool,
}

impl From<ServerView> for ServerRow {
    fn from(server: ServerView) -> Self {
        Self {
            may_drain: matches!(server.state.as_str(), "serving" | "starting"),
            started: Moment::of(&server.started_at),
            id: server.id,
            name: server.name,
            version: server.version,
            state: server.state,
            applied: server.applied,
            behind: server.behind,
            is_this: server.is_this,
        }
    }
}

impl ServerRow {
    fn chip(&self) -> &'static str {
        if self.state == "serving" { "chip-good" } else { "chip-warn" }
    }
}

/// All servers.
#[derive(Debug, Template)]
#[template(path = "console/servers.html")]
pub(in crate::console) struct ServersPage {
    pub frame: Frame,
    pub generation: u64,
    pub rows: Vec<ServerRow>,
}
