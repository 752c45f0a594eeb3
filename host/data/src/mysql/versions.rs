//! The counts of what was changed: a table of the host's beside the ledger, moved in the writing transaction.
//!
//! Lines are only added, at the table's end, so that writers are not in each other's way; a subject's count is
//! the sum of its lines. From time to time lines are brought together, which keeps every sum.
//!
//! A migration is no transaction here. So it moves [`SCHEMA`] before its first statement and [`SCHEMA_END`] up to
//! it after its last: whoever reads the links of tables in between, or after a migration that was cut off,
//! knows that they can't be relied on.

use super::connect::{Conn, Gate};
use super::engine::Engine;
use super::names::{Names, VERSIONS};
use super::session::{Session, give_back, in_time};
use super::{catalogue, errors, run};
use crate::guard::Template;
use crate::known::{Notice, Writing};
use crate::links::Links;
use crate::pool::Connector;
use crate::subjects::{MOST_SUBJECTS, SCHEMA, SCHEMA_END};
use crate::{SqlError, counts};
use futures_util::StreamExt;
use rowhouse_base::id::TenantId;
use rowhouse_base::{Subject, Timestamp};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, Either, Executor, Row};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Lines brought together at a time.
const PRUNED: usize = 5_000;

/// Time of bringing lines together.
const PRUNING: Duration = Duration::from_secs(20);

/// Pause between two looks whether a connection has ended; it grows up to a hundred times of that.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes the table. The first counts are the time at which they began, so that a database made anew
/// never repeats what an older one said. Subjects are bytes, because texts compare without trailing spaces.
pub(super) fn table(names: &Names) -> String {
    let (table, at) = (qualified(names), Timestamp::now().0);
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, \
         subject VARBINARY(255) NOT NULL, moved BIGINT NOT NULL DEFAULT 1) ENGINE = InnoDB; \
         INSERT INTO {table} (subject, moved) SELECT subject, {at} FROM \
         (SELECT {all} AS subject UNION ALL SELECT {begun} UNION ALL SELECT {ended}) AS begun \
         WHERE NOT EXISTS (SELECT 1 FROM {table})",
        all = bytes("*"),
        begun = bytes(SCHEMA),
        ended = bytes(SCHEMA_END)
    )
}

fn qualified(names: &Names) -> String {
    names.qualified(&names.physical(VERSIONS))
}

fn bytes(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("X'{digits}'")
}

fn insert<'a>(names: &Names, subjects: impl IntoIterator<Item = &'a str>) -> String {
    let lines: Vec<String> = subjects.into_iter().map(|subject| format!("({})", bytes(subject))).collect();
    format!("INSERT INTO {} (subject) VALUES {}", qualified(names), lines.join(", "))
}

fn count_of(names: &Names, subject: &str) -> String {
    let (table, subject) = (qualified(names), bytes(subject));
    format!("SELECT CAST(coalesce(sum(moved), 0) AS SIGNED) FROM {table} WHERE subject = {subject}")
}

impl Session {
    /// Commits the transaction that runs, with the counts of these tables and of what changes with them. Where
    /// it fails with the connection idle, the transaction is still to be taken back.
    pub(super) async fn commit(&self, conn: &mut Conn, written: &BTreeSet<String>) -> Result<(), SqlError> {
        if written.is_empty() {
            return self.host(conn, "COMMIT").await;
        }
        let links = self.links(0).await?;
        let schema = (!links.open).then_some(links.schema);
        self.commit_moved(conn, &links.written(written), schema).await
    }

