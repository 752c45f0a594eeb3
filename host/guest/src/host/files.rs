//! `/files` with a quota: WASI's own filesystem, with every call that can use up space counted first.
//!
//! Bytes are charged before they are written and given back when a file is truncated or removed. Bytes
//! that overwrite others in the middle of a file are charged as if they were new, so the count is never
//! below the truth; the data room counts afresh when no guest of the tenant has run for a while. Where the
//! folder is a mirror of a bucket, calls that read fetch first and calls that change take notes (`mirrored`).
//! Through WASI 0.3 there are no files yet: its calls would pass by this count.

mod mirrored;

use crate::changes::Changes;
use crate::store::{Errand, GuestState};
use crate::trace::Trace;
use bytes::Bytes;
use rowhouse_base::Subject;
use rowhouse_data::{FilesMeter, Mirror, MirrorSession, OverQuota};
use std::sync::Arc;
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{self, HostDescriptor, HostDirectoryEntryStream};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, FsError, FsResult, OutputStream, Pollable, StreamError, StreamResult,
};

type Fd = Resource<Descriptor>;
type Entries = Resource<types::DirectoryEntryStream>;

/// The count of the tenant's folder, held by the store for as long as the guest lives, and those who must know
/// that files were read or changed for the request at hand.
#[derive(Clone)]
pub(crate) struct FilesMeterSlot {
    meter: Arc<FilesMeter>,
    /// Where the folder is a mirror: of what, and this request's use of it.
    mirror: Option<Arc<Mirror>>,
    session: Option<Arc<MirrorSession>>,
    trace: Option<Arc<Trace>>,
    changes: Option<Arc<Changes>>,
}

impl FilesMeterSlot {
    pub(crate) fn new(
        meter: Arc<FilesMeter>,
        mirror: Option<Arc<Mirror>>,
        session: Option<Arc<MirrorSession>>,
        errand: &Errand,
    ) -> Self {
        let (trace, changes) = (errand.trace.clone(), Some(Arc::clone(&errand.changes)));
        Self { meter, mirror, session, trace, changes }
    }

    /// Belongs to the next request from now on.
    pub(crate) fn renew(&mut self, session: Option<Arc<MirrorSession>>, errand: &Errand) {
        self.session = session;
        self.trace.clone_from(&errand.trace);
        self.changes = Some(Arc::clone(&errand.changes));
    }

    /// Belongs to no request until the next one.
    pub(crate) fn rest(&mut self) {
        self.session = None;
        self.trace = None;
        self.changes = None;
    }

    /// What the guest's folder is a mirror of.
    pub(crate) fn mirror(&self) -> Option<Arc<Mirror>> {
        self.mirror.clone()
    }

    fn reads(&self) {
        if let Some(trace) = &self.trace {
            trace.read_files();
        }
    }

    fn writes(&self) {
        if let Some(changes) = &self.changes {
            changes.note(Subject::files());
        }
    }
}

/// Names [`QuotaView`] to the linker.
pub(crate) struct QuotaFiles;

impl HasData for QuotaFiles {
    type Data<'a> = QuotaView<'a>;
}

/// WASI's filesystem and the count beside it.
pub(crate) struct QuotaView<'a> {
    inner: WasiFilesystemCtxView<'a>,
    meter: Option<FilesMeterSlot>,
}

impl GuestState {
    pub(crate) fn quota_files(&mut self) -> QuotaView<'_> {
        // Every way to a file's bytes or to what a folder has leads through here.
        let meter = self.files.clone();
        if let Some(files) = &meter {
            files.reads();
        }
        QuotaView { inner: self.filesystem(), meter }
    }
}

/// Which bound it was, the operator finds in the tenant's usage.
fn full(_over: OverQuota) -> FsError {
    types::ErrorCode::Quota.into()
}

