//! A tenant's own files: their folder, and a meter for the quota.
//!
//! The meter counts what the host calls tell it; it is scanned once per tenant and process and shared by
//! all instances of the tenant, so that two of them can't use the same free space. Where the files are in a
//! bucket, the folder is a mirror of it, and the meter follows what is listed.

use crate::home::Contents;
use crate::mirror::Mirror;
use cap_std::fs::Dir;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;

/// A tenant's files, for one guest instance.
pub struct TenantFiles {
    /// The folder. Nothing outside can be reached through it.
    pub dir: Dir,
    /// The folder's absolute path, for interfaces that open it themselves.
    pub path: PathBuf,
    /// Shared by all instances of the tenant.
    pub meter: Arc<FilesMeter>,
    /// Where the files are in a bucket, of which the folder is a mirror: each request begins with
    /// [`Data::begin_files`](crate::Data::begin_files).
    pub mirror: Option<Arc<Mirror>>,
}

/// Which quota is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverQuota {
    /// The size of all files.
    #[error("the files may take {limit} bytes")]
    Bytes {
        /// In bytes.
        limit: u64,
    },
    /// The number of files and folders.
    #[error("there may be {limit} files and folders")]
    Count {
        /// Files and folders.
        limit: u64,
    },
}

/// Counts a tenant's files against its quota.
#[derive(Debug)]
pub struct FilesMeter(Mutex<Used>);

#[derive(Debug)]
struct Used {
    bytes: u64,
    count: u64,
    most_bytes: u64,
    most_count: u64,
}

impl FilesMeter {
    pub(crate) fn new(found: Contents, most_bytes: u64, most_count: u64) -> Self {
        Self(Mutex::new(Used { bytes: found.bytes, count: found.entries, most_bytes, most_count }))
    }

    /// Follows a change of the tenant's limits.
    pub(crate) fn set_limits(&self, most_bytes: u64, most_count: u64) {
        let mut used = self.0.lock();
        used.most_bytes = most_bytes;
        used.most_count = most_count;
    }

    /// What there is was counted anew.
    pub(crate) fn recount(&self, found: Contents) {
        let mut used = self.0.lock();
        used.bytes = found.bytes;
        used.count = found.entries;
    }

    /// Before a file grows by so many bytes.
    ///
    /// # Errors
    /// [`OverQuota::Bytes`]; nothing is counted then.
    pub fn grow(&self, bytes: u64) -> Result<(), OverQuota> {
        let mut used = self.0.lock();
        let next = used.bytes.saturating_add(bytes);
        if next > used.most_bytes {
            return Err(OverQuota::Bytes { limit: used.most_bytes });
        }
        used.bytes = next;
        Ok(())
    }

    /// After a file became smaller, or a growth that was counted did not happen.
    pub fn shrink(&self, bytes: u64) {
        let mut used = self.0.lock();
        used.bytes = used.bytes.saturating_sub(bytes);
    }

    /// Before a file or folder is made.
    ///
    /// # Errors
    /// [`OverQuota::Count`]; nothing is counted then.
    pub fn add_file(&self) -> Result<(), OverQuota> {
        let mut used = self.0.lock();
        if used.count >= used.most_count {
            return Err(OverQuota::Count { limit: used.most_count });
        }
        used.count += 1;
        Ok(())
    }

    /// After a file or folder was removed, or was not made.
    pub fn remove_file(&self) {
        let mut used = self.0.lock();
        used.count = used.count.saturating_sub(1);
    }

    /// Bytes and number of files and folders, as counted.
    #[must_use]
    pub fn used(&self) -> (u64, u64) {
        let used = self.0.lock();
        (used.bytes, used.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_past_the_quota_and_counts_nothing_then() {
        let meter = FilesMeter::new(Contents { entries: 1, bytes: 90 }, 100, 2);
        assert_eq!(meter.grow(11), Err(OverQuota::Bytes { limit: 100 }));
        assert_eq!(meter.grow(u64::MAX), Err(OverQuota::Bytes { limit: 100 }));
        meter.grow(10).unwrap();
        meter.add_file().unwrap();
        assert_eq!(meter.add_file(), Err(OverQuota::Count { limit: 2 }));
        meter.shrink(50);
        meter.remove_file();
        assert_eq!(meter.used(), (50, 1));
        meter.shrink(u64::MAX);
        assert_eq!(meter.used(), (0, 1));
        meter.recount(Contents { entries: 2, bytes: 99 });
        assert_eq!(meter.grow(2), Err(OverQuota::Bytes { limit: 100 }));
    }
}
