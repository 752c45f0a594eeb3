//! The server under test, driven as an operator does: its command line and its API.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use ureq::http::Request;

use crate::answer::{agent, visitor};
use crate::places::{Places, free_port};
use crate::server::Server;

/// How long a run may take, or checking and compiling a guest beside a load.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long a server may take to finish what is in flight and end.
const LEAVING: Duration = Duration::from_secs(60);

/// How many tenants are created at the same time.
const HANDS: u32 = 8;

/// What a server has in its environment beside what this program has.
pub(crate) type Environment = [(&'static str, OsString)];

/// An answer that is no success: a clear one, as no answer is not.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) String);

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
        Self::start_in(places, places.fresh(&format!("data-{name}"))?, config)
    }

    /// The same in this folder, which is empty.
    pub(crate) fn start_in(places: &Places, data: PathBuf, config: &str) -> Result<Self> {
        fs::write(data.with_extension("toml"), config).context("write the configuration")?;
        // It begins anew with the data and grows with each start on them.
        fs::write(data.with_extension("log"), "").context("make the log")?;
        Self::start_on(places, data, free_port()?, &[])
    }

    /// Ends the server and starts it again on the same data and port.
    pub(crate) fn restart(self, places: &Places) -> Result<Self> {
        self.restart_under(places, &[])
    }

    /// The same in another environment, which lasts until the next restart.
    pub(crate) fn restart_under(mut self, places: &Places, environment: &Environment) -> Result<Self> {
        self.server.end(LEAVING)?;
        let port = self.server.port;
        Self::start_on(places, self.data, port, environment)
    }

    /// Starts a server that has ended again on the same data and port.
    pub(crate) fn start_again(self, places: &Places) -> Result<Self> {
        let port = self.server.port;
        Self::start_on(places, self.data, port, &[])
    }

    fn start_on(places: &Places, data: PathBuf, port: u16, environment: &Environment) -> Result<Self> {
        let mut command = Command::new(places.rowhouse());
        command.arg("serve").arg("--data").arg(&data).args(["--listen", &format!("127.0.0.1:{port}")]);
        command.arg("--config").arg(data.with_extension("toml"));
        for (name, value) in environment {
            command.env(name, value);
        }
        // Its log would be this program's output.
        let log = fs::OpenOptions::new().append(true).open(data.with_extension("log"));
        let log = log.context("open the log")?;
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
        self.store(&bytes, &format!("name={name}&version={version}{policy}"))
    }

    /// Stores a component as a release that gets a fresh instance for each request.
    pub(crate) fn push_bytes(&self, bytes: &[u8], name: &str, version: &str) -> Result<()> {
        self.store(bytes, &format!("name={name}&version={version}"))
    }

    fn store(&self, bytes: &[u8], query: &str) -> Result<()> {
        let answer = visitor(PATIENCE)
            .post(self.api(&format!("releases?{query}")))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/wasm")
            .send(bytes);
        read(answer, &format!("the release {query}")).map(drop)
    }

    /// Creates a tenant that is served under its name.
    pub(crate) fn create(&self, name: &str, release: Option<&str>) -> Result<()> {
        let body =
            json!({ "name": name, "title": format!("Tenant {name}"), "release": release, "settings": {} });
        self.post("tenants", &body).map(drop)
    }

    /// Gives a tenant another title.
    pub(crate) fn retitle(&self, name: &str, title: &str) -> Result<()> {
        self.ask("PATCH", &format!("tenants/{name}"), Some(&json!({ "title": title }))).map(drop)
    }

    /// Creates `count` tenants named `PREFIX1`, `PREFIX2`, …
    pub(crate) fn create_many(&self, prefix: &str, count: u32, release: Option<&str>) -> Result<()> {
        in_hands(HANDS, count, |number| self.create(&format!("{prefix}{number}"), release))
    }

    /// Removes them for good, with what they had on data servers.
    pub(crate) fn remove_many(&self, prefix: &str, count: u32) -> Result<()> {
        in_hands(HANDS, count, |number| self.remove(&format!("{prefix}{number}")))
    }

    /// Removes a tenant for good, with what it had on its data server.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        self.ask("DELETE", &format!("tenants/{name}?now=true&confirm={name}"), None).map(drop)
    }

    /// Removes all tenants for good.
    pub(crate) fn remove_all(&self) -> Result<()> {
        loop {
            let page = self.get("tenants?limit=200")?;
            let items = page.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let names: Vec<&str> =
                items.iter().filter_map(|item| item.get("name").and_then(Value::as_str)).collect();
            if names.is_empty() {
                return Ok(());
            }
            in_hands(HANDS, u32::try_from(names.len())?, |number| {
                let name = names.get(usize::try_from(number)? - 1).context("find a tenant")?;
                self.remove(name)
            })?;
        }
    }

    /// Connections that the server holds open to this data server.
    pub(crate) fn connections(&self, data_server: &str) -> Result<u64> {
        self.data_server(data_server, "connections")
    }

    /// Connections to tenants' databases on this data server that the server opened since it was started.
    pub(crate) fn opened(&self, data_server: &str) -> Result<u64> {
        self.data_server(data_server, "opened")
    }

    fn data_server(&self, name: &str, figure: &str) -> Result<u64> {
        let servers = self.get("data-servers")?;
        let items = servers.get("items").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let found = items.iter().find(|item| item.get("name").and_then(Value::as_str) == Some(name));
        found
            .and_then(|item| item.get(figure))
            .and_then(Value::as_u64)
            .with_context(|| format!("find {figure} of {name} in {servers}"))
    }

    /// What it counts or measures under this name.
    pub(crate) fn metric(&self, name: &str) -> Result<f64> {
        let request = agent().get(format!("{}/-/metrics", self.server.url()));
        let answer = request.header("authorization", format!("Bearer {}", self.token)).call();
        let text = answer.context("ask for the metrics")?.body_mut().read_to_string()?;
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        found.with_context(|| format!("find {name} in {text}"))
    }

    /// What its clock says, in whole seconds.
    pub(crate) fn clock(&self) -> Result<SystemTime> {
        let answer = agent().get(format!("{}/-/healthz", self.server.url())).call();
        let answer = answer.context("ask for the time")?;
        let date = answer.headers().get("date").and_then(|value| value.to_str().ok());
        httpdate::parse_http_date(date.context("an answer has a date")?).context("read a date")
    }

    /// Moves all tenants to a release; gives how long it took.
    pub(crate) fn activate(&self, release: &str) -> Result<Duration> {
        let begin = Instant::now();
        self.end_run(self.begin_run(release, None)?)?;
        Ok(begin.elapsed())
    }

    /// Begins to move tenants to a release, all where none are named. It goes on after the answer.
    pub(crate) fn begin_run(&self, release: &str, tenants: Option<&[&str]>) -> Result<Value> {
        self.post("runs", &json!({ "release": release, "tenants": tenants }))
    }

    /// Waits until a run has moved every tenant.
    pub(crate) fn end_run(&self, mut run: Value) -> Result<()> {
        let begin = Instant::now();
        let id = run.get("id").and_then(Value::as_str).context("a run without id")?.to_owned();
        while run.get("ended_at").is_none_or(Value::is_null) {
            if begin.elapsed() > PATIENCE {
                bail!("the run does not end: {run}");
            }
            std::thread::sleep(Duration::from_millis(20));
            run = self.get(&format!("runs/{id}?limit=1"))?;
        }
        if run.get("failed").and_then(Value::as_u64) != Some(0) {
            bail!("the run failed for some tenants: {run}");
        }
        Ok(())
    }

    /// Asks the API by this method, with a JSON body where there is one.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(self.api(path))
            .header("authorization", format!("Bearer {}", self.token));
        let answer = match body {
            Some(body) => {
                agent().run(request.header("content-type", "application/json").body(body.to_string())?)
            }
            None => agent().run(request.body(())?),
        };
        read(answer, path)
    }

    fn get(&self, path: &str) -> Result<Value> {
        self.ask("GET", path, None)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask("POST", path, Some(body))
    }

    fn api(&self, path: &str) -> String {
        format!("{}/-/api/v1/{path}", self.server.url())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

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
        return Err(Refusal(format!("the API answered {status} to {what}: {body}")).into());
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&body).with_context(|| format!("read the answer to {what}: {body}"))
}
