//! One hardened connection to one tenant's database file, or to one that tenants share.
//!
//! Opening is the only way to get one, and hardening is part of opening: there is no connection without
//! authorizer, limits and budget. A connection serves one tenant for its life and is used by one thread
//! at a time.

use super::authorizer::{Probe, Stance};
use super::budget::{Budget, STEP};
use super::errors::{Failure, Phase, read};
use super::functions;
use super::plan::Plan;
use super::program::Roots;
use super::schema;
use super::shared::{self, Growth, Owner};
use super::uses::Mark;
use super::versions;
use crate::known::{Notice, Told};
use crate::{ReadLog, SqlError};
use rowhouse_base::Subject;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, InterruptHandle, OpenFlags};
use std::collections::{BTreeSet, HashMap};
use std::ffi::CStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

/// Bytes of the largest value or row. Functions that can't be interrupted take time by it.
pub(super) const MAX_VALUE: usize = 1 << 20;

/// Bytes of a page of the database file.
pub(super) const PAGE: u64 = 4096;

/// Statements kept compiled per connection: the shipped module has about a hundred.
const CACHED_STATEMENTS: usize = 128;

/// How long the engine waits for a lock while it holds a thread. Longer waits happen without a thread.
const BUSY: Duration = Duration::from_millis(20);

/// Limits set on every connection, beside [`MAX_VALUE`].
const LIMITS: [(Limit, i32); 12] = [
    (Limit::SQLITE_LIMIT_LENGTH, 1 << 20),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 500),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 20),
    (Limit::SQLITE_LIMIT_VDBE_OP, 25_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 100),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 1_000),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// SQLite's module for files on Unix that keeps the index of the log in this process's memory and locks the file for this
/// process. The usual one has a file for the index, made and removed with each opening, and asks the kernel for a lock with
/// each statement.
const EXCLUSIVE: &CStr = c"unix-excl";

/// Attempts to open a file that somebody else has, and the pause between them.
const ATTEMPTS: u32 = 10;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(5);

/// A database file and how it is opened.
#[derive(Clone, Debug)]
pub(super) struct DbFile {
    pub(super) path: PathBuf,
    pub(super) opening: Opening,
}

/// How files are opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opening {
    /// Other processes are kept out.
    pub(super) exclusive: bool,
    /// Bytes of pages that a connection keeps.
    pub(super) cache: u64,
}

/// What is known of statements, by their text.
pub(super) type Plans = HashMap<Box<str>, Arc<Plan>>;

