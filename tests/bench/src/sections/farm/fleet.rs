//! A farm: three servers with the configuration of the example, a Redis of their own, and databases that go with them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::command::ask;
use super::crowd::Wish;
use super::databases::{Databases, Engine};
use super::example::{self, SERVERS, fitted};
use super::sign::Sign;
use crate::answer::{Expected, visitor};
use crate::host::{Environment, Host};
use crate::places::{Places, write};
use crate::rivals;
use crate::server::Server;

/// The site that visitors come to, and what its pages have.
pub(super) const SITE: &str = "club";
pub(super) const TITLE: &str = "Tenant club";
/// A site whose every answer is made anew, to any method.
pub(super) const HELLO: &str = "hello";

/// What each of them runs at first.
pub(super) const SITE_RELEASE: &str = "bench-site@1.0.0";
pub(super) const HELLO_RELEASE: &str = "hello@1.0.0";

/// Who may enter the dashboard of [`SITE`].
pub(super) const MEMBER: &str = "olga";
const PASSWORD: &str = "several words in a row";

/// Between two restarts: longer than nginx remembers a refusal (2 s) and HAProxy waits before it asks again (1 s). An
/// operator waits for as long, or takes a server out before the balancer knows that the last one is back.
const NOTICED: Duration = Duration::from_secs(3);

/// Until every server hears again once Redis is back: each tries about once a second.
const HEARING: Duration = Duration::from_secs(4);

/// Signing in takes a moment of a processor that others want too.
const SIGNING_IN: Duration = Duration::from_secs(30);

/// A visitor who wants nothing that is kept.
pub(super) const PAST_THE_CACHE: (&str, &str) = ("cache-control", "no-store");

/// What a farm stands on. It goes with it, after the servers have ended.
pub(super) struct Ground {
    databases: Databases,
    redis: Server,
    /// By which servers find the Redis.
    redis_url: String,
    /// The port of this machine by which servers find the control database, where it isn't its own.
    control_port: Option<u16>,
    /// A server whose data folder is not beside the others', and where it is.
    apart: Option<(usize, PathBuf)>,
}

impl Ground {
    pub(super) fn new(databases: Databases, redis: Server) -> Self {
        let redis_url = format!("redis://127.0.0.1:{}/0", redis.port);
        Self { databases, redis, redis_url, control_port: None, apart: None }
    }

    /// Servers reach the control database by this port of the machine.
    pub(super) fn with_control_by(self, port: u16) -> Self {
        Self { control_port: Some(port), ..self }
    }

    /// Servers find Redis by this URL.
    pub(super) fn with_redis_by(self, url: String) -> Self {
        Self { redis_url: url, ..self }
    }

    /// This server keeps its data in this folder, which is empty.
    pub(super) fn with_data_in(self, server: usize, folder: &Path) -> Self {
        Self { apart: Some((server, folder.to_owned())), ..self }
    }
}

/// See the module.
pub(super) struct Farm<'a> {
    places: &'a Places,
    hosts: Vec<Host>,
    ground: Ground,
}

impl<'a> Farm<'a> {
    /// Starts three servers on new databases.
    pub(super) fn start(places: &'a Places, engine: Engine, part: &str) -> Result<Self> {
        Self::start_on(places, Ground::new(Databases::make(engine, part)?, rivals::redis(places)?))
    }

