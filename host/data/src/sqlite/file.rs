//! A tenant's database as a file: emptied.
//!
//! Emptying puts a new file in the old one's place by renaming, so that after a crash there is one or the
//! other. Invariant: no log outlives the file that it belongs to; the engine would write it into the next.

use super::connection::{Conn, DbFile, prepare_file};
use super::{Engine, versions};
use crate::SqlError;
use rowhouse_tenant::Tenant;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

impl Engine {
    /// Empties a tenant's database: no tables, no migrations applied. False where connections stayed in use
    /// for all of `wait`; nothing was changed then. New statements are refused meanwhile.
    pub(crate) async fn reset(self: &Arc<Self>, tenant: &Tenant, wait: Duration) -> Result<bool, SqlError> {
        if let Some(registry) = self.registry() {
            if !self.close(tenant.id, wait).await {
                return Ok(false);
            }
            return registry.reset(tenant.id).await.map(|_removed| true);
        }
        let slot = self.slot(tenant);
        let Some(held) = self.slots.hold(&slot, wait).await else { return Ok(false) };
        let (file, _own) = self.place_of(tenant.id);
        let (done, result) = oneshot::channel();
        self.threads.run(move || {
            let replaced = replace(&file);
            // Before anybody hears of it, so that they find the tenant's places free.
            drop(held);
            let _unheard = done.send(replaced);
        });
        match result.await {
            Ok(replaced) => replaced.map(|()| true),
            Err(_thread) => Err(SqlError::other("the thread that empties the database failed")),
        }
    }
}

fn replace(DbFile { path: file, opening }: &DbFile) -> Result<(), SqlError> {
    let new = beside(file, ".new");
    let make = || -> io::Result<()> {
        for suffix in ["", "-wal", "-shm"] {
            remove(&beside(&new, suffix))?;
        }
        make_file(&new)
    };
    make().map_err(failed("make an empty database"))?;
    prepare_file(&DbFile { path: new.clone(), opening: *opening }, &versions::tables())?;
    // The log goes into the old file and is removed with it; where the file can't be opened any more the
    // log is of no use.
    if let Err(error) = fold_log(&DbFile { path: file.clone(), opening: *opening }) {
        tracing::warn!(%error, "a database to be emptied could not be closed in good order");
    }
    let swap = || -> io::Result<()> {
        for suffix in ["-wal", "-shm"] {
            remove(&beside(file, suffix))?;
            remove(&beside(&new, suffix))?;
        }
        File::open(&new)?.sync_all()?;
        std::fs::rename(&new, file)?;
        sync_folder(file)
    };
    swap().map_err(failed("replace a database"))
}

fn fold_log(file: &DbFile) -> Result<(), SqlError> {
    let conn = Conn::open(file, u64::MAX, None)?;
    conn.as_host(|db| db.query_row("PRAGMA journal_mode = DELETE", [], |_row| Ok(())))
}

fn make_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// An operator's error; guests never get here.
fn failed(action: &'static str) -> impl FnOnce(io::Error) -> SqlError {
    move |error| SqlError::other(format!("{action}: {error}"))
}
