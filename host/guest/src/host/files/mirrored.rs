//! `/files` where the folder is a mirror of a bucket: what has to happen before and after a call of WASI's.
//!
//! A file's bytes are here before a guest can read them, and what a guest changes is noted before it is changed, so that
//! nothing is lost where a request is cut short in between. Calls by handle need nothing: what is open stays what it was.

use super::{Fd, QuotaView};
use rowhouse_base::Chain;
use rowhouse_data::{BucketError, MirrorError, MirrorSession, Needs, Still};
use std::sync::Arc;
use wasmtime_wasi::p2::bindings::filesystem::types::{self, HostDescriptor};
use wasmtime_wasi::p2::{FsError, FsResult};

/// A file or folder that is about to be removed.
pub(super) struct Going {
    session: Arc<MirrorSession>,
    path: String,
    _alone: Still,
}

impl Going {
    /// That there is nothing counts from now on.
    pub(super) fn gone(self) {
        self.session.counts_here(&self.path);
    }
}

impl QuotaView<'_> {
    /// The request's use of its mirror, up to date; none where files are in a folder of this machine.
    pub(super) async fn current(&mut self) -> FsResult<Option<Arc<MirrorSession>>> {
        let Some(session) = self.meter.as_ref().and_then(|slot| slot.session.clone()) else {
            return Ok(None);
        };
        session.ready().await.map_err(|error| self.failed(&session, &error))?;
        Ok(Some(session))
    }

    pub(super) fn is_mirrored(&self) -> bool {
        self.meter.as_ref().is_some_and(|slot| slot.session.is_some())
    }

    /// Keeps what is there as it is, where there is a mirror.
    pub(super) async fn look(&mut self) -> FsResult<Option<Still>> {
        match self.current().await? {
            Some(session) => Ok(Some(session.looking().await)),
            None => Ok(None),
        }
    }

    /// What is open there is about to be changed.
    pub(super) fn changes_open(&self, fd: u32) {
        if let Some(session) = self.meter.as_ref().and_then(|slot| slot.session.as_ref()) {
            session.note_open(fd);
        }
    }

    /// The guest lets go of a handle.
    pub(super) fn closed(&self, fd: u32) {
        if let Some(session) = self.meter.as_ref().and_then(|slot| slot.session.as_ref()) {
            session.closed(fd);
        }
    }

    /// A file or folder is about to be removed.
    pub(super) async fn going(&mut self, fd: u32, path: &str) -> FsResult<Option<Going>> {
        let Some(session) = self.current().await? else { return Ok(None) };
        let path = resolved(&session, fd, path)?;
        let alone = session.changing(Needs::Nothing).await.map_err(|error| self.failed(&session, &error))?;
        session.note(&path);
        session.note_parent(&path);
        Ok(Some(Going { session, path, _alone: alone }))
    }

    pub(super) async fn open_mirrored(
        &mut self,
        session: Arc<MirrorSession>,
        fd: Fd,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Fd> {
        let at = resolved(&session, fd.rep(), &path)?;
        let makes = open_flags.contains(types::OpenFlags::CREATE);
        let empties = open_flags.contains(types::OpenFlags::TRUNCATE);
        let still = if makes || empties {
            session.fits(&at).map_err(|error| self.failed(&session, &error))?;
            // What is emptied need not be fetched.
            session.changing(if empties { Needs::Nothing } else { Needs::File(&at) }).await
        } else {
            session.reading(&at).await
        };
        let still = still.map_err(|error| self.failed(&session, &error))?;
        if empties || (makes && self.size_at(&fd, path_flags, &path).await.is_none()) {
            session.note(&at);
        } else if makes || flags.contains(types::DescriptorFlags::WRITE) {
            session.hold(&at);
        }
        let opened = self.open_counted(fd, path_flags, path, open_flags, flags).await?;
        if empties {
            session.counts_here(&at);
        }
        session.opened(opened.rep(), at);
        drop(still);
        Ok(opened)
    }

    pub(super) async fn create_directory_mirrored(
        &mut self,
        session: Arc<MirrorSession>,
        fd: Fd,
        path: String,
    ) -> FsResult<()> {
        let at = resolved(&session, fd.rep(), &path)?;
        session.fits(&at).map_err(|error| self.failed(&session, &error))?;
        let _alone = session.changing(Needs::Nothing).await.map_err(|error| self.failed(&session, &error))?;
        session.note(&at);
        self.create_directory_counted(fd, path).await
    }

    pub(super) async fn rename_mirrored(
        &mut self,
        session: Arc<MirrorSession>,
        fd: Fd,
        from: String,
        to_fd: Fd,
        to: String,
    ) -> FsResult<()> {
        let (start, end) = (resolved(&session, fd.rep(), &from)?, resolved(&session, to_fd.rep(), &to)?);
        if start.is_empty() || end.is_empty() {
            // The tenant's folder itself: the system says why not.
            return self.inner.rename_at(fd, from, to_fd, to).await;
        }
        let needs = Needs::Tree(&start);
        let _alone = session.changing(needs).await.map_err(|error| self.failed(&session, &error))?;
        let renaming = session.renaming(&start, &end).await.map_err(|error| self.failed(&session, &error))?;
        self.inner.rename_at(fd, from, to_fd, to).await?;
        session.renamed(renaming);
        Ok(())
    }

    /// What the guest is told; the operator is told more. A page that is made of a failure is not kept.
    fn failed(&self, session: &MirrorSession, error: &MirrorError) -> FsError {
        if let Some(trace) = self.meter.as_ref().and_then(|slot| slot.trace.as_ref()) {
            trace.reads().doubt();
        }
        match error {
            MirrorError::Busy(_) => types::ErrorCode::Busy.into(),
            MirrorError::Bucket(BucketError::Name(_)) => types::ErrorCode::NameTooLong.into(),
            _ => {
                let tenant = session.tenant();
                tracing::warn!(%tenant, error = %Chain(error), "reach a site's files in the bucket");
                types::ErrorCode::Io.into()
            }
        }
    }
}

/// The path that the guest means, within the tenant's folder.
fn resolved(session: &MirrorSession, fd: u32, path: &str) -> FsResult<String> {
    session.resolve(fd, path).ok_or_else(|| types::ErrorCode::NotPermitted.into())
}
