//! The mirrors of this process, one for each tenant whose files were asked for.
//!
//! They begin empty with the process. One that nobody uses is let go of where all of them together take more room than they
//! may, those first that have been quiet the longest; what is asked for again is fetched again. Called by the room's door.

use crate::DataError;
use crate::home::Home;
use crate::mirror::Mirror;
use crate::objects::{Bucket, BucketSettings};
use cap_std::fs::Dir;
use parking_lot::Mutex;
use rowhouse_base::id::TenantId;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// All of them, and the bucket that they are mirrors of.
pub(crate) struct Mirrors {
    bucket: Arc<Bucket>,
    folder: Arc<Dir>,
    path: PathBuf,
    most_bytes: u64,
    tenants: Mutex<HashMap<TenantId, Arc<Mirror>>>,
}

impl Mirrors {
    /// None yet. Connects to nothing.
    pub(crate) fn open(settings: &BucketSettings, home: &Home) -> Result<Self, DataError> {
        Self::over(Bucket::open(settings)?, home, settings.mirror_bytes)
    }

    pub(crate) fn over(bucket: Bucket, home: &Home, most_bytes: u64) -> Result<Self, DataError> {
        let (folder, path) = home.mirrors()?;
        Ok(Self {
            bucket: Arc::new(bucket),
            folder: Arc::new(folder),
            path,
            most_bytes,
            tenants: Mutex::default(),
        })
    }

    pub(crate) fn bucket(&self) -> &Arc<Bucket> {
        &self.bucket
    }

    /// A tenant's mirror, made where there is none. Blocks for a moment.
    pub(crate) fn of(&self, id: TenantId) -> Result<Arc<Mirror>, DataError> {
        let mut tenants = self.tenants.lock();
        if let Some(mirror) = tenants.get(&id) {
            mirror.touch();
            return Ok(Arc::clone(mirror));
        }
        let mirror = Mirror::make(Arc::clone(&self.bucket), id, &self.folder, &self.path)?;
        tenants.insert(id, Arc::clone(&mirror));
        Ok(mirror)
    }

    /// Lets go of a tenant's mirror; its folder goes once nobody uses it any more.
    pub(crate) fn forget(&self, id: TenantId) {
        let mirror = self.tenants.lock().remove(&id);
        drop(mirror);
    }

    /// Makes room where too much is taken.
    pub(crate) fn shrink(&self) {
        let mut tenants = self.tenants.lock();
        let mut sizes: Vec<_> = tenants
            .iter()
            .map(|(id, mirror)| {
                (mirror.last_used(), *id, mirror.bytes_here(), Arc::strong_count(mirror) == 1)
            })
            .collect();
        let mut taken = sizes.iter().fold(0_u64, |sum, (_, _, bytes, _)| sum.saturating_add(*bytes));
        sizes.sort_unstable();
        let mut gone = Vec::new();
        for (_used, id, bytes, is_idle) in sizes {
            if taken <= self.most_bytes {
                break;
            }
            if is_idle {
                gone.extend(tenants.remove(&id));
                taken = taken.saturating_sub(bytes);
            }
        }
        drop(tenants);
        drop(gone);
    }
}