impl QuotaView<'_> {
    fn meter(&self) -> FsResult<&FilesMeter> {
        self.meter.as_ref().map(|slot| &*slot.meter).ok_or_else(|| types::ErrorCode::NotPermitted.into())
    }

    fn charge(&self, bytes: u64) -> FsResult<()> {
        self.writes();
        self.meter()?.grow(bytes).map_err(full)
    }

    fn charge_entry(&self) -> FsResult<()> {
        self.writes();
        self.meter()?.add_file().map_err(full)
    }

    fn writes(&self) {
        if let Some(files) = &self.meter {
            files.writes();
        }
    }

    /// What is at a path, none where there is nothing.
    async fn found_at(
        &mut self,
        fd: &Fd,
        flags: types::PathFlags,
        path: &str,
    ) -> Option<types::DescriptorStat> {
        self.inner.stat_at(Resource::new_borrow(fd.rep()), flags, path.to_owned()).await.ok()
    }

    /// Size of the file at a path, none where there is no file.
    async fn size_at(&mut self, fd: &Fd, flags: types::PathFlags, path: &str) -> Option<u64> {
        let found = self.found_at(fd, flags, path).await?;
        Some(if found.type_ == types::DescriptorType::RegularFile { found.size } else { 0 })
    }

    /// Puts a counting stream in the place of the one WASI made.
    fn counted(&mut self, stream: Resource<DynOutputStream>, fd: u32) -> FsResult<Resource<DynOutputStream>> {
        let Some(meter) = self.meter.clone() else { return Err(types::ErrorCode::NotPermitted.into()) };
        let path = meter.session.as_ref().and_then(|session| session.path_of(fd));
        let inner = self.inner.table.delete(stream).map_err(FsError::trap)?;
        let counting: DynOutputStream = Box::new(CountedStream { inner, meter, path });
        self.inner.table.push(counting).map_err(FsError::trap)
    }

    /// Opens a path and counts what that makes or empties.
    async fn open_counted(
        &mut self,
        fd: Fd,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Fd> {
        let changes = types::OpenFlags::CREATE | types::OpenFlags::TRUNCATE;
        if !open_flags.intersects(changes) {
            return self.inner.open_at(fd, path_flags, path, open_flags, flags).await;
        }
        let before = self.size_at(&fd, path_flags, &path).await;
        self.writes();
        if before.is_none() {
            self.charge_entry()?;
        }
        let opened = self.inner.open_at(fd, path_flags, path, open_flags, flags).await;
        match (&opened, before) {
            (Ok(_), Some(size)) if open_flags.contains(types::OpenFlags::TRUNCATE) => {
                self.meter()?.shrink(size)
            }
            (Err(_), None) => self.meter()?.remove_file(),
            _ => {}
        }
        opened
    }

    /// Makes a folder, unless it would be one too many.
    async fn create_directory_counted(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.charge_entry()?;
        self.inner.create_directory_at(fd, path).await
    }

    /// Removes a file and gives back what it took.
    async fn unlink_counted(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let found = self.found_at(&fd, types::PathFlags::empty(), &path).await;
        self.writes();
        self.inner.unlink_file_at(fd, path).await?;
        let meter = self.meter()?;
        meter.remove_file();
        // The bytes go with the last name only.
        if let Some(found) = found
            && found.link_count <= 1
        {
            meter.shrink(found.size);
        }
        Ok(())
    }
}

struct CountedStream {
    inner: DynOutputStream,
    meter: FilesMeterSlot,
    /// The file, where its bytes belong into a bucket.
    path: Option<String>,
}

#[wasmtime_wasi::async_trait]
impl Pollable for CountedStream {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for CountedStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let wanted = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.meter.writes();
        if let (Some(session), Some(path)) = (&self.meter.session, &self.path) {
            session.note(path);
        }
        if self.meter.meter.grow(wanted).is_err() {
            let error = std::io::Error::from(std::io::ErrorKind::QuotaExceeded);
            return Err(StreamError::LastOperationFailed(error.into()));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

impl types::Host for QuotaView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<types::ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        self.inner.filesystem_error_code(error)
    }
}

