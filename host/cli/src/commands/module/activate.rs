//! Moving sites between releases: both ways start a run and follow it.

use super::{ActivateArgs, RollbackArgs};
use crate::api::{Api, Target};
use crate::commands::run::{Watched, named_or_newest, watch};
use crate::failure::Failure;
use crate::screen::Screen;
use serde_json::{Map, Value};
use ureq::http::Method;

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
    let answer = api.send(Method::POST, &Target::new(&["runs"]), Some(&Value::Object(body)))?.body;
    watch(Watched { answer, what }, api, screen)
}

/// Returns every site that moved in a run.
pub(super) fn rollback(args: &RollbackArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let id = named_or_newest(args.run.clone(), Some("activation"), api)?;
    let answer = api.send(Method::POST, &Target::new(&["runs", &id, "rollback"]), None)?.body;
    watch(Watched { answer, what: "rolling back".to_owned() }, api, screen)
}
