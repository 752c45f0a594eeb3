//! A server process and the guests it is given.

use crate::client::{Answer, Client};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A component built by `cargo xtask guests`.
pub struct Guest {
    /// Its file.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Finds a guest by its name, such as `hostile`.
///
/// # Errors
/// Where it isn't built.
pub fn guest(name: &str) -> Result<Guest> {
    let folder = named("ROWHOUSE_TEST_GUESTS").unwrap_or_else(|| target().join("guests"));
    let file = folder.join(format!("{name}.wasm"));
    let bytes = std::fs::read(&file).with_context(|| {
        format!("read {}: run `cargo xtask guests` (or `guests --foreign`) first", file.display())
    })?;
    Ok(Guest { file, bytes })
}

/// A place that `cargo xtask test` names.
pub(crate) fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// The program for the browser tests.
#[must_use]
pub fn chromedriver() -> PathBuf {
    named("ROWHOUSE_TEST_CHROMEDRIVER").unwrap_or_else(|| PathBuf::from("chromedriver"))
}

/// The program that runs the tests of HTTP caches.
#[must_use]
pub fn node() -> PathBuf {
    named("ROWHOUSE_TEST_NODE").unwrap_or_else(|| PathBuf::from("node"))
}

/// Where those tests are installed.
#[must_use]
pub fn cache_suite_folder() -> PathBuf {
    named("ROWHOUSE_TEST_CACHE_SUITE").unwrap_or_else(|| target().join("cache-suite"))
}

/// The target folder: two above the test's own executable, TARGET/PROFILE/deps/NAME.
fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

fn target() -> PathBuf {
    profile_folder().parent().map(Path::to_owned).unwrap_or_default()
}

/// A running server. Killed when dropped.
pub struct TestServer {
    child: Child,
    // Kept open: a server must not die of a closed pipe.
    _out: BufReader<ChildStdout>,
    folder: Option<TempDir>,
    dir: PathBuf,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// The one-time password of the first start.
    pub first_password: Option<String>,
    /// The one-time password of the owner of a single site, where one was made.
    pub owner_password: Option<String>,
}

impl TestServer {
    /// Starts a server on an empty folder.
    ///
    /// # Errors
    /// Where it doesn't become ready.
    pub fn start() -> Result<Self> {
        Self::start_with("")
    }

    /// Starts a server on an empty folder with this configuration (TOML).
    ///
    /// # Errors
    /// Where it doesn't become ready.
    pub fn start_with(config: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rowhouse-test-").tempdir()?;
        let dir = folder.path().to_owned();
        std::fs::write(dir.join("rowhouse.toml"), config)?;
        let mut server = Self::launch(&dir, &[])?;
        server.folder = Some(folder);
        Ok(server)
    }

    /// Starts a server on one processor only.
    ///
    /// # Errors
    /// Where it doesn't become ready.
    pub fn start_on_one_core() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rowhouse-test-").tempdir()?;
        let dir = folder.path().to_owned();
        std::fs::write(dir.join("rowhouse.toml"), "")?;
        let mut server = Self::launch(&dir, &["taskset", "-c", "0"])?;
        server.folder = Some(folder);
        Ok(server)
    }

    /// Starts a server on a folder that is there already, such as one that a killed server left.
    ///
    /// # Errors
    /// Where it doesn't become ready.
    pub fn launch(dir: &Path, wrapper: &[&str]) -> Result<Self> {
        let binary = named("ROWHOUSE_TEST_SERVER").unwrap_or_else(|| profile_folder().join("rowhouse"));
        let mut words: Vec<String> = wrapper.iter().map(|word| (*word).to_owned()).collect();
        words.push(binary.display().to_string());
        let (program, arguments) = words.split_first().context("name a program")?;
        let mut child = Command::new(program)
            .args(arguments)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(dir.join("data"))
            .arg("--config")
            .arg(dir.join("rowhouse.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::OpenOptions::new().create(true).append(true).open(dir.join("server.log"))?)
            .spawn()
            .with_context(|| format!("start {}: build the workspace first", binary.display()))?;
        let mut out = BufReader::new(child.stdout.take().context("read what the server prints")?);
        let (mut first_password, mut owner_password) = (None, None);
        let mut line = String::new();
        loop {
            line.clear();
            if out.read_line(&mut line)? == 0 {
                let log = std::fs::read_to_string(dir.join("server.log")).unwrap_or_default();
                bail!("the server ended before it was ready ({:?}):\n{log}", child.wait()?);
            }
            if let Some((whose, password)) = line.trim().split_once("one-time password ") {
                let kept = if whose.starts_with("site ") { &mut owner_password } else { &mut first_password };
                *kept = Some(password.to_owned());
            }
            if let Some((_, address)) = line.trim().split_once("ready http://") {
                let address = address.to_owned();
                return Ok(Self {
                    child,
                    _out: out,
                    folder: None,
                    dir: dir.to_owned(),
                    address,
                    first_password,
                    owner_password,
                });
            }
        }
    }

    /// The folder that holds `data/`, `rowhouse.toml` and `server.log`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the server logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("server.log")).unwrap_or_default()
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> &str {
        self.address.rsplit(':').next().unwrap_or_default()
    }

    /// Kills the process at once, as `kill -9` does.
    ///
    /// # Errors
    /// Where it can't be waited for.
    pub fn kill(mut self) -> Result<Option<TempDir>> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.folder.take())
    }

