//! Visitors who go on asking while something happens to the farm, and what they saw of it.
//!
//! Every answer is looked at. A failure is any status but 200 and any connection that brought no answer; how often
//! a balancer asked another server meanwhile is its own business.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ureq::http::Request;

use crate::answer::visitor;

/// Longer than a balancer waits for a server (75 s): what takes so long is the balancer's answer.
const PATIENCE: Duration = Duration::from_secs(100);

/// How long the visitors may take to come to the number they should reach.
const ENOUGH: Duration = Duration::from_secs(600);

/// A refused connection must not turn a visitor into an attack on the machine.
const REFUSED: Duration = Duration::from_millis(5);

/// What is asked for, and what has to come.
pub(super) struct Wish {
    pub(super) path: String,
    /// Sent by POST where there is one.
    pub(super) body: Option<&'static str>,
    pub(super) field: Option<(&'static str, String)>,
    /// Part of every right answer.
    pub(super) marker: &'static str,
}

impl Wish {
    pub(super) fn page(path: &str, marker: &'static str) -> Self {
        Self { path: path.to_owned(), body: None, field: None, marker }
    }

    pub(super) fn posting(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self }
    }

    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        Self { field: Some((name, value.to_owned())), ..self }
    }
}

/// Visitors who want the same things, one after the other.
pub(super) struct Group {
    pub(super) visitors: usize,
    /// Between an answer and the next request.
    pub(super) pause: Duration,
    pub(super) wishes: Vec<Wish>,
}

/// What a group saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// Answers with status 200 that were not the page.
    pub(super) wrong: u64,
    /// The longest that anybody waited for an answer or a failure.
    pub(super) longest: Duration,
    /// Right answers by the server that gave them.
    pub(super) by_server: BTreeMap<String, u64>,
    /// One of the failures.
    pub(super) failure: Option<String>,
}

/// An answer as far as it is looked at.
struct Answer {
    status: u16,
    server: String,
    body: String,
}

/// Common to all visitors.
#[derive(Default)]
struct State {
    stop: AtomicBool,
    requests: AtomicU64,
}

/// Lets groups visit `base` while something happens, and then until they have asked `at_least` so often together. Gives
/// what each group saw, and what came of it.
pub(super) fn visit<T>(
    base: &str,
    groups: &[Group],
    at_least: u64,
    during: impl FnOnce() -> Result<T>,
) -> Result<(Vec<Seen>, T)> {
    let state = State::default();
    std::thread::scope(|scope| {
        let state = &state;
        let mut visiting = Vec::new();
        for group in groups {
            let visitors: Vec<_> = (0..group.visitors)
                .map(|first| scope.spawn(move || one_visitor(base, group, first, state)))
                .collect();
            visiting.push(visitors);
        }
        let done = during();
        if done.is_ok() {
            until_enough(state, at_least);
        }
        state.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for visitors in visiting {
            let mut sum = Seen::default();
            for visitor in visitors {
                match visitor.join() {
                    Ok(seen) => sum.merge(seen),
                    Err(_panic) => bail!("a visitor panicked"),
                }
            }
            all.push(sum);
        }
        Ok((all, done?))
    })
}

fn until_enough(state: &State, at_least: u64) {
    let begin = Instant::now();
    while state.requests.load(Ordering::Relaxed) < at_least && begin.elapsed() < ENOUGH {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn one_visitor(base: &str, group: &Group, first: usize, state: &State) -> Seen {
    let agent = visitor(PATIENCE);
    let mut seen = Seen::default();
    for wish in group.wishes.iter().cycle().skip(first) {
        if state.stop.load(Ordering::Relaxed) {
            break;
        }
        let begin = Instant::now();
        let answer = ask(&agent, base, wish);
        seen.note(wish, answer, begin.elapsed());
        state.requests.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(group.pause);
    }
    seen
}

fn ask(agent: &ureq::Agent, base: &str, wish: &Wish) -> Result<Answer> {
    let mut request = Request::builder().uri(format!("{base}{}", wish.path));
    if let Some((name, value)) = &wish.field {
        request = request.header(*name, value);
    }
    let mut answer = match wish.body {
        Some(body) => agent.run(request.method("POST").body(body)?)?,
        None => agent.run(request.body(())?)?,
    };
    let server = answer.headers().get("x-served-by").and_then(|value| value.to_str().ok());
    let server = server.unwrap_or("?").to_owned();
    let body = answer.body_mut().read_to_string()?;
    Ok(Answer { status: answer.status().as_u16(), server, body })
}

impl Seen {
    fn note(&mut self, wish: &Wish, answer: Result<Answer>, took: Duration) {
        self.requests += 1;
        self.longest = self.longest.max(took);
        match answer {
            Ok(answer) if answer.status != 200 => {
                self.fail(format!("{} answered {} (by {})", wish.path, answer.status, answer.server));
            }
            Ok(answer) if !answer.body.contains(wish.marker) => self.wrong += 1,
            Ok(answer) => *self.by_server.entry(answer.server).or_default() += 1,
            Err(error) => {
                self.fail(format!("{}: {error:#}", wish.path));
                std::thread::sleep(REFUSED);
            }
        }
    }

    fn fail(&mut self, what: String) {
        self.failed += 1;
        self.failure.get_or_insert(what);
    }

    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.wrong += other.wrong;
        self.longest = self.longest.max(other.longest);
        for (server, count) in other.by_server {
            *self.by_server.entry(server).or_default() += count;
        }
        self.failure = self.failure.take().or(other.failure);
    }

    /// How many right answers each server gave: `web1 10, web2 11`.
    pub(super) fn servers(&self) -> String {
        let each: Vec<String> =
            self.by_server.iter().map(|(server, count)| format!("{server} {count}")).collect();
        each.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Answer> {
        Ok(Answer { status, server: "web1".to_owned(), body: body.to_owned() })
    }

    #[test]
    fn every_kind_of_answer_is_counted_once() {
        let wish = Wish::page("/", "right");
        let (mut seen, mut other) = (Seen::default(), Seen::default());
        seen.note(&wish, answer(200, "all right"), Duration::from_millis(3));
        seen.note(&wish, answer(200, "left"), Duration::from_millis(1));
        other.note(&wish, answer(303, "right"), Duration::from_millis(9));
        other.note(&wish, Err(anyhow::anyhow!("gone")), Duration::ZERO);
        seen.merge(other);
        assert_eq!((seen.requests, seen.failed, seen.wrong), (4, 2, 1));
        assert_eq!(seen.longest, Duration::from_millis(9));
        assert_eq!(seen.servers(), "web1 1");
        assert_eq!(seen.failure.as_deref(), Some("/ answered 303 (by web1)"));
    }
}
