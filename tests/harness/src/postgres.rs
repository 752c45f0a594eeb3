//! A PostgreSQL server of a test's own, which takes nothing but TLS over the network.
//!
//! Its certificate is made for `localhost` by an authority that is made with it. It is in a folder of its own,
//! runs as somebody who is not root (it refuses root), and ends with the test. Where a program is missing, the
//! error names the package that has it.

use anyhow::{Context, Result, bail};
use std::fs::{File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who may come in: the superuser through the socket, others with a password and TLS.
const RULES: &str = "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

/// A running server. Ended when dropped.
pub struct TlsPostgres {
    child: Child,
    place: Place,
    port: u16,
}

/// Where it lives, and as whom.
struct Place {
    folder: TempDir,
    programs: PathBuf,
    account: Option<(u32, u32)>,
}

impl TlsPostgres {
    /// Makes a server with an empty cluster and starts it.
    ///
    /// # Errors
    /// Where a program is missing or it doesn't start.
    pub fn start() -> Result<Self> {
        let place = Place::make()?;
        // Another program may take the port between its choice and its use.
        for _attempt in 0..5 {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let mut child = place.launch(port)?;
            let end = Instant::now() + PATIENCE;
            while child.try_wait()?.is_none() {
                if place.ask(port, "SELECT 1").is_ok() {
                    return Ok(Self { child, place, port });
                }
                if Instant::now() > end {
                    end_at_once(&mut child);
                    bail!("PostgreSQL does not answer:\n{}", place.log());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        bail!("PostgreSQL ended at once, five times:\n{}", place.log())
    }

    /// Runs statements as the superuser. Returns the rows, a line each.
    ///
    /// # Errors
    /// Where one fails.
    pub fn ask(&self, statements: &str) -> Result<String> {
        self.place.ask(self.port, statements)
    }

    /// A URL for this role. `host` is `localhost`, or a name that the certificate doesn't have; `options` follow
    /// the `?`.
    #[must_use]
    pub fn url(&self, role: &str, password: &str, host: &str, database: &str, options: &str) -> String {
        format!("postgres://{role}:{password}@{host}:{}/{database}?{options}", self.port)
    }

    /// The certificate of the authority that vouches for it.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.place.folder.path().join("ca.crt")
    }
}

impl Drop for TlsPostgres {
    fn drop(&mut self) {
        end_at_once(&mut self.child);
    }
}

/// SIGQUIT ends its processes at once, without a checkpoint; SIGKILL would leave them behind.
fn end_at_once(child: &mut Child) {
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

impl Place {
    fn make() -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("rowhouse-pg-").tempdir()?;
        certificates(folder.path())?;
        let key = folder.path().join("server.key");
        std::fs::set_permissions(&key, Permissions::from_mode(0o600))?;
        let account = account()?;
        if let Some((user, group)) = account {
            for path in [folder.path(), &key] {
                chown(path, Some(user), Some(group)).context("give the server its folder")?;
            }
        }
        let place = Self { folder, programs, account };
        let data = place.folder.path().join("data");
        let mut made = place.command("initdb");
        made.args([
            "--username=postgres",
            "--auth=trust",
            "--locale=C",
            "--encoding=UTF8",
            "--no-sync",
            "-D",
        ]);
        finish(made.arg(&data))?;
        std::fs::write(data.join("pg_hba.conf"), RULES)?;
        Ok(place)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // Its own folder: the test's may be closed to the account it runs as.
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    fn launch(&self, port: u16) -> Result<Child> {
        let folder = self.folder.path();
        let log = File::options().create(true).append(true).open(folder.join("server.log"))?;
        let setting = |name: &str, value: &Path| format!("{name}={}", value.display());
        self.command("postgres")
            .arg("-D")
            .arg(folder.join("data"))
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "ssl=on", "-c", &setting("unix_socket_directories", folder)])
            .args(["-c", &setting("ssl_cert_file", &folder.join("server.crt"))])
            .args(["-c", &setting("ssl_key_file", &folder.join("server.key"))])
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start PostgreSQL")
    }

    fn ask(&self, port: u16, statements: &str) -> Result<String> {
        let mut command = self.command("psql");
        command.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-p", &port.to_string(), "-h"]);
        let answer = finish(command.arg(self.folder.path()).args(["-c", statements, "postgres"]))?;
        Ok(answer.trim().to_owned())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }
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
            "this test starts a PostgreSQL server of its own: install the package postgresql, so that initdb, \
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

/// An authority, and a certificate for `localhost` that it vouches for. Libraries refuse one that vouches for itself.
fn certificates(folder: &Path) -> Result<()> {
    let names = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n";
    std::fs::write(folder.join("names"), names)?;
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let authority = ["-x509", "-days", "2", "-subj", "/CN=test", "-keyout", "ca.key", "-out", "ca.crt"];
    let request = ["-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"];
    let signed = [
        "-in",
        "server.csr",
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
    ];
    for arguments in [
        [&["req"][..], &key, &authority].concat(),
        [&["req"][..], &key, &request].concat(),
        [&["x509", "-req"][..], &signed, &["names", "-out", "server.crt"]].concat(),
    ] {
        finish(Command::new("openssl").args(arguments).current_dir(folder))
            .context("make a certificate: the package openssl is needed")?;
    }
    Ok(())
}

/// Runs a program to its end. Returns what it printed.
fn finish(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("start {name}"))?;
    if !output.status.success() {
        bail!("{name} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
