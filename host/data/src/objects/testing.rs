//! A bucket in memory that counts what it is asked, refuses it and keeps it waiting where a test says so.

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use tokio::sync::RwLock;

/// What stands in a bucket's place.
#[derive(Debug, Default)]
pub(crate) struct TestStore {
    objects: InMemory,
    refuses: AtomicBool,
    puts: AtomicU32,
    gets: AtomicU32,
    lists: AtomicU32,
    /// Whoever holds it alone keeps everybody who stores something waiting.
    pub(crate) gate: RwLock<()>,
}

impl TestStore {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// From now on everything is refused, or nothing.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, SeqCst);
    }

    pub(crate) fn puts(&self) -> u32 {
        self.puts.load(SeqCst)
    }

    pub(crate) fn gets(&self) -> u32 {
        self.gets.load(SeqCst)
    }

    pub(crate) fn lists(&self) -> u32 {
        self.lists.load(SeqCst)
    }

    /// All keys, in order.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> =
            self.objects.list(None).map(|meta| meta.unwrap().location.to_string()).collect().await;
        keys.sort_unstable();
        keys
    }

    fn admit(&self) -> Result<()> {
        if self.refuses.load(SeqCst) { Err(refusal()) } else { Ok(()) }
    }
}

fn refusal() -> Error {
    Error::Generic { store: "test", source: "as the test said".into() }
}

impl fmt::Display for TestStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bucket in memory")
    }
}

#[async_trait]
impl ObjectStore for TestStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let _pass = self.gate.read().await;
        self.admit()?;
        self.puts.fetch_add(1, SeqCst);
        self.objects.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let _pass = self.gate.read().await;
        self.admit()?;
        self.puts.fetch_add(1, SeqCst);
        self.objects.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.admit()?;
        self.gets.fetch_add(1, SeqCst);
        self.objects.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.admit() {
            Ok(()) => self.objects.delete_stream(locations),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.lists.fetch_add(1, SeqCst);
        match self.admit() {
            Ok(()) => self.objects.list(prefix),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}
