//! A result read page by page, as the server computes it.
//!
//! A task holds the connection and the open result until the cursor ends: by its last row, by being dropped,
//! by an error, or when nobody has asked for a page for as long as a request may last. The server goes on
//! only as far as rows are taken, so neither side holds more than a page. One statement sees one snapshot.

use super::connect::Gate;
use super::decode;
use super::run::{self, Bounds, Call, Head};
use super::session::{Session, give_back};
use crate::packed::{Encoder, PAGE_ROWS};
use crate::pool::Lease;
use crate::{LimitKind, SqlError, Value};
use futures_util::stream::{Peekable, Stream, StreamExt};
use rowhouse_base::tasks;
use sqlx::mysql::{MySqlQueryResult, MySqlRow};
use sqlx::{Either, Executor, Row, Statement};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// The asking side.
pub(crate) struct Cursor {
    asks: Option<mpsc::Sender<Ask>>,
}

struct Ask {
    rows: u32,
    answer: oneshot::Sender<Result<(Vec<u8>, bool), SqlError>>,
}

/// What the task needs beside its connection.
struct Reading {
    session: Session,
    call: Call,
    bounds: Bounds,
    time: Duration,
    patience: Duration,
}

impl Cursor {
    pub(super) async fn open(session: &Session, text: &str, params: &[Value]) -> Result<Self, SqlError> {
        let until = Instant::now() + session.time();
        let call = session.call(text, params)?;
        if !call.template.reads_only() {
            return Err(SqlError::Denied("a cursor only reads".to_owned()));
        }
        let lease = super::session::in_time(until, async {
            session.note(&call.template).await?;
            session.lease(until, true).await
        })
        .await?;
        let reading = Reading {
            call,
            bounds: session.bounds(),
            time: session.time(),
            patience: session.tenant.limits.wall(),
            session: session.clone(),
        };
        let (asks, asked) = mpsc::channel(1);
        let (opened, open) = oneshot::channel();
        tasks::spawn("read a cursor", reading.serve(lease, opened, asked, until));
        match open.await {
            Ok(result) => result.map(|()| Self { asks: Some(asks) }),
            Err(_task) => Err(SqlError::other("the cursor's task failed")),
        }
    }

    /// The next rows, packed; the flag in them says whether more follow.
    pub(crate) async fn next(&mut self, rows: u32) -> Result<Vec<u8>, SqlError> {
        let (answer, page) = oneshot::channel();
        let ask = Ask { rows: rows.clamp(1, PAGE_ROWS), answer };
        // There is room for one ask, and the one before was answered or its answer is not wanted.
        let page = match self.asks.as_ref().ok_or(SqlError::Closed)?.try_send(ask) {
            Ok(()) => page.await.map_err(|_ended| SqlError::Closed).flatten(),
            Err(_) => Err(SqlError::Closed),
        };
        if !matches!(page, Ok((_, true))) {
            self.asks = None;
        }
        page.map(|(bytes, _more)| bytes)
    }
}

/// The rows to come; an end, or an error that the server answered, ends them.
type Rows<'a> = Peekable<Pin<Box<dyn Stream<Item = Result<MySqlRow, sqlx::Error>> + Send + 'a>>>;

impl Reading {
    async fn serve(
        self,
        mut lease: Lease<Gate>,
        opened: oneshot::Sender<Result<(), SqlError>>,
        asked: mpsc::Receiver<Ask>,
        until: Instant,
    ) {
        if self.pages(&mut lease, opened, asked, until).await {
            give_back(lease);
        }
    }

    /// True where the connection may be used again.
    async fn pages(
        &self,
        lease: &mut Lease<Gate>,
        mut opened: oneshot::Sender<Result<(), SqlError>>,
        mut asked: mpsc::Receiver<Ask>,
        until: Instant,
    ) -> bool {
        let Ok(conn) = lease.conn() else { return false };
        let names = &self.session.names;
        let prepared = tokio::select! {
            prepared = timeout_at(until, run::prepare(conn, &self.call, names)) => prepared,
            () = opened.closed() => return false,
        };
        let statement = match prepared {
            Ok(Ok(statement)) => statement,
            Ok(Err(failure)) => {
                let _unheard = opened.send(Err(failure.error));
                return true;
            }
            Err(_late) => {
                let _unheard = opened.send(Err(SqlError::Limit(LimitKind::Time)));
                return false;
            }
        };
        let query = sqlx::query_with(self.call.text.clone(), self.call.arguments.clone());
        let stream = conn.db.fetch_many(query).filter_map(async |step| rows_alone(step));
        let mut rows: Rows<'_> = (Box::pin(stream) as Pin<Box<dyn Stream<Item = _> + Send>>).peekable();
        // The first row fixes the snapshot and says what the columns are by now.
        let first = tokio::select! {
            first = timeout_at(until, Pin::new(&mut rows).peek()) => first,
            () = opened.closed() => return false,
        };
        let head = match first {
            Ok(Some(Ok(row))) => Head::read(row.columns()),
            Ok(None) => Head::read(statement.columns()),
            Ok(Some(Err(error))) => Err(super::errors::guest(error, names)),
            Err(_late) => Err(SqlError::Limit(LimitKind::Time)),
        };
        let head = match head {
            Ok(head) => head,
            Err(error) => {
                let _unheard = opened.send(Err(error));
                return false;
            }
        };
        if opened.send(Ok(())).is_err() {
            return false;
        }
        while let Ok(Some(mut ask)) = timeout(self.patience, asked.recv()).await {
            let end = Instant::now() + self.time;
            let page = tokio::select! {
                page = timeout_at(end, self.page(&mut rows, &head, ask.rows)) => page,
                () = ask.answer.closed() => return false,
            };
            let page = page.unwrap_or(Err(SqlError::Limit(LimitKind::Time)));
            let (ended, clean) = (!matches!(page, Ok((_, true))), page.is_ok());
            let _unheard = ask.answer.send(page);
            if ended {
                drop(rows);
                conn.busy = !clean;
                return clean;
            }
        }
        false
    }

    async fn page(&self, rows: &mut Rows<'_>, head: &Head, most: u32) -> Result<(Vec<u8>, bool), SqlError> {
        let mut page = Encoder::from_head(&head.packed);
        while let Some(row) = rows.next().await {
            let row = row.map_err(|error| super::errors::guest(&error, &self.session.names))?;
            decode::write_row(&mut page, &row, &head.kinds)?;
            if page.rows() == 1 && page.len() > self.bounds.bytes {
                return Err(SqlError::Limit(LimitKind::Bytes));
            }
            // A page also ends where one more of the largest rows might not fit.
            let full = page.rows() >= most || page.len() > self.bounds.bytes / 2;
            if full && Pin::new(&mut *rows).peek().await.is_some() {
                return Ok((page.finish(true), true));
            }
        }
        Ok((page.finish(false), false))
    }
}

fn rows_alone(
    step: Result<Either<MySqlQueryResult, MySqlRow>, sqlx::Error>,
) -> Option<Result<MySqlRow, sqlx::Error>> {
    match step {
        Ok(Either::Left(_end)) => None,
        Ok(Either::Right(row)) => Some(Ok(row)),
        Err(error) => Some(Err(error)),
    }
}
