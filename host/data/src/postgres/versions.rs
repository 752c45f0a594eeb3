//! The counts of what was changed: a table of the host's beside the ledger, moved in the writing transaction.
//!
//! Lines are only added, so that two writers of one subject are never in each other's way; a subject's count is
//! the sum of its lines, which is exact in whatever order they are committed. From time to time lines are
//! brought together, which keeps every sum. A guest's role may read and add lines of one step each and nothing
//! else; the sums can't be made smaller by it.
//!
//! Called by sessions for each commit, and by the room's door.

use super::connect::{Conn, Health};
use super::engine::Engine;
use super::errors::Failure;
use super::harden;
use super::migrate::lock_key;
use super::names::{SCHEMA, TenantNames};
use super::owner::Owner;
use super::provision::rights;
use super::session::{Session, within};
use crate::guard::Template;
use crate::links::Links;
use crate::subjects::{self, MOST_SUBJECTS};
use crate::{SqlError, counts};
use futures_util::TryStreamExt;
use rowhouse_base::{Subject, Timestamp};
use sqlx::{AssertSqlSafe, Either, Row};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Time of bringing lines together.
const PRUNING: std::time::Duration = std::time::Duration::from_secs(20);

/// Makes the table and says who may do what with it, for [`super::provision`]. The first counts are
/// the time at which they began, so that a database made anew never repeats what an older one said.
pub(super) fn table(names: &TenantNames) -> String {
    let (guest, owner, table, at) = (&names.guest, &names.owner, names.versions(), Timestamp::now().0);
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (subject text NOT NULL, moved bigint NOT NULL DEFAULT 1); \
         REVOKE ALL ON {table} FROM PUBLIC; GRANT SELECT, INSERT (subject) ON {table} TO {guest}; \
         GRANT SELECT, INSERT, DELETE ON {table} TO {owner}; \
         INSERT INTO {table} SELECT subject, {at} FROM (VALUES ('*'), ({schema})) AS begun (subject) \
         WHERE NOT EXISTS (SELECT 1 FROM {table})",
        schema = text(subjects::SCHEMA)
    )
}

/// A text of the engine's, with nothing in it that has a meaning: connections read backslashes as they are.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn insert(names: &TenantNames, moved: &BTreeSet<Subject>) -> String {
    let lines: Vec<String> = moved.iter().map(|subject| format!("({})", text(subject.as_str()))).collect();
    format!("INSERT INTO {} (subject) VALUES {}", names.versions(), lines.join(", "))
}

/// What a migration or an import adds before it commits.
pub(super) fn everything(names: &TenantNames) -> String {
    let table = names.versions();
    format!("INSERT INTO {table} (subject) VALUES ('*'), ({})", text(subjects::SCHEMA))
}

fn schema(names: &TenantNames) -> String {
    let (table, schema) = (names.versions(), text(subjects::SCHEMA));
    format!("SELECT coalesce(sum(moved), 0)::bigint FROM {table} WHERE subject = {schema}")
}

/// Which version the schema has, foreign keys that change or empty other tables, views and what they read.
fn links(names: &TenantNames) -> String {
    let mine = |table: &str| {
        let range = names.prefix.as_ref().map(|prefix| {
            format!(
                " AND {table}.relname >= '{prefix}' AND {table}.relname < '{}'",
                super::quota::after(prefix)
            )
        });
        format!("{table}.relnamespace = '{SCHEMA}'::regnamespace{}", range.unwrap_or_default())
    };
    format!(
        "SELECT 's', ({schema})::text, '' UNION ALL \
         SELECT 'k', f.relname::text, c.relname::text FROM pg_constraint k \
         JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid WHERE k.contype = 'f' \
         AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd')) AND {children} UNION ALL \
         SELECT 'w', v.relname::text, '' FROM pg_class v WHERE v.relkind NOT IN ('r', 'p', 'i', 'I', 'S', 't') \
         AND {views} UNION ALL \
         SELECT DISTINCT 'v', v.relname::text, t.relname::text FROM pg_depend d \
         JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class \
         JOIN pg_class t ON t.oid = d.refobjid WHERE d.classid = 'pg_rewrite'::regclass \
         AND d.refclassid = 'pg_class'::regclass AND t.oid <> v.oid AND {views}",
        schema = schema(names),
        children = mine("c"),
        views = mine("v"),
    )
}

impl Session {
    fn names(&self) -> TenantNames {
        self.engine.names().of(self.tenant.id)
    }

