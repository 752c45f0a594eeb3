//! `rowhouse:host/sql`: the tenant's own database. Only renames between the contract's shapes and the
//! data room's; every rule is the data room's.

use crate::store::GuestState;
use rowhouse_bindings::host::sql as wit;
use rowhouse_data::{self as data, SqlError};
use wasmtime::component::Resource;

type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

/// Transactions and cursors live in the store's table under the data room's types; the generated
/// handle types are only names for the same number.
fn as_transaction(handle: &Resource<wit::Transaction>) -> Resource<data::Transaction> {
    Resource::new_borrow(handle.rep())
}

fn as_cursor(handle: &Resource<wit::Cursor>) -> Resource<data::Cursor> {
    Resource::new_borrow(handle.rep())
}

impl GuestState {
    /// What the guest learns of a failure. Should it answer that it failed itself, the log says why.
    fn failed(&mut self, error: SqlError) -> wit::Error {
        if let Ok(scope) = self.scope() {
            scope.changes.suffered(&error);
        }
        error_out(error)
    }
}

impl wit::Host for GuestState {
    fn current_dialect(&mut self) -> wasmtime::Result<wit::Dialect> {
        Ok(match self.scope()?.db.dialect() {
            data::Dialect::Sqlite => wit::Dialect::Sqlite,
            data::Dialect::Postgresql => wit::Dialect::Postgresql,
            data::Dialect::Mysql => wit::Dialect::Mysql,
        })
    }

    async fn query(&mut self, text: String, params: Vec<wit::Value>) -> Answer<wit::Rows> {
        let rows = self.scope()?.db.query(&text, values_in(params)).await;
        Ok(rows.map(rows_out).map_err(|error| self.failed(error)))
    }

    async fn query_packed(&mut self, text: String, params: Vec<wit::Value>) -> Answer<Vec<u8>> {
        let packed = self.scope()?.db.query_packed(&text, values_in(params)).await;
        Ok(packed.map_err(|error| self.failed(error)))
    }

    async fn execute(&mut self, text: String, params: Vec<wit::Value>) -> Answer<wit::Outcome> {
        let outcome = self.scope()?.db.execute(&text, values_in(params)).await;
        Ok(outcome.map(outcome_out).map_err(|error| self.failed(error)))
    }

    async fn batch(&mut self, statements: Vec<wit::Statement>) -> Answer<Vec<wit::Outcome>> {
        let statements = statements
            .into_iter()
            .map(|one| data::Statement { text: one.text, params: values_in(one.params) })
            .collect();
        let outcomes = self.scope()?.db.batch(statements).await;
        let outcomes = outcomes.map(|all| all.into_iter().map(outcome_out).collect());
        Ok(outcomes.map_err(|error| self.failed(error)))
    }

    async fn open(&mut self, text: String, params: Vec<wit::Value>) -> Answer<Resource<wit::Cursor>> {
        match self.scope()?.db.open_cursor(&text, values_in(params)).await {
            Ok(cursor) => Ok(Ok(Resource::new_own(self.table.push(cursor)?.rep()))),
            Err(error) => Ok(Err(self.failed(error))),
        }
    }

    async fn begin(&mut self, mode: wit::Mode) -> Answer<Resource<wit::Transaction>> {
        let mode = match mode {
            wit::Mode::Read => data::Mode::Read,
            wit::Mode::Write => data::Mode::Write,
        };
        match self.scope()?.db.begin(mode).await {
            Ok(transaction) => Ok(Ok(Resource::new_own(self.table.push(transaction)?.rep()))),
            Err(error) => Ok(Err(self.failed(error))),
        }
    }
}

impl wit::HostCursor for GuestState {
    async fn next(&mut self, handle: Resource<wit::Cursor>, max: u32) -> Answer<Vec<u8>> {
        let cursor = self.table.get_mut(&as_cursor(&handle))?;
        let page = cursor.next(max).await;
        Ok(page.map_err(|error| self.failed(error)))
    }

    async fn drop(&mut self, handle: Resource<wit::Cursor>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<data::Cursor>::new_own(handle.rep()))?;
        Ok(())
    }
}

impl wit::HostTransaction for GuestState {
    async fn query(
        &mut self,
        handle: Resource<wit::Transaction>,
        text: String,
        params: Vec<wit::Value>,
    ) -> Answer<wit::Rows> {
        let transaction = self.table.get_mut(&as_transaction(&handle))?;
        let rows = transaction.query(&text, values_in(params)).await;
        Ok(rows.map(rows_out).map_err(|error| self.failed(error)))
    }

    async fn query_packed(
        &mut self,
        handle: Resource<wit::Transaction>,
        text: String,
        params: Vec<wit::Value>,
    ) -> Answer<Vec<u8>> {
        let transaction = self.table.get_mut(&as_transaction(&handle))?;
        let packed = transaction.query_packed(&text, values_in(params)).await;
        Ok(packed.map_err(|error| self.failed(error)))
    }

