//! The test backend: SQLite in memory, and a record of what the site asked for.
//!
//! Parameters are bound by name (`$1`), as on the host, and a missing or superfluous one is refused.
//! Booleans are stored as 0 and 1, as SQLite has them. Called by `testing`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use rusqlite::{Connection, ErrorCode, Statement as Prepared, types::ValueRef};

use crate::{
    host::{Backend, BackendCursor},
    identity::User,
    sql::{self, Constraint, EngineError, Mode, Outcome, SqlError, SqlResult, Statement, Value, Violation},
    tenant::Tenant,
};

pub(super) struct TestBackend {
    tenant: Tenant,
    settings: Vec<(String, String)>,
    connection: Rc<Connection>,
    user: RefCell<Option<User>>,
    tags: RefCell<Vec<String>>,
    calls: Cell<usize>,
    asked: Cell<bool>,
}

impl TestBackend {
    #[expect(clippy::panic, reason = "a test can't go on without a database")]
    pub(super) fn new(tenant: Tenant, settings: Vec<(String, String)>) -> Self {
        let opened = Connection::open_in_memory().and_then(|connection| {
            connection.execute_batch("PRAGMA foreign_keys = ON")?;
            Ok(connection)
        });
        let connection = match opened {
            Ok(connection) => Rc::new(connection),
            Err(error) => panic!("no database in memory: {error}"),
        };
        Self {
            tenant,
            settings,
            connection,
            user: RefCell::default(),
            tags: RefCell::default(),
            calls: Cell::new(0),
            asked: Cell::new(false),
        }
    }

    /// Forgets the last request and sets the visitor of the next.
    pub(super) fn prepare(&self, user: Option<User>) {
        self.user.replace(user);
        self.tags.borrow_mut().clear();
        self.calls.set(0);
        self.asked.set(false);
    }

    pub(super) fn migrate(&self, statement: &str) -> SqlResult<()> {
        self.connection.execute(statement, []).map(|_| ()).map_err(error)
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.get()
    }

    pub(super) fn asked(&self) -> bool {
        self.asked.get()
    }

    pub(super) fn tags(&self) -> Vec<String> {
        self.tags.borrow().clone()
    }

    fn count(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    fn rows(&self, text: &str, params: &[Value]) -> SqlResult<(Vec<String>, Vec<Vec<Value>>)> {
        let mut prepared = self.prepared(text, params)?;
        let columns: Vec<String> = prepared.column_names().into_iter().map(str::to_owned).collect();
        let mut found = Vec::new();
        let mut rows = prepared.raw_query();
        while let Some(row) = rows.next().map_err(error)? {
            let cells = (0..columns.len()).map(|place| row.get_ref(place).map(value).map_err(error));
            found.push(cells.collect::<SqlResult<Vec<_>>>()?);
        }
        Ok((columns, found))
    }

    fn run(&self, text: &str, params: &[Value]) -> SqlResult<Outcome> {
        let changed = self.prepared(text, params)?.raw_execute().map_err(error)?;
        let last_insert_id = Some(self.connection.last_insert_rowid()).filter(|id| *id != 0);
        Ok(Outcome { rows_affected: changed as u64, last_insert_id })
    }

    fn prepared(&self, text: &str, params: &[Value]) -> SqlResult<Prepared<'_>> {
        let mut prepared = self.connection.prepare(text).map_err(error)?;
        if prepared.parameter_count() != params.len() {
            let message = format!("{} wanted, {} given", prepared.parameter_count(), params.len());
            return Err(SqlError::Parameter(message));
        }
        for (place, param) in params.iter().enumerate() {
            let name = format!("${}", place + 1);
            let index = prepared.parameter_index(&name).map_err(error)?;
            let index =
                index.ok_or_else(|| SqlError::Parameter(format!("{name} is not in the statement")))?;
            prepared.raw_bind_parameter(index, stored(param)).map_err(error)?;
        }
        Ok(prepared)
    }
}

impl Backend for TestBackend {
    fn tenant(&self) -> Tenant {
        self.tenant.clone()
    }

