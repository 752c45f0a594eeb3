//! Messages of the contact form.
//!
//! They are text and stay text: nothing here renders Markdown or follows a link. Invariant: the inbox
//! holds at most [`MAX`] messages, so nobody can fill the database through the form. Called by `public`
//! and `manage`.

use rowhouse_sdk::{prelude::*, sql::SqlResult};

use crate::calendar::{Day, Moment};

/// Most messages an inbox keeps; older ones have to be deleted by a person first.
pub(crate) const MAX: i64 = 1000;

/// A message.
#[derive(Row)]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) body: String,
    pub(crate) received_at: i64,
    pub(crate) is_read: bool,
}

impl Message {
    /// `3 May 2026, 19:00 UTC`.
    pub(crate) fn received(&self) -> String {
        let moment = Timestamp(self.received_at);
        let minutes = moment.seconds().rem_euclid(86_400) / 60;
        let local = Moment::at(Day::of(moment), minutes / 60, minutes % 60);
        format!("{}, {} UTC", local.day.long(), local.time())
    }
}

/// All messages, the newest first.
pub(crate) fn messages() -> SqlResult<Vec<Message>> {
    let text = "SELECT id, name, email, body, received_at, is_read FROM messages ORDER BY id DESC LIMIT 200";
    sql::query_as(text, params![])
}

/// Keeps a message, unless the inbox is full; says whether it was kept.
pub(crate) fn keep(name: &str, email: &str, body: &str, now: Timestamp) -> SqlResult<bool> {
    let count: i64 = sql::query_scalar("SELECT count(*) FROM messages", params![])?.unwrap_or(0);
    if count >= MAX {
        return Ok(false);
    }
    let text = "INSERT INTO messages (name, email, body, received_at, is_read) VALUES ($1, $2, $3, $4, 0)";
    sql::execute(text, params![name, email, body, now.0])?;
    Ok(true)
}

/// Marks a message.
pub(crate) fn mark(id: i64, is_read: bool) -> SqlResult<()> {
    sql::execute("UPDATE messages SET is_read = $1 WHERE id = $2", params![i64::from(is_read), id])?;
    Ok(())
}

/// Deletes a message.
pub(crate) fn delete(id: i64) -> SqlResult<()> {
    sql::execute("DELETE FROM messages WHERE id = $1", params![id])?;
    Ok(())
}
