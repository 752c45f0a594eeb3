//! Starts a server of our own in a temporary folder and makes sure that it ends.
//!
//! Between us and the server stands a shell that waits for the end of its input. The input is a pipe that only
//! this process holds, so the server ends with it, whichever way it does: at its end, by Ctrl-C, or killed.
//! Nothing depends on an init system. As root, a server runs as a user of its own: PostgreSQL refuses root.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::Kind;
use crate::packages::rootly;
use crate::process::find;

/// How long a server may take to begin; making a MariaDB takes seconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts "$@" and notes its number, then waits for the end of the input; $0 is the folder. The signals of a terminal
/// go to the whole group: this shell lives on through them, to end the server in order. They are caught and not
/// ignored, because what a shell ignores its children ignore for good.
const WATCH: &str = r#"
trap : INT HUP TERM
( sh -c 'echo $$ > "$0/pid"; exec "$@"' "$0" "$@" < /dev/null > "$0/log" 2>&1
  : > "$0/ended" ) &
cat > /dev/null
while [ ! -s "$0/pid" ] && [ ! -e "$0/ended" ]; do sleep 0.1; done
if [ ! -e "$0/ended" ]; then kill -TERM "$(cat "$0/pid")"; fi
wait
cd /
rm -rf "$0"
"#;

/// A server of our own. Stopped, and its folder removed, when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) port: u16,
    folder: PathBuf,
    watch: Child,
    /// Closed to end the server.
    hold: Option<ChildStdin>,
}

/// Makes and starts a server; `program` is the server's. Waits until it takes connections.
pub(crate) fn start(kind: Kind, program: &Path) -> Result<Running> {
    let user = if rootly() { Some(User::for_server(kind)?) } else { None };
    let folder = make_folder(kind, user.as_ref())?;
    let port = free_port()?;
    if let Err(error) = prepare(kind, program, &folder, user.as_ref()) {
        // Nothing runs there that could need it.
        let _ = fs::remove_dir_all(&folder);
        return Err(error);
    }
    let mut command = as_user(Command::new("sh"), user.as_ref(), &folder);
    command
        .arg("-c")
        .arg(WATCH)
        .arg(&folder)
        .arg(program)
        .args(arguments(kind, &folder, port))
        .stdin(Stdio::piped());
    let mut watch = command.spawn().context("start sh")?;
    let hold = watch.stdin.take();
    let mut running = Running { port, folder, watch, hold };
    running.await_ready(kind)?;
    Ok(running)
}

/// Makes what the server starts on.
fn prepare(kind: Kind, program: &Path, folder: &Path, user: Option<&User>) -> Result<()> {
    let data = folder.join("data");
    let mut command = match kind {
        Kind::Redis => return Ok(()),
        Kind::Postgres => {
            let initdb = program.with_file_name("initdb");
            let mut command = as_user(Command::new(initdb), user, folder);
            command.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]);
            command.arg("--no-sync").arg("--pgdata").arg(&data);
            command
        }
        Kind::MariaDb => {
            let install = find("mariadb-install-db").context("find mariadb-install-db beside mariadbd")?;
            let mut command = as_user(Command::new(install), user, folder);
            command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
            command.arg(format!("--datadir={}", data.display()));
            command
        }
    };
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        bail!("{:?} failed ({}):\n{said}", command.get_program(), output.status);
    }
    Ok(())
}

/// How the server is told where it is. What makes disks safe is off: nothing is kept.
fn arguments(kind: Kind, folder: &Path, port: u16) -> Vec<String> {
    let (data, place) = (folder.join("data").display().to_string(), folder.display());
    let words: Vec<String> = match kind {
        Kind::Postgres => vec![
            "-D".into(),
            data,
            "-p".into(),
            port.to_string(),
            "-clisten_addresses=127.0.0.1".into(),
            format!("-cunix_socket_directories={place}"),
            "-cmax_connections=300".into(),
            "-cfsync=off".into(),
        ],
        Kind::MariaDb => vec![
            "--no-defaults".into(),
            format!("--datadir={data}"),
            format!("--port={port}"),
            "--bind-address=127.0.0.1".into(),
            format!("--socket={place}/socket"),
            format!("--pid-file={place}/server.pid"),
            "--max-connections=500".into(),
            "--local-infile=0".into(),
            "--skip-symbolic-links".into(),
            "--innodb-flush-log-at-trx-commit=0".into(),
        ],
        Kind::Redis => vec![
            "--port".into(),
            port.to_string(),
            "--bind".into(),
            "127.0.0.1".into(),
            "--dir".into(),
            place.to_string(),
            "--save".into(),
            String::new(),
            "--appendonly".into(),
            "no".into(),
        ],
    };
    words
}

