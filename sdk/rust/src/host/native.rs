//! The native side: host calls go to the backend installed for this thread.
//!
//! Without one, statements are refused with a clear error and nobody is signed in, so that code that
//! asks for nothing can run in plain unit tests. Invariant: backends are per thread, so tests run in
//! parallel without meeting. Called by `host`; backends come from `testing`.

use std::{cell::RefCell, rc::Rc};

use crate::{
    identity::User,
    sql::{Dialect, EngineError, Mode, Outcome, SqlError, SqlResult, Statement, Value},
    tenant::Tenant,
};

/// What a backend must do. The same calls as in `rowhouse:host`.
pub(crate) trait Backend {
    fn tenant(&self) -> Tenant;
    fn settings(&self) -> Vec<(String, String)>;
    fn user(&self) -> Option<User>;
    fn tag(&self, tags: &[&str]);
    fn purge(&self, tags: &[&str]);
    fn query_packed(&self, text: &str, params: &[Value]) -> SqlResult<Vec<u8>>;
    fn execute(&self, text: &str, params: &[Value]) -> SqlResult<Outcome>;
    fn batch(&self, statements: &[Statement]) -> SqlResult<Vec<Outcome>>;
    /// The whole result in pages of at most `max` rows is the backend's to cut.
    fn open(&self, text: &str, params: &[Value]) -> SqlResult<Box<dyn BackendCursor>>;
    fn begin(&self, mode: Mode) -> SqlResult<()>;
    fn end(&self, commit: bool) -> SqlResult<()>;
}

/// An opened result.
pub(crate) trait BackendCursor {
    fn next(&mut self, max: u32) -> SqlResult<Vec<u8>>;
}

thread_local! {
    static BACKEND: RefCell<Option<Rc<dyn Backend>>> = const { RefCell::new(None) };
}

/// Runs `work` with host calls going to `backend`, then restores what was there, also after a panic.
#[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only the test backend is installed"))]
pub(crate) fn with_backend<T>(backend: Rc<dyn Backend>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Rc<dyn Backend>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            BACKEND.set(self.0.take());
        }
    }
    let _restore = Restore(BACKEND.replace(Some(backend)));
    work()
}

fn backend() -> Option<Rc<dyn Backend>> {
    BACKEND.with_borrow(Clone::clone)
}

fn database() -> SqlResult<Rc<dyn Backend>> {
    backend().ok_or_else(|| {
        let message = "no host: run this inside rowhouse_sdk::testing".to_owned();
        SqlError::Other(EngineError { sqlstate: None, message })
    })
}

pub(crate) fn tenant() -> Tenant {
    backend().map_or_else(Tenant::default, |backend| backend.tenant())
}

pub(crate) fn setting(key: &str) -> Option<String> {
    settings().into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

pub(crate) fn settings() -> Vec<(String, String)> {
    backend().map(|backend| backend.settings()).unwrap_or_default()
}

pub(crate) fn user() -> Option<User> {
    backend().and_then(|backend| backend.user())
}

pub(crate) fn tag(tags: &[&str]) {
    if let Some(backend) = backend() {
        backend.tag(tags);
    }
}

pub(crate) fn purge(tags: &[&str]) {
    if let Some(backend) = backend() {
        backend.purge(tags);
    }
}

pub(crate) fn dialect() -> Dialect {
    Dialect::Sqlite
}

pub(crate) fn query_packed(text: &str, params: Vec<Value>) -> SqlResult<Vec<u8>> {
    database()?.query_packed(text, &params)
}

pub(crate) fn execute(text: &str, params: Vec<Value>) -> SqlResult<Outcome> {
    database()?.execute(text, &params)
}

pub(crate) fn batch(statements: Vec<Statement>) -> SqlResult<Vec<Outcome>> {
    database()?.batch(&statements)
}

pub(crate) fn open(text: &str, params: Vec<Value>) -> SqlResult<Cursor> {
    Ok(Cursor { inner: database()?.open(text, &params)? })
}

pub(crate) fn begin(mode: Mode) -> SqlResult<Transaction> {
    let backend = database()?;
    backend.begin(mode)?;
    Ok(Transaction { backend, running: true })
}

pub(crate) struct Cursor {
    inner: Box<dyn BackendCursor>,
}

impl Cursor {
    pub(crate) fn next(&mut self, max: u32) -> SqlResult<Vec<u8>> {
        self.inner.next(max)
    }
}

pub(crate) struct Transaction {
    backend: Rc<dyn Backend>,
    running: bool,
}

impl Transaction {
    pub(crate) fn query_packed(&self, text: &str, params: Vec<Value>) -> SqlResult<Vec<u8>> {
        self.backend.query_packed(text, &params)
    }

    pub(crate) fn execute(&self, text: &str, params: Vec<Value>) -> SqlResult<Outcome> {
        self.backend.execute(text, &params)
    }

    pub(crate) fn commit(mut self) -> SqlResult<()> {
        self.running = false;
        self.backend.end(true)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.running {
            // A rollback that fails leaves nothing to do: the connection ends the transaction.
            let _ = self.backend.end(false);
        }
    }
}
