//! Moving sites between releases: activate, rollback, and the list of what was moved when.

use super::{ActivateArgs, RollbackArgs};
use crate::api::{Api, Target};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::screen::{Screen, plain};
use crate::table::Table;
use crate::views::{self, ReleaseLabel};
use serde_json::{Map, Value};
use std::time::Duration;
use ureq::http::Method;

/// How often a running activation is looked at: often enough for a bar, rarely enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Moves sites to a release.
pub(super) fn activate(args: ActivateArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut body = Map::new();
    body.insert("release".into(), args.release.as_str().into());
    let whom = match args.tenants.len() {
        0 => "all sites".to_owned(),
        1 => "1 site".to_owned(),
        several => format!("{several} sites"),
    };
    if !args.tenants.is_empty() {
        body.insert("tenants".into(), args.tenants.into());
    }
    if args.keep_default || args.make_default {
        body.insert("default".into(), args.make_default.into());
    }
    let what = format!("moving {whom} to {}", args.release);
    start(&Target::new(&["activations"]), Some(&Value::Object(body)), &what, api, screen)
}

/// Returns every site that moved in an activation.
pub(super) fn rollback(args: &RollbackArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let id = match &args.activation {
        Some(id) => id.clone(),
        None => newest(api)?,
    };
    start(&Target::new(&["activations", &id, "rollback"]), None, "rolling back", api, screen)
}

fn newest(api: &Api) -> Result<String, Failure> {
    let answer = api.list(&Target::new(&["activations"]), Some(1))?;
    let newest = views::items::<views::Activation>(&answer).into_iter().next();
    newest.map(|activation| activation.id).ok_or_else(|| {
        Failure::usage_with("there was no activation yet", "`rowhouse module activate RELEASE` makes one")
    })
}

fn start(
    target: &Target,
    body: Option<&Value>,
    what: &str,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let progress = Progress::waiting(screen, what)?;
    let answer = api.send(Method::POST, target, body);
    drop(progress);
    let answer = wait(answer?.body, what, api, screen)?;
    let activation: views::Activation = views::view(&answer);
    report(&answer, &activation, screen)?;
    let failed = activation.failed.len();
    match failed {
        0 => Ok(()),
        failed => Err(Failure::Partly { failed, total: usize::try_from(activation.total).unwrap_or(failed) }),
    }
}

/// Looks until the activation has ended. A server may answer before that.
fn wait(mut answer: Value, what: &str, api: &Api, screen: &mut Screen<'_>) -> Result<Value, Failure> {
    let mut activation: views::Activation = views::view(&answer);
    if activation.id.is_empty() {
        return Err(api.foreign("an activation without an id"));
    }
    if is_over(&activation) {
        return Ok(answer);
    }
    let progress = Progress::items(screen, what, activation.total)?;
    while !is_over(&activation) {
        std::thread::sleep(LOOK_EVERY);
        answer = api.get(&Target::new(&["activations", &activation.id]))?;
        activation = views::view(&answer);
        progress.set(activation.moved);
    }
    Ok(answer)
}

fn is_over(activation: &views::Activation) -> bool {
    activation.finished_at.is_some()
        || !matches!(activation.state.as_str(), "running" | "pending" | "rolling-back")
}

fn report(answer: &Value, activation: &views::Activation, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if screen.json {
        return Ok(screen.document(answer)?);
    }
    let release = activation.release.as_ref().map(ReleaseLabel::name).unwrap_or_default();
    let to = if release.is_empty() { String::new() } else { format!(" to {}", plain(&release)) };
    screen.line(&format!("{} of {} sites moved{to}", activation.moved, activation.total))?;
    screen.line(&format!("activation {}", plain(&activation.id)))?;
    for failed in &activation.failed {
        screen.note(&format!("failed: {}: {}", plain(&failed.tenant), plain(&failed.error)))?;
    }
    Ok(())
}

/// Lists activations.
pub(super) fn list(limit: u32, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let answer = api.list(&Target::new(&["activations"]), usize::try_from(limit).ok())?;
    if screen.json {
        return Ok(screen.document(&answer)?);
    }
    let mut table = Table::new(&["ID", "KIND", "RELEASE", "STATE", "#MOVED", "#FAILED", "#TOTAL", "STARTED"]);
    for activation in views::items::<views::Activation>(&answer) {
        table.row([
            activation.id,
            activation.kind,
            activation.release.as_ref().map(ReleaseLabel::name).unwrap_or_default(),
            activation.state,
            activation.moved.to_string(),
            activation.failed.len().to_string(),
            activation.total.to_string(),
            views::time(&activation.started_at),
        ]);
    }
    Ok(screen.table(&table, "no activations yet")?)
}