    /// Commits the transaction that runs, with the counts of these tables and of what changes with them. Where
    /// it fails with the connection idle, the transaction is still to be taken back.
    pub(super) async fn commit(&self, conn: &mut Conn, written: &BTreeSet<String>) -> Result<(), Failure> {
        if written.is_empty() {
            return conn.say("COMMIT").await;
        }
        let links = self.links(conn, 0).await?;
        let moved = links.written(written);
        let schema = (!links.open).then_some(links.schema);
        self.commit_moved(conn, &moved, schema).await
    }

    /// Commits with the counts of these subjects. Where `schema` is told and is another one by now, everything
    /// moves as well: links that are not known may have carried the change further.
    async fn commit_moved(
        &self,
        conn: &mut Conn,
        moved: &BTreeSet<Subject>,
        schema_before: Option<u64>,
    ) -> Result<(), Failure> {
        let names = self.names();
        let writing = self.engine.writing(self.tenant.id, conn);
        let text = format!("{}; COMMIT; {}", insert(&names, moved), schema(&names));
        let (committed, found) = steps(conn, text).await;
        let schema_now = match found {
            Err(failure) if !committed => {
                if matches!(failure, Failure::Broken(_)) {
                    // Open until the server has ended the connection.
                    drop(writing);
                } else {
                    writing.refused();
                }
                return Err(self.judge_commit(failure).await);
            }
            Err(_failure) => None,
            Ok(schema) => schema,
        };
        if schema_before.is_some() && schema_before != schema_now {
            self.engine.links.forget(self.tenant.id);
            let all = BTreeSet::from([Subject::everything()]);
            let again = format!("BEGIN READ WRITE; {}; COMMIT", insert(&names, &all));
            if let Err(failure) = conn.say_text(again).await {
                // The transaction may still be open: the connection is closed, which takes it back.
                if conn.health == Health::Idle {
                    conn.health = Health::Busy;
                }
                tracing::warn!(tenant = %self.tenant.id, ?failure, "pages may be older than a write during a migration");
            }
        }
        writing.settled().await;
        Ok(())
    }

    /// A connection that broke has nothing to say of the counts.
    async fn judge_commit(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Sql(error) => counts::judge_commit(error, self.engine.complete(self)).await.into(),
            other => other,
        }
    }

    /// The links of the tenant's tables, at least of this version of the schema.
    async fn links(&self, conn: &mut Conn, schema: u64) -> Result<Arc<Links>, Failure> {
        match self.engine.links.get(self.tenant.id, schema) {
            Some(known) => Ok(known),
            None => Box::pin(self.read_links(conn)).await,
        }
    }

    async fn read_links(&self, conn: &mut Conn) -> Result<Arc<Links>, Failure> {
        let names = self.names();
        conn.health = Health::Busy;
        let text = AssertSqlSafe(links(&names));
        let found = sqlx::query_as(text).persistent(false).fetch_all(&mut conn.db).await;
        let found: Vec<(String, String, String)> = conn.heard(found)?;
        let version =
            found.iter().find(|(kind, ..)| kind == "s").and_then(|(_, version, _)| version.parse().ok());
        // A migration is one transaction here: its tables and its count come together.
        let mut links = Links::new(version.unwrap_or(0), version.is_none());
        for (kind, one, other) in &found {
            let (one, other) = (names.own(one), names.own(other));
            match kind.as_str() {
                "k" => links.action(one, other),
                "w" => links.view(one),
                "v" => links.reads(one, other),
                _ => {}
            }
        }
        Ok(self.engine.links.keep(self.tenant.id, links))
    }

    /// Notes what a statement reads or that it writes, where a page's reads are noted.
    pub(super) async fn note(&self, conn: &mut Conn, template: &Template) -> Result<(), Failure> {
        match &self.log {
            Some(log) => log.note(template, self.links(conn, log.schema())).await,
            None => Ok(()),
        }
    }

    /// The counts as they are now, and of how many lines.
    pub(crate) async fn versions(&self) -> Result<(Vec<(String, u64)>, u64), SqlError> {
        counts::read(|| self.try_versions(), self.engine.complete(self)).await
    }

    async fn try_versions(&self) -> Result<(Vec<(String, u64)>, u64), SqlError> {
        let text = format!(
            "SELECT subject, sum(moved)::bigint, count(*) FROM {} GROUP BY subject",
            self.names().versions()
        );
        let mut lease = self.lease().await?;
        let conn = lease.conn()?;
        let work = async {
            conn.health = Health::Busy;
            let found = sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut conn.db).await;
            conn.heard::<Vec<(String, i64, i64)>>(found)
        };
        let found = settle_read(within(self.time(), work).await);
        let found = self.settle(lease, found)?;
        let lines = found.iter().map(|(_, _, lines)| lines.unsigned_abs()).sum();
        Ok((found.into_iter().map(|(subject, moved, _)| (subject, moved.unsigned_abs())).collect(), lines))
    }

    /// Moves subjects in a transaction of their own.
    pub(crate) async fn move_subjects(&self, moved: BTreeSet<Subject>) -> Result<(), SqlError> {
        let mut lease = self.lease().await?;
        let conn = lease.conn()?;
        let work = async {
            conn.say("BEGIN READ WRITE").await?;
            let result = self.commit_moved(conn, &moved, None).await;
            if result.is_err() && conn.health == Health::Idle {
                conn.say("ROLLBACK").await?;
            }
            result
        };
        let result = within(self.time(), work).await;
        self.settle(lease, result)
    }

    /// Brings the lines of each subject together. Sums stay what they are; where there are too many subjects,
    /// tags are forgotten and every page with them.
    pub(crate) async fn prune_versions(&self, subjects: usize) -> Result<(), SqlError> {
        let mut owner = Owner::open(&self.engine, self.tenant.id, PRUNING).await?;
        let conn = owner.conn()?;
        let table = self.names().versions();
        // One statement: whoever reads meanwhile sees the lines before or after. Lines that are added meanwhile
        // are not seen here and stay.
        let text = if subjects > MOST_SUBJECTS {
            format!(
                "WITH gone AS (DELETE FROM {table} WHERE subject LIKE 'g:%'), \
                 moved AS (DELETE FROM {table} WHERE subject NOT LIKE 'g:%' RETURNING subject, moved) \
                 INSERT INTO {table} (subject, moved) SELECT subject, sum(moved) FROM \
                 (SELECT subject, moved FROM moved UNION ALL SELECT '*', 1) AS lines GROUP BY subject"
            )
        } else {
            format!(
                "WITH gone AS (DELETE FROM {table} RETURNING subject, moved) \
                 INSERT INTO {table} (subject, moved) SELECT subject, sum(moved) FROM gone GROUP BY subject"
            )
        };
        let writing = self.engine.writing(self.tenant.id, conn);
        match within(PRUNING, conn.say_text(text)).await {
            Ok(()) => {
                writing.settled().await;
                Ok(())
            }
            Err(failure) => Err(failure.into_sql()),
        }
    }
}

