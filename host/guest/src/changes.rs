//! What a guest changed besides its tables, made known before its answer leaves.
//!
//! Statements make their own changes known as they commit. Files and purged tags are gathered here and moved
//! together: at the end of the guest, and before an answer leaves whose guest runs on. Where the work is dropped
//! meanwhile, a task does it. Invariant: nothing that was noted is left unmoved, whichever way the guest ends.

use parking_lot::Mutex;
use rowhouse_base::{Chain, Subject};
use rowhouse_data::Data;
use rowhouse_tenant::Tenant;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What one piece of work changed. Shared by the store and those who watch over its end.
pub(crate) struct Changes {
    data: Arc<Data>,
    tenant: Arc<Tenant>,
    noted: Mutex<BTreeSet<Subject>>,
}

impl Changes {
    pub(crate) fn new(data: Arc<Data>, tenant: Arc<Tenant>) -> Arc<Self> {
        Arc::new(Self { data, tenant, noted: Mutex::default() })
    }

    /// Notes a change that has begun.
    pub(crate) fn note(&self, subject: Subject) {
        self.noted.lock().insert(subject);
    }

    /// Makes known what was noted so far.
    ///
    /// Cancel-safe: what was not made known when it is dropped is noted again.
    pub(crate) async fn settle(&self) {
        let taken = std::mem::take(&mut *self.noted.lock());
        if taken.is_empty() {
            return;
        }
        let mut pending = Pending { changes: self, subjects: taken.into_iter().collect() };
        match self.data.move_subjects(&self.tenant, &pending.subjects).await {
            Ok(()) => {}
            // What can't be written to the database can't be told to other servers either; this one doubts
            // what it knows, and pages made from the tenant's data fail like every statement of it.
            Err(error) => {
                tracing::error!(tenant = %self.tenant.name, error = %Chain(&error), "tell what a guest changed");
            }
        }
        pending.subjects.clear();
    }
}

/// Notes its subjects again where it is dropped with any.
struct Pending<'a> {
    changes: &'a Changes,
    subjects: Vec<Subject>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.changes.noted.lock().extend(self.subjects.drain(..));
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let noted = std::mem::take(self.noted.get_mut());
        if noted.is_empty() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let left =
            Self { data: Arc::clone(&self.data), tenant: Arc::clone(&self.tenant), noted: Mutex::new(noted) };
        let _until_it_ends = rowhouse_base::tasks::spawn("guest-changes", async move { left.settle().await });
    }
}