/// An open connection.
pub(super) struct Conn {
    pub(super) db: Connection,
    pub(super) probe: Arc<Probe>,
    pub(super) budget: Arc<Budget>,
    /// What is known of the statements in the engine's cache, by their text.
    pub(super) plans: Plans,
    pub(super) interrupt: Arc<InterruptHandle>,
    /// When it was used; none where it serves no tenant's statements.
    pub(super) mark: Option<Arc<Mark>>,
    /// Set where something went wrong that may outlast the statement: such a connection is closed.
    pub(super) doubtful: bool,
    /// Other processes are kept out of the file.
    exclusive: bool,
    quota: u64,
    /// Whom it serves, where tenants share the file.
    pub(super) owner: Option<Arc<Owner>>,
    /// What it may open, where tenants share the file.
    pub(super) roots: Roots,
    /// The write transaction that runs, where tenants share the file.
    growth: Option<Growth>,
    /// What the transaction that runs has changed.
    pub(super) moved: BTreeSet<Subject>,
    /// The table of counts was seen in the file.
    pub(super) has_counts: bool,
    /// How its commits become known; none where it serves no tenant's statements.
    pub(super) notice: Option<Notice>,
    /// Where others are told of a commit.
    pub(super) runtime: Option<Handle>,
    /// Others being told of the last commit.
    pub(super) told: Option<Told>,
    /// What the page reads that it works for.
    pub(super) log: Option<Arc<ReadLog>>,
    /// Its share of the process's budget of connections, for as long as it is open.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

impl Conn {
    /// Opens the file, which must exist. Blocks, for 250 ms at most where the file's last connection is
    /// being closed just now, or another process has it.
    pub(super) fn open(file: &DbFile, quota: u64, owner: Option<&Arc<Owner>>) -> Result<Self, SqlError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::try_open(file, quota, owner) {
                Err(Failure::Busy(_)) if attempts < ATTEMPTS => std::thread::sleep(ATTEMPT_PAUSE),
                other => {
                    return other.map_err(|failure| {
                        let hint = match failure {
                            Failure::Busy(_) if file.opening.exclusive => {
                                "another program has it open: end that, or let others in with data.lock-databases = false"
                            }
                            _ => "",
                        };
                        tracing::warn!(?failure, hint, "a tenant's database could not be opened");
                        // The engine's text names the file: guests don't get to see that.
                        SqlError::other("the database could not be opened")
                    });
                }
            }
        }
    }

    fn try_open(file: &DbFile, quota: u64, owner: Option<&Arc<Owner>>) -> Result<Self, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_EXRESCODE
            | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
        let db = match file.opening.exclusive {
            true => Connection::open_with_flags_and_vfs(&file.path, flags, EXCLUSIVE),
            false => Connection::open_with_flags(&file.path, flags),
        };
        let db = db.map_err(|error| SqlError::other(error.to_string()))?;
        let mut conn = Self {
            interrupt: Arc::new(db.get_interrupt_handle()),
            db,
            probe: Arc::new(Probe::new(owner.map(|owner| owner.prefix.clone()))),
            budget: Arc::new(Budget::new()),
            plans: HashMap::new(),
            mark: None,
            doubtful: false,
            exclusive: file.opening.exclusive,
            quota: 0,
            owner: owner.cloned(),
            roots: Roots::default(),
            growth: None,
            moved: BTreeSet::new(),
            has_counts: owner.is_some(),
            notice: None,
            runtime: None,
            told: None,
            log: None,
            share: None,
        };
        conn.probe.set_stance(Stance::Host);
        conn.harden(file.opening.cache).map_err(|error| read(&conn, Phase::Run, error))?;
        conn.set_quota(quota)?;
        conn.probe.set_stance(Stance::Guest);
        Ok(conn)
    }

    fn harden(&self, cache: u64) -> Result<(), rusqlite::Error> {
        let db = &self.db;
        db.busy_timeout(BUSY)?;
        let cache_kib = cache >> 10;
        db.execute_batch(&format!(
            "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;
             PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 4194304;
             PRAGMA cache_size = -{cache_kib};",
        ))?;
        functions::install(db)?;
        for (config, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
        ] {
            db.set_db_config(config, on)?;
        }
        for (limit, value) in LIMITS {
            db.set_limit(limit, value)?;
        }
        db.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
        let budget = Arc::clone(&self.budget);
        db.progress_handler(STEP, Some(move || budget.spend()))?;
        let probe = Arc::clone(&self.probe);
        db.authorizer(Some(move |context: rusqlite::hooks::AuthContext<'_>| probe.judge(context)))
    }

    /// Sets the size that the database may reach, in bytes. In a shared file each write transaction is
    /// bounded when it begins.
    pub(super) fn set_quota(&mut self, quota: u64) -> Result<(), Failure> {
        if self.quota != quota && self.owner.is_none() {
            let pages = (quota / PAGE).clamp(1, u64::from(u32::MAX) - 2);
            self.try_as_host(|db| {
                db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_row| Ok(()))
            })?;
        }
        self.quota = quota;
        Ok(())
    }

    /// Runs a statement of the host's own, past the authorizer and without a budget. It must not use the
    /// engine's statement cache.
    pub(super) fn as_host<T>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, SqlError> {
        self.try_as_host(run).map_err(Failure::into_sql)
    }

    /// The same, with the failure still to be judged.
    pub(super) fn try_as_host<T>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Failure> {
        self.probe.set_stance(Stance::Host);
        self.budget.disarm();
        let result = run(&self.db);
        self.probe.set_stance(Stance::Guest);
        result.map_err(|error| read(self, Phase::Run, error))
    }

    /// Compiles a statement of the host's own, without a budget. It must not outlive the host's turn.
    pub(super) fn prepare_as_host(&self, text: &str) -> Result<rusqlite::Statement<'_>, Failure> {
        self.probe.set_stance(Stance::Host);
        self.budget.disarm();
        let result = self.db.prepare(text);
        self.probe.set_stance(Stance::Guest);
        result.map_err(|error| read(self, Phase::Compile, error))
    }

    /// Begins a transaction that writes.
    pub(super) fn begin_write(&mut self) -> Result<(), Failure> {
        let Some(owner) = self.owner.clone() else {
            return self.try_as_host(|db| db.execute_batch("BEGIN IMMEDIATE"));
        };
        self.growth = None;
        match Growth::begin(self, &owner, self.quota / PAGE) {
            Ok(growth) => {
                self.growth = Some(growth);
                Ok(())
            }
            Err(failure) => {
                self.roll_back();
                Err(failure)
            }
        }
    }

    /// Commits it, with the counts of what it has changed. Where that fails the transaction may still be open.
    pub(super) fn commit_write(&mut self) -> Result<(), Failure> {
        let moved = std::mem::take(&mut self.moved);
        if moved.is_empty() {
            return self.commit();
        }
        versions::move_on(self, &moved)?;
        let result = self.commit();
        // Also after a failure, which may have come after the fact; and before anybody hears of it.
        if let Some(notice) = &self.notice {
            self.told = Some(notice.committed(self.runtime.as_ref()));
        }
        result
    }

    fn commit(&mut self) -> Result<(), Failure> {
        match (self.owner.clone(), self.growth.take()) {
            (Some(owner), Some(growth)) => growth.commit(self, &owner),
            _ => self.try_as_host(|db| db.execute_batch("COMMIT")),
        }
    }

    /// The engine's message as guests may see it.
    pub(super) fn shown(&self, message: String) -> String {
        match &self.owner {
            Some(owner) => shared::shown(owner, message),
            None => message,
        }
    }

    /// True where it may serve another statement.
    pub(super) fn is_clean(&self) -> bool {
        !self.doubtful && self.db.is_autocommit()
    }

    /// Rolls back whatever is open. Where that fails the connection is doubtful.
    pub(super) fn roll_back(&mut self) {
        if !self.db.is_autocommit() && self.as_host(|db| db.execute_batch("ROLLBACK")).is_err() {
            self.doubtful = true;
        }
        self.growth = None;
        self.moved.clear();
    }

    /// Notes what a statement touches that is about to run.
    pub(super) fn note(&mut self, plan: &Plan) {
        if !plan.readonly {
            self.moved.extend(plan.writes.iter().cloned());
            if let Some(log) = &self.log {
                log.wrote();
            }
        } else if let Some(log) = &self.log {
            log.read_all(&plan.reads);
            if plan.unsure {
                log.doubt();
            }
        }
    }

    /// Notes what a statement has touched that the engine compiled anew while it ran.
    pub(super) fn note_anew(&mut self, readonly: bool) {
        if !self.probe.was_asked() {
            return;
        }
        let touched = self.probe.touched();
        if !readonly {
            self.moved.extend(touched.writes);
        }
        let Some(log) = &self.log else { return };
        let prefix = self.owner.as_ref().map_or("", |owner| owner.prefix.as_str());
        if touched.unsure || schema::any_reads_elsewhere(self, prefix, &touched.reads) {
            log.doubt();
        }
        touched.reads.into_iter().for_each(|subject| log.read(subject));
    }

    /// Forgets statements and what is known of them, where they have become too many.
    pub(super) fn bound_plans(&mut self) {
        if self.plans.len() > 2 * CACHED_STATEMENTS {
            self.plans.clear();
            self.db.flush_prepared_statement_cache();
        }
    }
}

impl Drop for Conn {
    /// The engine removes the log with the last connection, which is to write its pages into the file. An empty one stays:
    /// making and removing a file for each opening is a large part of its cost, the larger the more are opened.
    fn drop(&mut self) {
        if !self.exclusive {
            return;
        }
        let log = self.db.path().map(|path| format!("{path}-wal"));
        if log.is_some_and(|log| std::fs::metadata(log).is_ok_and(|log| log.len() == 0)) {
            let _harmless = self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
    }
}

/// Makes the file ready: write-ahead log, and the host's own tables. Harmless where it is done
/// already.
pub(super) fn prepare_file(file: &DbFile, tables: &str) -> Result<(), SqlError> {
    let conn = Conn::open(file, u64::MAX, None)?;
    conn.as_host(|db| {
        db.execute_batch(&format!("PRAGMA page_size = {PAGE}"))?;
        db.query_row("PRAGMA journal_mode = WAL", [], |_row| Ok(()))?;
        db.execute_batch(tables)
    })
}
