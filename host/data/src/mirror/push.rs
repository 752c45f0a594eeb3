//! What a request changed goes to the bucket, path by path: what is on disk there now is what the bucket is to have.

use super::index::{Found, Known};
use super::{Mirror, MirrorError, MirrorSession};
use crate::DataError;
use crate::data::aside;
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// Paths of one request that are stored at once.
const AT_ONCE: usize = 8;

/// What is to be stored: what there is, and a file's bytes.
enum Local {
    Nothing,
    Folder,
    File(std::fs::File, u64),
}

/// What has not been stored yet; noted anew where this is dropped.
struct Left<'a> {
    session: &'a MirrorSession,
    paths: BTreeSet<String>,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.session.put_back(std::mem::take(&mut self.paths));
    }
}

impl MirrorSession {
    /// Stores everything that was changed so far.
    ///
    /// Cancel-safe: what was not stored is stored by the next call.
    ///
    /// # Errors
    /// The first [`MirrorError`]. What could not be stored is given up: from the next touch on the mirror has what the
    /// bucket has.
    pub(crate) async fn push(&self) -> Result<(), MirrorError> {
        let paths = self.take_dirty();
        if paths.is_empty() {
            return Ok(());
        }
        let mut left = Left { session: self, paths: paths.clone() };
        let mirror = Arc::clone(&self.mirror);
        let stores = stream::iter(paths).map(move |path| {
            let mirror = Arc::clone(&mirror);
            async move {
                let stored = mirror.store(&path).await;
                (path, stored)
            }
        });
        let mut stores = stores.buffer_unordered(AT_ONCE);
        let (mut failed, mut first) = (Vec::new(), None);
        while let Some((path, stored)) = stores.next().await {
            if let Err(error) = stored {
                first.get_or_insert(error);
                failed.push(path);
            } else {
                left.paths.remove(&path);
            }
        }
        let Some(error) = first else { return Ok(()) };
        let mirror = Arc::clone(&self.mirror);
        let given_up = failed.clone();
        aside(move || mirror.spoil(&given_up)).await?;
        failed.iter().for_each(|path| {
            left.paths.remove(path);
        });
        Err(error)
    }
}

impl Mirror {
    /// Makes the bucket have at a path what is on disk there.
    async fn store(self: &Arc<Self>, path: &str) -> Result<(), MirrorError> {
        if path.is_empty() {
            // The tenant's folder is there without an object.
            return Ok(());
        }
        let turn = self.turn(path);
        let _turn = turn.lock().await;
        let mirror = Arc::clone(self);
        let at = path.to_owned();
        let opened = aside(move || mirror.local(&at)).await?;
        let local = opened.map_err(DataError::io("read", path))?;
        let known = self.state.lock().index.known(path);
        match local {
            Local::File(file, size) => self.store_file(path, known, file, size).await,
            Local::Folder => self.store_folder(path, known).await,
            Local::Nothing => self.store_nothing(path, known).await,
        }
    }

    async fn store_file(
        self: &Arc<Self>,
        path: &str,
        known: Known,
        file: std::fs::File,
        size: u64,
    ) -> Result<(), MirrorError> {
        // A placeholder: nothing was changed after all.
        if known.file.is_some_and(|entry| !entry.here) {
            return Ok(());
        }
        let stored = self.bucket.put(self.tenant, path, file, size).await?;
        self.state.lock().index.stored(path, stored);
        self.remove_folder(path, known.folder).await
    }

    async fn store_folder(self: &Arc<Self>, path: &str, known: Known) -> Result<(), MirrorError> {
        if known.folder != Some(true) {
            self.bucket.put_folder(self.tenant, path).await?;
            self.state.lock().index.stored_folder(path);
        }
        self.remove_file(path, known.file.is_some()).await
    }

    async fn store_nothing(self: &Arc<Self>, path: &str, known: Known) -> Result<(), MirrorError> {
        // Nothing where a placeholder should be: it was not the guest who removed it.
        self.remove_file(path, known.file.is_some_and(|entry| entry.here)).await?;
        self.remove_folder(path, known.folder).await
    }

    async fn remove_file(&self, path: &str, is_known: bool) -> Result<(), MirrorError> {
        if is_known {
            self.bucket.delete(self.tenant, path).await?;
            self.state.lock().index.removed_file(path);
        }
        Ok(())
    }

    async fn remove_folder(&self, path: &str, known: Option<bool>) -> Result<(), MirrorError> {
        if known == Some(true) {
            self.bucket.delete_folder(self.tenant, path).await?;
        }
        if known.is_some() {
            self.state.lock().index.removed_folder(path);
        }
        Ok(())
    }

    fn local(&self, path: &str) -> io::Result<Local> {
        match self.found(path) {
            Found::Nothing => Ok(Local::Nothing),
            Found::Folder => Ok(Local::Folder),
            Found::File => {
                let file = self.root.open(path)?;
                let size = file.metadata()?.len();
                Ok(Local::File(file.into_std(), size))
            }
        }
    }
}
