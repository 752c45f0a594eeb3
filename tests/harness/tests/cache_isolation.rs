//! Isolation of cached pages, at random: visitors play tricks while the sites are changed under them.
//!
//! One walk, one request after the other, so that a model knows the one right answer to each. A walk that finds
//! something says its seed and step, and goes the same way again with `ROWHOUSE_TEST_SEED`.

#[path = "cache_isolation/model.rs"]
mod model;
#[path = "cache_isolation/tricks.rs"]
mod tricks;
#[path = "cache_isolation/wire.rs"]
mod wire;

use anyhow::{Context, Result, ensure};
use model::{ITEMS, MEMBER, Model, Site, Tenant, is_hit};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rowhouse_tests::{Answer, Client, TestServer, activate, ended, guest};
use serde_json::{Value, json};
use wire::{Ask, Page};

/// Steps where the environment doesn't say: some 10 s. `ROWHOUSE_TEST_WALK_STEPS=40000` is the long walk.
const STEPS: usize = 2000;

/// Names of sites, and a host for each at first.
const SITES: [(&str, &str); 4] =
    [("ash", "one.example"), ("birch", "two.example"), ("cedar", "three.example"), ("elm", "four.example")];

const FIRST: &str = "kept@1.0.0";
const SECOND: &str = "kept@2.0.0";

const PASSWORD: &str = "a long enough password";

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok().and_then(|text| text.parse().ok())
}

/// A server, what is known of it, and the way that is gone.
struct Walk {
    server: TestServer,
    operator: Client,
    random: StdRng,
    model: Model,
    steps: usize,
}

impl Walk {
    fn begin(seed: u64) -> Result<Self> {
        let server = TestServer::start()?;
        let mut bytes = guest("kept")?.bytes;
        server.push("kept", "1.0.0", &bytes)?;
        // A custom section that nobody reads makes another release of the same code.
        bytes.extend_from_slice(&[0, 6, 4, b'v', b'e', b'r', b's', 2]);
        server.push("kept", "2.0.0", &bytes)?;
        let operator = server.operator()?;
        let member = json!({ "name": MEMBER, "password": PASSWORD });
        operator.post_json("/-/api/v1/users", &member)?.expect(201)?;
        let sites = SITES.map(|(name, host)| Site { name, host, tenant: None });
        let model = Model::new(sites.into());
        let mut walk = Self { server, operator, random: StdRng::seed_from_u64(seed), model, steps: 0 };
        for place in 0..SITES.len() {
            walk.make(place)?;
        }
        Ok(walk)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.random_range(0..bound)
    }

    /// Another site than this one.
    fn other(&mut self, place: usize) -> usize {
        (place + 1 + self.below(SITES.len() - 1)) % SITES.len()
    }

    /// What a site is to the API.
    fn path(&self, place: usize) -> Result<String> {
        Ok(format!("/-/api/v1/tenants/{}", self.model.site(place)?.name))
    }

