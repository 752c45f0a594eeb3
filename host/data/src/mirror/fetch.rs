//! A file's bytes come to this machine: into a file beside the guest's folder, then in the placeholder's place.

use super::index::Entry;
use super::{Mirror, MirrorError};
use crate::DataError;
use crate::data::aside;
use crate::objects::Object;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use std::sync::Arc;

/// How often a file is fetched that is another one by the time it is here.
const ATTEMPTS: u32 = 3;

/// A file on its way. It goes with the value, unless it has come to its place.
struct Spare {
    mirror: Arc<Mirror>,
    name: String,
}

impl Drop for Spare {
    fn drop(&mut self) {
        // Not there any more where it was placed.
        let _gone = self.mirror.spare.remove_file(&self.name);
    }
}

impl Mirror {
    /// Fetches a file's bytes where only a placeholder is there. One that the bucket has no more goes away here too.
    ///
    /// Cancel-safe: what came so far is thrown away.
    pub(super) async fn fetch(self: &Arc<Self>, path: &str) -> Result<(), MirrorError> {
        let turn = self.turn(path);
        let _turn = turn.lock().await;
        for _attempt in 0..ATTEMPTS {
            let missing = self.state.lock().index.missing(path);
            let Some(wanted) = missing else { return Ok(()) };
            let mirror = Arc::clone(self);
            let made = aside(move || mirror.spare_file()).await?;
            let (name, file) = made.map_err(DataError::io("make a file in the mirror", self.name.clone()))?;
            let spare = Spare { mirror: Arc::clone(self), name };
            let object = self.bucket.get(self.tenant, path, file, wanted.size).await?;
            let shared = Arc::clone(&self.shape).read_owned().await;
            let (mirror, path) = (Arc::clone(self), path.to_owned());
            let placed = aside(move || {
                let placed = mirror.place(&spare, &path, &wanted, object);
                drop(shared);
                placed
            });
            if placed.await? {
                return Ok(());
            }
        }
        Err(MirrorError::Unsteady(path.to_owned()))
    }

    /// Fetches several at once.
    pub(super) async fn fetch_all(
        self: &Arc<Self>,
        paths: &[String],
        at_once: usize,
    ) -> Result<(), MirrorError> {
        let mirror = Arc::clone(self);
        let fetches = stream::iter(paths.to_vec()).map(move |path| {
            let mirror = Arc::clone(&mirror);
            async move { mirror.fetch(&path).await }
        });
        fetches.buffer_unordered(at_once).try_for_each(|()| std::future::ready(Ok(()))).await
    }

    /// Puts what came in its place. False where something else is wanted there by now.
    fn place(&self, spare: &Spare, path: &str, wanted: &Entry, object: Option<Object>) -> bool {
        let mut state = self.state.lock();
        if !state.index.may_place(path, wanted) {
            return false;
        }
        match object {
            Some(object) => {
                if self.spare.rename(&spare.name, &self.root, path).is_ok() {
                    state.index.placed(path, object);
                } else {
                    // Its folder is gone, and no listing said so.
                    state.doubts += 1;
                }
            }
            None => {
                let _gone = self.root.remove_file(path);
                state.index.removed_file(path);
            }
        }
        true
    }
}
