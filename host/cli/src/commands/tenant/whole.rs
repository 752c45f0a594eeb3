//! What is done with whole sites on the server: clone, move, reset.

use super::change::{put, shown};
use super::{CloneArgs, Confirmed, MoveArgs};
use crate::api::{Api, Target};
use crate::confirm::confirm;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::screen::Screen;
use serde_json::{Map, Value, json};
use ureq::http::Method;

/// Makes a site with the content of another one.
pub(super) fn clone(args: CloneArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let mut body = Map::new();
    body.insert("name".into(), args.new.clone().into());
    put(&mut body, "title", args.title);
    put(&mut body, "data_server", args.server);
    if args.resume {
        body.insert("resume".into(), true.into());
    }
    let target = Target::new(&["tenants", &args.name, "clone"]);
    let progress = Progress::waiting(screen, &format!("cloning {} as {}", args.name, args.new))?;
    let answer = api.send(Method::POST, &target, Some(&Value::Object(body)));
    drop(progress);
    shown(&answer?.body, screen)
}

/// Moves a site's database to another data server.
pub(super) fn relocate(args: &MoveArgs, api: &Api, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let target = Target::new(&["tenants", &args.name, "move"]);
    let body = json!({ "data_server": args.server });
    let progress = Progress::waiting(screen, &format!("moving {} to {}", args.name, args.server))?;
    let answer = api.send(Method::POST, &target, Some(&body));
    drop(progress);
    screen.done(&answer?.body, &format!("{} is on {}", args.name, args.server))
}

/// Empties a suspended site, once its name was typed.
pub(super) fn reset(
    name: &str,
    confirmed: &Confirmed,
    api: &Api,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let consequence = format!("This empties the site `{name}`: nothing of its database and files is kept.");
    confirm(screen, confirmed.given(name), name, &consequence)?;
    let target = Target::new(&["tenants", name, "reset"]).with("confirm", Some(name));
    let progress = Progress::waiting(screen, &format!("emptying {name}"))?;
    let answer = api.send(Method::POST, &target, None);
    drop(progress);
    screen.done(&answer?.body, &format!("{name} is empty, and suspended until it is resumed"))
}