    /// Asks the process to end (SIGTERM) and waits for it. True where it ended well.
    ///
    /// # Errors
    /// Where it can't be asked.
    pub fn terminate(&mut self) -> Result<bool> {
        self.ask_to_end()?;
        self.ended()
    }

    /// Asks the process to end (SIGTERM) and does not wait.
    ///
    /// # Errors
    /// Where it can't be asked.
    pub fn ask_to_end(&self) -> Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().context("send SIGTERM")?;
        Ok(())
    }

    /// Waits until the process ends by itself. True where it ended well.
    ///
    /// # Errors
    /// Where it can't be waited for.
    pub fn ended(&mut self) -> Result<bool> {
        Ok(self.child.wait()?.success())
    }

    /// A client that speaks for this machine's operator.
    ///
    /// # Errors
    /// Where the token file can't be read.
    pub fn operator(&self) -> Result<Client> {
        let token = std::fs::read_to_string(self.dir.join("data/operator.token"))?;
        Ok(Client::new(&self.address).with_token(token.trim()))
    }

    /// A client without credentials.
    #[must_use]
    pub fn visitor(&self) -> Client {
        Client::new(&self.address)
    }

    /// Pushes a guest as `NAME@VERSION`.
    ///
    /// # Errors
    /// Where the server refuses it.
    pub fn push(&self, name: &str, version: &str, bytes: &[u8]) -> Result<Value> {
        let path = format!("/-/api/v1/releases?name={name}&version={version}");
        self.operator()?.post_bytes(&path, "application/wasm", bytes)?.expect(201)?.json()
    }

    /// Makes a tenant on a release, the default one where none is named.
    ///
    /// # Errors
    /// Where the server refuses it.
    pub fn tenant(&self, name: &str, release: Option<&str>) -> Result<Value> {
        let body = json!({ "name": name, "title": format!("Site {name}"), "release": release });
        self.operator()?.post_json("/-/api/v1/tenants", &body)?.expect(201)?.json()
    }

    /// Starts a run and waits for its end. `body` is what `POST /runs` takes.
    ///
    /// # Errors
    /// Where the server refuses it, goes away, or does not move every tenant.
    pub fn activate(&self, body: &Value) -> Result<Value> {
        activate(&self.operator()?, body)
    }

    /// Pushes a guest under its own name as version 1 and makes a tenant for it.
    ///
    /// # Errors
    /// Where the server refuses one of them.
    pub fn site_of(&self, tenant: &str, guest_name: &str) -> Result<()> {
        self.push(guest_name, "1.0.0", &guest(guest_name)?.bytes)?;
        self.tenant(tenant, Some(&format!("{guest_name}@1.0.0")))?;
        Ok(())
    }

    /// GET on a site through its url-prefix.
    ///
    /// # Errors
    /// Where no answer comes.
    pub fn get(&self, tenant: &str, path: &str) -> Result<Answer> {
        self.visitor().get(&format!("/{tenant}{path}"))
    }
}

/// Starts a run and waits for its end.
///
/// # Errors
/// Where the server refuses it, goes away, or does not move every tenant.
pub fn activate(operator: &Client, body: &Value) -> Result<Value> {
    let run = operator.post_json("/-/api/v1/runs", body)?.expect(201)?.json()?;
    let run = ended(operator, &run)?;
    if run.get("state").and_then(Value::as_str) != Some("finished") {
        bail!("some tenants were not moved: {run}");
    }
    Ok(run)
}

/// Waits for the end of a run.
///
/// # Errors
/// Where the server goes away.
pub fn ended(operator: &Client, run: &Value) -> Result<Value> {
    let id = run.get("id").and_then(Value::as_str).context("a run has an id")?;
    loop {
        let run = operator.get(&format!("/-/api/v1/runs/{id}?limit=1"))?.expect(200)?.json()?;
        if run.get("ended_at").is_some_and(Value::is_string) {
            return Ok(run);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // Already gone where the test ended it itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
