//! What the API speaks, as the services return it. The command line and the console use the same types.
//!
//! Times are RFC 3339 in UTC, names are snake_case.

mod cache;
mod operations;
mod people;
mod releases;
mod runs;
mod servers;
mod tenants;

pub use cache::{CacheCounts, CacheView, FlushCache, FlushedView, TenantCacheView};
pub use operations::{
    CloneTenant, DataServerList, DataServerView, ImportTenant, MoveTenant, TableView, UsageView,
};
pub(crate) use people::Membership;
pub use people::{
    AuditEntry, CreateToken, CreateUser, CreatedToken, CreatedUser, MemberView, OneTimePassword, PatchUser,
    SetRoles, TokenView, UserView,
};
pub use releases::{LimitTable, LimitView, ReleaseView, ReuseView, StatusView, TenantCounts};
pub use runs::{RunDetail, RunItemView, RunView, StartRun};
pub use servers::{AppliedView, ServerList, ServerView};
pub use tenants::{
    CreateTenant, DeleteOutcome, FoundView, PatchTenant, ReceiptView, RemovedView, TenantRelease, TenantView,
    TrashedView,
};

use jiff::Timestamp as Moment;
use rowhouse_base::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next page; none on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The first `limit` of the rows, which are one more where there is another page. `cursor` names the last on this page.
    pub(crate) fn cut(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paging {
    /// 1 to 200; 50 where nothing is said.
    pub limit: Option<u32>,
    /// From the page before.
    pub cursor: Option<String>,
    /// A text to look for, where the list can be searched.
    pub search: Option<String>,
}

impl Paging {
    pub(crate) fn limit(&self) -> u32 {
        self.limit.unwrap_or(50).clamp(1, 200)
    }

    pub(crate) fn cursor(&self) -> &str {
        self.cursor.as_deref().unwrap_or_default()
    }

    pub(crate) fn search(&self) -> &str {
        self.search.as_deref().unwrap_or_default()
    }
}

/// A time as the API writes it.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    Moment::from_microsecond(at.0).unwrap_or(Moment::MAX).to_string()
}

/// A time as it stands in the name of a file, to the second.
pub(crate) fn file_stamp(at: Timestamp) -> String {
    Moment::from_microsecond(at.0).unwrap_or(Moment::MAX).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A time as the API reads it.
pub(crate) fn from_rfc3339(text: &str) -> Option<Timestamp> {
    text.parse::<Moment>().ok().map(|moment| Timestamp(moment.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_times() {
        let page = Page::cut(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!((page.items, page.next), (vec![1, 2], Some("2".to_owned())));
        assert_eq!(Page::cut(vec![1, 2], 2, ToString::to_string).next, None);
        assert_eq!(rfc3339(Timestamp(1_500_000)), "1970-01-01T00:00:01.5Z");
        assert_eq!(file_stamp(Timestamp(1_500_000)), "19700101T000001Z");
        assert_eq!(from_rfc3339("1970-01-01T01:00:01.5+01:00"), Some(Timestamp(1_500_000)));
    }
}