impl Kind {
    /// What the server writes once it takes connections, in lower case.
    fn says(self) -> &'static str {
        match self {
            Self::Postgres => "database system is ready to accept connections",
            Self::MariaDb => "ready for connections",
            Self::Redis => "ready to accept connections",
        }
    }

    /// The users that its packages make, then one that every system has.
    fn users(self) -> [&'static str; 2] {
        match self {
            Self::Postgres => ["postgres", "nobody"],
            Self::MariaDb => ["mysql", "nobody"],
            Self::Redis => ["redis", "nobody"],
        }
    }
}

impl Running {
    fn log(&self) -> String {
        fs::read(self.folder.join("log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    fn await_ready(&mut self, kind: Kind) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.log().to_lowercase().contains(kind.says()) {
            let ended = self.folder.join("ended").exists();
            if ended || self.watch.try_wait().context("look after sh")?.is_some() || Instant::now() > until {
                let why = if ended { "it ended" } else { "it is not ready yet" };
                let log = self.log();
                let last: Vec<&str> = log.lines().rev().take(20).collect();
                bail!("{why}; its last lines, newest first:\n{}", last.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.hold.take());
        // The shell ends the server, waits for it and removes the folder.
        if let Err(error) = self.watch.wait() {
            println!("    waiting for the server in {} failed: {error}", self.folder.display());
        }
    }
}

/// A user of the system that isn't root.
#[derive(Debug)]
struct User {
    id: u32,
    group: u32,
}

impl User {
    fn for_server(kind: Kind) -> Result<Self> {
        let table = fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        let found = kind.users().into_iter().find_map(|name| Self::named(name, &table));
        found.context("find a user to run the server as: `nobody` is not in /etc/passwd")
    }

    fn named(name: &str, table: &str) -> Option<Self> {
        let line = table.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2);
        let user = Self { id: numbers.next()?.parse().ok()?, group: numbers.next()?.parse().ok()? };
        (user.id != 0).then_some(user)
    }
}

fn as_user(mut command: Command, user: Option<&User>, folder: &Path) -> Command {
    command.current_dir(folder);
    if let Some(user) = user {
        command.uid(user.id).gid(user.group).env("HOME", folder);
    }
    command
}

/// A folder that the server's user alone can look into.
fn make_folder(kind: Kind, user: Option<&User>) -> Result<PathBuf> {
    // Short: the path of a socket has 107 bytes at most.
    let folder =
        std::env::temp_dir().join(format!("rowhouse-{kind:?}-{}", std::process::id()).to_lowercase());
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("make {}", folder.display()))?;
    if let Some(user) = user {
        chown(&folder, Some(user.id), Some(user.group))
            .with_context(|| format!("give {} to the server's user", folder.display()))?;
    }
    Ok(folder)
}

/// A port that is free now. Somebody else may take it before the server does; then the server says so.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("look for a free port")?;
    Ok(listener.local_addr().context("look for a free port")?.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_user_is_found_and_root_is_not_one() {
        let table =
            "root:x:0:0::/root:/bin/sh\npostgres:x:104:105::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
        assert!(User::named("postgres", table).is_some_and(|user| (user.id, user.group) == (104, 105)));
        assert!(User::named("root", table).is_none() && User::named("post", table).is_none());
    }

    /// A program in place of a server: says that it is ready, then waits.
    fn pretend(script: &str) -> (PathBuf, PathBuf) {
        let name = format!("rowhouse-pretend-{}-{script:p}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("server");
        let mut file = fs::File::create(&program).unwrap();
        writeln!(file, "#!/bin/sh\n{script}").unwrap();
        drop(file);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&program, mode).unwrap();
        (folder, program)
    }

    #[test]
    fn what_was_started_ends_and_leaves_nothing() {
        let (folder, program) = pretend("echo Ready to accept connections; exec sleep 600");
        let running = start(Kind::Redis, &program).unwrap();
        let place = running.folder.clone();
        let number = fs::read_to_string(place.join("pid")).unwrap();
        let process = PathBuf::from("/proc").join(number.trim());
        assert!(process.exists() || !Path::new("/proc/self").exists());
        drop(running);
        assert!(!process.exists() && !place.exists());

        // One that ends at once is told with what it said, and its folder goes too.
        fs::write(&program, "#!/bin/sh\necho no room here; exit 3\n").unwrap();
        let error = format!("{:#}", start(Kind::Redis, &program).unwrap_err());
        assert!(error.contains("it ended") && error.contains("no room here"), "{error}");
        assert!(!place.exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