    fn settings(&self) -> Vec<(String, String)> {
        self.settings.clone()
    }

    fn user(&self) -> Option<User> {
        self.asked.set(true);
        self.user.borrow().clone()
    }

    fn tag(&self, tags: &[&str]) {
        self.tags.borrow_mut().extend(tags.iter().map(|tag| (*tag).to_owned()));
    }

    fn purge(&self, _tags: &[&str]) {}

    fn query_packed(&self, text: &str, params: &[Value]) -> SqlResult<Vec<u8>> {
        self.count();
        let (columns, rows) = self.rows(text, params)?;
        Ok(sql::encode(&columns, &rows, false))
    }

    fn execute(&self, text: &str, params: &[Value]) -> SqlResult<Outcome> {
        self.count();
        self.run(text, params)
    }

    fn batch(&self, statements: &[Statement]) -> SqlResult<Vec<Outcome>> {
        self.count();
        self.connection.execute_batch("SAVEPOINT batch").map_err(error)?;
        let done: SqlResult<Vec<Outcome>> =
            statements.iter().map(|one| self.run(&one.text, &one.params)).collect();
        let end = if done.is_ok() { "RELEASE batch" } else { "ROLLBACK TO batch; RELEASE batch" };
        self.connection.execute_batch(end).map_err(error)?;
        done
    }

    fn open(&self, text: &str, params: &[Value]) -> SqlResult<Box<dyn BackendCursor>> {
        self.count();
        let (columns, rows) = self.rows(text, params)?;
        Ok(Box::new(TestCursor { columns, rows: rows.into_iter().collect() }))
    }

    fn begin(&self, _mode: Mode) -> SqlResult<()> {
        self.count();
        self.connection.execute_batch("BEGIN").map_err(error)
    }

    fn end(&self, commit: bool) -> SqlResult<()> {
        self.connection.execute_batch(if commit { "COMMIT" } else { "ROLLBACK" }).map_err(error)
    }
}

struct TestCursor {
    columns: Vec<String>,
    rows: std::collections::VecDeque<Vec<Value>>,
}

impl BackendCursor for TestCursor {
    fn next(&mut self, max: u32) -> SqlResult<Vec<u8>> {
        let count = usize::try_from(max).unwrap_or(usize::MAX).min(self.rows.len());
        let page: Vec<_> = self.rows.drain(..count).collect();
        Ok(sql::encode(&self.columns, &page, !self.rows.is_empty()))
    }
}

fn stored(value: &Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Stored;
    match value {
        Value::Null => Stored::Null,
        Value::Boolean(value) => Stored::Integer(i64::from(*value)),
        Value::Integer(value) | Value::Timestamp(value) => Stored::Integer(*value),
        Value::Real(value) => Stored::Real(*value),
        Value::Text(text) | Value::Decimal(text) | Value::Json(text) | Value::Uuid(text) => {
            Stored::Text(text.clone())
        }
        Value::Blob(bytes) => Stored::Blob(bytes.clone()),
    }
}

fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

fn error(error: rusqlite::Error) -> SqlError {
    let message = error.to_string();
    if matches!(error, rusqlite::Error::SqlInputError { .. }) {
        return SqlError::Syntax(message);
    }
    match error.sqlite_error() {
        Some(code) if code.code == ErrorCode::ConstraintViolation => {
            let kind = match code.extended_code {
                rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                    Constraint::Unique
                }
                rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
                rusqlite::ffi::SQLITE_CONSTRAINT_NOTNULL => Constraint::NotNull,
                rusqlite::ffi::SQLITE_CONSTRAINT_CHECK => Constraint::Check,
                _ => Constraint::Other,
            };
            SqlError::Constraint(Violation { kind, message })
        }
        Some(code) if code.code == ErrorCode::DatabaseBusy => SqlError::Conflict(message),
        Some(code) if code.code == ErrorCode::Unknown => SqlError::Syntax(message),
        _ => SqlError::Other(EngineError { sqlstate: None, message }),
    }
}
