//! What one page has read so far, and the versions from before its first read.
//!
//! Statements note the subjects of their plan, shared and by pointer, so that a statement run a hundred times
//! is noted once. Whatever can't be known makes the page unsure, for good: it is never stored then.

use crate::guard::Template;
use crate::links::Links;
use crate::subjects;
use parking_lot::Mutex;
use rowhouse_base::{Stamp, Subject, Versions};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Different plans that one page may run. The shipped module's largest page runs a few dozen.
const MOST_PLANS: usize = 1_024;

/// Subjects noted one by one.
const MOST_SUBJECTS: usize = 4_096;

/// What a page has read. Handles to one log are pointers to it.
#[derive(Debug)]
pub struct ReadLog {
    versions: Arc<Versions>,
    noted: Mutex<Noted>,
    unsure: AtomicBool,
    written: AtomicBool,
}

#[derive(Debug, Default)]
struct Noted {
    plans: Vec<Arc<[Subject]>>,
    single: Vec<Subject>,
}

impl ReadLog {
    /// A log of a page that has read nothing yet. The versions must have been read before.
    #[must_use]
    pub fn new(versions: Arc<Versions>) -> Arc<Self> {
        Arc::new(Self {
            versions,
            noted: Mutex::default(),
            unsure: AtomicBool::new(false),
            written: AtomicBool::new(false),
        })
    }

    /// Notes that the page has read this.
    pub fn read(&self, subject: Subject) {
        let mut noted = self.noted.lock();
        if noted.single.contains(&subject) {
            return;
        }
        if noted.single.len() < MOST_SUBJECTS {
            noted.single.push(subject);
        } else {
            self.doubt();
        }
    }

    /// Notes all that a plan reads.
    pub(crate) fn read_all(&self, plan: &Arc<[Subject]>) {
        if plan.is_empty() {
            return;
        }
        let mut noted = self.noted.lock();
        if noted.plans.iter().any(|known| Arc::ptr_eq(known, plan)) {
            return;
        }
        if noted.plans.len() < MOST_PLANS {
            noted.plans.push(Arc::clone(plan));
        } else {
            self.doubt();
        }
    }

    /// Notes what a statement reads or that it writes. The links of its tables are asked for where it reads some.
    pub(crate) async fn note<E>(
        &self,
        template: &Template,
        links: impl Future<Output = Result<Arc<Links>, E>>,
    ) -> Result<(), E> {
        if !template.reads_only() {
            self.wrote();
            return Ok(());
        }
        if template.tables().is_empty() {
            return Ok(());
        }
        match links.await?.read(template) {
            Some(subjects) => self.read_all(&subjects),
            None => self.doubt(),
        }
        Ok(())
    }

    /// Notes that the page depends on something that can't be named: it is never stored.
    pub fn doubt(&self) {
        self.unsure.store(true, Relaxed);
    }

    /// Notes that the page has written, or tried to.
    pub fn wrote(&self) {
        self.written.store(true, Relaxed);
    }

    /// True where everything that the page read is known.
    #[must_use]
    pub fn is_sure(&self) -> bool {
        !self.unsure.load(Relaxed)
    }

    /// True where the page has written.
    #[must_use]
    pub fn has_written(&self) -> bool {
        self.written.load(Relaxed)
    }

    /// The stamp of the page with these tags of its own; none where it may not be stored.
    #[must_use]
    pub fn stamp(&self, tags: impl IntoIterator<Item = Subject>) -> Option<Stamp> {
        if !self.is_sure() || self.has_written() {
            return None;
        }
        let noted = self.noted.lock();
        let read = noted.plans.iter().flat_map(|plan| plan.iter().cloned());
        let read = read.chain(noted.single.iter().cloned()).chain(tags);
        Some(self.versions.stamp(read.map(subjects::storable)))
    }

    /// The version of the tables' shape that the page's versions were read with.
    pub(crate) fn schema(&self) -> u64 {
        self.versions.of_text(subjects::SCHEMA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_each_plan_once_and_refuses_what_is_unsure_or_has_written() {
        let page = Subject::table("page");
        let versions = Versions::new([(page.clone(), 3)]);
        let log = ReadLog::new(Arc::new(versions.clone()));
        let plan: Arc<[Subject]> = Arc::from([page.clone()]);
        for _ in 0..3 {
            log.read_all(&plan);
            log.read(Subject::files());
        }
        let (plans, single) = {
            let noted = log.noted.lock();
            (noted.plans.len(), noted.single.len())
        };
        assert_eq!((plans, single), (1, 1));
        let tag = Subject::tag("menu");
        let stamp = log.stamp([tag.clone()]).unwrap();
        let all = [Subject::everything(), Subject::files(), tag, page];
        assert_eq!(stamp.subjects().cloned().collect::<Vec<_>>(), all);
        assert!(stamp.holds(&versions));
        log.wrote();
        assert!(log.has_written() && log.stamp([]).is_none());
        let log = ReadLog::new(Arc::new(versions));
        log.doubt();
        assert!(!log.is_sure() && log.stamp([]).is_none());
    }

    #[test]
    fn a_page_that_reads_without_end_is_unsure() {
        let log = ReadLog::new(Arc::default());
        for number in 0..=MOST_PLANS {
            log.read_all(&Arc::from([Subject::tag(&number.to_string())]));
        }
        assert!(!log.is_sure());
    }
}
