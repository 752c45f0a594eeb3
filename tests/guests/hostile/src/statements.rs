//! Attacks through SQL text: reaching out of the database, changing how it works, and statements that
//! take for ever.
//!
//! The last group calls functions that SQLite runs as one instruction, which no deadline can end, with
//! arguments as large as the engine takes: the host must override or refuse them. An answer within
//! [`PATIENCE`] is as good as a refusal there; a later one counts as accepted.

use std::time::{Duration, Instant};

use crate::exports::rowhouse::site::handler::Response;
use crate::rowhouse::host::sql::{self, Value};
use crate::verdict::Verdict;

/// 1,000,000 zeros as text, made inside the engine so that the guest passes nothing large.
const ZEROS: &str = "hex(zeroblob(500000))";

/// Far more than a bounded function takes for a megabyte, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// Other databases and files.
pub(crate) fn attach() -> Response {
    attempts(&[
        "ATTACH DATABASE 'other.db' AS other",
        "ATTACH 'file:/etc/passwd?mode=ro' AS other",
        "/* */ ATTACH ':memory:' AS other",
        "SELECT 1; ATTACH ':memory:' AS other",
        "DETACH DATABASE main",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/x', 'y')",
        "SELECT edit('x')",
        "SELECT fts3_tokenizer('simple')",
        "CREATE VIRTUAL TABLE v USING csv(filename='/etc/passwd')",
    ])
}

/// How the engine works, by every spelling.
pub(crate) fn pragma() -> Response {
    attempts(&[
        "PRAGMA journal_mode = DELETE",
        "PRAGMA journal_mode",
        "pragma main.max_page_count = 1000000000",
        "PRAGMA writable_schema = ON",
        "PRAGMA trusted_schema = ON",
        "PRAGMA synchronous = OFF",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA database_list",
        "PRAGMA hard_heap_limit = 1",
        "PRAGMA cache_size = 1000000",
        "PRAGMA mmap_size = 1000000000",
        "PRAGMA table_info(scratch)",
        "PRAGMA user_version = 7",
        "SELECT * FROM pragma_database_list",
        "SELECT * FROM pragma_compile_options",
        "SELECT * FROM dbstat",
        "EXPLAIN SELECT 1",
        "EXPLAIN PRAGMA journal_mode",
    ])
}

/// Copies of the database to elsewhere.
pub(crate) fn vacuum_into() -> Response {
    attempts(&["VACUUM INTO 'copy.db'", "VACUUM main INTO '/tmp/copy.db'", "VACUUM", "REINDEX", "ANALYZE"])
}

/// Control of transactions as text.
pub(crate) fn transaction_text() -> Response {
    attempts(&[
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
        "ROLLBACK TO s",
    ])
}

/// Changes of the schema outside a migration, and of the tables that the host keeps.
pub(crate) fn schema_change() -> Response {
    attempts(&[
        "CREATE TABLE sneaked (id INTEGER)",
        "CREATE TEMP TABLE sneaked (id INTEGER)",
        "DROP TABLE scratch",
        "ALTER TABLE scratch ADD COLUMN extra TEXT",
        "ALTER TABLE scratch RENAME TO sneaked",
        "CREATE INDEX sneaked ON scratch (body)",
        "CREATE VIEW sneaked AS SELECT * FROM scratch",
        "CREATE TEMP TRIGGER sneaked AFTER INSERT ON scratch BEGIN SELECT 1; END",
        "INSERT INTO sqlite_master VALUES ('table', 't', 't', 0, 'x')",
        "UPDATE sqlite_schema SET sql = ''",
        "DELETE FROM sqlite_sequence",
    ])
}

/// A query that never ends.
pub(crate) fn slow() -> Response {
    attempts(&["WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"])
}

/// A write that never ends and fills the database meanwhile.
pub(crate) fn slow_write() -> Response {
    attempt_writes(&["INSERT INTO scratch (body) WITH RECURSIVE n(i) AS \
         (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"])
}

