//! The WebAssembly side: the generated bindings, turned into the SDK's own types and back.
//!
//! It adds no behaviour. Invariant: generated types end here, so a new version of the contract changes
//! this file and `bindings.rs` alone. Called by `host` and, through [`Component`], by Rowhouse.

use std::marker::PhantomData;

use crate::{
    bindings::{
        exports::rowhouse::site::{handler, schema, upgrade},
        rowhouse::host::{identity, pages, sql as wit, tenant as wit_tenant},
    },
    identity::User,
    request::Request,
    site::{self, Site},
    sql::{
        Constraint, Dialect, EngineError, Limit, Mode, Outcome, SqlError, SqlResult, Statement, Value,
        Violation,
    },
    tenant::Tenant,
};

/// The exports of a site. Named by the `export!` macro only.
pub struct Component<S>(PhantomData<S>);

impl<S: Site> handler::Guest for Component<S> {
    fn handle(request: handler::Request) -> handler::Response {
        let headers = request.headers.into_iter().map(|header| (header.name, header.value)).collect();
        let request = Request::new(
            request.method,
            request.path,
            request.query,
            request.origin,
            request.base_path,
            headers,
            request.body,
        );
        let (status, headers, body) = site::answer::<S>(&request).into_parts();
        let header = |(name, value)| handler::Header { name, value };
        handler::Response { status, headers: headers.into_iter().map(header).collect(), body }
    }
}

impl<S: Site> schema::Guest for Component<S> {
    fn migrations() -> Vec<schema::Migration> {
        let steps = S::migrations().into_iter().map(|step| schema::Migration {
            version: step.version,
            name: step.name,
            sqlite: step.sqlite,
            postgresql: step.postgresql,
            mysql: step.mysql,
        });
        steps.collect()
    }
}

impl<S: Site> upgrade::Guest for Component<S> {
    fn upgrade(from: Option<String>, to: String) -> Result<(), String> {
        S::upgrade(from.as_deref(), &to)
    }
}

pub(crate) fn tenant() -> Tenant {
    let info = wit_tenant::current();
    Tenant {
        id: info.id,
        name: info.name,
        title: info.title,
        addresses: info.addresses,
        release: info.release,
        locale: info.locale,
        time_zone: info.time_zone,
    }
}

pub(crate) fn setting(key: &str) -> Option<String> {
    wit_tenant::setting(key)
}

pub(crate) fn settings() -> Vec<(String, String)> {
    wit_tenant::settings()
}

pub(crate) fn user() -> Option<User> {
    identity::current().map(|user| User { id: user.id, name: user.name, roles: user.roles })
}

pub(crate) fn tag(tags: &[&str]) {
    pages::tag(&owned(tags));
}

pub(crate) fn purge(tags: &[&str]) {
    pages::purge(&owned(tags));
}

fn owned(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

pub(crate) fn dialect() -> Dialect {
    match wit::current_dialect() {
        wit::Dialect::Sqlite => Dialect::Sqlite,
        wit::Dialect::Postgresql => Dialect::Postgresql,
        wit::Dialect::Mysql => Dialect::Mysql,
    }
}

pub(crate) fn query_packed(text: &str, params: Vec<Value>) -> SqlResult<Vec<u8>> {
    wit::query_packed(text, &values(params)).map_err(error)
}

pub(crate) fn execute(text: &str, params: Vec<Value>) -> SqlResult<Outcome> {
    wit::execute(text, &values(params)).map(outcome).map_err(error)
}

pub(crate) fn batch(statements: Vec<Statement>) -> SqlResult<Vec<Outcome>> {
    let statement = |one: Statement| wit::Statement { text: one.text, params: values(one.params) };
    let statements: Vec<_> = statements.into_iter().map(statement).collect();
    wit::batch(&statements).map(|done| done.into_iter().map(outcome).collect()).map_err(error)
}

pub(crate) fn open(text: &str, params: Vec<Value>) -> SqlResult<Cursor> {
    wit::open(text, &values(params)).map(Cursor).map_err(error)
}

pub(crate) fn begin(mode: Mode) -> SqlResult<Transaction> {
    let mode = match mode {
        Mode::Read => wit::Mode::Read,
        Mode::Write => wit::Mode::Write,
    };
    wit::begin(mode).map(Transaction).map_err(error)
}

pub(crate) struct Cursor(wit::Cursor);

impl Cursor {
    pub(crate) fn next(&mut self, max: u32) -> SqlResult<Vec<u8>> {
        self.0.next(max).map_err(error)
    }
}

/// The host rolls back when the handle is dropped.
pub(crate) struct Transaction(wit::Transaction);

impl Transaction {
    pub(crate) fn query_packed(&self, text: &str, params: Vec<Value>) -> SqlResult<Vec<u8>> {
        self.0.query_packed(text, &values(params)).map_err(error)
    }

    pub(crate) fn execute(&self, text: &str, params: Vec<Value>) -> SqlResult<Outcome> {
        self.0.execute(text, &values(params)).map(outcome).map_err(error)
    }

    pub(crate) fn commit(self) -> SqlResult<()> {
        self.0.commit().map_err(error)
    }
}

fn values(params: Vec<Value>) -> Vec<wit::Value> {
    let value = |value| match value {
        Value::Null => wit::Value::Null,
        Value::Boolean(value) => wit::Value::Boolean(value),
        Value::Integer(value) => wit::Value::Integer(value),
        Value::Real(value) => wit::Value::Real(value),
        Value::Text(text) => wit::Value::Text(text),
        Value::Blob(bytes) => wit::Value::Blob(bytes),
        Value::Decimal(text) => wit::Value::Decimal(text),
        Value::Timestamp(micros) => wit::Value::Timestamp(micros),
        Value::Json(text) => wit::Value::Json(text),
        Value::Uuid(text) => wit::Value::Uuid(text),
    };
    params.into_iter().map(value).collect()
}

fn outcome(outcome: wit::Outcome) -> Outcome {
    Outcome { rows_affected: outcome.rows_affected, last_insert_id: outcome.last_insert_id }
}

fn error(error: wit::Error) -> SqlError {
    match error {
        wit::Error::Syntax(text) => SqlError::Syntax(text),
        wit::Error::Denied(text) => SqlError::Denied(text),
        wit::Error::Constraint(violation) => {
            let kind = match violation.kind {
                wit::Constraint::Unique => Constraint::Unique,
                wit::Constraint::ForeignKey => Constraint::ForeignKey,
                wit::Constraint::NotNull => Constraint::NotNull,
                wit::Constraint::Check => Constraint::Check,
                wit::Constraint::Other => Constraint::Other,
            };
            SqlError::Constraint(Violation { kind, message: violation.message })
        }
        wit::Error::Limit(limit) => SqlError::Limit(match limit {
            wit::Limit::Time => Limit::Time,
            wit::Limit::Rows => Limit::Rows,
            wit::Limit::Bytes => Limit::Bytes,
            wit::Limit::Statements => Limit::Statements,
            wit::Limit::DatabaseSize => Limit::DatabaseSize,
            wit::Limit::Connections => Limit::Connections,
            wit::Limit::Complexity => Limit::Complexity,
        }),
        wit::Error::Conflict(text) => SqlError::Conflict(text),
        wit::Error::Parameter(text) => SqlError::Parameter(text),
        wit::Error::Closed => SqlError::Closed,
        wit::Error::Other(other) => {
            SqlError::Other(EngineError { sqlstate: other.sqlstate, message: other.message })
        }
    }
}
