//! What a page was made from, and whether it still stands.
//!
//! Whatever a tenant's page can depend on is a [`Subject`]: a table, a tag, the tenant's files, everything.
//! The tenant's database counts for each subject how often it was changed, in the transaction that changes
//! it. [`Versions`] are those counts as read at one moment; a [`Stamp`] is the part of them that one page
//! read, taken *before* the page read the data. A page stands exactly while its stamp holds.
//!
//! Nothing here does input or output. The data room moves and reads the counts, the cache keeps stamps.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The longest subject, in bytes: a table's name or a tag with its kind.
pub const SUBJECT_BYTES: usize = 255;

/// Something that pages depend on and that writes change.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<str>);

/// How [`Subject::everything`] is written.
const EVERYTHING: &str = "*";

impl Subject {
    /// Everything of the tenant: every page depends on it, and a flush changes it.
    #[must_use]
    pub fn everything() -> Self {
        Self(EVERYTHING.into())
    }

    /// The tenant's files.
    #[must_use]
    pub fn files() -> Self {
        Self("f".into())
    }

    /// A table, by the guest's name for it; case does not matter.
    #[must_use]
    pub fn table(name: &str) -> Self {
        Self(format!("t:{}", name.to_ascii_lowercase()).into())
    }

    /// A tag that a guest gave its page.
    #[must_use]
    pub fn tag(tag: &str) -> Self {
        Self(format!("g:{tag}").into())
    }

    /// As it was written, where it can be one: from the tenant's database or from another server.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let known = text == EVERYTHING || text == "f" || text.starts_with("t:") || text.starts_with("g:");
        (known && text.len() <= SUBJECT_BYTES).then(|| Self(text.into()))
    }

    /// The text kept in databases and sent to other servers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// It is compared and hashed as its text.
impl Borrow<str> for Subject {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How often each subject of one tenant was changed, as read at one moment. What was never changed is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(HashMap<Subject, u64>);

impl Versions {
    /// The counts as read.
    pub fn new(counts: impl IntoIterator<Item = (Subject, u64)>) -> Self {
        Self(counts.into_iter().collect())
    }

    /// The count of one subject.
    #[must_use]
    pub fn of(&self, subject: &Subject) -> u64 {
        self.0.get(subject).copied().unwrap_or(0)
    }

    /// The count of the subject that is written so.
    #[must_use]
    pub fn of_text(&self, subject: &str) -> u64 {
        self.0.get(subject).copied().unwrap_or(0)
    }

    /// The part that belongs to these subjects, [`Subject::everything`] included.
    pub fn stamp(&self, subjects: impl IntoIterator<Item = Subject>) -> Stamp {
        let mut parts: Vec<(Subject, u64)> = subjects
            .into_iter()
            .chain([Subject::everything()])
            .map(|subject| {
                let count = self.of(&subject);
                (subject, count)
            })
            .collect();
        parts.sort_unstable();
        parts.dedup();
        Stamp(parts.into())
    }
}

/// The versions of everything that one page read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Box<[(Subject, u64)]>);

impl Stamp {
    /// True where none of the page's subjects was changed between the two moments.
    #[must_use]
    pub fn holds(&self, now: &Versions) -> bool {
        self.0.iter().all(|(subject, count)| now.of(subject) == *count)
    }

    /// From what [`Stamp::counts`] gave to be kept elsewhere. None where it is no stamp: not in order, or without
    /// what every page depends on.
    #[must_use]
    pub fn from_counts(counts: Vec<(Subject, u64)>) -> Option<Self> {
        let in_order = counts.is_sorted_by(|(before, _), (after, _)| before < after);
        let whole = counts.iter().any(|(subject, _count)| subject.as_str() == EVERYTHING);
        (in_order && whole).then(|| Self(counts.into()))
    }

    /// The subjects in order, each with its count.
    pub fn counts(&self) -> impl ExactSizeIterator<Item = (&Subject, u64)> {
        self.0.iter().map(|(subject, count)| (subject, *count))
    }

    /// What the page read, in order.
    pub fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.0.iter().map(|(subject, _count)| subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_until_one_of_its_subjects_moves() {
        let page = Subject::table("Page");
        let before = Versions::new([(page.clone(), 3), (Subject::table("news"), 1)]);
        let stamp = before.stamp([page.clone(), Subject::tag("menu")]);
        assert!(stamp.holds(&before));
        assert!(stamp.holds(&Versions::new([(page.clone(), 3), (Subject::table("news"), 2)])));
        for (subject, count) in [(page, 4), (Subject::tag("menu"), 1), (Subject::everything(), 1)] {
            let mut moved = before.clone();
            moved.0.insert(subject, count);
            assert!(!stamp.holds(&moved));
        }
    }

    #[test]
    fn a_stamp_that_was_kept_elsewhere_is_the_same_or_none() {
        let stamp = Versions::new([(Subject::files(), 7)]).stamp([Subject::table("page"), Subject::files()]);
        let counts: Vec<(Subject, u64)> =
            stamp.counts().map(|(subject, count)| (subject.clone(), count)).collect();
        assert_eq!(Stamp::from_counts(counts.clone()), Some(stamp));
        assert_eq!(Stamp::from_counts(counts.iter().rev().cloned().collect()), None, "not in order");
        assert_eq!(Stamp::from_counts([counts.clone(), counts.clone()].concat()), None, "twice");
        let part = counts.into_iter().filter(|(subject, _)| *subject != Subject::everything()).collect();
        assert_eq!(Stamp::from_counts(part), None, "would outlive a flush");
        assert_eq!(Stamp::from_counts(Vec::new()), None);
    }

    #[test]
    fn subjects_are_read_as_they_were_written() {
        for subject in [Subject::everything(), Subject::files(), Subject::table("PAGE"), Subject::tag("a:B")]
        {
            assert_eq!(Subject::parse(subject.as_str()), Some(subject));
        }
        assert_eq!(Subject::table("PAGE"), Subject::table("page"));
        for wrong in ["", "x:1", "page", &format!("t:{}", "x".repeat(300))] {
            assert_eq!(Subject::parse(wrong), None);
        }
    }
}
