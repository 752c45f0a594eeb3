//! A result read page by page over one snapshot.
//!
//! The engine's open statement borrows its connection, so both stay on one thread of a pool of their own
//! until the cursor ends: by its last row, by being dropped, by an error, or when nobody has asked for a
//! page for as long as a request may last. A tenant has two cursors at a time and a connection for each.

use super::connection::Conn;
use super::errors::{Failure, Phase, read};
use super::run::{self, Bounds};
use super::session::Session;
use crate::packed::{Encoder, PAGE_ROWS};
use crate::{LimitKind, SqlError, Value};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// The asking side.
pub(crate) struct Cursor {
    asks: Option<SyncSender<Ask>>,
}

struct Ask {
    rows: u32,
    answer: oneshot::Sender<Result<(Vec<u8>, bool), SqlError>>,
}

impl Cursor {
    pub(super) async fn open(session: &Session, text: &str, params: Vec<Value>) -> Result<Self, SqlError> {
        let text = session.admit(text)?.into_owned();
        let until = Instant::now() + session.time();
        let late = || SqlError::Limit(LimitKind::Connections);
        let own = session.slot.permit(&session.slot.cursors, until, late()).await?;
        let thread = session.slot.permit(&session.engine.cursor_permits, until, late()).await?;
        let mut checkout = session.engine.slots.checkout(&session.slot, until).await?;
        checkout.extra.extend([own, thread]);
        let share = match checkout.conn {
            Some(_) => None,
            None => Some(session.engine.slots.share(until).await?),
        };
        let (asks, asked) = sync_channel(1);
        let (opened, open) = oneshot::channel();
        let (bounds, slot) = (session.bounds(), Arc::clone(&session.slot));
        let patience = Duration::from_millis(session.tenant.limits.wall_ms.into());
        let quota = session.tenant.limits.database_bytes;
        let log = session.log.clone();
        session.engine.cursors.run(move || match super::ready(&mut checkout, &slot, quota, share) {
            Ok(conn) => {
                conn.log = log;
                serve(conn, &text, &params, bounds, opened, &asked, patience);
            }
            Err(failure) => {
                let _unheard = opened.send(Err(failure.into_sql()));
            }
        });
        match open.await {
            Ok(Ok(())) => Ok(Self { asks: Some(asks) }),
            Ok(Err(error)) => Err(error),
            Err(_thread) => Err(SqlError::other("the cursor's thread failed")),
        }
    }

    /// The next rows, packed; the flag in them says whether more follow.
    pub(crate) async fn next(&mut self, rows: u32) -> Result<Vec<u8>, SqlError> {
        let (answer, page) = oneshot::channel();
        let ask = Ask { rows: rows.clamp(1, PAGE_ROWS), answer };
        // There is room for one ask, and the one before was answered or its answer is not wanted.
        let sent = self.asks.as_ref().ok_or(SqlError::Closed)?.try_send(ask);
        let page = match sent {
            Ok(()) => page.await.map_err(|_ended| SqlError::Closed).flatten(),
            Err(_) => Err(SqlError::Closed),
        };
        if !matches!(page, Ok((_, true))) {
            self.asks = None;
        }
        page.map(|(bytes, _more)| bytes)
    }
}

fn serve(
    conn: &mut Conn,
    text: &str,
    params: &[Value],
    bounds: Bounds,
    opened: oneshot::Sender<Result<(), SqlError>>,
    asked: &Receiver<Ask>,
    patience: Duration,
) {
    let mut opened = Some(opened);
    if let Err(failure) = pages(conn, text, params, bounds, &mut opened, asked, patience)
        && let Some(opened) = opened
    {
        let _unheard = opened.send(Err(failure.into_sql()));
    }
}

fn pages(
    conn: &mut Conn,
    text: &str,
    params: &[Value],
    bounds: Bounds,
    opened: &mut Option<oneshot::Sender<Result<(), SqlError>>>,
    asked: &Receiver<Ask>,
    patience: Duration,
) -> Result<(), Failure> {
    conn.budget.arm_until(std::time::Instant::now() + bounds.time);
    let plan = run::plan(conn, text)?;
    if !plan.readonly {
        return Err(SqlError::Denied("a cursor only reads".to_owned()).into());
    }
    run::check_count(&plan, params)?;
    conn.note(&plan);
    conn.probe.clear();
    let conn = &*conn;
    let mut statement = conn.db.prepare_cached(text).map_err(|error| read(conn, Phase::Compile, error))?;
    run::bind(&mut statement, &plan, params)?;
    let mut rows = statement.raw_query();
    // The first row fixes the snapshot and says what a fresh compilation made of the columns.
    rows.advance().map_err(|error| read(conn, Phase::Run, error))?;
    if conn.probe.was_asked()
        && let Some(log) = &conn.log
    {
        log.doubt();
    }
    let head = match rows.get() {
        Some(row) if conn.probe.was_asked() => super::plan::Head::read(row.as_ref())?,
        _ => plan.head.clone(),
    };
    if let Some(opened) = opened.take() {
        let _unheard = opened.send(Ok(()));
    }
    while let Ok(ask) = asked.recv_timeout(patience) {
        conn.budget.arm_until(std::time::Instant::now() + bounds.time);
        let mut page = Encoder::from_head(&head.packed);
        let result = loop {
            let Some(found) = rows.get() else { break Ok(false) };
            if let Err(error) = run::write_row(&mut page, found, &head) {
                break Err(error);
            }
            if page.rows() == 1 && page.len() > bounds.bytes {
                break Err(SqlError::Limit(LimitKind::Bytes));
            }
            if let Err(error) = rows.advance() {
                break Err(read(conn, Phase::Run, error).into_sql());
            }
            // A page also ends where one more of the largest rows might not fit.
            if rows.get().is_some() && (page.rows() >= ask.rows || page.len() > bounds.bytes / 2) {
                break Ok(true);
            }
        };
        let ended = !matches!(result, Ok(true));
        let _unheard = ask.answer.send(result.map(|more| (page.finish(more), more)));
        if ended {
            break;
        }
    }
    Ok(())
}
