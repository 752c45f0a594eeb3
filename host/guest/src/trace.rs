//! What an answer was made from, as far as the output cache has to know.
//!
//! Statements and files note what they read in the data room's log, tags come from the guest, and who asked
//! for the visitor is never shared. Settings, release and address are in the cache's key: a change of one of
//! them is another page. An instance that answers again may remember what it read for earlier requests, so
//! its next answer inherits what those were made from ([`Trace::inherit`]).
//!
//! Made by the front room for each request whose tenant's versions are known, before the guest begins.

use parking_lot::Mutex;
use rowhouse_base::{Stamp, Subject, Versions};
use rowhouse_data::ReadLog;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared by the guest's store and the one who may keep the answer.
#[derive(Debug)]
pub struct Trace {
    versions: Arc<Versions>,
    reads: Arc<ReadLog>,
    personal: AtomicBool,
    files: AtomicBool,
    tags: Mutex<Vec<Subject>>,
}

impl Trace {
    /// Nothing read yet. `versions` were read before anything else is.
    #[must_use]
    pub fn new(versions: Arc<Versions>) -> Arc<Self> {
        Arc::new(Self {
            reads: ReadLog::new(Arc::clone(&versions)),
            versions,
            personal: AtomicBool::new(false),
            files: AtomicBool::new(false),
            tags: Mutex::default(),
        })
    }

    /// What the answer depends on, once it is complete. None where it must not be kept: it asked who the
    /// visitor is, it changed something, or what it read is not known for sure.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        if self.personal.load(Ordering::Relaxed) {
            return None;
        }
        let files = self.files.load(Ordering::Relaxed).then(Subject::files);
        self.reads.stamp(self.tags.lock().iter().cloned().chain(files))
    }

    pub(crate) fn reads(&self) -> &Arc<ReadLog> {
        &self.reads
    }

    pub(crate) fn asked_for_the_visitor(&self) {
        self.personal.store(true, Ordering::Relaxed);
    }

    pub(crate) fn tag(&self, tag: &str) {
        self.tags.lock().push(Subject::tag(tag));
    }

    pub(crate) fn read_files(&self) {
        self.files.store(true, Ordering::Relaxed);
    }

    /// Takes over what an instance may remember of its past. False where it may remember something that
    /// has changed since, or that must not be shared.
    pub(crate) fn inherit(&self, past: &Self) -> bool {
        match past.stamp() {
            Some(stamp) if stamp.holds(&self.versions) => {
                stamp.subjects().for_each(|subject| self.reads.read(subject.clone()));
                true
            }
            Some(_) | None => false,
        }
    }
}
