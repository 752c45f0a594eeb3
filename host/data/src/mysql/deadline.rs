//! Ends work on the server: what ran past its time, and what nobody waits for any more.
//!
//! The server goes on with a statement whose client has gone, for as long as it likes. So the host says it
//! over a connection of its own. The server counts its connections up and never down, so that a late word
//! meets nobody else.

use super::control::Control;
use crate::SqlError;

/// Error 1094: the connection has ended by itself.
const UNKNOWN_THREAD: &str = "1094";

/// Ends connections and statements of tenants.
pub(super) struct Killer(Control);

impl Killer {
    pub(super) fn new(control: Control) -> Self {
        Self(control)
    }

    /// Ends a connection with whatever runs on it. What it had not committed is rolled back.
    pub(super) async fn end(&self, thread: u64) {
        if let Err(error) = quiet(self.0.execute(&format!("KILL {thread}")).await) {
            tracing::warn!(%error, "a statement may still be running on a data server");
        }
    }

    /// Ends the statement that runs on a connection; its transaction goes on.
    pub(super) async fn stop(&self, thread: u64) -> Result<(), SqlError> {
        quiet(self.0.execute(&format!("KILL QUERY {thread}")).await)
    }
}

fn quiet(result: Result<(), SqlError>) -> Result<(), SqlError> {
    match result {
        Err(SqlError::Other { message, .. }) if message.contains(UNKNOWN_THREAD) => Ok(()),
        other => other,
    }
}