impl Engine {
    /// Makes the table of counts of a tenant that has none.
    async fn complete(&self, session: &Session) -> Result<(), SqlError> {
        let names = session.names();
        let turn = self.turn().await?;
        let database = if self.names().shared() { None } else { Some(names.database.as_str()) };
        let mut db = self.control().connect(&turn, database).await?;
        let there = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
        if self.names().shared() {
            self.harden(&mut db).await?;
        } else if !super::provision::exists(&mut db, there, SCHEMA).await? {
            harden::schema(&mut db).await?;
        }
        // Ends with the connection: rights are given by one at a time.
        harden::run(&mut db, format!("SELECT pg_advisory_lock({})", lock_key(session.tenant.id))).await?;
        let rights = rights(&names, &db);
        harden::run(&mut db, rights).await
    }

    /// To be called before a commit is sent on a connection.
    pub(super) fn writing(&self, tenant: rowhouse_base::id::TenantId, conn: &Conn) -> crate::known::Writing {
        let (control, role, process) = (Arc::clone(self.control()), conn.role.clone(), conn.process);
        let notice = crate::known::Notice::new(&self.known, tenant);
        notice.writing(move || Box::pin(async move { control.until_ended(&role, process).await }))
    }
}

fn settle_read<T>(result: Result<T, Failure>) -> Result<T, Failure> {
    match result {
        Err(Failure::Stale) => Err(SqlError::Conflict("the tables change too often".to_owned()).into()),
        other => other,
    }
}

/// Runs `INSERT; COMMIT; SELECT`. Tells whether the second has happened, and the number that the third found.
async fn steps(conn: &mut Conn, text: String) -> (bool, Result<Option<u64>, Failure>) {
    conn.health = Health::Busy;
    let (mut done, mut number) = (0, None);
    let mut rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(&mut conn.db);
    let ended = loop {
        match rows.try_next().await {
            Ok(Some(Either::Left(_done))) => done += 1,
            Ok(Some(Either::Right(row))) => {
                number = row.try_get::<i64, _>(0).ok().map(i64::unsigned_abs);
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    drop(rows);
    (done >= 2, conn.heard(ended).map(|()| number))
}
