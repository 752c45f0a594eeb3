//! Where the bucket is and as whom it is asked. Keys are secrets: nothing here shows one.

use rowhouse_base::Secret;
use std::path::PathBuf;

/// A bucket of an S3-compatible store that holds the files of all tenants.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    /// The bucket's name.
    pub name: String,
    /// What keys begin with, without a slash at either end; may be empty. Below it there is a folder for each tenant.
    pub prefix: String,
    /// `https://HOST[:PORT]`; none for AWS itself.
    pub endpoint: Option<String>,
    /// As the store knows it; one that has none takes any.
    pub region: String,
    /// Whether it may be asked without TLS.
    pub allow_http: bool,
    /// PEM certificates of authorities that are trusted beside Mozilla's list.
    pub authorities: Option<PathBuf>,
    /// As whom.
    pub key: BucketKey,
    /// Bytes of files that are kept on this machine before those of tenants who have been quiet the longest are let go.
    pub mirror_bytes: u64,
}

/// What proves to the store who asks.
#[derive(Clone, Debug)]
pub struct BucketKey {
    /// Access key id.
    pub id: String,
    /// Secret access key.
    pub secret: Secret,
    /// Session token, for keys that were given for a while.
    pub token: Option<Secret>,
}