    /// Commits with the counts of these subjects. Where `schema` is told and is another one by now, everything
    /// moves as well: links that are not known may have carried the change further.
    async fn commit_moved(
        &self,
        conn: &mut Conn,
        moved: &BTreeSet<Subject>,
        schema_before: Option<u64>,
    ) -> Result<(), SqlError> {
        let writing = self.engine.writing(self.tenant.id, conn);
        let lines = insert(&self.names, moved.iter().map(Subject::as_str));
        let text = format!("{lines}; COMMIT; {}", count_of(&self.names, SCHEMA));
        let (committed, found) = self.steps(conn, text).await;
        let schema_now = match found {
            Err(error) if !committed => {
                if conn.busy {
                    // Open until the server has ended the connection.
                    drop(writing);
                } else {
                    writing.refused();
                }
                return Err(counts::judge_commit(error, self.engine.complete(&self.names)).await);
            }
            Err(_error) => None,
            Ok(schema) => schema,
        };
        if schema_before.is_some() && schema_before != schema_now {
            self.engine.links.forget(self.tenant.id);
            let again = format!("START TRANSACTION READ WRITE; {}; COMMIT", insert(&self.names, ["*"]));
            if let (_, Err(error)) = self.steps(conn, again).await {
                // The transaction may still be open: the connection is closed, which takes it back.
                conn.busy = true;
                tracing::warn!(tenant = %self.tenant.id, %error, "pages may be older than a write during a migration");
            }
        }
        writing.settled().await;
        Ok(())
    }

    /// Runs statements of the host's own. Tells whether two have gone well, and the last number they found.
    async fn steps(&self, conn: &mut Conn, text: String) -> (bool, Result<Option<u64>, SqlError>) {
        conn.busy = true;
        let (mut done, mut number) = (0, None);
        let mut results = conn.db.fetch_many(sqlx::raw_sql(AssertSqlSafe(text)));
        let ended = loop {
            match results.next().await {
                Some(Ok(Either::Left(_done))) => done += 1,
                Some(Ok(Either::Right(row))) => {
                    number = row.try_get::<i64, _>(0).ok().map(i64::unsigned_abs);
                }
                None => break Ok(()),
                Some(Err(error)) => break Err(error),
            }
        };
        drop(results);
        let ended = match ended {
            Ok(()) => {
                conn.busy = false;
                Ok(number)
            }
            Err(error) => Err(run::answered(&mut conn.busy, &error, &self.names).error),
        };
        (done >= 2, ended)
    }

    /// The links of the tenant's tables, at least of this version of the schema.
    async fn links(&self, schema: u64) -> Result<Arc<Links>, SqlError> {
        match self.engine.links.get(self.tenant.id, schema) {
            Some(known) => Ok(known),
            None => {
                let links = Box::pin(self.engine.read_links(&self.names)).await?;
                Ok(self.engine.links.keep(self.tenant.id, links))
            }
        }
    }

    /// Notes what a statement reads or that it writes, where a page's reads are noted.
    pub(super) async fn note(&self, template: &Template) -> Result<(), SqlError> {
        match &self.log {
            Some(log) => log.note(template, self.links(log.schema())).await,
            None => Ok(()),
        }
    }

    /// The counts as they are now, and of how many lines.
    pub(crate) async fn versions(&self) -> Result<(Vec<(String, u64)>, u64), SqlError> {
        counts::read(|| self.try_versions(), self.engine.complete(&self.names)).await
    }

    async fn try_versions(&self) -> Result<(Vec<(String, u64)>, u64), SqlError> {
        let until = Instant::now() + self.time();
        in_time(until, async {
            let text = format!(
                "SELECT subject, CAST(sum(moved) AS SIGNED), count(*) FROM {} GROUP BY subject",
                qualified(&self.names)
            );
            let mut lease = self.lease(until, true).await?;
            let rows = rows(lease.conn()?, text, &self.names).await;
            give_back(lease);
            let (mut counts, mut lines) = (Vec::new(), 0);
            for row in rows? {
                let bytes: Vec<u8> = row.try_get(0).map_err(|error| errors::host(&error))?;
                let moved: i64 = row.try_get(1).map_err(|error| errors::host(&error))?;
                lines += row.try_get::<i64, _>(2).map_or(0, i64::unsigned_abs);
                counts.push((String::from_utf8_lossy(&bytes).into_owned(), moved.unsigned_abs()));
            }
            Ok((counts, lines))
        })
        .await
    }