    /// Starts them on this.
    pub(super) fn start_on(places: &'a Places, ground: Ground) -> Result<Self> {
        // Servers that share sites share the key of their databases' passwords.
        let key = write(&places.work, "farm.key", &format!("{}\n", "5a".repeat(32)))?;
        let engine = ground.databases.engine();
        let changes = [
            ("trusted-proxies = [\"172.16.0.0/12\"]", "trusted-proxies = [\"127.0.0.0/8\"]".to_owned()),
            (
                "postgres://rowhouse:rowhouse@postgres:5432/control",
                ground.databases.control(ground.control_port)?,
            ),
            ("default-server = \"pg\"", "default-server = \"sites\"".to_owned()),
            (
                "[data-servers.pg]\nengine = \"postgresql\"",
                format!("[data-servers.sites]\nengine = \"{}\"", engine.as_str()),
            ),
            ("key-file = \"/run/secrets/data_key\"", format!("key-file = \"{}\"", key.display())),
            ("postgres://rowhouse:rowhouse@postgres:5432/postgres", ground.databases.sites()?),
            // A database for each site takes half a second to make, which is not what is measured here.
            ("isolation = \"database\"", "isolation = \"prefix\"".to_owned()),
            ("spares = 4\n", String::new()),
            // A PostgreSQL takes 100 connections where nobody said otherwise, and others use it too.
            ("connections = 30", "connections = 12".to_owned()),
            ("redis://redis:6379/0", ground.redis_url.clone()),
        ];
        let config = fitted(example::SERVER, &changes)?;
        let mut farm = Self { places, hosts: Vec::new(), ground };
        for number in 0..SERVERS {
            // Where it listens is said on the command line.
            let name = format!("web{}", number + 1);
            let named = ("listen = \"0.0.0.0:8080\"", format!("name = \"{name}\""));
            let config = fitted(&config, &[named])?;
            let folder = match &farm.ground.apart {
                Some((server, folder)) if *server == number => folder.clone(),
                _ => places.fresh(&format!("data-farm-{name}"))?,
            };
            farm.hosts.push(Host::start_in(places, folder, &config)?);
        }
        Ok(farm)
    }

    /// A server; 0 is the first.
    pub(super) fn host(&self, number: usize) -> Result<&Host> {
        self.hosts.get(number).with_context(|| format!("server {number} is not there"))
    }

    pub(super) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// All but this one.
    pub(super) fn others(&self, number: usize) -> impl Iterator<Item = &Host> {
        self.hosts.iter().enumerate().filter(move |(other, _)| *other != number).map(|(_, host)| host)
    }

    pub(super) fn ports(&self) -> Vec<u16> {
        self.hosts.iter().map(|host| host.server.port).collect()
    }

    pub(super) fn redis(&self) -> &Server {
        &self.ground.redis
    }

    /// Waits until every server shows this; gives how long that took at most.
    pub(super) fn shows(&self, sign: &Sign) -> Result<Duration> {
        let begin = Instant::now();
        for host in &self.hosts {
            sign.wait(host)?;
        }
        Ok(begin.elapsed())
    }

    /// Pushes the shipped site and makes [`SITE`] and [`HELLO`], each known to every server.
    pub(super) fn furnish(&self) -> Result<()> {
        let first = self.host(0)?;
        first.push(self.places, "site", "bench-site", "1.0.0")?;
        first.push(self.places, "hello", "hello", "1.0.0")?;
        for (site, release) in [(SITE, SITE_RELEASE), (HELLO, HELLO_RELEASE)] {
            first.create(site, Some(release))?;
            self.shows(&Sign::open(site))?;
        }
        self.is_well()
    }

    /// Makes [`MEMBER`] an owner of [`SITE`].
    pub(super) fn enrol(&self) -> Result<()> {
        let first = self.host(0)?;
        first.ask("POST", "users", Some(&json!({ "name": MEMBER, "password": PASSWORD })))?;
        let path = format!("tenants/{SITE}/members/{MEMBER}");
        first.ask("PUT", &path, Some(&json!({ "roles": ["owner"] }))).map(drop)
    }