    /// A visit in three of four steps, else a change. What is gone or suspended does not stay so for long.
    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        let (place, chance) = (self.below(SITES.len()), self.below(100));
        let state = self.model.site(place)?.tenant.as_ref().map(|tenant| tenant.is_suspended);
        match (state, chance) {
            (None, 0..40) => self.make(place),
            (Some(true), 0..40) => self.open_or_close(place),
            (Some(false), 0..9) => self.write(place),
            (Some(false), 9..12) => self.flush_page(place),
            (Some(false), 12..15) => self.flush(place),
            (Some(false), 15..17) => self.open_or_close(place),
            (Some(false), 17..20) => self.swap_hosts(place),
            (Some(false), 20..23) => self.move_on_or_back(place),
            (Some(false), 23..25) => self.remove(place),
            _ => self.visit(place),
        }
    }

    /// Somebody plays tricks; then others ask for the same page of the same address, and for the one it was about.
    fn visit(&mut self, place: usize) -> Result<()> {
        let plain = self.plain(place)?;
        let other = self.other(place);
        let (port, neighbour) = (self.server.port(), self.model.site(other)?);
        let mut lot = tricks::Lot {
            random: &mut self.random,
            word: format!("poison-{}", self.steps),
            neighbour: (neighbour.name, format!("{}:{port}", neighbour.host)),
            tags: &self.model.tags,
            sessions: &self.model.sessions,
        };
        let tricked = tricks::played(&plain, &mut lot);
        let first = self.ask(&tricked)?;
        let second = self.ask(&tricked.without_tricks())?;
        let rendering = first.header("x-rendering");
        let is_handed_on = is_hit(&second) && !is_hit(&first) && second.header("x-rendering") == rendering;
        self.model.counts.handed_on += usize::from(is_handed_on);
        self.ask(&plain)?;
        Ok(())
    }

    /// A request as most are.
    fn plain(&mut self, place: usize) -> Result<Ask> {
        let page = if self.below(10) == 0 { Page::Who } else { Page::Stamp(self.below(ITEMS)) };
        let way = self.below(4);
        let (port, site) = (self.server.port(), self.model.site(place)?);
        let below = format!("/{}", site.name);
        let (host, base) = match way {
            0 => (format!("localhost:{port}"), below),
            1 => (format!("127.0.0.1:{port}"), below),
            2 => (format!("{}.localhost:{port}", site.name), String::new()),
            _ => (format!("{}:{port}", site.host), String::new()),
        };
        Ok(Ask::plain(page, host, base))
    }

    fn ask(&mut self, ask: &Ask) -> Result<Answer> {
        let answer = ask.send(&self.server.address).with_context(|| format!("{ask:?}"))?;
        self.model.judge(ask, &answer).with_context(|| {
            format!("{ask:#?}\nwas answered {} {:#?}\n{}", answer.status, answer.headers, answer.text())
        })?;
        Ok(answer)
    }

    fn make(&mut self, place: usize) -> Result<()> {
        let release = if self.below(2) == 0 { FIRST } else { SECOND };
        let site = self.model.site(place)?;
        let (name, host) = (site.name, site.host);
        let body = json!({ "name": name, "release": release, "addresses": [host] });
        let made = self.operator.post_json("/-/api/v1/tenants", &body)?.expect(201)?.json()?;
        let id = made.get("id").and_then(Value::as_str).context("a tenant has an id")?.to_owned();
        ensure!(!self.model.ids.contains(&id), "an id was used again");
        let roles = ("application/json", &br#"{"roles":["owner"]}"#[..]);
        let member = format!("{}/members/{MEMBER}", self.path(place)?);
        self.operator.send("PUT", &member, Some(roles))?.expect(200)?;
        let form = [("name", MEMBER), ("password", PASSWORD)];
        let signed_in = self.server.visitor().post_form(&format!("/{name}/-/sign-in"), &form)?.expect(303)?;
        let session = signed_in.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        self.model.made(place, Tenant::new(id, release, session))
    }

    fn remove(&mut self, place: usize) -> Result<()> {
        let name = self.model.site(place)?.name;
        let path = format!("{}?confirm={name}&now=true", self.path(place)?);
        self.operator.send("DELETE", &path, None)?.expect(200)?;
        self.model.removed(place)
    }

    /// An edit: one item is one more.
    fn write(&mut self, place: usize) -> Result<()> {
        let item = self.below(ITEMS);
        let path = format!("/{}/item/{item}", self.model.site(place)?.name);
        let told = self.server.visitor().send("POST", &path, None)?.expect(200)?.text();
        let value = self.model.tenant(place)?.values.get_mut(item).context("an item")?;
        *value += 1;
        ensure!(told.trim() == value.to_string(), "{told} is what {path} became");
        self.model.changed(place)
    }

    fn flush(&mut self, place: usize) -> Result<()> {
        let path = format!("{}/cache/flush", self.path(place)?);
        self.operator.post_json(&path, &json!({}))?.expect(200)?;
        self.model.changed(place)
    }

    /// One page alone: it is another rendering then.
    fn flush_page(&mut self, place: usize) -> Result<()> {
        let Ask { host, base, .. } = self.plain(place)?;
        let plain = Ask::plain(Page::Stamp(self.below(ITEMS)), host, base);
        let before = self.ask(&plain)?;
        let within = plain.target.strip_prefix(&plain.base).context("a path within the site")?;
        let path = format!("{}/cache/flush", self.path(place)?);
        self.operator.post_json(&path, &json!({ "url": within }))?.expect(200)?;
        let after = self.ask(&plain)?;
        ensure!(before.header("x-rendering") != after.header("x-rendering"), "{plain:?} was flushed");
        Ok(())
    }

    fn open_or_close(&mut self, place: usize) -> Result<()> {
        let was_suspended = self.model.tenant(place)?.is_suspended;
        let action = if was_suspended { "resume" } else { "suspend" };
        let path = format!("{}/{action}", self.path(place)?);
        self.operator.send("POST", &path, None)?.expect(200)?;
        self.model.tenant(place)?.is_suspended = !was_suspended;
        self.model.changed(place)
    }

    /// Two sites get one another's host.
    fn swap_hosts(&mut self, place: usize) -> Result<()> {
        let other = self.other(place);
        let (one, two) = (self.model.site(place)?.host, self.model.site(other)?.host);
        if self.model.site(other)?.tenant.is_none() {
            return self.visit(other);
        }
        for (place, hosts) in [(place, json!([])), (other, json!([one])), (place, json!([two]))] {
            let body = json!({ "addresses": hosts }).to_string();
            let body = Some(("application/json", body.as_bytes()));
            self.operator.send("PATCH", &self.path(place)?, body)?.expect(200)?;
        }
        self.model.swapped(place, other)
    }

    /// Another release for one site, or the one before again.
    fn move_on_or_back(&mut self, place: usize) -> Result<()> {
        let name = self.model.site(place)?.name;
        let tenant = self.model.tenant(place)?;
        let (now, past) = (tenant.release, tenant.run.take());
        let (release, run) = match past {
            Some((run, before)) => {
                let path = format!("/-/api/v1/runs/{run}/rollback");
                let begun = self.operator.send("POST", &path, None)?.expect(201)?.json()?;
                (before, ended(&self.operator, &begun)?)
            }
            None => {
                let next = if now == FIRST { SECOND } else { FIRST };
                let run = activate(&self.operator, &json!({ "release": next, "tenants": [name] }))?;
                let id = run.get("id").and_then(Value::as_str).context("a run has an id")?.to_owned();
                self.model.tenant(place)?.run = Some((id, now));
                (next, run)
            }
        };
        ensure!(run.get("moved") == Some(&json!(1)), "{name} did not move: {run}");
        self.model.tenant(place)?.release = release;
        self.model.changed(place)
    }
}

#[test]
fn nobody_is_shown_what_is_not_right_for_them() -> Result<()> {
    let seed = number("ROWHOUSE_TEST_SEED").unwrap_or_else(rand::random::<u64>);
    let steps = number("ROWHOUSE_TEST_WALK_STEPS").unwrap_or(STEPS);
    let mut walk = Walk::begin(seed)?;
    for step in 0..steps {
        walk.step().with_context(|| format!("step {step}; ROWHOUSE_TEST_SEED={seed} goes there again"))?;
    }
    let counts = &walk.model.counts;
    println!("seed {seed}, {steps} steps: {counts:?}");
    ensure!(counts.hits * 5 >= counts.asked, "hardly anything was kept: the walk shows nothing: {counts:?}");
    ensure!(counts.handed_on * 20 >= steps, "hardly a trick made a page for others: {counts:?}");
    ensure!(counts.changes * 20 >= steps, "hardly anything changed: {counts:?}");
    Ok(())
}