    /// Moves subjects in a transaction of their own.
    pub(crate) async fn move_subjects(&self, moved: BTreeSet<Subject>) -> Result<(), SqlError> {
        let until = Instant::now() + self.time();
        in_time(until, async {
            let mut lease = self.lease(until, false).await?;
            let conn = lease.conn()?;
            self.host(conn, "START TRANSACTION READ WRITE").await?;
            match self.commit_moved(conn, &moved, None).await {
                Ok(()) => {
                    give_back(lease);
                    Ok(())
                }
                Err(error) => {
                    self.take_back(lease).await;
                    Err(error)
                }
            }
        })
        .await
    }

    /// Brings the lines of each subject together. Sums stay what they are; where there are too many subjects,
    /// tags are forgotten and every page with them.
    pub(crate) async fn prune_versions(&self, subjects: usize) -> Result<(), SqlError> {
        let until = Instant::now() + PRUNING;
        let server = Arc::clone(&self.engine.server);
        let gate = Gate(Arc::clone(&server));
        in_time(until, async {
            let mut conn = server.connect_migrator(self.tenant.id).await?;
            let writing = self.engine.writing(self.tenant.id, &conn);
            let pruned = self.prune(&mut conn, subjects > MOST_SUBJECTS).await;
            gate.close(conn);
            pruned?;
            writing.settled().await;
            Ok(())
        })
        .await
    }

    async fn prune(&self, conn: &mut Conn, forget_tags: bool) -> Result<(), SqlError> {
        let table = qualified(&self.names);
        // What is committed: lines that are being added are not seen, and stay.
        self.host(conn, "START TRANSACTION READ WRITE").await?;
        let text =
            format!("SELECT CAST(id AS SIGNED), subject, moved FROM {table} ORDER BY id LIMIT {PRUNED}");
        let found = rows(conn, text, &self.names).await?;
        let mut sums: HashMap<Vec<u8>, i64> = HashMap::new();
        let mut text = String::new();
        for row in &found {
            let id: i64 = row.try_get(0).map_err(|error| errors::host(&error))?;
            let subject: Vec<u8> = row.try_get(1).map_err(|error| errors::host(&error))?;
            let moved: i64 = row.try_get(2).map_err(|error| errors::host(&error))?;
            // One by one, so that the server locks these lines and nothing between them.
            text.push_str(&format!("DELETE FROM {table} WHERE id = {id}; "));
            if forget_tags && subject.starts_with(b"g:") {
                *sums.entry(b"*".to_vec()).or_insert(0) += 1;
            } else {
                *sums.entry(subject).or_insert(0) += moved;
            }
        }
        if found.is_empty() {
            return self.host(conn, "ROLLBACK").await;
        }
        text.truncate(text.trim_end_matches("; ").len());
        conn.busy = true;
        let gone = conn.db.execute(sqlx::raw_sql(AssertSqlSafe(text))).await;
        let gone = gone.map_err(|error| run::answered(&mut conn.busy, &error, &self.names).error)?;
        conn.busy = false;
        if usize::try_from(gone.rows_affected()).ok() != Some(found.len()) {
            // Another server was at it at the same time.
            return self.host(conn, "ROLLBACK").await;
        }
        let lines: Vec<String> = sums
            .iter()
            .map(|(subject, moved)| format!("({}, {moved})", bytes(&String::from_utf8_lossy(subject))))
            .collect();
        let text = format!("INSERT INTO {table} (subject, moved) VALUES {}; COMMIT", lines.join(", "));
        self.steps(conn, text).await.1.map(drop)
    }

    /// Says in the database that tables are about to change.
    pub(super) async fn open_schema(&self) -> Result<(), SqlError> {
        self.engine.links.forget(self.tenant.id);
        // A tenant of an older host has no counts yet.
        self.engine.complete(&self.names).await?;
        self.engine.server.control.execute(&insert(&self.names, ["*", SCHEMA])).await
    }

