//! The bucket that has the files of all tenants: what is asked of it, each with a bound on its time.
//!
//! The only place that knows the library for object stores. Keys are made from a tenant's id and a path inside its
//! folder; no call takes a key. What a tenant's prefix has under names that are not ours is counted and deleted with the
//! rest, and is never taken for a file. Called by the mirrors and by the room's door.

mod copy;
mod listing;
mod names;
mod settings;
mod transfer;
mod wire;

use crate::DataError;
use crate::home::Contents;
use futures_util::{StreamExt as _, stream};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectMeta, ObjectStore, PutOptions, PutPayload, RetryConfig};
use rowhouse_base::id::TenantId;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use wire::Wire;

pub use settings::{BucketKey, BucketSettings};

pub(crate) use listing::Listing;
pub(crate) use transfer::{Object, Stored};

/// For one answer without much of a body: a page of a list, a deletion. Stores answer such in well under a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes a second that a transfer is given: a slow line still passes, one that stands still ends.
const RATE: u64 = 1 << 20;

/// The longest key that S3 takes.
const MOST_KEY: usize = 1024;

/// Objects of one tenant that are listed; a tenant may have 100,000 files and folders by default.
const MOST_OBJECTS: u64 = 1_000_000;

/// Objects that one request for deletion may name.
const DOOMED: usize = 1_000;

/// What each of them may add to its time.
const DELETION: Duration = Duration::from_millis(20);

/// Why the bucket did not do what was asked. For operators; texts hold keys of objects, never keys to the store.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The store refused, or could not be reached.
    #[error("{action} `{object}` in the bucket: {reason}")]
    Refused {
        /// What was tried, a verb.
        action: &'static str,
        /// The object or prefix.
        object: String,
        /// The store's or the library's words.
        reason: String,
    },
    /// No answer in time.
    #[error("{action} `{object}` in the bucket: no answer in {} s", waited.as_secs())]
    Late {
        /// What was tried, a verb.
        action: &'static str,
        /// The object or prefix.
        object: String,
        /// How long was waited.
        waited: Duration,
    },
    /// The file on this machine's disk can't be read or written.
    #[error("copy `{object}` between the bucket and this machine")]
    Disk {
        /// The object.
        object: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The path is too long for a key.
    #[error("`{0}` is longer than an object's name may be")]
    Name(String),
    /// A tenant has more objects than are listed.
    #[error("there are more than {most} objects under `{0}` in the bucket", most = MOST_OBJECTS)]
    Many(String),
    /// The settings lead nowhere.
    #[error("set the bucket up: {0}")]
    Setup(String),
    /// Work on a thread ended without a result.
    #[error(transparent)]
    Task(Box<DataError>),
}

/// The bucket.
pub(crate) struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// Empty, or ends with a slash.
    prefix: String,
}

/// Asks a bucket for what the server needs of it first: one small list. Changes nothing.
///
/// # Errors
/// [`BucketError`] says what is wrong.
pub async fn look_at_bucket(settings: &BucketSettings) -> Result<(), BucketError> {
    Bucket::open(settings)?.look().await
}