    async fn execute(
        &mut self,
        handle: Resource<wit::Transaction>,
        text: String,
        params: Vec<wit::Value>,
    ) -> Answer<wit::Outcome> {
        let transaction = self.table.get_mut(&as_transaction(&handle))?;
        let outcome = transaction.execute(&text, values_in(params)).await;
        Ok(outcome.map(outcome_out).map_err(|error| self.failed(error)))
    }

    async fn commit(&mut self, handle: Resource<wit::Transaction>) -> Answer<()> {
        let transaction = self.table.get_mut(&as_transaction(&handle))?;
        let done = transaction.commit().await;
        Ok(done.map_err(|error| self.failed(error)))
    }

    async fn rollback(&mut self, handle: Resource<wit::Transaction>) -> Answer<()> {
        let transaction = self.table.get_mut(&as_transaction(&handle))?;
        let done = transaction.rollback().await;
        Ok(done.map_err(|error| self.failed(error)))
    }

    async fn drop(&mut self, handle: Resource<wit::Transaction>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<data::Transaction>::new_own(handle.rep()))?;
        Ok(())
    }
}

fn values_in(values: Vec<wit::Value>) -> Vec<data::Value> {
    values
        .into_iter()
        .map(|value| match value {
            wit::Value::Null => data::Value::Null,
            wit::Value::Boolean(is) => data::Value::Boolean(is),
            wit::Value::Integer(number) => data::Value::Integer(number),
            wit::Value::Real(number) => data::Value::Real(number),
            wit::Value::Text(text) => data::Value::Text(text),
            wit::Value::Blob(bytes) => data::Value::Blob(bytes),
            wit::Value::Decimal(text) => data::Value::Decimal(text),
            wit::Value::Timestamp(micros) => data::Value::Timestamp(micros),
            wit::Value::Json(text) => data::Value::Json(text),
            wit::Value::Uuid(text) => data::Value::Uuid(text),
        })
        .collect()
}

fn value_out(value: data::Value) -> wit::Value {
    match value {
        data::Value::Null => wit::Value::Null,
        data::Value::Boolean(is) => wit::Value::Boolean(is),
        data::Value::Integer(number) => wit::Value::Integer(number),
        data::Value::Real(number) => wit::Value::Real(number),
        data::Value::Text(text) => wit::Value::Text(text),
        data::Value::Blob(bytes) => wit::Value::Blob(bytes),
        data::Value::Decimal(text) => wit::Value::Decimal(text),
        data::Value::Timestamp(micros) => wit::Value::Timestamp(micros),
        data::Value::Json(text) => wit::Value::Json(text),
        data::Value::Uuid(text) => wit::Value::Uuid(text),
    }
}

fn rows_out(rows: data::Rows) -> wit::Rows {
    wit::Rows {
        columns: rows.columns,
        rows: rows.rows.into_iter().map(|row| row.into_iter().map(value_out).collect()).collect(),
    }
}

fn outcome_out(outcome: data::Outcome) -> wit::Outcome {
    wit::Outcome { rows_affected: outcome.rows_affected, last_insert_id: outcome.last_insert_id }
}

fn error_out(error: SqlError) -> wit::Error {
    match error {
        SqlError::Syntax(text) => wit::Error::Syntax(text),
        SqlError::Denied(text) => wit::Error::Denied(text),
        SqlError::Constraint { kind, message } => {
            wit::Error::Constraint(wit::Violation { kind: constraint_out(kind), message })
        }
        SqlError::Limit(kind) => wit::Error::Limit(limit_out(kind)),
        SqlError::Conflict(text) => wit::Error::Conflict(text),
        SqlError::Parameter(text) => wit::Error::Parameter(text),
        SqlError::Closed => wit::Error::Closed,
        SqlError::Other { sqlstate, message } => wit::Error::Other(wit::EngineError { sqlstate, message }),
    }
}

fn constraint_out(kind: data::ConstraintKind) -> wit::Constraint {
    match kind {
        data::ConstraintKind::Unique => wit::Constraint::Unique,
        data::ConstraintKind::ForeignKey => wit::Constraint::ForeignKey,
        data::ConstraintKind::NotNull => wit::Constraint::NotNull,
        data::ConstraintKind::Check => wit::Constraint::Check,
        data::ConstraintKind::Other => wit::Constraint::Other,
    }
}

fn limit_out(kind: data::LimitKind) -> wit::Limit {
    match kind {
        data::LimitKind::Time => wit::Limit::Time,
        data::LimitKind::Rows => wit::Limit::Rows,
        data::LimitKind::Bytes => wit::Limit::Bytes,
        data::LimitKind::Statements => wit::Limit::Statements,
        data::LimitKind::DatabaseSize => wit::Limit::DatabaseSize,
        data::LimitKind::Connections => wit::Limit::Connections,
        data::LimitKind::Complexity => wit::Limit::Complexity,
    }
}
