//! A result read block by block through the engine's own cursor, so that memory holds one block.
//!
//! Blocks follow the size of the rows seen so far. Used by guests' cursors and by exports; whoever uses it
//! has a transaction open.

use super::connect::{Conn, Health};
use super::decode;
use super::errors::Failure;
use super::run::{self, Plan};
use crate::packed::Encoder;
use crate::{LimitKind, SqlError, Value};
use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes that a block should have.
const BLOCK_BYTES: usize = 1 << 20;

/// Rows of the first block, and of any.
const FIRST: usize = 64;
const MOST: usize = 2_000;

/// An open result.
pub(super) struct Pages {
    plan: Arc<Plan>,
    waiting: VecDeque<PgRow>,
    block: usize,
    done: bool,
}

impl Pages {
    /// Opens a result. One is open on a connection at a time.
    pub(super) async fn open(conn: &mut Conn, text: &str, params: &[Value]) -> Result<Self, Failure> {
        let plan = run::plan(conn, text).await?;
        let declare = format!("DECLARE rowhouse_page NO SCROLL CURSOR FOR {text}");
        run::execute(conn, &declare, params).await?;
        Ok(Self { plan, waiting: VecDeque::new(), block: FIRST, done: false })
    }

    /// The next page and whether more follow. It ends after `rows` rows, or where it has more than `enough`
    /// bytes. One row of more than `most` is an error.
    pub(super) async fn page(
        &mut self,
        conn: &mut Conn,
        rows: u32,
        enough: usize,
        most: usize,
    ) -> Result<(Vec<u8>, bool), Failure> {
        let mut out = Encoder::from_head(&self.plan.head);
        while let Some(row) = self.next(conn, most).await? {
            if out.rows() >= rows || out.len() > enough {
                self.waiting.push_front(row);
                return Ok((out.finish(true), true));
            }
            decode::write_row(&mut out, &row, &self.plan.columns)?;
            if out.rows() == 1 && out.len() > most {
                return Err(SqlError::Limit(LimitKind::Bytes).into());
            }
        }
        Ok((out.finish(false), false))
    }

    async fn next(&mut self, conn: &mut Conn, bytes: usize) -> Result<Option<PgRow>, Failure> {
        if self.waiting.is_empty() && !self.done {
            self.fetch(conn, bytes).await?;
        }
        Ok(self.waiting.pop_front())
    }

    async fn fetch(&mut self, conn: &mut Conn, bytes: usize) -> Result<(), Failure> {
        conn.health = Health::Busy;
        // Prepared anew each time: another cursor of this name has other columns.
        let text = format!("FETCH FORWARD {} FROM rowhouse_page", self.block);
        let mut rows = sqlx::query(AssertSqlSafe(text)).persistent(false).fetch(&mut conn.db);
        let mut size = 0;
        let ended = loop {
            match rows.try_next().await {
                Ok(Some(row)) => {
                    size += length(&row);
                    if size > bytes.max(BLOCK_BYTES).saturating_mul(2) {
                        return Err(SqlError::Limit(LimitKind::Bytes).into());
                    }
                    self.waiting.push_back(row);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        drop(rows);
        conn.heard(ended)?;
        let got = self.waiting.len();
        self.done = got < self.block;
        self.block = (BLOCK_BYTES / (size / got.max(1)).max(1)).clamp(1, MOST);
        Ok(())
    }
}

/// Bytes of a row's values.
fn length(row: &PgRow) -> usize {
    (0..row.len())
        .filter_map(|at| row.try_get_raw(at).ok())
        .filter_map(|value| value.as_bytes().ok().map(<[u8]>::len))
        .sum()
}
