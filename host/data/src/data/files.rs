//! The door for files: a tenant's folder on this machine, or the mirror of what a bucket has of it.

use super::{Data, blocking};
use crate::files::{FilesMeter, TenantFiles};
use crate::home::Contents;
use crate::mirror::{Mark, Mirror, MirrorError, MirrorSession};
use crate::mirrors::Mirrors;
use crate::{DataError, SqlError};
use rowhouse_base::Subject;
use rowhouse_base::id::TenantId;
use rowhouse_tenant::Tenant;
use std::sync::{Arc, Weak};

/// How the end of a request went.
#[derive(Debug)]
pub struct Settled {
    /// Whether everything that it wrote to files is where it belongs. Where it is not, the request has failed.
    pub stored: Result<(), MirrorError>,
    /// Whether what it changed is known. Where it is not, that is to be tried again.
    pub told: Result<(), SqlError>,
}

impl Data {
    /// The tenant's files. Counts them where no other instance of the tenant is running; a mirror is counted when it is
    /// listed.
    ///
    /// # Errors
    /// [`DataError`] where the folder can't be opened or counted.
    pub async fn files(&self, tenant: &Arc<Tenant>) -> Result<TenantFiles, DataError> {
        if let Some(mirrors) = &self.mirrors {
            return mirrored(mirrors, tenant).await;
        }
        let (home, id) = (Arc::clone(&self.home), tenant.id);
        let known = self.meters.lock().get(&id).and_then(Weak::upgrade);
        let scan = known.is_none();
        // One whose database is a file here was made here.
        let elsewhere = !self.engines.has_file(tenant);
        let ((dir, path), found) = blocking(move || {
            let found = if scan { home.files_contents(id)? } else { Contents::default() };
            Ok((home.files(id, elsewhere)?, found))
        })
        .await?;
        let meter = known.unwrap_or_else(|| self.meter(tenant, found));
        meter.set_limits(tenant.limits.files_bytes, tenant.limits.files_count);
        Ok(TenantFiles { dir, path, meter, mirror: None })
    }

    /// The shared meter, made from a scan where no other call was first.
    fn meter(&self, tenant: &Tenant, found: Contents) -> Arc<FilesMeter> {
        let mut meters = self.meters.lock();
        if let Some(meter) = meters.get(&tenant.id).and_then(Weak::upgrade) {
            return meter;
        }
        meters.retain(|_, meter| meter.strong_count() > 0);
        let meter = Arc::new(FilesMeter::new(found, tenant.limits.files_bytes, tenant.limits.files_count));
        meters.insert(tenant.id, Arc::downgrade(&meter));
        meter
    }

    /// Begins a request's use of a mirror: it will see at least what was stored until now. The count of changes is read
    /// here, before the guest holds a connection that it might wait for.
    pub async fn begin_files(&self, tenant: &Arc<Tenant>, mirror: &Arc<Mirror>) -> Arc<MirrorSession> {
        // Where nobody knows the count, the bucket is listed.
        let mark = match self.versions(tenant).await {
            Ok(versions) => Some(Mark::of(&versions)),
            Err(error) => {
                tracing::debug!(tenant = %tenant.id, %error, "read the count of changes to files");
                None
            }
        };
        MirrorSession::new(mirror, mark)
    }

    /// Ends a request's work so far: stores what it wrote to files, then moves the counts of what it changed. In this
    /// order, so that another server that sees a new count finds the new bytes; counts move even where something could not
    /// be stored, because something else may have been.
    ///
    /// Cancel-safe as to files: what was not stored is stored the next time. Counts may have moved or not.
    pub async fn settle(
        &self,
        tenant: &Arc<Tenant>,
        files: Option<&Arc<MirrorSession>>,
        subjects: &[Subject],
    ) -> Settled {
        let Some(session) = files.filter(|_| subjects.contains(&Subject::files())) else {
            return Settled { stored: Ok(()), told: self.move_subjects(tenant, subjects).await };
        };
        let stored = session.push().await;
        let told = self.move_listed(tenant, session, subjects).await;
        Settled { stored, told }
    }

    /// Moves counts, that of files among them. A mirror that saw nobody else's change in between is still up to date.
    async fn move_listed(
        &self,
        tenant: &Arc<Tenant>,
        session: &Arc<MirrorSession>,
        subjects: &[Subject],
    ) -> Result<(), SqlError> {
        let mut listed = session.mirror().listed.lock().await;
        let moved = self.move_subjects(tenant, subjects).await;
        // A move that failed may have happened all the same.
        let now = match &moved {
            Ok(()) => self.versions(tenant).await.ok().map(|versions| Mark::of(&versions)),
            Err(_) => None,
        };
        listed.moved_to(now);
        moved
    }

    /// Lets go of what this server keeps of the files of a tenant that is gone.
    pub fn forget_mirror(&self, id: TenantId) {
        if let Some(mirrors) = &self.mirrors {
            mirrors.forget(id);
        }
    }

    /// Lets go of mirrors where they take more room than they may. To be called every few seconds.
    pub async fn shrink_mirrors(&self) {
        let Some(mirrors) = self.mirrors.clone() else { return };
        let _ended_early = blocking(move || {
            mirrors.shrink();
            Ok(())
        })
        .await;
    }
}

async fn mirrored(mirrors: &Arc<Mirrors>, tenant: &Tenant) -> Result<TenantFiles, DataError> {
    let (mirrors, id) = (Arc::clone(mirrors), tenant.id);
    let (mirror, dir) = blocking(move || {
        let mirror = mirrors.of(id)?;
        let dir = mirror.dir().map_err(DataError::io("open the mirror of", id.to_string()))?;
        Ok((mirror, dir))
    })
    .await?;
    let meter = Arc::clone(mirror.meter());
    meter.set_limits(tenant.limits.files_bytes, tenant.limits.files_count);
    Ok(TenantFiles { dir, path: mirror.path(), meter, mirror: Some(mirror) })
}