/// `instr` compares 500,000 bytes at each of 500,000 places.
pub(crate) fn instr() -> Response {
    in_time(&[&format!("SELECT instr({ZEROS}, hex(zeroblob(250000)) || 'F')")], &[])
}

/// `replace` searches like `instr`.
pub(crate) fn replace() -> Response {
    in_time(&[&format!("SELECT length(replace({ZEROS}, hex(zeroblob(250000)) || 'F', 'x'))")], &[])
}

/// `json_patch` looks for each of the patch's keys among all keys of its target.
pub(crate) fn json_patch() -> Response {
    let object = |prefix: char| {
        let members: Vec<String> = (0..60_000).map(|i| format!("\"{prefix}{i:06}\":1")).collect();
        Value::Json(format!("{{{}}}", members.join(",")))
    };
    in_time(&["SELECT length(json_patch($1, $2))"], &[object('a'), object('b')])
}

/// `trim` of two arguments looks for each character in a set whose last one is the only match.
pub(crate) fn trim2() -> Response {
    let set = Value::Text(format!("{}0", "1".repeat(500_000)));
    let texts = ["trim", "ltrim", "rtrim"].map(|name| format!("SELECT length({name}({ZEROS}, $1))"));
    in_time(&texts.each_ref().map(String::as_str), &[set])
}

/// `unhex` of two arguments skips characters like `trim`.
pub(crate) fn hex2() -> Response {
    let set = Value::Text(format!("{}-", "+".repeat(500_000)));
    let skipped = Value::Text("-".repeat(500_000));
    in_time(&["SELECT length(unhex($1, $2))"], &[skipped, set])
}

/// `LIKE` with many wildcards tries every way to spread them.
pub(crate) fn like() -> Response {
    in_time(&[&format!("SELECT {ZEROS} LIKE '%0%0%0%0%0%0%0%0%0%1'")], &[])
}

/// `GLOB` like `LIKE`.
pub(crate) fn glob() -> Response {
    in_time(&[&format!("SELECT {ZEROS} GLOB '*0*0*0*0*0*0*0*0*0*1'")], &[])
}

/// Writes until the database has reached its size. Ends when a write is refused.
pub(crate) fn fill_database() -> Response {
    let mut verdict = Verdict::default();
    loop {
        let text = "INSERT INTO scratch (body) VALUES (hex(zeroblob(400000)))";
        let outcome = sql::execute(text, &[]);
        if outcome.is_err() {
            verdict.note(text, outcome);
            return verdict.into_response();
        }
    }
}

/// Tries each text as a query and, where that is refused, as a write.
fn attempts(texts: &[&str]) -> Response {
    let mut verdict = Verdict::default();
    for text in texts {
        match sql::query(text, &[]) {
            Ok(_) => verdict.note(text, Ok::<_, sql::Error>(())),
            Err(_) => verdict.note(text, sql::execute(text, &[])),
        }
    }
    verdict.into_response()
}

fn attempt_writes(texts: &[&str]) -> Response {
    let mut verdict = Verdict::default();
    for text in texts {
        verdict.note(text, sql::execute(text, &[]));
    }
    verdict.into_response()
}

/// Runs each text, with all of `params`, and accepts what ran for longer than it may.
fn in_time(texts: &[&str], params: &[Value]) -> Response {
    let mut verdict = Verdict::default();
    for text in texts {
        let begin = Instant::now();
        let result = sql::query(text, params);
        let time = begin.elapsed();
        match result {
            Ok(_) if time > PATIENCE => verdict.note(&format!("{text}: {time:?}"), Ok::<_, ()>(())),
            Ok(_) => verdict.note(text, Err::<(), _>("answered in time")),
            Err(error) => verdict.note(text, Err::<(), _>(error)),
        }
    }
    verdict.into_response()
}
