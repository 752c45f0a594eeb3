//! Bytes between the bucket and a file of this machine, in constant memory.

use super::{Bucket, BucketError, names, refused, time_for, within};
use crate::data::aside;
use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{
    GetOptions, GetResult, MultipartUpload, ObjectMeta, ObjectStore as _, PutMultipartOptions, PutOptions,
    PutPayload,
};
use rowhouse_base::id::TenantId;
use std::fs::{File, FileTimes};
use std::io::{self, Read as _, Write as _};
use std::time::SystemTime;

/// Bytes of one part of a large object. S3 takes parts from 5 MiB on, 10,000 of them; some stores want all but the last
/// of one size.
const PART: usize = 8 << 20;

/// Bytes that are gathered before they are written: a hop to another thread for each packet would cost more than the write.
const CHUNK: usize = 1 << 20;

/// What the bucket says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) size: u64,
    /// Differs with the content; none where the store tells none.
    pub(crate) etag: Option<String>,
    pub(crate) modified: SystemTime,
}

/// An object as it was stored just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) size: u64,
    pub(crate) etag: Option<String>,
}

impl Object {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        Self { size: meta.size, etag: etag(meta.e_tag.as_deref()), modified: meta.last_modified.into() }
    }
}

/// Without quotes, which lists and answers of some stores disagree about.
fn etag(text: Option<&str>) -> Option<String> {
    let text = text?;
    let bare = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    (!bare.is_empty()).then(|| bare.to_owned())
}

impl Bucket {
    /// Fetches a file into `to`, as it is now; none where there is no such object. `expected` bounds the time.
    pub(crate) async fn get(
        &self,
        id: TenantId,
        path: &str,
        to: File,
        expected: u64,
    ) -> Result<Option<Object>, BucketError> {
        let at = self.at(id, &names::file(path))?;
        within(time_for(expected), "fetch", at.as_ref(), async {
            let answer = match self.store.get_opts(&at, GetOptions::default()).await {
                Ok(answer) => answer,
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(refused("fetch", at.as_ref())(error)),
            };
            let object = Object::of(&answer.meta);
            receive(&at, answer, to, &object).await?;
            Ok(Some(object))
        })
        .await
    }

    /// Stores a file's bytes as they are now. `expected` bounds the time.
    pub(crate) async fn put(
        &self,
        id: TenantId,
        path: &str,
        from: File,
        expected: u64,
    ) -> Result<Stored, BucketError> {
        let at = self.at(id, &names::file(path))?;
        within(time_for(expected), "store", at.as_ref(), async {
            let (first, from) = read_part(&at, from).await?;
            if first.len() < PART {
                self.put_whole(&at, first).await
            } else {
                self.put_parts(&at, first, from).await
            }
        })
        .await
    }

    async fn put_whole(&self, at: &Path, bytes: Vec<u8>) -> Result<Stored, BucketError> {
        let size = length(bytes.len());
        let put = self.store.put_opts(at, PutPayload::from(bytes), PutOptions::default()).await;
        let stored = put.map_err(refused("store", at.as_ref()))?;
        Ok(Stored { size, etag: etag(stored.e_tag.as_deref()) })
    }

    /// The object is there whole once the last part is; until then it is as it was.
    async fn put_parts(&self, at: &Path, first: Vec<u8>, from: File) -> Result<Stored, BucketError> {
        let begun = self.store.put_multipart_opts(at, PutMultipartOptions::default()).await;
        let mut upload = begun.map_err(refused("store", at.as_ref()))?;
        let sent = send_parts(at, &mut upload, first, from).await;
        if sent.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%error, object = %at, "parts of an object that was not stored are left in the bucket");
        }
        let size = sent?;
        let stored = upload.complete().await.map_err(refused("store", at.as_ref()))?;
        Ok(Stored { size, etag: etag(stored.e_tag.as_deref()) })
    }
}

async fn send_parts(
    at: &Path,
    upload: &mut Box<dyn MultipartUpload>,
    first: Vec<u8>,
    from: File,
) -> Result<u64, BucketError> {
    let (mut part, mut from, mut size) = (first, from, 0_u64);
    while !part.is_empty() {
        size = size.saturating_add(length(part.len()));
        upload.put_part(PutPayload::from(part)).await.map_err(refused("store", at.as_ref()))?;
        (part, from) = read_part(at, from).await?;
    }
    Ok(size)
}

async fn receive(at: &Path, answer: GetResult, to: File, object: &Object) -> Result<(), BucketError> {
    let mut pieces = answer.into_stream();
    let (mut to, mut gathered, mut bytes, mut size) = (to, Vec::new(), 0, 0_u64);
    loop {
        let piece = pieces.next().await.transpose().map_err(refused("fetch", at.as_ref()))?;
        let has_ended = piece.is_none();
        if let Some(piece) = piece {
            bytes += piece.len();
            size = size.saturating_add(length(piece.len()));
            gathered.push(piece);
        }
        if has_ended || bytes >= CHUNK {
            to = write(at, to, std::mem::take(&mut gathered)).await?;
            bytes = 0;
        }
        if has_ended {
            break;
        }
    }
    if size != object.size {
        let reason = format!("{size} bytes came of {}", object.size);
        return Err(BucketError::Refused { action: "fetch", object: at.to_string(), reason });
    }
    let times = FileTimes::new().set_modified(object.modified);
    on_disk(at, move || to.set_times(times)).await
}

async fn write(at: &Path, mut to: File, pieces: Vec<Bytes>) -> Result<File, BucketError> {
    on_disk(at, move || {
        for piece in &pieces {
            to.write_all(piece)?;
        }
        Ok(to)
    })
    .await
}

/// The next bytes, as many as a part has; fewer at the end.
async fn read_part(at: &Path, mut from: File) -> Result<(Vec<u8>, File), BucketError> {
    on_disk(at, move || {
        let mut part = Vec::new();
        (&mut from).take(length(PART)).read_to_end(&mut part)?;
        Ok((part, from))
    })
    .await
}

async fn on_disk<T: Send + 'static>(
    at: &Path,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BucketError> {
    let done = aside(work).await.map_err(|error| BucketError::Task(Box::new(error)))?;
    done.map_err(|source| BucketError::Disk { object: at.to_string(), source })
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