    /// Says that they have changed.
    pub(super) async fn close_schema(&self) -> Result<(), SqlError> {
        let table = qualified(&self.names);
        let (begun, ended) = (bytes(SCHEMA), bytes(SCHEMA_END));
        let text = format!(
            "INSERT INTO {table} (subject, moved) SELECT {ended}, behind FROM (SELECT \
             coalesce(sum(CASE subject WHEN {begun} THEN moved WHEN {ended} THEN -moved END), 0) AS behind \
             FROM {table}) AS found WHERE behind > 0; {}",
            insert(&self.names, ["*"])
        );
        let result = self.engine.server.control.execute(&text).await;
        self.engine.links.forget(self.tenant.id);
        result
    }

    /// What an import adds before it commits.
    pub(super) fn everything(&self) -> String {
        insert(&self.names, ["*"])
    }
}

impl Engine {
    /// Makes the table of counts of a tenant that has none, with its rights.
    async fn complete(&self, names: &Names) -> Result<(), SqlError> {
        let rights = super::provision::rights(&self.server.place, names);
        self.server.control.execute(&format!("{}{rights}", table(names))).await
    }

    /// To be called before a commit is sent on a connection.
    pub(super) fn writing(&self, tenant: TenantId, conn: &Conn) -> Writing {
        let (server, thread) = (Arc::clone(&self.server), conn.thread);
        Notice::new(&self.known, tenant).writing(move || {
            Box::pin(async move {
                let query = format!("SELECT 1 FROM information_schema.processlist WHERE id = {thread}");
                let mut pause = PAUSE;
                loop {
                    // Ended as well: one that broke on this side alone would go on for long.
                    server.killer.end(thread).await;
                    match server.control.rows(&query).await {
                        Ok(rows) if rows.is_empty() => return,
                        Ok(_running) => {}
                        Err(error) => tracing::debug!(%error, "ask whether a connection has ended"),
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE * 100);
                }
            })
        })
    }

    /// The version of the schema first, then what belongs to it: links are newer than they say, never older.
    async fn read_links(&self, names: &Names) -> Result<Links, SqlError> {
        let control = &self.server.control;
        let text = format!("{} UNION ALL {}", count_of(names, SCHEMA), count_of(names, SCHEMA_END));
        let found = control.rows(&text).await?;
        let mut numbers =
            found.iter().map(|row| row.try_get::<i64, _>(0).unwrap_or(-1)).map(i64::unsigned_abs);
        let (begun, ended) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(u64::MAX));
        if begun != ended {
            // Nobody relies on what would be found.
            return Ok(Links::new(begun, true));
        }
        let mut links = Links::new(begun, false);
        let tables = self.known_tables(names).await?;
        for (parent, child) in self.ask_each(names, catalogue::ACTIONS, &tables).await? {
            if let (Some(parent), Some(child)) = (names.own(&parent), names.own(&child)) {
                links.action(parent, child);
            }
        }
        self.read_views(names, &tables, &mut links).await?;
        Ok(links)
    }

    /// The server tells no view's tables, but its text, in which every name is between marks. A view counts as
    /// reading each table of the tenant's whose name is somewhere in it.
    async fn read_views(&self, names: &Names, tables: &[String], links: &mut Links) -> Result<(), SqlError> {
        for (view, text) in self.ask_each(names, catalogue::VIEWS, tables).await? {
            let Some(view) = names.own(&view) else { continue };
            links.view(view);
            let text = text.to_ascii_lowercase();
            for own in tables.iter().filter_map(|table| names.own(table)) {
                let marked = super::names::quoted(&names.physical(own)).to_ascii_lowercase();
                if own != view && (text.is_empty() || text.contains(&marked)) {
                    links.reads(view, own);
                }
            }
        }
        Ok(())
    }
}

async fn rows(conn: &mut Conn, text: String, names: &Names) -> Result<Vec<MySqlRow>, SqlError> {
    conn.busy = true;
    let found = conn.db.fetch_all(sqlx::query(AssertSqlSafe(text))).await;
    let found = found.map_err(|error| run::answered(&mut conn.busy, &error, names).error)?;
    conn.busy = false;
    Ok(found)
}