    /// Signs [`MEMBER`] in at this server; gives the cookie, which counts at all of them.
    pub(super) fn sign_in(&self, number: usize) -> Result<String> {
        let url = format!("{}/{SITE}/-/sign-in", self.host(number)?.server.url());
        let form = [("name", MEMBER), ("password", PASSWORD)];
        let answer = visitor(SIGNING_IN).post(url).header("sec-fetch-site", "same-origin").send_form(form)?;
        ensure!(answer.status() == 303, "signing in was answered by {}", answer.status());
        let cookie = answer.headers().get("set-cookie").and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|text| text.split(';').next()).context("a session has a cookie")?;
        Ok(cookie.to_owned())
    }

    /// Every server shows both sites to visitors and answers its operator.
    pub(super) fn is_well(&self) -> Result<()> {
        for host in &self.hosts {
            for (site, marker) in [(SITE, TITLE), (HELLO, "Hello from ")] {
                Expected::new(marker, 1..=100_000).check(&format!("{}/{site}/", host.server.url()))?;
            }
            host.ask("GET", "servers", None)?;
        }
        Ok(())
    }

    /// Starts every server anew, one after the other, as it is done to give them a new version.
    pub(super) fn restart_each(&mut self) -> Result<()> {
        for number in 0..self.hosts.len() {
            self.restart(number, &[])?;
            std::thread::sleep(NOTICED);
        }
        Ok(())
    }

    /// Starts a server anew, in this environment.
    pub(super) fn restart(&mut self, number: usize, environment: &Environment) -> Result<()> {
        ensure!(number < self.hosts.len(), "server {number} is not there");
        let host = self.hosts.remove(number).restart_under(self.places, environment)?;
        self.hosts.insert(number, host);
        Ok(())
    }

    /// Kills a server, and starts it again after a while.
    pub(super) fn lose(&mut self, number: usize, time: Duration) -> Result<()> {
        ensure!(number < self.hosts.len(), "server {number} is not there");
        let mut host = self.hosts.remove(number);
        host.server.kill()?;
        std::thread::sleep(time);
        self.hosts.insert(number, host.start_again(self.places)?);
        Ok(())
    }

    /// Kills Redis.
    pub(super) fn lose_redis(&mut self) -> Result<()> {
        self.ground.redis.kill()
    }

    /// Makes Redis forget everything.
    pub(super) fn empty_redis(&self) -> Result<()> {
        let answer = ask(self.ground.redis.port, "FLUSHALL")?;
        ensure!(answer.starts_with("+OK"), "Redis refused to forget: {answer}");
        Ok(())
    }

    /// Starts a killed Redis again, empty, and waits until it is made use of.
    pub(super) fn find_redis(&mut self) -> Result<()> {
        self.ground.redis = rivals::redis_at(self.places, self.ground.redis.port)?;
        std::thread::sleep(HEARING);
        Ok(())
    }

    /// Does something while the server of the sites' database is away. It is started again whatever comes of it.
    pub(super) fn without_sites<T>(&mut self, act: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.ground.databases.stop_sites()?;
        let done = act(self);
        self.ground.databases.start_sites()?;
        done
    }
}

/// Does something while a server or Redis is stopped, and waits until all hear again. It is woken whatever comes of it.
pub(super) fn while_frozen<T>(server: &Server, act: impl FnOnce() -> Result<T>) -> Result<T> {
    server.signal("-STOP")?;
    let done = act();
    server.signal("-CONT")?;
    std::thread::sleep(HEARING);
    done
}

impl Drop for Farm<'_> {
    fn drop(&mut self) {
        // What sites have on a server besides tables goes with the sites alone, or with the whole server.
        let is_removed = !self.ground.databases.are_shared()
            || self.hosts.iter().map(Host::remove_all).any(|removed| removed.is_ok());
        if !is_removed && !self.hosts.is_empty() {
            let server = self.ground.databases.engine().name();
            println!("    no server could remove its sites: their users are left on {server}");
        }
        for host in &mut self.hosts {
            // A drain would take its time, and there is nothing left to finish.
            if let Err(error) = host.server.kill() {
                println!("    a server is left: {error:#}");
            }
        }
    }
}

/// What visitors come for: a page that is kept, one that is made for each of them, and one that is posted to.
pub(super) fn wishes() -> Vec<Wish> {
    let (home, hello) = (format!("/{SITE}/"), format!("/{HELLO}/"));
    let (name, value) = PAST_THE_CACHE;
    vec![
        Wish::page(&home, TITLE),
        Wish::page(&home, TITLE).with(name, value),
        Wish::page(&hello, "Hello from "),
        Wish::page(&hello, "Hello from ").posting("a form"),
    ]
}
