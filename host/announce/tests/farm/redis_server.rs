//! Servers of Redis that a test starts on ports of its own, breaks and ends.

use std::hash::{BuildHasher as _, RandomState};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes on a busy machine of two cores.
const DEADLINE: Duration = Duration::from_secs(90);

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A port that is free now, and the one 10000 above, where a node of a cluster speaks with others.
fn free_port() -> u16 {
    for candidate in std::iter::repeat_with(|| 16_400 + u16::try_from(random() % 16_000).unwrap()).take(1000)
    {
        let own = TcpListener::bind(("127.0.0.1", candidate));
        let bus = TcpListener::bind(("127.0.0.1", candidate + 10_000));
        if own.is_ok() && bus.is_ok() {
            return candidate;
        }
    }
    panic!("no port is free");
}

/// A number that nobody else has.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// A running `redis-server` in a folder of its own.
pub(crate) struct RedisServer {
    pub(crate) port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts one that keeps nothing, and waits until it answers.
    pub(crate) fn start(more: &[&str]) -> Self {
        let mut server = Self::prepared(more);
        server.run();
        server
    }

    /// One that is down.
    pub(crate) fn prepared(more: &[&str]) -> Self {
        let more = more.iter().map(|&text| text.to_owned());
        let keeps_nothing = ["--save", "", "--appendonly", "no"].map(str::to_owned);
        let arguments = keeps_nothing.into_iter().chain(more).collect();
        Self { port: free_port(), folder: tempfile::tempdir().unwrap(), arguments, process: None }
    }

    /// A Sentinel that watches a master.
    pub(crate) fn sentinel(master: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let watch = format!(
            "sentinel monitor farm 127.0.0.1 {master} 1\nsentinel down-after-milliseconds farm 1000\n\
             sentinel failover-timeout farm 3000\n"
        );
        let file = folder.path().join("sentinel.conf");
        std::fs::write(&file, watch).unwrap();
        let arguments = vec![file.display().to_string(), "--sentinel".to_owned()];
        let mut server = Self { port: free_port(), folder, arguments, process: None };
        server.run();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it, also again on the same port and empty.
    pub(crate) fn run(&mut self) {
        assert!(self.process.is_none());
        // A configuration file has to come first.
        let (file, rest) = match self.arguments.split_first() {
            Some((file, rest)) if !file.starts_with("--") => (Some(file), rest),
            _ => (None, &self.arguments[..]),
        };
        let log = std::fs::File::create(self.log()).unwrap();
        let child = Command::new("redis-server")
            .args(file)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"])
            .args(["--dir", &self.folder.path().display().to_string()])
            .args(rest)
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("start redis-server");
        self.process = Some(child);
        let began = Instant::now();
        while !["PONG", "NOAUTH"].iter().any(|answer| self.try_ask(&["PING"]).contains(answer)) {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(began.elapsed() < DEADLINE, "redis-server doesn't answer:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Ends it at once and loses everything.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Stops it where it stands: connections stay, nothing is answered.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// What `redis-cli` prints.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let answer = self.try_ask(words);
        assert!(!answer.starts_with("ERR"), "{words:?}: {answer}");
        answer
    }

    fn try_ask(&self, words: &[&str]) -> String {
        ask(self.port, words)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks the server at a port of this machine.
pub(crate) fn ask(port: u16, words: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(words)
        .output()
        .expect("run redis-cli");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A cluster of three nodes without replicas.
pub(crate) fn cluster() -> Vec<RedisServer> {
    let more = ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"];
    let nodes: Vec<RedisServer> = (0..3).map(|_| RedisServer::start(&more)).collect();
    let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
    let made = Command::new("redis-cli")
        .args(["--cluster", "create"])
        .args(addresses)
        .arg("--cluster-yes")
        .output()
        .expect("run redis-cli");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
    let began = Instant::now();
    while !nodes.iter().all(|node| node.ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")) {
        assert!(began.elapsed() < DEADLINE, "the cluster doesn't come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    nodes
}

/// A namespace on the shared Redis of this machine, emptied in the end.
pub(crate) struct Shared {
    pub(crate) namespace: String,
}

impl Shared {
    pub(crate) const PORT: u16 = 6379;

    pub(crate) fn new() -> Self {
        Self { namespace: format!("test-{:016x}", random()) }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let pattern = format!("*{}*", self.namespace);
        ask(Self::PORT, &["--no-raw", "--scan", "--pattern", &pattern]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end";
        ask(Self::PORT, &["EVAL", script, "0", &format!("*{}*", self.namespace)]);
    }
}
