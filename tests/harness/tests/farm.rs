//! Three real servers on one control database and one Redis: any of them answers for all, and each is started anew while
//! visitors come, without one of them noticing.
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

#[path = "farm/away.rs"]
mod away;
#[path = "farm/cache.rs"]
mod cache;
#[path = "farm/crash.rs"]
mod crash;
#[path = "farm/files.rs"]
mod files;
#[path = "output_cache/fire.rs"]
mod fire;
#[path = "farm/relay.rs"]
mod relay;
#[path = "farm/stampede.rs"]
mod stampede;

use anyhow::{Context, Result, bail};
use rowhouse_tests::{Client, TestServer, drop_groups, guest};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Far more than anything here takes; a machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two requests: a trickle, so that the restarts are what is tested and not the machine.
const PAUSE: Duration = Duration::from_millis(15);

/// The databases of a farm on the PostgreSQL of the tests, and its names in their Redis. They go with it.
struct Databases {
    runtime: tokio::runtime::Runtime,
    server: String,
    redis: String,
    name: String,
}

impl Databases {
    fn new() -> Result<Self> {
        let server = std::env::var("ROWHOUSE_TEST_POSTGRES")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432/postgres".to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let redis =
            std::env::var("ROWHOUSE_TEST_REDIS").unwrap_or_else(|_| "redis://127.0.0.1:6379/".to_owned());
        let place = redis.strip_prefix("redis://").unwrap_or(&redis);
        let redis = place.split_once('/').map_or(place, |(place, _database)| place).to_owned();
        let help =
            "no Redis: install the package redis-server, or set ROWHOUSE_TEST_REDIS to redis://HOST:PORT/";
        drop(TcpStream::connect(&redis).context(help)?);
        let name = format!("rowhouse_farm_{:016x}", rand::random::<u64>());
        let made = Self { runtime, server, redis, name };
        made.admin(&format!("CREATE DATABASE {}_sites", made.name))?;
        Ok(made)
    }

    fn admin(&self, statement: &str) -> Result<()> {
        self.runtime.block_on(async {
            let help = "no PostgreSQL: install the package postgresql, or set ROWHOUSE_TEST_POSTGRES";
            let mut connection = sqlx::PgConnection::connect(&self.server).await.context(help)?;
            connection.execute(AssertSqlSafe(statement.to_owned())).await?;
            Ok(connection.close().await?)
        })
    }

    /// What the farm's names in Redis begin with.
    fn namespace(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Removes what the farm left in Redis.
    fn forget_names(&self) -> Result<()> {
        let script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end";
        let pattern = format!("*{}*", self.namespace());
        let words = ["EVAL", script, "0", &pattern];
        let words: Vec<String> = words.map(|word| format!("${}\r\n{word}\r\n", word.len())).into();
        let mut stream = TcpStream::connect(&self.redis)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("*{}\r\n{}", words.len(), words.concat()).as_bytes())?;
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        anyhow::ensure!(kind == *b"$", "Redis refused to forget");
        Ok(())
    }

    fn url(&self, suffix: &str) -> String {
        let (server, _database) = self.server.rsplit_once('/').unwrap_or((&self.server, ""));
        format!("{server}/{}{suffix}", self.name)
    }
}

impl Drop for Databases {
    fn drop(&mut self) {
        if let Err(error) = self.forget_names() {
            drop(writeln!(std::io::stderr(), "names in Redis are left: {error:#}"));
        }
        for suffix in ["", "_sites"] {
            let name = format!("{}{suffix}", self.name);
            let dropped = self
                .admin(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
                .and_then(|()| self.admin(&drop_groups(&name)));
            if let Err(error) = dropped {
                // Nothing else can be done with it here.
                drop(writeln!(std::io::stderr(), "{name} is left: {error:#}"));
            }
        }
    }
}

/// A server's folder with its configuration. `redis` is how this server reaches Redis.
fn prepare(dir: &Path, name: &str, databases: &Databases, redis: &str) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let key = dir.join("shared.key");
    // Servers that share sites share the key of their databases' passwords.
    std::fs::write(&key, format!("{}\n", "5a".repeat(32)))?;
    let config = format!(
        "[server]\nname = \"{name}\"\nserved-by = true\ndrain-wait-ms = 200\n\
         [control]\nurl = \"{}\"\nconnections = 4\nsync-interval-ms = 1000\n\
         [data]\ndefault-server = \"pg\"\nkey-file = \"{}\"\n\
         [data-servers.pg]\nengine = \"postgresql\"\nisolation = \"prefix\"\nurl = \"{}\"\nconnections = 12\n\
         [redis]\nurl = \"redis://{redis}/0\"\nnamespace = \"{}\"\n",
        databases.url(""),
        key.display(),
        databases.url("_sites"),
        databases.namespace(),
    );
    Ok(std::fs::write(dir.join("rowhouse.toml"), config)?)
}

