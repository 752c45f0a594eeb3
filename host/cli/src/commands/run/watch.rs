//! Following a run to its end: a bar in a terminal, lines elsewhere, the last word of the server with `--json`.
//!
//! What is told comes from the control database, so a server that goes away in between costs a pause: the
//! next one is asked, and tells the present state first. Whoever starts a run ends here too.

use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::screen::{Screen, plain};
use crate::views::{self, ReleaseLabel};
use serde_json::Value;
use std::time::Duration;

/// Times that a server is asked again in vain, one after the other.
const TRIES: u32 = 30;
/// How long is waited before: with [`TRIES`] half a minute, in which a server starts anew.
const PAUSE: Duration = Duration::from_secs(1);
/// Failed sites that are named; `run show` has all.
const NAMED: usize = 20;
/// Lines of progress where nothing can move, at most.
const LINES: u64 = 10;

/// A run to follow, as the server told it first.
pub(in crate::commands) struct Watched {
    pub answer: Value,
    /// What is being done, for people.
    pub what: String,
}

/// How far the bar or the lines are.
struct Shown {
    progress: Progress,
    what: String,
    lines: u64,
}

impl Shown {
    fn tell(&mut self, run: &views::Run, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let done = run.total.saturating_sub(run.left);
        self.progress.set(done);
        self.progress.say(&match run.state.as_str() {
            "interrupted" => format!("{} (waiting for a server to go on)", self.what),
            _ if run.failed > 0 => format!("{} ({} failed)", self.what, run.failed),
            _ => self.what.clone(),
        });
        let line = done.saturating_mul(LINES) / run.total.max(1);
        if line > self.lines && !screen.can_animate && !screen.json {
            self.lines = line;
            let failed = if run.failed > 0 { format!(", {} failed", run.failed) } else { String::new() };
            screen.note(&format!("{done} of {} sites{failed}", run.total))?;
        }
        Ok(())
    }
}

/// Follows a run to its end and says how it ended.
pub(in crate::commands) fn watch(
    watched: Watched,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let mut answer = watched.answer;
    let mut run: views::Run = views::view(&answer);
    if run.id.is_empty() {
        return Err(api.foreign("a run without an id"));
    }
    if run.is_open() {
        let progress = Progress::items(screen, &watched.what, run.total)?;
        let mut shown = Shown { progress, what: watched.what, lines: 0 };
        shown.tell(&run, screen)?;
        let mut tries = 0;
        while run.is_open() {
            match follow(&mut answer, &mut shown, api, screen) {
                Ok(true) => tries = 0,
                Ok(false) if tries >= TRIES => return Err(api.foreign("streams of events that tell nothing")),
                Ok(false) => tries += 1,
                Err(failure) if tries >= TRIES || !may_come_back(&failure) => return Err(failure),
                Err(_away) => tries += 1,
            }
            run = views::view(&answer);
            if run.is_open() {
                std::thread::sleep(PAUSE);
            }
        }
    }
    report(&answer, &run, api, screen)
}

/// Reads one stream of events to its end. False where it told nothing.
fn follow(
    answer: &mut Value,
    shown: &mut Shown,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<bool, Failure> {
    let id = views::view::<views::Run>(answer).id;
    let mut events = api.events(&Target::new(&["runs", &id, "events"]))?;
    let mut told = false;
    while let Some(event) = events.next()? {
        let run: views::Run = views::view(&event);
        if run.id != id {
            return Err(api.foreign("an event of another run"));
        }
        told = true;
        *answer = event;
        shown.tell(&run, screen)?;
        if !run.is_open() {
            break;
        }
    }
    Ok(told)
}

/// True where the next request may find a server.
fn may_come_back(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable { .. } => true,
        Failure::Refused(refusal) => matches!(refusal.status, 429 | 502..=504),
        _ => false,
    }
}

fn report(answer: &Value, run: &views::Run, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if screen.json {
        screen.document(answer)?;
    } else {
        let release = run.release.as_ref().map(ReleaseLabel::name).unwrap_or_default();
        let way = if run.kind == "rollback" { "away from" } else { "to" };
        let to = if release.is_empty() { String::new() } else { format!(" {way} {}", plain(&release)) };
        screen.line(&format!("{} of {} sites moved{to}", run.moved, run.total))?;
        screen.line(&format!("run {}", plain(&run.id)))?;
        if run.gone > 0 {
            screen.note(&format!("{} deleted meanwhile", run.gone))?;
        }
    }
    if run.failed == 0 {
        return Ok(());
    }
    if !screen.json {
        let failed = Target::new(&["runs", &run.id]).with("state", Some("failed"));
        for item in views::items::<views::RunItem>(&api.list(&failed, Some(NAMED))?) {
            let why = item.error.unwrap_or_default();
            screen.note(&format!("failed: {}: {}", plain(&item.tenant), plain(&why)))?;
        }
        screen.note(&format!("`rowhouse run resume {}` tries the failed ones again", plain(&run.id)))?;
    }
    let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
    Err(Failure::Partly { failed: count(run.failed), total: count(run.total) })
}
