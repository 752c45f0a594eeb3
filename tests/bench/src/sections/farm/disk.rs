//! A small disk of a server's own: a tmpfs, which root alone may mount. It can be filled to the last page.

use std::fs::{File, read_to_string, remove_file};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::places::Places;

/// Several times what a server keeps of the sites of a farm: compiled code, a snapshot, some files.
const OPTIONS: &str = "size=64m,mode=0700";

/// What fills it. No name that a server would give.
const FILLER: &str = "filler-of-the-benchmarks";

/// See the module. Unmounted when dropped, with all that is on it.
pub(super) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts one at an empty folder of this name.
    pub(super) fn mount(places: &Places, name: &str) -> Result<Self> {
        // A run that was killed left it.
        if is_mounted(&places.work.join(name))? {
            unmount(&places.work.join(name))?;
        }
        let folder = places.fresh(name)?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", OPTIONS, "rowhouse-bench"]).arg(&folder);
        let output = command.output().context("start mount")?;
        ensure!(
            output.status.success(),
            "a full disk takes a tmpfs at {}: run this as root, where mounting is allowed ({})",
            folder.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(Self { folder })
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Fills what is free of it.
    pub(super) fn fill(&self) -> Result<()> {
        let mut filler = File::options().create(true).append(true).open(self.folder.join(FILLER))?;
        let block = vec![0_u8; 1 << 16];
        loop {
            match filler.write(&block) {
                Ok(taken) => ensure!(taken > 0, "the disk takes nothing and does not say why"),
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("fill the disk"),
            }
        }
    }

    /// Takes away what filled it.
    pub(super) fn free(&self) -> Result<()> {
        remove_file(self.folder.join(FILLER)).context("free the disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = unmount(&self.folder) {
            println!("    {} is still mounted: {error:#}", self.folder.display());
        }
    }
}

fn is_mounted(folder: &Path) -> Result<bool> {
    let mounts = read_to_string("/proc/self/mounts").context("read the mounts of this machine")?;
    // What is not there is no mount.
    let Ok(folder) = folder.canonicalize() else { return Ok(false) };
    Ok(mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == folder)))
}

/// At once for whoever looks; what is still open goes with whoever has it open.
fn unmount(folder: &Path) -> Result<()> {
    let output = Command::new("umount").arg("--lazy").arg(folder).output().context("start umount")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_known_by_its_folder() {
        assert!(is_mounted(Path::new("/proc")).unwrap());
        assert!(!is_mounted(Path::new("/proc/self")).unwrap());
        assert!(!is_mounted(Path::new("/no/such/folder")).unwrap());
    }
}
