//! Changing sites: create, set, suspend, resume, delete.

use super::look::{described, found};
use super::{CreateArgs, DeleteArgs, SetArgs};
use crate::api::{Api, Target};
use crate::commands::for_each;
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::screen::Screen;
use crate::views;
use serde_json::{Map, Value, json};
use ureq::http::Method;

/// Creates a site.
pub(super) fn create(args: CreateArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut body = Map::new();
    body.insert("name".into(), args.name.clone().into());
    put(&mut body, "title", args.title);
    put(&mut body, "release", args.release);
    put(&mut body, "data_server", args.server);
    put(&mut body, "locale", args.locale);
    put(&mut body, "time_zone", args.time_zone);
    if !args.addresses.is_empty() {
        body.insert("addresses".into(), args.addresses.into());
    }
    if args.no_url_prefix {
        body.insert("url_prefix".into(), false.into());
    }
    if !args.settings.is_empty() {
        body.insert("settings".into(), settings(args.settings, Vec::new()));
    }
    let progress = Progress::waiting(screen, &format!("creating {}", args.name))?;
    let answer = api.send(Method::POST, &Target::new(&["tenants"]), Some(&Value::Object(body)));
    drop(progress);
    shown(&answer?.body, screen)
}

/// Changes properties of a site.
pub(super) fn set(args: SetArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut body = Map::new();
    put(&mut body, "title", args.title);
    put(&mut body, "locale", args.locale);
    put(&mut body, "time_zone", args.time_zone);
    if let Some(on) = args.url_prefix {
        body.insert("url_prefix".into(), on.into());
    }
    if let Some(list) = args.outbound {
        let hosts: Vec<&str> = list.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
        body.insert("outbound".into(), hosts.into());
    }
    if !args.settings.is_empty() || !args.unset.is_empty() {
        body.insert("settings".into(), settings(args.settings, args.unset));
    }
    if body.is_empty() {
        return Err(Failure::usage_with(
            "nothing to set",
            "give KEY=VALUE, --unset, --title, --locale, --time-zone, --url-prefix or --outbound",
        ));
    }
    let answer =
        api.send(Method::PATCH, &Target::new(&["tenants", &args.name]), Some(&Value::Object(body)))?;
    shown(&answer.body, screen)
}

pub(super) fn put(body: &mut Map<String, Value>, key: &str, value: Option<String>) {
    if let Some(value) = value {
        body.insert(key.to_owned(), value.into());
    }
}

fn settings(set: Vec<(String, String)>, unset: Vec<String>) -> Value {
    let removed = unset.into_iter().map(|key| (key, Value::Null));
    let given = set.into_iter().map(|(key, value)| (key, Value::String(value)));
    Value::Object(removed.chain(given).collect())
}

pub(super) fn shown(answer: &Value, screen: &mut Screen<'_>) -> Result<(), Failure> {
    if screen.json {
        return Ok(screen.document(answer)?);
    }
    Ok(screen.line(&described(&views::view(answer)))?)
}

/// Suspends or resumes sites.
pub(super) fn switch(
    names: &[String],
    verb: &str,
    done: &str,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    for_each(names, screen, |name, screen| {
        let answer = api.send(Method::POST, &Target::new(&["tenants", name, verb]), None)?;
        if screen.json {
            return Ok(screen.document(&answer.body)?);
        }
        Ok(screen.line(&format!("{name} is {done}"))?)
    })
}

/// Deletes a site, once its name was typed.
pub(super) fn delete(args: &DeleteArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let name = args.name.as_str();
    let consequence = match args.now {
        true => {
            format!("This removes the site `{name}` at once: database, files, addresses and memberships.")
        }
        false => {
            format!("This takes the site `{name}` off the air and removes it when the trash period is over.")
        }
    };
    confirm(screen, args.confirm.as_deref(), name, &consequence)?;
    let target =
        Target::new(&["tenants", name]).with("confirm", Some(name)).with("now", args.now.then_some("true"));
    let answer = api.send(Method::DELETE, &target, None)?;
    if screen.json {
        return Ok(screen.document(&answer.body)?);
    }
    if answer.status == 202 {
        let tenant: views::Tenant = views::view(&json!({ "trash_until": answer.body.get("trash_until") }));
        let until = tenant.trash_until.as_deref().map(views::time).unwrap_or_default();
        return Ok(screen.line(&format!("{name} is in the trash until {until}"))?);
    }
    let receipt: views::Receipt = views::view(&answer.body);
    screen.line(&format!("{name} is gone"))?;
    screen.line(&format!("removed: {}", views::counts(&receipt.removed)))?;
    Ok(screen.line(&format!("found afterwards: {}", found(&receipt)))?)
}
