//! Compiled code of one engine on disk, named by (engine, digest).
//!
//! The files hold native code: whoever can write them runs code in the server. So the folder belongs
//! to the server's user alone, and loading is the one audited use of `unsafe` in the host. A file that
//! another version of wasmtime made has another name and is never loaded.

use rowhouse_base::Digest;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::Component;

/// The folder of compiled code, and the threads that make it.
pub(crate) struct CompiledStore {
    dir: PathBuf,
    engine_hash: u64,
    threads: Arc<rayon::ThreadPool>,
}

/// Why compiled code could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompiledError {
    #[error("use the folder of compiled code {path}")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the folder of compiled code {path} can be written by others: run `chmod 700` on it")]
    OpenToOthers { path: PathBuf },
}

impl CompiledStore {
    pub(crate) fn open(
        engine: &Engine,
        dir: &Path,
        threads: Arc<rayon::ThreadPool>,
    ) -> Result<Self, CompiledError> {
        let folder = |source| CompiledError::Folder { path: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(folder)?;
        let mode = fs::metadata(dir).map_err(folder)?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(CompiledError::OpenToOthers { path: dir.to_owned() });
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { dir: dir.to_owned(), engine_hash: hasher.finish(), threads })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.join(format!("{:016x}-{digest}.cwasm", self.engine_hash))
    }

    /// Loads compiled code, none where there is no usable file.
    pub(crate) fn load(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let path = self.path(digest);
        if !path.exists() {
            return None;
        }
        match Self::read(engine, &path) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(%digest, error = %format!("{error:#}"), "compile again: the stored code can't be used");
                None
            }
        }
    }

    fn read(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
        #[expect(
            unsafe_code,
            reason = "the file was written by this host: the folder belongs to its user alone (checked in `open`), \
                      the name carries the engine's hash, and writes are atomic"
        )]
        // SAFETY: see the reason above; these are the conditions `deserialize_file` asks for.
        unsafe {
            Component::deserialize_file(engine, path)
        }
    }

    /// Compiles on threads of low priority, keeps the code on disk and loads it. Blocks the caller. Where the disk
    /// has no room the code is made once more, in memory alone: a release must not wait for a disk.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        digest: &Digest,
        bytes: &[u8],
    ) -> wasmtime::Result<Component> {
        let code = self.threads.install(|| engine.precompile_component(bytes))?;
        let Err(error) = self.keep(digest, &code) else {
            return Self::read(engine, &self.path(digest));
        };
        tracing::error!(%digest, folder = %self.dir.display(), %error, "compiled code can't be kept: each start compiles anew");
        // Loading what was just made would be one more promise to the compiler, for a disk that is full.
        self.threads.install(|| Component::new(engine, bytes))
    }

    fn keep(&self, digest: &Digest, code: &[u8]) -> io::Result<()> {
        let target = self.path(digest);
        let draft = target.with_extension(format!("{}.draft", std::process::id()));
        let kept = Self::write(&draft, code).and_then(|()| fs::rename(&draft, &target));
        if kept.is_err() {
            // It would take the room that there isn't.
            let _ = fs::remove_file(&draft);
        }
        kept?;
        File::open(&self.dir)?.sync_all()
    }

    fn write(draft: &Path, code: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
        file.write_all(code)?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_cannot_be_kept_is_loaded_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let threads = Arc::new(rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap());
        let store = CompiledStore::open(&engine, folder.path(), threads).unwrap();
        let digest = Digest::of(b"(component)");
        // Where the file would be there is a folder: not even root can put a file in its place.
        fs::create_dir_all(store.path(&digest).join("in-the-way")).unwrap();
        let code = wat::parse_str("(component)").unwrap();
        store.compile(&engine, &digest, &code).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()).collect();
        assert_eq!(left, [store.path(&digest)], "no draft is left");
    }
}
