//! Two servers that change things at the same time: whatever was acknowledged must be found on all three afterwards.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::databases::Engine;
use super::fleet::{Farm, SITE_RELEASE};
use super::sign::Sign;
use crate::Effort;
use crate::host::Host;
use crate::places::Places;
use crate::table::Report;

/// Sites of each writer whose titles are changed again and again.
const SITES: u32 = 5;

/// The site that both change: each sets a value of its own, and neither may undo the other's.
const SHARED: &str = "shared";

const SIDES: [&str; 2] = ["left", "right"];

/// What a writer was told is done.
#[derive(Debug, Default)]
struct Done {
    acknowledged: u32,
    /// Changes that were answered with an error. What they were about is not known any more, and not looked for.
    refused: Vec<String>,
    titles: BTreeMap<String, String>,
    setting: Option<String>,
}

pub(crate) fn run(places: &Places, effort: Effort, engine: Engine, report: &mut Report) -> Result<()> {
    let count = if effort.quick { 30 } else { 300 };
    let farm = Farm::start(places, engine, "writers")?;
    let first = farm.host(0)?;
    first.push(places, "site", "bench-site", "1.0.0")?;
    first.create(SHARED, Some(SITE_RELEASE))?;
    for side in SIDES {
        first.create_many(side, SITES, Some(SITE_RELEASE))?;
    }
    for host in farm.hosts() {
        for site in [SHARED, "left1", "right1"] {
            Sign::open(site).wait(host)?;
        }
    }
    let begin = Instant::now();
    let done = both(&farm, count)?;
    let rate =
        f64::from(done.iter().map(|done| done.acknowledged).sum::<u32>()) / begin.elapsed().as_secs_f64();
    let (mut rows, mut lost) = (Vec::new(), Vec::new());
    for (side, done) in SIDES.iter().zip(&done) {
        let (looked_for, missing) = look_for(&farm, side, done);
        rows.push(vec![
            (*side).to_owned(),
            done.acknowledged.to_string(),
            done.refused.len().to_string(),
            looked_for.to_string(),
            missing.len().to_string(),
        ]);
        lost.extend(missing);
    }
    report.section(&format!("Farm on {}: two servers making changes at the same time", engine.name()));
    report.rows(
        &["server", "acknowledged", "refused", "results looked for on all three", "lost (goal 0)"],
        &rows,
    );
    report.note(&format!(
        "Sites made, titles and settings changed, {rate:.0} acknowledged changes a second by both together."
    ));
    if let Some(refusal) = done.iter().find_map(|done| done.refused.first()) {
        report.note(&format!("One of those that were refused: {refusal}"));
    }
    match lost.first() {
        Some(example) => bail!("{} acknowledged changes are lost, such as {example}", lost.len()),
        None => Ok(()),
    }
}

/// Lets two servers change things at the same time.
fn both(farm: &Farm<'_>, count: u32) -> Result<Vec<Done>> {
    let (first, second) = (farm.host(0)?, farm.host(1)?);
    std::thread::scope(|scope| {
        let writing: Vec<_> = SIDES
            .into_iter()
            .zip([first, second])
            .map(|(side, host)| scope.spawn(move || write(host, side, count)))
            .collect();
        writing.into_iter().map(|one| one.join().ok().context("a writer panicked")).collect()
    })
}

fn write(host: &Host, side: &str, count: u32) -> Done {
    let mut done = Done::default();
    for turn in 1..=count {
        match turn % 3 {
            0 => {
                let site = format!("{side}-new-{turn}");
                let made = host.create(&site, Some(SITE_RELEASE));
                done.title(made, &site, &format!("Tenant {site}"));
            }
            1 => {
                let (site, title) = (format!("{side}{}", turn % SITES + 1), format!("Title {side} {turn}"));
                let body = json!({ "title": title });
                let made = host.ask("PATCH", &format!("tenants/{site}"), Some(&body)).map(drop);
                done.title(made, &site, &title);
            }
            _ => {
                let value = turn.to_string();
                let body = json!({ "settings": { side: value } });
                let made = host.ask("PATCH", &format!("tenants/{SHARED}"), Some(&body)).map(drop);
                done.setting = done.note(made).then_some(value);
            }
        }
    }
    done
}

impl Done {
    /// Counts a change; true where it was acknowledged.
    fn note(&mut self, made: Result<()>) -> bool {
        match made {
            Ok(()) => {
                self.acknowledged += 1;
                true
            }
            Err(error) => {
                self.refused.push(format!("{error:#}"));
                false
            }
        }
    }

    /// Counts a change of a title, which is the newest one of the site where it was acknowledged.
    fn title(&mut self, made: Result<()>, site: &str, title: &str) {
        if self.note(made) {
            self.titles.insert(site.to_owned(), title.to_owned());
        } else {
            self.titles.remove(site);
        }
    }
}

/// Looks on every server for what a writer was told is done; gives how many results, and what is missing.
fn look_for(farm: &Farm<'_>, side: &str, done: &Done) -> (usize, Vec<String>) {
    let mut missing = Vec::new();
    for host in farm.hosts() {
        for (site, title) in &done.titles {
            if let Err(error) = Sign::titled(site, title).wait(host) {
                missing.push(format!("{error:#}"));
            }
        }
        if let Some(value) = &done.setting
            && let Err(error) = has_setting(host, side, value)
        {
            missing.push(format!("{error:#}"));
        }
    }
    (done.titles.len() + usize::from(done.setting.is_some()), missing)
}

fn has_setting(host: &Host, side: &str, value: &str) -> Result<()> {
    let shared = host.ask("GET", &format!("tenants/{SHARED}"), None)?;
    let found = shared.get("settings").and_then(|settings| settings.get(side)).and_then(Value::as_str);
    if found != Some(value) {
        bail!("the setting {side} of {SHARED} is {found:?} and not {value}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_not_looked_for() {
        let mut done = Done::default();
        done.title(Ok(()), "a", "first");
        done.title(Ok(()), "b", "first");
        done.title(Err(anyhow::anyhow!("busy")), "a", "second");
        assert_eq!((done.acknowledged, done.refused.len()), (2, 1));
        assert_eq!(done.titles.into_iter().collect::<Vec<_>>(), [("b".to_owned(), "first".to_owned())]);
    }
}
