//! The server under test, driven as an operator does: its command line and its API.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::answer::agent;
use crate::places::{Places, free_port};
use crate::server::Server;

/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How many tenants are created at the same time.
const HANDS: u32 = 8;

/// A running `rowhouse serve` with its operator's token.
pub(crate) struct Host {
    pub(crate) server: Server,
    data: PathBuf,
    token: String,
}

impl Host {
    /// Starts on an empty data folder.
    pub(crate) fn start(places: &Places, name: &str) -> Result<Self> {
        Self::start_with(places, name, "")
    }

    /// Starts on an empty data folder with this configuration.
    pub(crate) fn start_with(places: &Places, name: &str, config: &str) -> Result<Self> {
        let data = places.fresh(&format!("data-{name}"))?;
        fs::write(data.with_extension("toml"), config).context("write the configuration")?;
        Self::start_on(places, data)
    }

    /// Ends the server and starts it again on the same data.
    pub(crate) fn restart(self, places: &Places) -> Result<Self> {
        let data = self.data.clone();
        drop(self);
        Self::start_on(places, data)
    }

    fn start_on(places: &Places, data: PathBuf) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(places.rowhouse());
        command.arg("serve").arg("--data").arg(&data).args(["--listen", &format!("127.0.0.1:{port}")]);
        command.arg("--config").arg(data.with_extension("toml"));
        // Its log would be this program's output.
        let log = fs::File::create(data.with_extension("log")).context("make the log")?;
        command.stderr(log);
        let server = Server::start_until(&mut command, port, "ready ")?;
        let file = data.join("operator.token");
        let token = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        Ok(Self { server, data, token: token.trim().to_owned() })
    }

    /// Stores a guest as a release that gets a fresh instance for each request.
    pub(crate) fn push(&self, places: &Places, guest: &str, name: &str, version: &str) -> Result<()> {
        self.push_with(places, guest, name, version, "")
    }

    /// Stores a guest as a release whose instances are kept for as long as this program runs.
    pub(crate) fn push_reused(&self, places: &Places, guest: &str, name: &str, version: &str) -> Result<()> {
        self.push_with(places, guest, name, version, "&reuse=1000000000&reuse-idle-ms=600000")
    }

    fn push_with(&self, places: &Places, guest: &str, name: &str, version: &str, policy: &str) -> Result<()> {
        let file = places.guest(guest);
        let bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        let url = self.api(&format!("releases?name={name}&version={version}{policy}"));
        let answer = agent()
            .post(&url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/wasm")
            .send(&bytes);
        read(answer, &format!("push {guest}")).map(drop)
    }

    /// Creates a tenant that is served under its name.
    pub(crate) fn create(&self, name: &str, release: Option<&str>) -> Result<()> {
        let body =
            json!({ "name": name, "title": format!("Tenant {name}"), "release": release, "settings": {} });
        self.post("tenants", &body).map(drop)
    }

    /// Creates `count` tenants named `PREFIX1`, `PREFIX2`, …
    pub(crate) fn create_many(&self, prefix: &str, count: u32, release: Option<&str>) -> Result<()> {
        in_hands(HANDS, count, |number| self.create(&format!("{prefix}{number}"), release))
    }

    /// Removes them for good, with what they had on data servers.
    pub(crate) fn remove_many(&self, prefix: &str, count: u32) -> Result<()> {
        in_hands(HANDS, count, |number| {
            let name = format!("{prefix}{number}");
            let url = self.api(&format!("tenants/{name}?now=true&confirm={name}"));
            let answer = agent().delete(url).header("authorization", format!("Bearer {}", self.token)).call();
            read(answer, &format!("remove {name}")).map(drop)
        })
    }

    /// Connections that the server holds open to this data server.
    pub(crate) fn connections(&self, data_server: &str) -> Result<u64> {
        let servers = self.get("data-servers")?;
        let items = servers.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let found = items.iter().find(|item| item.get("name").and_then(Value::as_str) == Some(data_server));
        found
            .and_then(|item| item.get("connections"))
            .and_then(Value::as_u64)
            .with_context(|| format!("find {data_server} in {servers}"))
    }

    /// Moves all tenants to a release; gives how long it took.
    pub(crate) fn activate(&self, release: &str) -> Result<Duration> {
        let begin = Instant::now();
        let mut run = self.post("runs", &json!({ "release": release }))?;
        let id = run.get("id").and_then(Value::as_str).context("a run without id")?.to_owned();
        while run.get("ended_at").is_none_or(Value::is_null) {
            if begin.elapsed() > PATIENCE {
                bail!("the run of {release} does not end: {run}");
            }
            std::thread::sleep(Duration::from_millis(20));
            run = self.get(&format!("runs/{id}?limit=1"))?;
        }
        if run.get("failed").and_then(Value::as_u64) != Some(0) {
            bail!("the run of {release} failed for some tenants: {run}");
        }
        Ok(begin.elapsed())
    }

    fn get(&self, path: &str) -> Result<Value> {
        let answer =
            agent().get(self.api(path)).header("authorization", format!("Bearer {}", self.token)).call();
        read(answer, path)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = agent()
            .post(self.api(path))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .send(body.to_string());
        read(answer, path)
    }

    fn api(&self, path: &str) -> String {
        format!("{}/-/api/v1/{path}", self.server.url())
    }
}

/// Does something with each number from 1 to `count`, several at the same time.
pub(crate) fn in_hands(hands: u32, count: u32, work: impl Fn(u32) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicU32::new(1);
    let results: Vec<Result<()>> = std::thread::scope(|scope| {
        let hand = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number > count {
                    return Ok(());
                }
                work(number)?;
            }
        };
        let hands: Vec<_> = (0..hands).map(|_| scope.spawn(hand)).collect();
        hands.into_iter().map(|hand| hand.join().unwrap_or_else(|_| bail!("a thread panicked"))).collect()
    });
    results.into_iter().collect()
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>, what: &str) -> Result<Value> {
    let mut answer = answer.with_context(|| format!("ask the API for {what}"))?;
    let status = answer.status();
    let body = answer.body_mut().read_to_string().with_context(|| format!("read the answer to {what}"))?;
    if !status.is_success() {
        bail!("the API answered {status} to {what}: {body}");
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&body).with_context(|| format!("read the answer to {what}: {body}"))
}