impl HostDescriptor for QuotaView<'_> {
    // Calls that can use up space.

    async fn set_size(&mut self, fd: Fd, size: u64) -> FsResult<()> {
        let before = self.inner.stat(Resource::new_borrow(fd.rep())).await?.size;
        self.charge(size.saturating_sub(before))?;
        self.changes_open(fd.rep());
        self.inner.set_size(fd, size).await?;
        self.meter()?.shrink(before.saturating_sub(size));
        Ok(())
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        self.charge(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        self.changes_open(fd.rep());
        self.inner.write(fd, bytes, offset).await
    }

    fn write_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynOutputStream>> {
        let open = fd.rep();
        let stream = self.inner.write_via_stream(fd, offset)?;
        self.counted(stream, open)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let open = fd.rep();
        let stream = self.inner.append_via_stream(fd)?;
        self.counted(stream, open)
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Fd> {
        match self.current().await? {
            Some(session) => self.open_mirrored(session, fd, path_flags, path, open_flags, flags).await,
            None => self.open_counted(fd, path_flags, path, open_flags, flags).await,
        }
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        match self.current().await? {
            Some(session) => self.create_directory_mirrored(session, fd, path).await,
            None => self.create_directory_counted(fd, path).await,
        }
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        from: String,
        to_fd: Fd,
        to: String,
    ) -> FsResult<()> {
        // Two names in a bucket are two files.
        if self.is_mirrored() {
            return Err(types::ErrorCode::Unsupported.into());
        }
        self.charge_entry()?;
        self.inner.link_at(fd, flags, from, to_fd, to).await
    }

    /// Refused: a link that leads out of the folder would be followed by backups and other tools.
    async fn symlink_at(&mut self, _fd: Fd, _from: String, _to: String) -> FsResult<()> {
        Err(types::ErrorCode::NotPermitted.into())
    }

    // Everything else passes through, while no file is replaced where the folder is a mirror.

    async fn advise(&mut self, fd: Fd, offset: u64, len: u64, advice: types::Advice) -> FsResult<()> {
        self.inner.advise(fd, offset, len, advice).await
    }

    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.inner.sync_data(fd).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<types::DescriptorFlags> {
        self.inner.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<types::DescriptorType> {
        self.inner.get_type(fd).await
    }

    async fn set_times(
        &mut self,
        fd: Fd,
        access: types::NewTimestamp,
        data: types::NewTimestamp,
    ) -> FsResult<()> {
        self.writes();
        self.inner.set_times(fd, access, data).await
    }

    async fn read(&mut self, fd: Fd, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        self.inner.read(fd, length, offset).await
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Entries> {
        let _still = self.look().await?;
        self.inner.read_directory(fd).await
    }

    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.inner.sync(fd).await
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<types::DescriptorStat> {
        let _still = self.look().await?;
        self.inner.stat(fd).await
    }

    async fn stat_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        let _still = self.look().await?;
        self.inner.stat_at(fd, flags, path).await
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
        access: types::NewTimestamp,
        data: types::NewTimestamp,
    ) -> FsResult<()> {
        let _still = self.look().await?;
        self.writes();
        self.inner.set_times_at(fd, flags, path, access, data).await
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.closed(fd.rep());
        HostDescriptor::drop(&mut self.inner, fd)
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        let _still = self.look().await?;
        self.inner.readlink_at(fd, path).await
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let _going = self.going(fd.rep(), &path).await?;
        self.writes();
        self.inner.remove_directory_at(fd, path).await?;
        self.meter()?.remove_file();
        Ok(())
    }

    async fn rename_at(&mut self, fd: Fd, from: String, to_fd: Fd, to: String) -> FsResult<()> {
        self.writes();
        match self.current().await? {
            Some(session) => self.rename_mirrored(session, fd, from, to_fd, to).await,
            None => self.inner.rename_at(fd, from, to_fd, to).await,
        }
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        let going = self.going(fd.rep(), &path).await?;
        self.unlink_counted(fd, path).await?;
        if let Some(going) = going {
            going.gone();
        }
        Ok(())
    }

    fn read_via_stream(&mut self, fd: Fd, offset: u64) -> FsResult<Resource<DynInputStream>> {
        self.inner.read_via_stream(fd, offset)
    }

    async fn is_same_object(&mut self, a: Fd, b: Fd) -> wasmtime::Result<bool> {
        self.inner.is_same_object(a, b).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<types::MetadataHashValue> {
        let _still = self.look().await?;
        self.inner.metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Fd,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        let _still = self.look().await?;
        self.inner.metadata_hash_at(fd, flags, path).await
    }
}

impl HostDirectoryEntryStream for QuotaView<'_> {
    async fn read_directory_entry(&mut self, entries: Entries) -> FsResult<Option<types::DirectoryEntry>> {
        self.inner.read_directory_entry(entries).await
    }

    fn drop(&mut self, entries: Entries) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.inner, entries)
    }
}

/// WASI 0.3's preopens: none.
pub(crate) struct NoFiles;

/// See [`NoFiles`].
pub(crate) struct NoFilesView;

impl HasData for NoFiles {
    type Data<'a> = NoFilesView;
}

impl wasmtime_wasi::p3::bindings::filesystem::preopens::Host for NoFilesView {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        Ok(Vec::new())
    }
}
