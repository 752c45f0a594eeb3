//! A result read page by page over one snapshot, in a transaction of its own that only reads.
//!
//! It ends by its last page, by being dropped, by an error, or where nobody has asked for a page for as long
//! as a request may last; the server ends it too then, should the host be gone.

use super::connect::{Health, Opener};
use super::errors::Failure;
use super::pages::Pages;
use super::run;
use super::session::{Session, within};
use crate::packed::PAGE_ROWS;
use crate::pool::Lease;
use crate::{SqlError, Value};
use tokio::time::Instant;

/// An open or ended cursor.
pub(crate) struct Cursor {
    session: Session,
    open: Option<(Lease<Opener>, Pages)>,
    asked: Instant,
}

impl Cursor {
    pub(super) async fn open(session: &Session, text: &str, params: Vec<Value>) -> Result<Self, SqlError> {
        let checked = session.check(text, params)?;
        if !checked.template.reads_only() {
            return Err(SqlError::Denied("a cursor only reads".to_owned()));
        }
        let mut lease = session.lease().await?;
        let conn = lease.conn()?;
        let opened = within(session.time(), async {
            for _attempt in 0..2 {
                session.note(conn, &checked.template).await?;
                conn.say("BEGIN READ ONLY").await?;
                match Pages::open(conn, &checked.text, &checked.params).await {
                    Err(Failure::Stale) => {
                        conn.say("ROLLBACK").await?;
                        run::forget(conn).await?;
                    }
                    Err(failure) if conn.health == Health::Idle => {
                        conn.say("ROLLBACK").await?;
                        return Err(failure);
                    }
                    other => return other,
                }
            }
            Err(Failure::Stale)
        })
        .await;
        match opened {
            Ok(pages) => {
                Ok(Self { session: session.clone(), open: Some((lease, pages)), asked: Instant::now() })
            }
            Err(failure) => session.settle(lease, Err(failure)),
        }
    }

    /// The next rows, packed; the flag in them says whether more follow.
    pub(crate) async fn next(&mut self, rows: u32) -> Result<Vec<u8>, SqlError> {
        let (mut lease, mut pages) = self.open.take().ok_or(SqlError::Closed)?;
        if self.asked.elapsed() > self.session.tenant.limits.wall() {
            return Err(SqlError::Closed);
        }
        let conn = lease.conn()?;
        let bytes = self.session.bounds().bytes;
        let page = async {
            // Half, so that one more of the largest rows fits.
            let page = pages.page(conn, rows.clamp(1, PAGE_ROWS), bytes / 2, bytes).await;
            if !matches!(page, Ok((_, true))) && conn.health == Health::Idle {
                conn.say("ROLLBACK").await?;
            }
            page
        };
        match within(self.session.time(), page).await {
            Ok((page, true)) => {
                self.open = Some((lease, pages));
                self.asked = Instant::now();
                Ok(page)
            }
            ended => self.session.settle(lease, ended.map(|(page, _more)| page)),
        }
    }
}