/// One request on a connection of its own. `None` where the server did not answer with a single byte: a balancer
/// then asks the next one.
fn ask(address: &str, path: &str, cookie: &str) -> Result<Option<String>> {
    let Ok(mut stream) = TcpStream::connect(address) else { return Ok(None) };
    stream.set_read_timeout(Some(PATIENCE))?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
    if stream.write_all(request.as_bytes()).is_err() {
        return Ok(None);
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(_) | Ok(0) if answer.is_empty() => Ok(None),
        Err(error) => Err(error).with_context(|| format!("the answer of {address} broke off")),
        Ok(_) => Ok(Some(String::from_utf8_lossy(&answer).into_owned())),
    }
}

/// What visitors met.
#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    /// A server was asked that was not there, and the next one answered.
    passed_on: AtomicU64,
    failures: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// Asks another server each time, as a balancer does, until it is told to stop.
fn visit(first: usize, addresses: &Mutex<Vec<String>>, cookie: &str, seen: &Seen) {
    for turn in first.. {
        if seen.stop.load(Ordering::SeqCst) {
            return;
        }
        let servers = addresses.lock().map(|servers| servers.clone()).unwrap_or_default();
        let path = if turn % 2 == 0 { "/club/" } else { "/-/console/" };
        let mut outcome = Err("no server answered".to_owned());
        for step in 0..servers.len() {
            let address = &servers[(turn + step) % servers.len()];
            match ask(address, path, cookie) {
                Ok(None) => {
                    seen.passed_on.fetch_add(1, Ordering::SeqCst);
                }
                Ok(Some(answer)) => {
                    let line = answer.lines().next().unwrap_or_default().to_owned();
                    outcome = if line.contains(" 200 ") { Ok(()) } else { Err(format!("{path}: {line}")) };
                    break;
                }
                Err(error) => {
                    outcome = Err(format!("{path}: {error:#}"));
                    break;
                }
            }
        }
        match outcome {
            Ok(()) => {
                seen.answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(failure) => {
                if let Ok(mut failures) = seen.failures.lock() {
                    failures.push(failure);
                }
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Waits until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !is_so()? {
        if Instant::now() > end {
            bail!("not in time: {what}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn names(number: usize) -> String {
    format!("web{}", number + 1)
}

/// Starts every server at the same time, on an empty control database.
fn start(root: &Path, databases: &Databases) -> Result<Vec<TestServer>> {
    let started: Vec<Result<TestServer>> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..3)
            .map(|number| {
                let dir = root.join(names(number));
                let prepared = prepare(&dir, &names(number), databases, &databases.redis);
                scope.spawn(move || prepared.and_then(|()| TestServer::launch(&dir, &[])))
            })
            .collect();
        starting
            .into_iter()
            .map(|one| one.join().map_err(|_panic| anyhow::anyhow!("a start panicked"))?)
            .collect()
    });
    started.into_iter().collect()
}

/// Starts each server anew: one because an operator asks another server for it, the others by SIGTERM.
fn restart_each(servers: &mut [TestServer], root: &Path, addresses: &Mutex<Vec<String>>) -> Result<()> {
    for number in 0..servers.len() {
        if number == 0 {
            let other = servers[1].operator()?;
            other.send("POST", &format!("/-/api/v1/servers/{}/drain", names(number)), None)?.expect(200)?;
            assert!(servers[number].ended()?, "{}", servers[number].log());
        } else {
            assert!(servers[number].terminate()?, "{}", servers[number].log());
        }
        servers[number] = TestServer::launch(&root.join(names(number)), &[])?;
        let address = servers[number].address.clone();
        let mut known = addresses.lock().map_err(|_poisoned| anyhow::anyhow!("a visitor panicked"))?;
        known[number] = address;
    }
    Ok(())
}

#[test]
fn a_rolling_restart_fails_no_request_and_loses_no_session() -> Result<()> {
    let databases = Databases::new()?;
    let folder = tempfile::Builder::new().prefix("rowhouse-farm-").tempdir()?;
    let mut servers = start(folder.path(), &databases)?;
    let shown = servers.iter().filter(|server| server.first_password.is_some()).count();
    assert_eq!(shown, 1, "the first password is shown once");

    // One server is told, and asked to wait for the others.
    let bytes = guest("page")?.bytes;
    servers[0].push("page", "1.0.0", &bytes)?;
    let body = json!({ "name": "club", "title": "Club", "release": "page@1.0.0" });
    let made = servers[0].operator()?.post_json("/-/api/v1/tenants?wait=50", &body)?.expect(201)?;
    assert_eq!(made.header("rowhouse-behind"), "", "{made:?}");
    assert!(made.headers.contains_key("rowhouse-generation"), "{made:?}");
    for (number, server) in servers.iter().enumerate() {
        let page = server.get("club", "/")?.expect(200)?;
        assert_eq!(page.header("x-served-by"), names(number));
    }
    // Without the wait the others find a new site when the first visitor asks for it.
    let body = json!({ "name": "fresh", "release": "page@1.0.0" });
    servers[1].operator()?.post_json("/-/api/v1/tenants", &body)?.expect(201)?;
    for server in &servers {
        server.get("fresh", "/")?.expect(200)?;
    }

    let user = json!({ "name": "boss", "super_user": true, "password": "correct horse" });
    servers[2].operator()?.post_json("/-/api/v1/users", &user)?.expect(201)?;
    let cookie = session(&servers[0])?;
    let addresses = Mutex::new(servers.iter().map(|server| server.address.clone()).collect::<Vec<_>>());
    let seen = Seen::default();
    let restarted = std::thread::scope(|scope| {
        for first in 0..2 {
            let (addresses, cookie, seen) = (&addresses, cookie.as_str(), &seen);
            scope.spawn(move || visit(first, addresses, cookie, seen));
        }
        let restarted = restart_each(&mut servers, folder.path(), &addresses);
        seen.stop.store(true, Ordering::SeqCst);
        restarted
    });
    restarted?;
    let failures = seen.failures.into_inner().unwrap_or_default();
    let (answered, passed_on) = (seen.answered.into_inner(), seen.passed_on.into_inner());
    println!("{answered} answered, {passed_on} passed on to the next server, {} failed", failures.len());
    assert_eq!(failures, Vec::<String>::new());
    assert!(answered > 50, "{answered} requests were made during the restarts");

    // The session is over everywhere once it is over on one server.
    let listed = servers[1].operator()?.get("/-/api/v1/servers")?.expect(200)?.json()?;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(3), "{listed}");
    let own = servers[1].visitor().with_field("cookie", &cookie);
    own.post_form("/-/console/sign-out", &[])?.expect(303)?;
    for server in &servers {
        let client = server.visitor().with_field("cookie", &cookie);
        until("the session is over", || Ok(client.get("/-/console/")?.status == 303))?;
    }
    for name in ["club", "fresh"] {
        let path = format!("/-/api/v1/tenants/{name}?confirm={name}&now=true");
        servers[0].operator()?.send("DELETE", &path, None)?.expect(200)?;
    }
    for mut server in servers {
        assert!(server.terminate()?, "{}", server.log());
    }
    Ok(())
}

/// The cookie of somebody who signed in at one server.
fn session(server: &TestServer) -> Result<String> {
    let form = [("name", "boss"), ("password", "correct horse")];
    let answer = Client::new(&server.address).post_form("/-/console/sign-in", &form)?.expect(303)?;
    Ok(answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned())
}
