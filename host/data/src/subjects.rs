//! What the data room's tables are called as subjects, and which subjects can be kept in a database.
//!
//! A name comes from a guest's SQL and may be longer than a subject. Such a one counts as everything: a page
//! may then be made anew too often, and never too rarely.

use rowhouse_base::Subject;
use rowhouse_base::versions::SUBJECT_BYTES;

/// What a migration moves beside everything: whoever knows the tables' foreign keys and views learns by it
/// that they may be others. Guests have no such table.
pub(crate) const SCHEMA: &str = "t:_rowhouse_schema";

/// Where a migration is not one transaction: moved up to [`SCHEMA`] once it has ended.
pub(crate) const SCHEMA_END: &str = "t:_rowhouse_schema_end";

/// More subjects than this and the tags among them are forgotten, together with every page. A site has about a
/// hundred tables, and a tag for each of some thousand pages.
pub(crate) const MOST_SUBJECTS: usize = 4_096;

/// More lines than this and they are brought together: reading so many takes about as long as the round trip.
pub(crate) const MOST_LINES: u64 = 500;

/// A table by the guest's name.
pub(crate) fn table(name: &str) -> Subject {
    storable(Subject::table(name))
}

/// The subject as databases keep it: what is too long, or can't be a text everywhere, is everything.
pub(crate) fn storable(subject: Subject) -> Subject {
    if subject.as_str().len() > SUBJECT_BYTES || subject.as_str().contains('\0') {
        return Subject::everything();
    }
    subject
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_database_keeps_is_everything() {
        assert_eq!(table("Page"), Subject::table("page"));
        assert_eq!(table(&"x".repeat(300)), Subject::everything());
        assert_eq!(storable(Subject::tag("a\0b")), Subject::everything());
        assert!([SCHEMA, SCHEMA_END].iter().all(|text| Subject::parse(text).is_some()));
    }
}
