//! A cluster of PostgreSQL in a folder of its own, and its programs. It runs as somebody who is not root, because it
//! refuses root. Who may come in, and how, is for whoever makes it to say; at first it is everybody on this machine.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to start on a busy machine, or to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Where it lives, and as whom.
pub(super) struct Place {
    folder: TempDir,
    programs: PathBuf,
    account: Option<(u32, u32)>,
}

impl Place {
    /// Makes an empty cluster.
    pub(super) fn make() -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("rowhouse-pg-").tempdir()?;
        let place = Self { folder, programs, account: account()? };
        place.give(place.folder())?;
        let mut made = place.command("initdb");
        made.args([
            "--username=postgres",
            "--auth=trust",
            "--locale=C",
            "--encoding=UTF8",
            "--no-sync",
            "-D",
        ]);
        finish(made.arg(place.data()))?;
        Ok(place)
    }

    /// The folder that goes with it. Its socket is there.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The cluster.
    pub(super) fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Gives the server what is in its folder.
    pub(super) fn give(&self, path: &Path) -> Result<()> {
        match self.account {
            Some((user, group)) => {
                chown(path, Some(user), Some(group)).context("give the server what is its own")
            }
            None => Ok(()),
        }
    }

    /// Starts the server on a free port, with these settings (`NAME=VALUE`).
    pub(super) fn start(&self, settings: &[String]) -> Result<(Child, u16)> {
        // Another program may take the port between its choice and its use.
        for _attempt in 0..5 {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            if let Some(child) = self.start_on(port, settings)? {
                return Ok((child, port));
            }
        }
        bail!("PostgreSQL ended at once, five times:\n{}", self.log())
    }

    /// The same on this port; none where it ended at once.
    pub(super) fn start_on(&self, port: u16, settings: &[String]) -> Result<Option<Child>> {
        let mut child = self.launch(port, settings)?;
        let end = Instant::now() + PATIENCE;
        while child.try_wait()?.is_none() {
            if self.ask(port, "SELECT 1").is_ok() {
                return Ok(Some(child));
            }
            if Instant::now() > end {
                end_at_once(&mut child);
                bail!("PostgreSQL does not answer:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(None)
    }

    /// Runs statements as the superuser, through the socket. Returns the rows, a line each.
    pub(super) fn ask(&self, port: u16, statements: &str) -> Result<String> {
        let mut command = self.command("psql");
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-p", &port.to_string(), "-h"]);
        let answer = finish(command.arg(self.folder()).args(["-c", statements, "postgres"]))?;
        Ok(answer.trim().to_owned())
    }

    /// What the server wrote so far.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("server.log")).unwrap_or_default()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // Its own folder: the test's may be closed to the account it runs as.
        command.current_dir(self.folder()).stdin(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    fn launch(&self, port: u16, settings: &[String]) -> Result<Child> {
        let log = File::options().create(true).append(true).open(self.folder().join("server.log"))?;
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", &format!("unix_socket_directories={}", self.folder().display())]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        command.stdout(log.try_clone()?).stderr(log).spawn().context("start PostgreSQL")
    }
}

/// SIGQUIT ends its processes at once, without a checkpoint; SIGKILL would leave them behind.
pub(super) fn end_at_once(child: &mut Child) {
    // Its number may be someone else's once it has ended.
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    let asked = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
    let end = Instant::now() + Duration::from_secs(10);
    while asked.is_ok() && Instant::now() < end {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
}

/// The folder that has the server's programs.
fn programs() -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    // Debian keeps them out of PATH, a folder for each version.
    for version in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        folders.push(version.path().join("bin"));
    }
    folders
        .into_iter()
        .find(|folder| ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).is_file()))
        .context(
            "a PostgreSQL server of one's own is started here: install the package postgresql, so that initdb, \
             postgres and psql are in PATH or in /usr/lib/postgresql/VERSION/bin",
        )
}

/// Whom to run as; none for whoever runs the test, where that isn't root.
fn account() -> Result<Option<(u32, u32)>> {
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd").context("read the accounts of this machine")?;
    let ids = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = ["postgres", "nobody"].into_iter().find_map(ids);
    found.map(Some).context("PostgreSQL refuses root, and there is neither an account postgres nor nobody")
}

/// Runs a program to its end. Returns what it printed.
pub(super) fn finish(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