impl Bucket {
    /// Sets the client up. Connects to nothing.
    pub(crate) fn open(settings: &BucketSettings) -> Result<Self, BucketError> {
        let wire = Wire::new(settings.allow_http, settings.authorities.as_deref())?;
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            base: 2.0,
        };
        let mut builder = AmazonS3Builder::new()
            .with_http_connector(wire)
            .with_bucket_name(&settings.name)
            .with_region(&settings.region)
            .with_allow_http(settings.allow_http)
            .with_retry(RetryConfig { backoff, max_retries: 3, retry_timeout: PATIENCE })
            .with_access_key_id(&settings.key.id)
            .with_secret_access_key(settings.key.secret.reveal());
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some(token) = &settings.key.token {
            builder = builder.with_token(token.reveal());
        }
        let store = builder.build().map_err(|error| BucketError::Setup(error.to_string()))?;
        Ok(Self::over(Arc::new(store), &settings.prefix))
    }

    /// The same over any store.
    pub(crate) fn over(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { store, prefix }
    }

    /// Whether it answers us.
    pub(crate) async fn look(&self) -> Result<(), BucketError> {
        let prefix = Path::parse(&self.prefix).map_err(|error| BucketError::Setup(error.to_string()))?;
        let mut objects = self.store.list(Some(&prefix));
        let first = within(PATIENCE, "list", &self.prefix, async { Ok(objects.next().await) }).await?;
        match first {
            Some(Err(error)) => Err(refused("list", &self.prefix)(error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Whether a file or folder of this path can be in the bucket.
    pub(crate) fn fits(&self, id: TenantId, path: &str) -> Result<(), BucketError> {
        // A folder's key is the longer one.
        self.at(id, &names::folder(path)).map(drop)
    }

    /// Everything that a tenant has.
    pub(crate) async fn list(&self, id: TenantId) -> Result<Listing, BucketError> {
        let mut listing = Listing::default();
        self.each(id, |key, meta| listing.take(key, Object::of(meta))).await?;
        listing.complete(id);
        Ok(listing)
    }

    /// Number of objects of a tenant and the sum of their sizes, whoever put them there.
    pub(crate) async fn contents(&self, id: TenantId) -> Result<Contents, BucketError> {
        let mut found = Contents::default();
        self.each(id, |_key, meta| found.add(meta.size)).await?;
        Ok(found)
    }

    /// Removes everything under a tenant's prefix, and tells what it was.
    pub(crate) async fn delete_all(&self, id: TenantId) -> Result<Contents, BucketError> {
        let (mut found, mut doomed) = (Contents::default(), Vec::new());
        self.each(id, |_key, meta| {
            found.add(meta.size);
            doomed.push(meta.location.clone());
        })
        .await?;
        for some in doomed.chunks(DOOMED) {
            self.delete_these(some).await?;
        }
        Ok(found)
    }

    /// Makes a folder. Nothing happens where it is.
    pub(crate) async fn put_folder(&self, id: TenantId, path: &str) -> Result<(), BucketError> {
        let at = self.at(id, &names::folder(path))?;
        let put = self.store.put_opts(&at, PutPayload::new(), PutOptions::default());
        within(PATIENCE, "store", at.as_ref(), async { put.await.map_err(refused("store", at.as_ref())) })
            .await
            .map(drop)
    }

    /// Removes a file. Nothing happens where there is none.
    pub(crate) async fn delete(&self, id: TenantId, path: &str) -> Result<(), BucketError> {
        self.delete_these(&[self.at(id, &names::file(path))?]).await
    }

    /// Removes a folder, and nothing in it. Nothing happens where there is none.
    pub(crate) async fn delete_folder(&self, id: TenantId, path: &str) -> Result<(), BucketError> {
        self.delete_these(&[self.at(id, &names::folder(path))?]).await
    }

    async fn delete_these(&self, doomed: &[Path]) -> Result<(), BucketError> {
        let first = doomed.first().map(ToString::to_string).unwrap_or_default();
        let locations: Vec<object_store::Result<Path>> = doomed.iter().cloned().map(Ok).collect();
        let time = DELETION.saturating_mul(u32::try_from(doomed.len()).unwrap_or(u32::MAX));
        let mut gone = self.store.delete_stream(stream::iter(locations).boxed());
        within(PATIENCE.saturating_add(time), "remove", &first, async {
            while let Some(result) = gone.next().await {
                match result {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(refused("remove", &first)(error)),
                }
            }
            Ok(())
        })
        .await
    }

    /// Visits every object of a tenant with its key below the tenant's prefix, in no order.
    async fn each(
        &self,
        id: TenantId,
        mut visit: impl FnMut(&str, &ObjectMeta) + Send,
    ) -> Result<(), BucketError> {
        let folder = format!("{}{id}", self.prefix);
        let at = Path::parse(&folder).map_err(|error| BucketError::Setup(error.to_string()))?;
        let mut objects = self.store.list(Some(&at));
        let mut count = 0_u64;
        loop {
            let next = within(PATIENCE, "list", &folder, async { Ok(objects.next().await) }).await?;
            let Some(found) = next else { return Ok(()) };
            let meta = found.map_err(refused("list", &folder))?;
            count += 1;
            if count > MOST_OBJECTS {
                return Err(BucketError::Many(folder));
            }
            let location: &str = meta.location.as_ref();
            let below = location.strip_prefix(folder.as_str()).and_then(|rest| rest.strip_prefix('/'));
            if let Some(key) = below {
                visit(key, &meta);
            }
        }
    }

    /// The place of a key below a tenant's prefix.
    fn at(&self, id: TenantId, key: &str) -> Result<Path, BucketError> {
        let whole = format!("{}{id}/{key}", self.prefix);
        if whole.len() > MOST_KEY {
            return Err(BucketError::Name(key.to_owned()));
        }
        // What the library would write otherwise is no name of ours.
        match Path::parse(&whole) {
            Ok(path) if path.to_string() == whole => Ok(path),
            Ok(_) | Err(_) => Err(BucketError::Name(key.to_owned())),
        }
    }
}

/// How long a transfer of so many bytes may take.
fn time_for(bytes: u64) -> Duration {
    PATIENCE.saturating_add(Duration::from_secs(bytes / RATE))
}

/// Ends work that takes too long.
async fn within<T>(
    time: Duration,
    action: &'static str,
    object: &str,
    work: impl Future<Output = Result<T, BucketError>> + Send,
) -> Result<T, BucketError> {
    match tokio::time::timeout(time, work).await {
        Ok(result) => result,
        Err(_elapsed) => Err(BucketError::Late { action, object: object.to_owned(), waited: time }),
    }
}

fn refused(action: &'static str, object: &str) -> impl FnOnce(object_store::Error) -> BucketError {
    let object = object.to_owned();
    move |error| BucketError::Refused { action, object, reason: error.to_string() }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
